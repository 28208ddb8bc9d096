// SPDX-License-Identifier: Apache-2.0
#include "agent/model/batch.h"

#include <math.h>

#include "common/base/mem.h"

struct batch {
    uint64_t shape;   // of the rows; 0: none
    uint64_t refused; // the last shape that did not fit,
    uint32_t columns; // and how many columns the pane had then, or at the binding
    uint32_t values;  // of a row
    uint32_t room;    // rows
    uint32_t rows;
    struct pane_column *column[OBSERVATION_VALUES_MAX];
    double prediction[BATCH_ROWS];
    double value[BATCH_VALUES];
};

void batch_close(struct batch *b)
{
    mem_free(b);
}

// --- Out

static void count_column(struct batch *b, uint32_t at)
{
    double value[BATCH_ROWS];
    uint8_t state[BATCH_ROWS];
    bool has_missing = false;
    struct pane_column *c = b->column[at];
    for (uint32_t i = 0; i < b->rows; i++) {
        double v = b->value[(size_t)i * b->values + at];
        value[i] = v;
        state[i] = isnan(v) ? VALUE_MISSING : VALUE_PRESENT;
        has_missing = has_missing || isnan(v);
    }
    const struct profile_column rows = {.f64 = value,
                                        .state = has_missing ? state : NULL,
                                        .prediction = b->prediction,
                                        .n = b->rows};
    profile_update(c->profile, &rows);
    c->named += b->rows;
}

void batch_settle(struct pane *p)
{
    struct batch *b = p->batch;
    if (!b || b->rows == 0)
        return;
    for (uint32_t i = 0; i < b->values; i++)
        count_column(b, i);
    b->rows = 0;
}

// --- Binding

// The column of a value, if it may be counted as a number without a further look.
static struct pane_column *column_of(const struct pane *p, const struct datum *d,
                                     uint32_t hint, uint32_t *slot)
{
    const struct schema *s = p->schema;
    if (d->side != SIDE_INPUT && d->side != SIDE_OUTPUT)
        return NULL;
    *slot = schema_find(s, d->name, (uint8_t)d->side, hint);
    if (*slot >= p->columns || !p->column[*slot])
        return NULL;
    const struct schema_feature *f = &s->feature[*slot];
    bool is_number = f->kinds == 0 || (f->kinds >> DATUM_NUMBER & 1);
    return p->column[*slot]->kind == FEATURE_NUMERIC && is_number ? p->column[*slot]
                                                                  : NULL;
}

// Every input and output of the pane must be in the row, once and in order; else
// something would be missing, new or out of its place.
static bool is_complete(const struct pane *p, uint32_t values)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < p->columns; i++) {
        uint8_t role = p->schema->feature[i].role;
        n += p->column[i] && (role == FEATURE_INPUT || role == FEATURE_OUTPUT);
    }
    return n == values;
}

static bool bind(struct pane *p, const struct observation *o)
{
    struct batch *b = p->batch;
    uint32_t slot, last = 0;
    bool is_first_input = true;
    if (o->values > OBSERVATION_VALUES_MAX || pane_members(p) != ST_OK ||
        !is_complete(p, o->values))
        return false;
    for (uint32_t i = 0; i < o->values; i++) {
        b->column[i] = column_of(p, &o->value[i], i, &slot);
        if (!b->column[i])
            return false;
        for (uint32_t k = 0; k < i; k++)
            if (b->column[k] == b->column[i])
                return false;
        if (o->value[i].side != SIDE_INPUT)
            continue;
        if (!is_first_input && slot < last && !p->schema->is_unordered)
            return false;
        is_first_input = false;
        last = slot;
    }
    b->shape = o->shape;
    b->columns = p->columns;
    b->values = o->values;
    b->room = BATCH_VALUES / o->values;
    if (b->room > BATCH_ROWS)
        b->room = BATCH_ROWS;
    return true;
}

static bool is_bound(struct pane *p, const struct observation *o)
{
    struct batch *b = p->batch;
    if (b->shape == o->shape && b->columns == p->columns)
        return true;
    if (b->refused == o->shape && b->columns == p->columns)
        return false;
    batch_settle(p);
    b->shape = 0;
    if (bind(p, o))
        return true;
    b->refused = o->shape;
    b->columns = p->columns;
    return false;
}

// --- Rows

bool batch_row(struct pane *p, const struct observation *o, double prediction)
{
    if (!p->schema->is_frozen || o->values == 0)
        return false;
    if (!p->batch)
        p->batch = MEM_NEW(struct batch);
    struct batch *b = p->batch;
    if (!b || !is_bound(p, o))
        return false;
    double *row = b->value + (size_t)b->rows * b->values;
    for (uint32_t i = 0; i < b->values; i++)
        row[i] = o->value[i].kind == DATUM_NUMBER ? o->value[i].number : NAN;
    b->prediction[b->rows] = prediction;
    p->values++;
    p->rows++;
    p->rows_here++;
    if (++b->rows == b->room)
        batch_settle(p);
    return true;
}
