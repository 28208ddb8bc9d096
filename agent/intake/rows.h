// Rows: reads the agent's own JSON-lines form, one observation a line.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_INTAKE_ROWS_H
#define KEDGE_AGENT_INTAKE_ROWS_H

#include "common/base/span.h"
#include "common/base/status.h"
#include "proto/observation.h"

struct rows;

// A reader for one connection or file; all its memory is bounded by the limits of
// proto/observation.h. `model` (may be NULL) is assumed where a line names none.
MUST_USE enum status rows_open(const char *model, struct rows **out);
void rows_close(struct rows *r);

// Reads one line without its newline:
//   {"model":"m","version":"v1","id":"x","ts":1341100800,
//    "features":{"hr":5,"season":"s1","temp":null},"prediction":123.4,"label":99}
// "ts" is seconds since 1970 or RFC 3339 text; "version", "id", "ts", "features",
// "prediction" and "label" may be absent, but one of the last three must be there.
// Members it does not know are skipped and counted in observation.unknown.
// Lends *out until the next call. `now_ns` is the arrival, used when "ts" is absent.
// Errors: ST_CORRUPT (no such object), ST_FULL (more values than
// OBSERVATION_VALUES_MAX), ST_NOMEM.
MUST_USE enum status rows_read(struct rows *r, struct span line, uint64_t now_ns,
                               struct observation *out);

// The same of one msgpack map with the same members, nested at most READER_DEPTH_MAX
// deep; bytes and ext types are ST_CORRUPT.
MUST_USE enum status rows_unpack(struct rows *r, struct span packet, uint64_t now_ns,
                                 struct observation *out);

// The model that the last line named, as far as it was read; may be empty. So a broken
// line can be charged to its model. Lent until the next rows_read.
struct span rows_blame(const struct rows *r);

#endif
