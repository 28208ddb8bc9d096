// Followed: a file that is being followed, and how it is found again after a rotation.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_INTAKE_FOLLOWED_H
#define KEDGE_AGENT_INTAKE_FOLLOWED_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/span.h"
#include "common/base/status.h"

#define FOLLOWED_HEAD_BYTES 256

// Who a file is: its place, and what it begins with. An inode alone may be given to
// another file; a beginning alone may be common to several.
struct followed_id {
    uint64_t device;
    uint64_t inode;
    uint64_t head_hash;
    uint32_t head_size; // bytes hashed, at most FOLLOWED_HEAD_BYTES
};

// An open file; fd is -1 when there is none. One whose name ends in ".gz" is read as
// what is packed in it: offsets, sizes and the beginning are of the plain bytes.
struct followed {
    int fd;
    void *packed; // gzFile; NULL: it is plain
    uint64_t packed_at;
    struct followed_id id;
};

// Opens it for reading. ST_NOTFOUND, ST_IO (also what is no regular file).
MUST_USE enum status followed_open(const char *path, struct followed *out);
void followed_close(struct followed *f);

// As pread; a packed file that is broken ends there.
int64_t followed_read(struct followed *f, uint8_t *out, size_t size, uint64_t offset);

// Hashes the head anew, of the first min(size, FOLLOWED_HEAD_BYTES) bytes, once more
// bytes have been read than it covers.
void followed_learn(struct followed *f, uint64_t size);

// Whether the file still begins as it did and has at least `size` bytes.
bool followed_is_same(struct followed *f, uint64_t size);

// Whether `path` leads to another file now (or to none).
bool followed_is_away(const struct followed *f, const char *path);

// Looks for the file that was `id` and had at least `size` bytes: at `path`, then among
// its neighbours "path.*" and "path-*", first by inode and beginning, then by the
// beginning alone (a copy). `not_inode` is passed over (0: none). ST_NOTFOUND.
MUST_USE enum status followed_find(const char *path, const struct followed_id *id,
                                   uint64_t size, uint64_t not_inode,
                                   struct followed *out);

// The file to be read behind `done`: the neighbour that was written to next, or else
// `path` itself. ST_NOTFOUND when nothing came after it.
MUST_USE enum status followed_next(const char *path, const struct followed *done,
                                   struct followed *out);

#endif
