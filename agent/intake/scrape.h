// Scrape: a page of metrics in Prometheus text, as inference servers publish it.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_INTAKE_SCRAPE_H
#define KEDGE_AGENT_INTAKE_SCRAPE_H

#include <stdint.h>

#include "agent/intake/lines.h"
#include "agent/intake/teller.h"
#include "common/base/span.h"
#include "common/base/status.h"
#include "proto/observation.h"

#define SCRAPE_SERIES_MAX 256 // models and versions on one page
#define SCRAPE_SIGNALS 8

// The sums of one model and version.
struct scrape_series {
    struct word model;
    struct word version;
    double sum[SCRAPE_SIGNALS];
    bool has[SCRAPE_SIGNALS];
};

// A table maps the names of Triton, vLLM, TorchServe and KServe to a few signals of
// each model and version: requests_total, errors_total, duration_us_total, ... What
// counts up is told as it stands; rates need two pages. All else is passed over and
// counted.
struct scrape {
    struct teller teller;
    struct lines lines;
    struct word only; // of this model, and what names none is of it; empty: all
    struct scrape_series *series;
    uint32_t n;
    uint64_t strangers; // samples of other metrics
    uint64_t malformed; // lines
};

// Keeps the sink. ST_NOMEM.
MUST_USE enum status scrape_init(struct scrape *s, const struct observation_sink *sink);
void scrape_fini(struct scrape *s);

// From now on only samples of that model count, and those that name none. ST_CORRUPT:
// it is no name.
MUST_USE enum status scrape_only(struct scrape *s, struct span model);

void scrape_begin(struct scrape *s, uint64_t now_ns);

// A line that cannot be read is counted and passed over. ST_FULL (SCRAPE_SERIES_MAX),
// ST_NOMEM.
MUST_USE enum status scrape_bytes(struct scrape *s, struct span bytes);

// The page ended: one signal row for each model and version.
MUST_USE enum status scrape_end(struct scrape *s);

#endif
