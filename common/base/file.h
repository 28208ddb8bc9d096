// File: whole files read within a limit, and written so that a crash leaves old or new.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_COMMON_BASE_FILE_H
#define KEDGE_COMMON_BASE_FILE_H

#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/span.h"
#include "common/base/status.h"

enum file_secrecy {
    FILE_PUBLIC = 0644,
    FILE_PRIVATE = 0600,
    FILE_SECRET = 0400,
};

// Appends the file to `out`. ST_NOTFOUND, ST_FULL (larger than out's limit), ST_IO
// (errno kept), ST_NOMEM.
MUST_USE enum status file_read(const char *path, struct buf *out);

// As file_read, and refuses (ST_DENIED) a symlink, a file of another owner, or one that
// group or others may touch.
MUST_USE enum status file_read_secret(const char *path, struct buf *out);

// Writes a temporary beside it ("PATH.tmp"), syncs, renames over it, syncs the folder.
// One writer at a time for each path. ST_IO (errno kept), ST_FULL when the disk is,
// ST_NOTFOUND without the folder.
MUST_USE enum status file_replace(const char *path, struct span bytes,
                                  enum file_secrecy secrecy);

// As file_replace, but ST_EXISTS when something is there already.
MUST_USE enum status file_create(const char *path, struct span bytes,
                                 enum file_secrecy secrecy);

// Makes the folder and its parents (mode of the last: `mode`); fine when it is there.
MUST_USE enum status file_make_folder(const char *path, unsigned mode);

// Writes all of it, over partial writes and EINTR. ST_IO; ST_FULL on ENOSPC or EDQUOT.
MUST_USE enum status file_write_all(int fd, struct span bytes);

// Syncs the folder of `path`, so that a rename in it is durable.
MUST_USE enum status file_sync_folder_of(const char *path);

// Joins with one '/', into `out` (PATH_MAX); ST_RANGE when too long.
MUST_USE enum status file_join(const char *folder, const char *name, char *out,
                               size_t out_size);

#endif
