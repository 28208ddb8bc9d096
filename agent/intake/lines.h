// Lines: cuts a stream of bytes into lines, each at most OBSERVATION_LINE_MAX long.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_INTAKE_LINES_H
#define KEDGE_AGENT_INTAKE_LINES_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/span.h"

struct lines {
    struct buf held;  // the beginning of a line that is not complete
    bool is_lent;     // `held` is a line that the caller has been given
    bool is_skipping; // it is too long: passed over up to its newline
};

enum line_kind {
    LINE_NONE, // no complete line is there
    LINE_WHOLE,
    LINE_OVERSIZE, // one line was too long and has been passed over
};

void lines_init(struct lines *l);
void lines_fini(struct lines *l);
void lines_clear(struct lines *l);

// Takes the next line out of *bytes, which it shortens by what it used. A line comes
// without its "\n" or "\r\n", lent until the next call and as long as `bytes` lives. At
// LINE_NONE all of *bytes was kept.
enum line_kind lines_next(struct lines *l, struct span *bytes, struct span *line);

// The stream ended: what is left without a newline, LINE_NONE when there is nothing.
enum line_kind lines_last(struct lines *l, struct span *line);

#endif
