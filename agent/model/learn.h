// Learn: what a model's columns are like, taken from its first rows and then frozen.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_MODEL_LEARN_H
#define KEDGE_AGENT_MODEL_LEARN_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/model/changes.h"
#include "agent/model/schema.h"
#include "common/base/buf.h"
#include "common/base/cursor.h"
#include "common/base/json.h"
#include "common/base/status.h"
#include "proto/observation.h"

// A column is told to be gone, or without values, when this many were to be expected:
// by chance alone that happens once in 22,000 windows.
#define LEARN_EXPECTED 10

// One value of a row from which is learned. Missing ones too.
void learn_value(struct schema *s, uint32_t slot, const struct datum *d);

// That row has ended; `in_order` tells whether its columns came by rising slots. With
// the last row of SCHEMA_LEARN_ROWS the columns are frozen, and ids are left out, which
// `changes` notes for `version`. True when that happened.
bool learn_row(struct schema *s, bool in_order, struct span version, uint64_t at,
               struct changes *changes);

// Columns that somebody declared: frozen as they are.
void learn_freeze(struct schema *s);

// An operator has accepted what there is now: the columns are learned anew, and those
// that do not come any more are no columns then.
void learn_again(struct schema *s);

// How many of `rows` rows of its side are to name it, or to have a value of it.
double learn_named(const struct schema *s, uint32_t slot, uint64_t rows);
double learn_valid(const struct schema *s, uint32_t slot, uint64_t rows);

// Whether a category was not among those of the first rows. False where they had so
// many that nothing can be said.
bool learn_is_new(const struct schema *s, uint32_t slot, struct span category);

void learn_save(const struct schema *s, struct buf *out);
MUST_USE enum status learn_load(struct cursor *from, struct schema *out);

void learn_status(const struct schema *s, struct json *out);

#endif
