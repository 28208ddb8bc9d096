// Audit: the log as a file, and the check of such a file without a controller.
//
// The file is lines of JSON. The first has how many leaves follow and the root of the
// Merkle tree over them (RFC 6962); then one line a leaf, in order: what it says, and
// its bytes. A line is wholly made of the leaf's bytes, so no word of it can be changed
// unnoticed. Somebody who writes the whole file anew can give it a root that fits:
// whoever must exclude that compares with a root that was noted elsewhere (--root).
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_CLI_AUDIT_H
#define KEDGE_CONTROLLER_CLI_AUDIT_H

#include <stdint.h>
#include <stdio.h>

#include "common/base/buf.h"
#include "common/base/span.h"
#include "common/base/status.h"
#include "common/setup/command.h"

#define CLI_AUDIT_LINE_MAX (128u * 1024u) // bytes of one line
#define CLI_AUDIT_ROOT_MAX 65u            // of a root in hex, and a NUL

// Append one line and its newline. ST_CORRUPT: these are no leaf's bytes. ST_NOMEM.
MUST_USE enum status cli_audit_put_head(struct buf *b, uint64_t leaves,
                                        const uint8_t root[32]);
MUST_USE enum status cli_audit_put_leaf(struct buf *b, struct span bytes);

// What a check of a file found.
struct cli_audit_report {
    uint64_t leaves;               // that were read and are sound
    uint64_t first_bad;            // leaf; UINT64_MAX: none, the file is intact
    const char *trouble;           // NULL, or what is wrong there
    char root[CLI_AUDIT_ROOT_MAX]; // in hex, recomputed from the sound leaves
};

// Reads the file to its end, or to the first leaf that is wrong. `root` is what the
// root must be, in hex, or NULL. ST_OK whatever it finds; ST_UNSUPPORTED: it does not
// begin like an exported log. ST_NOMEM. O(leaves), in constant memory.
MUST_USE enum status cli_audit_check(FILE *file, const char *root,
                                     struct cli_audit_report *out);

// `kedge audit export`, and `kedge audit verify --file FILE [--root HEX]`.
int cli_audit_export(void *program, const struct command_line *line);
int cli_audit_verify_file(const struct command_line *line);

#endif
