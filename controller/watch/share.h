// Share: what one model may spend of the fleet's page budget.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_WATCH_SHARE_H
#define KEDGE_CONTROLLER_WATCH_SHARE_H

#include <stdint.h>

#include "common/base/status.h"
#include "controller/log/shelf.h"

// Counts the model when its first baseline is sealed. `models` becomes the fleet's
// count.
MUST_USE enum status share_count(struct shelf *s, uint32_t model, uint32_t *models);

// How many models are counted.
MUST_USE enum status share_models(struct shelf *s, uint32_t *models);

// The capped evidence with which a model of such windows may page: what makes
// `pages_per_week` false pages of the whole fleet, divided evenly, and never less than
// `least`, what a ticket takes. The fleet is counted in steps of two, so that a new
// model does not move everybody's level. 0 (never) where windows are cut by rows.
//
// A tenfold fleet asks for ten times the evidence, and a block may bring 30 times: it
// delays a page by less than one block.
double share_level(double pages_per_week, uint32_t models, uint64_t window_ns,
                   double least);

#endif
