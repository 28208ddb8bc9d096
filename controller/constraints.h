// Constraints: the file of constraints that SageMaker Model Monitor suggests from a
// training set, evaluated on our counts.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_CONSTRAINTS_H
#define KEDGE_CONTROLLER_CONSTRAINTS_H

#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/status.h"
#include "common/drift/baseline.h"
#include "common/drift/window.h"

#define CONSTRAINTS_FILE_MAX (1u << 20)
#define CONSTRAINTS_FEATURES_MAX 1024u

struct constraints;

// Reads constraints.json: of each feature its `completeness` and
// `num_constraints.is_non_negative`; of `monitoring_config` the
// `distribution_constraints` (perform_comparison, comparison_threshold). Domains of
// texts and inferred types are not evaluated, since we hold no clear texts.
// ST_NOTFOUND, ST_RANGE with a line in `why`, ST_NOMEM.
MUST_USE enum status constraints_read(const char *path, struct constraints **out,
                                      struct buf *why);
void constraints_close(struct constraints *c); // NULL is fine

// How many constraints the window breaks: at most one a feature and kind
// (completeness, negative values, distance over the threshold: the largest gap of the
// distribution functions, of the shares for categories).
uint32_t constraints_violations(const struct constraints *c, const struct baseline *b,
                                const struct drift_window *w);

#endif
