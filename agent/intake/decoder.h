// Decoder: what turns one line or one body into observations, whatever its format.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_INTAKE_DECODER_H
#define KEDGE_AGENT_INTAKE_DECODER_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/intake/mapping.h"
#include "common/base/span.h"
#include "common/base/status.h"
#include "proto/observation.h"

// A line-wise format. One object serves one file.
struct decoder {
    void *self;
    // Reads one line and hands its observations to sink->row (never drop or settle).
    // ST_CORRUPT or ST_RANGE: no observation can be read from it; ST_FULL: more values
    // than allowed; ST_NOMEM. `now_ns` is the arrival. Before a failure it may have
    // handed on nothing: a line counts as a whole or not at all.
    enum status (*line)(void *self, struct span line, uint64_t now_ns,
                        const struct observation_sink *sink);
    // A new file begins with this line; true when it is no observation (a header).
    // NULL: the format has none.
    bool (*header)(void *self, struct span line);
    void (*close)(void *self);
};

// The agent's own JSON lines (rows.h). Rows of another model than the mapping's are
// dropped as unknown. Borrows the mapping.
MUST_USE enum status decoder_rows(const struct mapping *m, struct decoder *out);

// Any JSON objects, by JSON Pointers.
MUST_USE enum status decoder_jsonl(const struct mapping *m, struct decoder *out);

// Comma-separated values (RFC 4180, but a record is one line) with a header.
MUST_USE enum status decoder_csv(const struct mapping *m, struct decoder *out);

// Data capture of SageMaker, the data collector of Azure ML, request-response logging
// of Vertex: JSON lines. A model that the mapping names goes before what a line says.
MUST_USE enum status decoder_sagemaker(const struct mapping *m, struct decoder *out);
MUST_USE enum status decoder_azureml(const struct mapping *m, struct decoder *out);
MUST_USE enum status decoder_vertex(const struct mapping *m, struct decoder *out);

// Access logs: nginx "combined", Envoy's own format, TorchServe. The address of the
// client is not read.
MUST_USE enum status decoder_nginx(const struct mapping *m, struct decoder *out);
MUST_USE enum status decoder_envoy(const struct mapping *m, struct decoder *out);
MUST_USE enum status decoder_torchserve(const struct mapping *m, struct decoder *out);

// StatsD with DogStatsD's tags: each line of a datagram.
MUST_USE enum status decoder_statsd(const struct mapping *m, struct decoder *out);

#endif
