// Flat: turns nested values into flat, named features, in bounded memory.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_INTAKE_FLAT_H
#define KEDGE_AGENT_INTAKE_FLAT_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/intake/lexer.h"
#include "common/base/buf.h"
#include "common/base/span.h"
#include "common/base/status.h"
#include "proto/observation.h"

// A string of at most this many bytes and blanks is a category, a longer one is text.
#define FLAT_CATEGORY_BYTES 64
#define FLAT_CATEGORY_BLANKS 3

// An array of this many numbers is a vector; of fewer, as many features.
#define FLAT_VECTOR_MIN 16

struct flat_level {
    uint32_t name; // bytes of the path that lead here
    uint32_t next; // the next place, when it is an array
    uint32_t base; // the first datum of this level
    bool is_array;
    bool only_numbers; // so far
};

// The features of one row. Names: members joined by '.', places in arrays as numbers
// ("signal.0", "sensor.1.0"). Numbers as they are, true and false 1 and 0, null and NaN
// missing, {"b64": text} the decoded length, strings as category or text, long arrays
// of numbers as vectors.
struct flat {
    struct datum *datum;
    uint32_t *name_at; // of each datum, in `names`
    uint32_t *text_at; // of each category, in `texts`
    uint32_t data;
    uint32_t room;     // allocated
    uint32_t data_max; // allowed
    struct buf names;
    struct buf texts;
    // The value under way.
    enum observation_side side;
    uint32_t depth;
    bool is_open;
    bool in_vector;
    bool is_stem; // the path's first part takes a number without a dot
    bool is_b64;  // the last key was "b64"
    double vector_sum;
    double vector_squares;
    uint64_t vector_finite;
    uint32_t path_size;
    char path[OBSERVATION_NAME_MAX];
    struct flat_level level[OBSERVATION_DEPTH_MAX + 1];
};

// At most `data_max` features in a row.
MUST_USE enum status flat_init(struct flat *f, uint32_t data_max);
void flat_fini(struct flat *f);

// Begins an empty row.
void flat_clear(struct flat *f);

// Begins a value of this name: the tokens that follow are its own, until flat_token
// sets *done. A name longer than OBSERVATION_NAME_MAX is cut.
void flat_begin(struct flat *f, struct span name, enum observation_side side);

// The same for an array without a name: its items are called `stem`0, `stem`1 ...
void flat_begin_items(struct flat *f, struct span stem, enum observation_side side);

// Takes the value's next token. ST_FULL over a limit, ST_NOMEM.
MUST_USE enum status flat_token(struct flat *f, enum token token, struct span text,
                                double number, bool *done);

// Adds one value at once: flat_text looks whether it is a category or text.
MUST_USE enum status flat_number(struct flat *f, struct span name,
                                 enum observation_side side, double v);
MUST_USE enum status flat_text(struct flat *f, struct span name,
                               enum observation_side side, struct span v);
MUST_USE enum status flat_missing(struct flat *f, struct span name,
                                  enum observation_side side);
MUST_USE enum status flat_figures(struct flat *f, struct span name,
                                  enum observation_side side, const struct datum *d);

// What a text amounts to.
struct text_figures flat_figures_of(struct span text);

// Lends the features until the next call on it; *n of them.
const struct datum *flat_row(struct flat *f, uint32_t *n);

#endif
