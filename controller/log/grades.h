// Grades: how well a model's newest version predicts, from the labels that came.
//
// Sums over its last windows, older ones fading (a window weighs half after about 24
// further ones). No row is kept.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_LOG_GRADES_H
#define KEDGE_CONTROLLER_LOG_GRADES_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/status.h"
#include "common/drift/window.h"
#include "controller/log/shelf.h"

#define GRADES_NAME_MAX 128u

struct grades {
    char version[GRADES_NAME_MAX + 1];
    bool is_binary; // labels are 0 or 1, predictions probabilities
    uint64_t windows, judged_ns;
    double rows, sum_p, sum_pp;               // of all predictions
    double labels, sum_loss, sum_bias, sum_y; // of those that a label was joined with
    double pairs, pair_p, pair_y, pair_pp, pair_yy, pair_py;
};

// What the sums say; NAN where they say nothing.
struct grades_figures {
    double coverage;     // labels per prediction of the same windows
    double mae;          // mean |label - prediction|
    double bias;         // mean (prediction - label)
    double in_the_large; // mean prediction / mean label
    double slope;        // of the label over the prediction: 1 is calibrated
    double auc, auc_sd;  // binary: by normal scores, with Hanley and McNeil's variance
    // Binary: the mean |label - prediction| to expect of all predictions if they mean
    // what they say. Refused where it fails on the rows that have labels.
    double estimate;
    const char *estimate_note; // "" or why there is none
};

// Adds a window of the version.
void grades_add(struct grades *g, const struct drift_window *w);
void grades_figures(const struct grades *g, struct grades_figures *out);

// ST_NOTFOUND, ST_CORRUPT, ST_VERSION, the shelf's.
MUST_USE enum status grades_get(struct shelf *s, uint32_t model, struct grades *out);
MUST_USE enum status grades_put(struct shelf *s, uint32_t model,
                                const struct grades *in);

#endif
