// Clock: the one place that reads time. Loops read it once a turn and hand it on.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_COMMON_BASE_CLOCK_H
#define KEDGE_COMMON_BASE_CLOCK_H

#include <stdint.h>

#define NS_PER_US UINT64_C(1000)
#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S UINT64_C(1000000000)

// Monotonic, for intervals and deadlines.
uint64_t clock_mono_ns(void);

// Monotonic and running while the machine sleeps, for the age of an order.
uint64_t clock_boot_ns(void);

// Wall time since 1970, for people and for keys in the store.
uint64_t clock_wall_ns(void);

#endif
