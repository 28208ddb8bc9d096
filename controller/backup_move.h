// Move: files and folders copied, swapped and removed, for backups and their like.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_BACKUP_MOVE_H
#define KEDGE_CONTROLLER_BACKUP_MOVE_H

#include <stddef.h>

#include "common/base/status.h"

// Copies FROM/NAME to TO/NAME, which must not be there, with its mode, and syncs it.
// ST_NOTFOUND, ST_EXISTS, ST_FULL, ST_IO.
MUST_USE enum status move_copy_file(const char *from, const char *to, const char *name);

// The configuration, the keyring and all keys of a controller's folder.
MUST_USE enum status move_copy_keys(const char *from, const char *to);

// Puts folder `fresh` in the place of `there`, in one step where the file system can.
// What was there is then called THERE.before-TIME, which `aside` tells ("" when there
// was nothing).
MUST_USE enum status move_swap(const char *fresh, const char *there, char *aside,
                               size_t size);

// Removes a folder with all in it, as far as it can.
void move_remove(const char *folder);

#endif
