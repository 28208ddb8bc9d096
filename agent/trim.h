// Trim: gives back memory that only the start needed.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_TRIM_H
#define KEDGE_AGENT_TRIM_H

#include <stdint.h>

// The resident memory of this process in bytes; 0: not known.
uint64_t trim_resident(void);

// Hands free heap back, and drops the pages of programs and libraries that lie
// unchanged on the disk: those that are needed come back by themselves. Takes a
// millisecond or two.
void trim_now(void);

#endif
