// Manifest: proves that a version's folder holds exactly what was built.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_ACT_MANIFEST_H
#define KEDGE_AGENT_ACT_MANIFEST_H

#include <stdint.h>

#include "common/base/span.h"
#include "common/base/status.h"

#define MANIFEST_NAME "MANIFEST"
#define MANIFEST_BYTES_MAX (1u << 20)
#define MANIFEST_FILES_MAX 4096
#define MANIFEST_LINE_MAX 1024

// One line, as sha256sum(1) writes it: 64 hex digits, two blanks, a relative path.
struct manifest_line {
    uint8_t digest[32];
    char path[MANIFEST_LINE_MAX];
};

// Opens a folder below `root` without ever leaving it, by links or by "..".
// Returns the descriptor or -1 with errno.
int manifest_open_beneath(int root, const char *path, int flags);

// Takes the next line off `rest`. ST_EMPTY at the end, ST_CORRUPT for anything else
// than a line as above; a path may not begin with '/', nor have "..".
MUST_USE enum status manifest_next(struct span *rest, struct manifest_line *out);

// SHA-256 of the bytes of the folder's MANIFEST: the identity of the artifact.
// ST_NOTFOUND (no such file), ST_CORRUPT, ST_FULL, ST_IO.
MUST_USE enum status manifest_digest(int folder, uint8_t out[32]);

// The same, and reads every listed file to see that it is what the list says:
// ST_CORRUPT otherwise, and `why` names the file.
MUST_USE enum status manifest_verify(int folder, uint8_t out[32], char *why,
                                     size_t why_size);

#endif
