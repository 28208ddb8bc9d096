// Rules: a detection policy from a file: Kedge's own levels, and the fixed-line rules
// that people bring along from other monitors.
//
//   detect { warn_feature = 1e4  pages_per_week = 2 }
//   rule "psi-bands" { when = "psi > 0.25" }
//   rule "sas" { when = "p1 > 5 or p25 > 0" }
//   rule "ks" { when = "ks_p < 0.05" }
//   rule "sagemaker" { constraints = "constraints.json"  when = "violations > 0" }
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_RULES_H
#define KEDGE_CONTROLLER_RULES_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/status.h"
#include "common/drift/judge.h"
#include "common/drift/window.h"
#include "common/setup/conf.h"
#include "controller/act/expr.h"
#include "controller/constraints.h"

#define RULES_MAX 32u

// One rule over the inputs of a window. What it may say: rows (of the fullest input),
// inputs, p1 and p25 (inputs with a PSI over 0.1 and over 0.25), violations (of the
// constraints); the largest psi, ks, js, w1, mean, linf and missing of any input, the
// least ks_p and chi2_p.
struct rules_rule {
    char *name, *when, *constraints_file;
    struct expr *condition;
    struct constraints *constraints; // NULL: none
};

struct rules_detect {
    double warn_feature, warn_model, page_model, pages_per_week, burst;
    bool page_on_gross;
};

struct rules {
    struct rules_detect detect;
    struct conf_many rule; // of struct rules_rule
};

// Reads the file; a constraints file is looked for beside it. On failure `why` has one
// line. ST_NOTFOUND, ST_RANGE, ST_IO, ST_NOMEM.
MUST_USE enum status rules_read(const char *path, struct rules *out, struct buf *why);

// Kedge's own levels and no rule.
MUST_USE enum status rules_standard(struct rules *out);
void rules_free(struct rules *r); // a zeroed one is fine

uint32_t rules_count(const struct rules *r);
const struct rules_rule *rules_at(const struct rules *r, uint32_t i);

// The judge's settings; without a page_model of its own a model pages at the level that
// its share (0..1) of the fleet's budget leaves for windows of that length.
struct judge_settings rules_judge(const struct rules *r, double share,
                                  uint64_t window_ns);

// Which rules speak: bit i of the answer is rule i.
uint32_t rules_window(const struct rules *r, const struct baseline *b,
                      const struct drift_window *w);

#endif
