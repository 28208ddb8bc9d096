// Care: every byte of a store read once, and a store without its holes.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_CARE_H
#define KEDGE_CONTROLLER_CARE_H

#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/status.h"
#include "controller/log/shelf.h"
#include "controller/store/store.h"

struct care_report {
    uint64_t entries[SHELF_COUNT], bytes[SHELF_COUNT];
    uint64_t log_first, log_last; // entries that are there
    uint64_t expired;             // of them, whose window has expired
    uint64_t stale;               // windows that stand for a report that has expired
    uint64_t damaged;             // values that cannot be read
    struct store_size size;
};

// Reads everything in the store of `folder`, which is a controller's or a backup, and
// may be in use. `told` gets a line for each of the first damaged values.
MUST_USE enum status care_check(const char *folder, struct care_report *out,
                                struct buf *told);

// Writes the store of controller `folder`, which must not run, anew without free pages.
// The bytes of its file before and after. ST_CONFLICT: the controller runs.
MUST_USE enum status care_compact(const char *folder, uint64_t *before, uint64_t *after,
                                  struct buf *told);

// `kedge ctl check DIR`, `kedge ctl compact DIR`.
int check_main(int argc, char **argv);
int compact_main(int argc, char **argv);

#endif
