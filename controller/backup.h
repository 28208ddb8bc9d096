// Backup: a copy of the store while the controller works, and the way back from it.
//
// A backup is a folder: `backup` (what it is: text, one "key = value" a line), `store`,
// and, when they were asked for, the configuration and the keys.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_BACKUP_H
#define KEDGE_CONTROLLER_BACKUP_H

#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/status.h"
#include "controller/store/store.h"

enum backup_keys { BACKUP_WITHOUT_KEYS, BACKUP_WITH_KEYS };

struct backup_report {
    uint64_t bytes; // of the store's file
    uint64_t seq;   // the log's head in it
    uint64_t generation;
    char aside[4096]; // a restore: where the store that was there lies now, or ""
};

// Copies controller `folder` to the new folder `to`, which appears when it is whole.
// `told` gets a line for people on failure. ST_EXISTS, ST_FULL, ST_IO.
MUST_USE enum status backup_make(const char *folder, const char *to,
                                 enum store_copy how, enum backup_keys keys,
                                 struct backup_report *out, struct buf *told);

// Puts the backup's store in place of the one of `folder`, whose controller must not
// run; that one is moved aside, never deleted. A folder that is not there is made from
// a backup with keys. The log begins a new generation, every plan in flight is ended,
// and automation stops until an approver resumes it. ST_CORRUPT: not what was backed
// up. ST_CONFLICT: the controller runs, or the backup is another fleet's.
MUST_USE enum status backup_restore(const char *from, const char *folder,
                                    struct backup_report *out, struct buf *told);

// `kedge ctl backup DIR TO`, `kedge ctl restore BACKUP DIR`.
int backup_main(int argc, char **argv);
int restore_main(int argc, char **argv);

#endif
