// Tail: the file door. It follows a growing file over rotation and restarts, and loses
// and doubles no line.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_INTAKE_TAIL_H
#define KEDGE_AGENT_INTAKE_TAIL_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/intake/mapping.h"
#include "common/base/buf.h"
#include "common/base/span.h"
#include "common/base/status.h"
#include "proto/observation.h"

#define TAIL_MARK_MAX 128

enum tail_format {
    TAIL_ROWS,      // the agent's own JSON lines (rows.h)
    TAIL_JSONL,     // any JSON objects, by the mapping
    TAIL_CSV,       // with a header line, by the mapping
    TAIL_SAGEMAKER, // what clouds log of their endpoints
    TAIL_AZUREML,
    TAIL_VERTEX,
    TAIL_NGINX, // access logs
    TAIL_ENVOY,
    TAIL_TORCHSERVE,
    TAIL_LABELS,  // JSON objects again: what became known later
    TAIL_BENTOML, // and what BentoML logs for its monitors
    TAIL_FORMATS
};

struct tail_settings {
    const char *name; // of the door, unique in the agent: marks are kept under it
    const char *path;
    enum tail_format format;
    struct mapping mapping;
    bool from_end; // without a mark: begin at the end of the file, not at its beginning
};

struct tail_stats {
    uint64_t lines;
    uint64_t malformed;
    uint64_t oversize;
    uint64_t bytes;
    uint64_t rotations;   // another file took the path, the old one was read to its end
    uint64_t truncations; // the file became shorter, or its beginning changed
    uint64_t lost_files;  // the marked file was gone after a restart
    uint64_t offset;      // in the present file
    uint64_t rates;       // that requests of an access log became
};

struct tail;

// The file need not exist yet. Borrows the strings of the settings until tail_close.
// ST_RANGE (no name, path or model), ST_NOMEM.
MUST_USE enum status tail_open(const struct tail_settings *settings,
                               const struct observation_sink *sink, struct tail **out);
void tail_close(struct tail *t);

// The model that its rows belong to.
struct span tail_model(const struct tail *t);
struct span tail_name(const struct tail *t);

// Appends where the reading stands, at most TAIL_MARK_MAX bytes: device, inode, offset
// and a hash of the file's first bytes. It always stands between two lines. To be
// stored in one transaction with the windows that the lines before it went into.
void tail_mark(const struct tail *t, struct buf *out);

// Before the first turn: goes on from a mark. The marked file is looked for at the path
// and then, by inode, among its rotated neighbours ("path.*" and "path-*"). When it is
// gone, reading begins with the present file and lost_files is counted. ST_CORRUPT.
MUST_USE enum status tail_resume(struct tail *t, struct span mark);

// Reads at most `lines_max` whole lines and hands them to the sink. True: there is
// more.
bool tail_turn(struct tail *t, uint32_t lines_max, uint64_t now_ns);

struct tail_stats tail_stats(const struct tail *t);

#endif
