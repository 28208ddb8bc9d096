// Rebuild: folds the log once more, from nothing, and compares every byte.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_REBUILD_H
#define KEDGE_CONTROLLER_REBUILD_H

#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/status.h"

struct rebuild_report {
    uint64_t entries;     // of the log, folded again
    uint64_t keys;        // compared
    uint64_t differences; // keys that are missing, too many, or hold something else
};

// `folder` is a controller's; it may be running, since a copy of its store is checked.
// `told` gets a line for each of the first differences, or the reason of a failure.
// `from_backup` (may be NULL: from nothing) is a folder of `kedge ctl backup`, whose
// state is where the fold begins. ST_NOTFOUND: parts of the log have expired, so
// nothing can be said.
MUST_USE enum status rebuild_check(const char *folder, const char *from_backup,
                                   struct rebuild_report *out, struct buf *told);

// `kedge ctl rebuild --check [--from BACKUP] DIR`. Exit code: 0 the same, 1 not.
int rebuild_main(int argc, char **argv);

#endif
