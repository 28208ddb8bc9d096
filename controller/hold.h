// Hold: one program at a time works on a controller's folder.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_HOLD_H
#define KEDGE_CONTROLLER_HOLD_H

#include "common/base/status.h"

// Takes DIR/run/lock until hold_close, or the end of the process however it ends.
// ST_CONFLICT: another one has it. ST_IO.
MUST_USE enum status hold_open(const char *folder, int *out);
void hold_close(int hold); // -1 is fine

#endif
