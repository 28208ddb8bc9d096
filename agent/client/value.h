// Value: how one value of any type is written among the values of a row.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_CLIENT_VALUE_H
#define KEDGE_AGENT_CLIENT_VALUE_H

#include "agent/client/kedge.h"
#include "proto/lane.h"

// At most this many bytes of a text are looked at.
#define VALUE_TEXT_MAX (1u << 20)

// Bytes that value_put will write: 1..130.
size_t value_size(enum kedge_kind kind, const struct kedge_value *v);

// Writes it, by what the feature is; gives where the next one goes.
uint8_t *value_put(uint8_t *to, enum kedge_kind kind, const struct kedge_value *v);

#endif
