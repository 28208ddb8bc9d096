// Feed: bytes of any door's format, in any pieces, made into observations.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_INTAKE_FEED_H
#define KEDGE_AGENT_INTAKE_FEED_H

#include <stdint.h>

#include "agent/intake/mapping.h"
#include "common/base/span.h"
#include "common/base/status.h"
#include "proto/observation.h"

enum feed_door { FEED_HTTP, FEED_TAIL, FEED_SCRAPE, FEED_UDP };

struct feed;

// `format` names how the lines of a file are written ("rows", "jsonl", "csv", "labels",
// "sagemaker-data-capture", ...; feed_format walks them); the other doors need none,
// and take any. Keeps the sink, borrows the mapping. ST_UNSUPPORTED (no such format),
// ST_RANGE (the mapping), ST_NOMEM.
MUST_USE enum status feed_open(enum feed_door door, const char *format,
                               const struct mapping *m,
                               const struct observation_sink *sink, struct feed **out);
void feed_close(struct feed *f); // NULL is fine

// What cannot be read is dropped and counted by the sink, and the rest goes on; a
// failure means that nothing more can be read: ST_CORRUPT, ST_FULL, ST_NOMEM.
MUST_USE enum status feed_bytes(struct feed *f, struct span bytes, uint64_t now_ns);
MUST_USE enum status feed_end(struct feed *f);

// The n-th format of files, NULL behind the last.
const char *feed_format(uint32_t n);

// What a file's first line looks like; never NULL.
const char *feed_guess(struct span line);

#endif
