// Rates: what two pages of a server's metrics say of the time between them.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_INTAKE_RATES_H
#define KEDGE_AGENT_INTAKE_RATES_H

#include <stdint.h>

#include "agent/intake/scrape.h"
#include "common/base/status.h"
#include "proto/observation.h"

struct rates;

// A sink for a scrape, before another one, which it keeps. Of each model and version
// the second page and all later ones give requests_per_s, error_rate (a share),
// latency_ms, queue_latency_ms and tokens_per_s, as far as the page tells; in_flight
// and waiting are told as they stand. A total that went back gives nothing: its server
// began anew. Rows are of `version` when it is not empty (borrowed). ST_NOMEM.
MUST_USE enum status rates_open(const struct observation_sink *next,
                                struct span version, struct rates **out);
void rates_close(struct rates *r); // NULL is fine

struct observation_sink rates_sink(struct rates *r);

// How often a server began anew.
uint64_t rates_resets(const struct rates *r);

#endif
