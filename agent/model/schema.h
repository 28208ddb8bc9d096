// Schema: the features of one model on this host, each with a slot and a kind.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_MODEL_SCHEMA_H
#define KEDGE_AGENT_MODEL_SCHEMA_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/cursor.h"
#include "common/base/span.h"
#include "common/base/status.h"
#include "proto/messages/window.h"
#include "proto/observation.h"

// A feature keeps the kind that its baseline gives it, or that its first value had. A
// value of another kind is a type error of that feature; the feature does not change.
struct schema_feature {
    char name[FIELD_NAME_MAX + 1]; // as it travels
    uint8_t size;
    uint8_t given_size;
    char given[FIELD_NAME_MAX]; // as the rows call it
    uint8_t role;               // enum feature_role
    uint8_t kind;               // enum feature_kind
};

struct schema {
    struct schema_feature *feature; // in the order in which they were first seen
    uint32_t features;
    uint32_t capacity;
    uint32_t *bucket; // slot + 1 by hash of name and role; 0 = free
};

void schema_init(struct schema *s);
void schema_fini(struct schema *s);

// The slot of a feature, `hint` being where it is likely to stand. UINT32_MAX when it
// is not there.
uint32_t schema_find(const struct schema *s, struct span name, uint8_t role,
                     uint32_t hint);

// Its slot, after adding it if need be. It travels by its name; one that no message
// could carry has its other characters replaced by '_', and one that another role has
// already gets its own role behind it ("score@output"). ST_FULL (WINDOW_FEATURES_MAX),
// ST_NOMEM.
MUST_USE enum status schema_add(struct schema *s, struct span name, uint8_t role,
                                uint8_t kind, uint32_t *slot);

// The name as it travels.
struct span schema_name(const struct schema *s, uint32_t slot);

#endif
