// Otlp: metrics that an OpenTelemetry exporter posts as JSON.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_INTAKE_OTLP_H
#define KEDGE_AGENT_INTAKE_OTLP_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/intake/pick.h"
#include "agent/intake/teller.h"
#include "common/base/span.h"
#include "common/base/status.h"

#define OTLP_BOUNDS_MAX 256
#define OTLP_NAME_MAX 96

// One data point at a time: its figures and those of its attributes that matter.
struct otlp {
    struct teller *teller;
    struct lexer lexer;
    struct pick pick;
    struct word metric;
    struct word key; // of the attribute under way
    struct word model;
    struct word direction; // gen_ai.token.type
    struct word time;      // ns since 1970, in digits
    struct word begin;     // of what is counted, the same
    uint64_t resource;     // a hash of the attributes of its resource,
    uint64_t series;       // and with them those of the point
    bool has_value;
    double value; // of a gauge or a sum
    struct histogram_figures figures;
    double bounds[OTLP_BOUNDS_MAX];
    uint64_t counts[OTLP_BOUNDS_MAX + 1];
    uint32_t n_bounds;
    uint32_t n_counts;
    uint64_t strangers; // points of metrics that name no model
};

// Keeps the teller.
void otlp_init(struct otlp *o, struct teller *t);
void otlp_fini(struct otlp *o);
void otlp_begin(struct otlp *o);

// Each point of a model becomes one signal. ST_CORRUPT, ST_RANGE, ST_FULL (more than
// OTLP_BOUNDS_MAX bounds), ST_NOMEM.
MUST_USE enum status otlp_bytes(struct otlp *o, struct span bytes);
MUST_USE enum status otlp_end(struct otlp *o);

#endif
