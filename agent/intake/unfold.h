// Unfold: values that a ready-made histogram may have been made of.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_INTAKE_UNFOLD_H
#define KEDGE_AGENT_INTAKE_UNFOLD_H

#include <stdint.h>

#include "proto/observation.h"

// Calls `take` for each value: the middle of its bucket, by ratio where the bucket is
// wide and positive. An end that is open reaches to the least or largest value, where
// these are known. With more than `most` values, each bucket gets its share of them,
// and at least one.
void unfold(const struct histogram_figures *h, uint32_t most,
            void (*take)(void *self, double v), void *self);

#endif
