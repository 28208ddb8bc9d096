// Series: windows of one version over all its hosts, and figures of one feature in
// them.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_QUERY_SERIES_H
#define KEDGE_CONTROLLER_QUERY_SERIES_H

#include <stdint.h>

#include "common/sketch/grid.h"
#include "common/sketch/profile.h"
#include "controller/log/blob.h"
#include "controller/query/inside.h"

// One version of a model, by numbers.
struct series {
    uint32_t model, version;
    uint32_t number; // of its windows over all hosts
    char version_name[129];
};

// The version that was asked for; with an empty one that of the newest window.
// ST_NOTFOUND: there is no such version, or no window of any.
MUST_USE enum status series_find(struct call *c, uint32_t model, struct span version,
                                 struct series *out);

// The newest window. ST_NOTFOUND.
MUST_USE enum status series_last(struct call *c, const struct series *s,
                                 enum key_resolution res, struct blob *out);
// Calls `each` for every window that begins in [from, until), in order.
typedef enum status series_each(struct call *c, const struct blob *b, void *with);
struct series_span {
    enum key_resolution res;
    uint64_t from_ns, until_ns;
};
MUST_USE enum status series_walk(struct call *c, const struct series *s,
                                 const struct series_span *span, series_each *each,
                                 void *with);

// The cells of a feature, as agents were told; NULL: it has none. The caller closes it.
MUST_USE enum status series_grid(struct call *c, const struct series *s,
                                 struct span feature, struct grid **out);

// A figure by its name: "mean", "sd", "min", "max", "missing", "rows", "zero",
// "distinct", "p01".."p99".
struct measure {
    enum measure_kind {
        MEASURE_ROWS,
        MEASURE_MEAN,
        MEASURE_SD,
        MEASURE_MIN,
        MEASURE_MAX,
        MEASURE_MISSING,
        MEASURE_ZERO,
        MEASURE_DISTINCT,
        MEASURE_QUANTILE,
    } kind;
    double rank; // of a quantile
};
// ST_NOTFOUND.
MUST_USE enum status measure_find(struct span name, struct measure *out);
bool measure_wants_grid(const struct measure *m);
// NaN where the window cannot tell. Quantiles are read from the cells, between whose
// bounds values are taken as spread evenly: right to within a cell.
double measure_of(const struct measure *m, const struct profile *p,
                  const struct grid *grid);

#endif
