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

// Rows from which the columns are learned when nobody declares them.
#define SCHEMA_LEARN_ROWS 1000

// Bits of a column's own memory of its first categories.
#define SCHEMA_MEMORY_BITS 4096

// A feature keeps the kind that its baseline gives it, or that its first value had. A
// value of another kind is a type error of that feature; the feature does not change.
struct schema_feature {
    char name[FIELD_NAME_MAX + 1]; // as it travels
    uint8_t size;
    uint8_t given_size;
    char given[FIELD_NAME_MAX]; // as the rows call it
    uint8_t role;               // enum feature_role
    uint8_t kind;               // enum feature_kind
    bool is_member;             // of the frozen columns
    bool is_left_out;           // an id; its values are passed over
    bool is_revealed;           // its categories may be told in clear
    // What the first rows taught; see learn.h.
    uint8_t kinds;             // bits 1 << enum datum_kind of the values it had
    uint32_t named;            // rows that named it
    uint32_t valid;            // ... with a value
    uint32_t run, run_longest; // equal values in sequence
    uint64_t last;             // a hash of the last value
    bool is_varied;            // it had two values at least
    uint8_t *memory;           // of categories, SCHEMA_MEMORY_BITS; NULL: none met
};

struct schema {
    struct schema_feature *feature; // in the order in which they were first seen
    uint32_t features;
    uint32_t capacity;
    uint32_t *bucket;          // slot + 1 by hash of name and role; 0 = free
    bool is_frozen;            // inputs and outputs that are not there are not added
    bool is_unordered;         // the learned rows name their columns in no fixed order
    uint32_t learned;          // rows
    uint8_t key[16];           // of `memory` and `last`; it never leaves this host
    const char *const *reveal; // kept: columns whose categories may be told in clear
    uint32_t reveals;
    uint32_t limit; // of features; 0: WINDOW_FEATURES_MAX
};

void schema_init(struct schema *s);
void schema_fini(struct schema *s);

// The slot of a feature, `hint` being where it is likely to stand. UINT32_MAX when it
// is not there.
uint32_t schema_find(const struct schema *s, struct span name, uint8_t role,
                     uint32_t hint);

// Columns from which `reveal` is read; the texts are kept. Before the first is added.
void schema_reveal(struct schema *s, const char *const *column, uint32_t columns);

// Its slot, after adding it if need be, frozen or not. It travels by its name; one that
// no message could carry has its other characters replaced by '_', and one that another
// role has already gets its own role behind it ("score@output"). ST_FULL
// (WINDOW_FEATURES_MAX), ST_NOMEM.
MUST_USE enum status schema_add(struct schema *s, struct span name, uint8_t role,
                                uint8_t kind, uint32_t *slot);

// Whether the values of `slot` may be counted: it is one of the columns, or of a side
// that is never frozen.
bool schema_is_open(const struct schema *s, uint32_t slot);

// Whether a column of this role would be added.
bool schema_is_frozen_for(const struct schema *s, uint8_t role);

// A name with its other characters replaced by '_', as it would travel. Gives its size.
size_t schema_clean(struct span given, char out[FIELD_NAME_MAX + 1]);

// The name as it travels.
struct span schema_name(const struct schema *s, uint32_t slot);

#endif
