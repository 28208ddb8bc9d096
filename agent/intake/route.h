// Route: what the path of a request says of its model.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_INTAKE_ROUTE_H
#define KEDGE_AGENT_INTAKE_ROUTE_H

#include "agent/intake/word.h"
#include "common/base/span.h"

// Behind it stands how the lines are written.
#define ROUTE_LINES_PREFIX "/lines/"

enum route_kind {
    ROUTE_OTHER,
    ROUTE_PREDICT, // TensorFlow Serving, KServe V1 and V2
    ROUTE_TORCH,   // TorchServe
    ROUTE_MLFLOW,
    ROUTE_SELDON,
    ROUTE_CHAT,
    ROUTE_METRICS, // OTLP
    ROUTE_LINES,   // of a file, by its format
};

struct route {
    enum route_kind kind;
    struct word model; // empty: the path does not say
    struct word version;
};

// Of a path, with or without a query. Percent signs are resolved in names; a name that
// is too long is left out.
void route_of(struct span path, struct route *out);

#endif
