// Observation: one row that a model server reported, whatever door it came by.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_PROTO_OBSERVATION_H
#define KEDGE_PROTO_OBSERVATION_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/span.h"

// Limits of what a door believes. Each is counted when it is reached, none is silent.
#define OBSERVATION_VALUES_MAX 512
#define OBSERVATION_DEPTH_MAX 64
#define OBSERVATION_LINE_MAX (1u << 20)
#define OBSERVATION_STRING_MAX (1u << 20)
#define OBSERVATION_NAME_MAX 128
#define OBSERVATION_CATEGORY_MAX 128
#define OBSERVATION_ROWS_MAX 65536

enum observation_side { SIDE_INPUT, SIDE_OUTPUT, SIDE_LABEL, SIDE_SIGNAL, SIDE_COUNT };

enum datum_kind {
    DATUM_MISSING,  // null, NaN or an empty field
    DATUM_NUMBER,   // finite, or +-infinity (counted apart, never fed to a sketch)
    DATUM_CATEGORY, // text of at most 64 bytes and at most 3 blanks
    DATUM_TEXT,     // any other text: only its figures are kept
    DATUM_VECTOR,   // an array of 16 or more numbers: only its figures are kept
    DATUM_BYTES,    // {"b64": ...}: the decoded length
    DATUM_HISTOGRAM // a ready-made histogram
};

struct text_figures {
    uint64_t chars; // Unicode code points
    uint64_t words; // runs without white space
    uint64_t non_ascii;
    uint64_t digits;
};

struct vector_figures {
    uint64_t dim;
    double norm; // L2
    double mean;
    double min;
    double max;
};

struct histogram_figures {
    uint64_t count;
    double sum;
    double min; // NaN when unknown
    double max;
    const double *bounds;   // n_bounds of them, ascending
    const uint64_t *counts; // n_bounds + 1
    uint32_t n_bounds;
};

struct datum {
    struct span name;
    enum observation_side side;
    enum datum_kind kind;
    union {
        double number;
        struct span text; // DATUM_CATEGORY, at most OBSERVATION_CATEGORY_MAX bytes
        struct text_figures figures;
        struct vector_figures vector;
        uint64_t bytes;
        struct histogram_figures histogram;
    };
};

// What the numbers of a signal are.
enum signal_form {
    FORM_VALUES, // each stands for itself
    FORM_COUNTS, // they add up: so many came
};

// Everything in it is lent for the call that hands it on.
struct observation {
    struct span model;
    struct span version; // empty: the one that the agent attests
    struct span id;      // joins a prediction with its label; empty: none
    struct span segment; // empty: none
    uint64_t t;          // ns since 1970; the arrival when has_time is false
    bool has_time;
    struct span written; // t as its source wrote it; empty when it was of another form
    double weight; // how many rows it stands for: 1, or 1/rate of a sampled signal
    uint32_t row;  // its place in a request of several rows, from 0
    enum signal_form form;
    uint64_t since;   // signals: where what they count began; 0: they are of the moment
    uint64_t series;  // tells apart what counts under one name in several places
    uint32_t unknown; // members that the door did not know and skipped
    const struct datum *value;
    uint32_t values;
    // Not 0: all rows of this number have the same model, names and sides at the same
    // places, and nothing but numbers and missing ones for values.
    uint64_t shape;
};

// Why a row was not counted into any window.
enum drop_reason {
    DROP_MALFORMED,     // no observation could be read from it
    DROP_OVERSIZE,      // longer than OBSERVATION_LINE_MAX
    DROP_UNKNOWN_MODEL, // not in this agent's configuration
    DROP_TOO_OLD,       // its window was sealed more than two windows ago
    DROP_FEATURES,      // more features than a model may have
    DROP_MEMORY,        // no memory, or too many windows open
    DROP_CRASH,         // it was in an open window when the agent was killed
    DROP_LANE,          // the shared memory of its thread was full
    DROP_REASONS
};

// The name that travels and is shown ("malformed"). Never NULL.
const char *drop_reason_name(enum drop_reason why);

// A place in a source that outlives the agent: memory that a model server shares. What
// was counted before it shall be counted once, whenever the agent is killed.
#define SOURCE_TOLD_MAX 8
struct source_mark {
    uint64_t source[2]; // which one: device and inode
    uint64_t tail;      // all before it has been handed on
    uint32_t tolds;
    struct {
        uint32_t place; // of a count of losses in the source,
        uint64_t value; // which has been told up to here
    } told[SOURCE_TOLD_MAX];
};

// Where a door hands its rows. The introducer fills it in.
struct observation_sink {
    void *self;
    void (*row)(void *self, const struct observation *o);
    // `model` is empty when the row does not tell.
    void (*drop)(void *self, struct span model, enum drop_reason why, uint64_t rows);
    // Every observation of one line or request has been handed on. Only here may
    // windows be sealed, so that the mark of a tailed file always stands between two
    // lines.
    void (*settle)(void *self);
    // For doors with a source_mark; NULL: every row is settled by itself. Whether what
    // was handed on wants to be taken and settled before anything more comes.
    bool (*is_due)(void *self);
    // All up to the mark has been handed on. When it returns that holds for good, so
    // the source may forget it; after a kill, `resume` gives the last mark of a source.
    void (*taken)(void *self, const struct source_mark *mark);
    bool (*resume)(void *self, const uint64_t source[2], struct source_mark *out);
};

#endif
