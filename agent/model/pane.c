// SPDX-License-Identifier: Apache-2.0
#include "agent/model/pane.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "agent/model/batch.h"
#include "agent/model/learn.h"
#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/base/text.h"

enum status pane_open(const struct pane_ground *ground, struct span version,
                      uint64_t start, uint64_t end, struct yardstick *yardstick,
                      struct pane **out)
{
    struct pane *p = MEM_NEW(struct pane);
    if (!p)
        return ST_NOMEM;
    *p = (struct pane){
        .version = version,
        .start = start,
        .end = end,
        .yardstick = yardstick_hold(yardstick),
        .key = yardstick ? yardstick_key(yardstick) : ground->key,
        .schema = ground->schema,
        .changes = ground->changes,
    };
    *out = p;
    return ST_OK;
}

static void close_column(struct pane_column *c)
{
    if (!c)
        return;
    profile_close(c->profile);
    mem_free(c->texts);
    mem_free(c);
}

void pane_close(struct pane *p)
{
    if (!p)
        return;
    for (uint32_t i = 0; i < p->columns; i++)
        close_column(p->column[i]);
    yardstick_drop(p->yardstick);
    batch_close(p->batch);
    mem_free(p->column);
    mem_free(p);
}

// --- Columns

static bool is_sketched(uint8_t role)
{
    return role != FEATURE_SIGNAL;
}

static const struct grid *grid_of(const struct pane *p, uint32_t slot,
                                  const struct reference_feature **known)
{
    *known = NULL;
    if (!p->yardstick)
        return NULL;
    return yardstick_grid(p->yardstick, schema_name(p->schema, slot),
                          p->schema->feature[slot].role, known);
}

const struct reference_feature *pane_known(const struct pane *p, uint32_t slot)
{
    const struct reference_feature *known;
    (void)grid_of(p, slot, &known);
    return known;
}

static enum status open_profile(struct pane *p, uint32_t slot, struct profile **out)
{
    const struct schema_feature *f = &p->schema->feature[slot];
    const struct reference_feature *known;
    const struct grid *grid = grid_of(p, slot, &known);
    if (known && known->kind != f->kind)
        grid = NULL;
    struct profile_options options = {
        .kind = PROFILE_NUMERIC,
        .width = grid ? grid_width(grid) : GRID_F64,
        .sketches = PROFILE_WITH_SKETCHES,
        .seed = random_os(),
    };
    if (f->kind == FEATURE_CATEGORICAL)
        options.kind = PROFILE_CATEGORICAL;
    else if (!is_sketched(f->role)) {
        options.kind = PROFILE_SIGNAL;
        options.sketches = PROFILE_PLAIN;
        grid = NULL;
    }
    if (p->is_plain && grid)
        options.sketches = PROFILE_PLAIN;
    return profile_open(&options, grid, out);
}

static enum status make_place(struct pane *p, uint32_t slot)
{
    if (slot < p->columns)
        return ST_OK;
    uint32_t columns = p->schema->features > slot ? p->schema->features : slot + 1;
    struct pane_column **grown =
        mem_resize(p->column, columns, sizeof(struct pane_column *));
    if (!grown)
        return ST_NOMEM;
    memset(grown + p->columns, 0, (columns - p->columns) * sizeof *grown);
    p->column = grown;
    p->columns = columns;
    return ST_OK;
}

static enum status open_column(struct pane *p, uint32_t slot, struct pane_column **out)
{
    struct pane_column *c = MEM_NEW(struct pane_column);
    if (!c)
        return ST_NOMEM;
    const struct schema_feature *f = &p->schema->feature[slot];
    enum status st = ST_OK;
    c->kind = f->kind;
    if (f->is_revealed && f->kind == FEATURE_CATEGORICAL) {
        c->texts = MEM_NEW(struct pane_texts);
        st = c->texts ? ST_OK : ST_NOMEM;
    }
    if (st == ST_OK)
        st = open_profile(p, slot, &c->profile);
    if (st != ST_OK) {
        close_column(c);
        return st;
    }
    *out = c;
    return ST_OK;
}

enum status pane_column(struct pane *p, uint32_t slot, struct pane_column **out)
{
    ST_TRY(make_place(p, slot));
    if (!p->column[slot])
        ST_TRY(open_column(p, slot, &p->column[slot]));
    *out = p->column[slot];
    return ST_OK;
}

static void flush(struct pane_column *c)
{
    if (c->staged == 0)
        return;
    if (c->kind == FEATURE_CATEGORICAL) {
        const struct profile_categories rows = {.hash = c->hash,
                                                .text =
                                                    c->texts ? c->texts->text : NULL,
                                                .state = c->state,
                                                .n = c->staged};
        profile_update_hash(c->profile, &rows);
    } else {
        const struct profile_column rows = {.f64 = c->value,
                                            .state = c->state,
                                            .prediction = c->prediction,
                                            .n = c->staged};
        profile_update(c->profile, &rows);
    }
    c->staged = 0;
}

void pane_settle(struct pane *p)
{
    for (uint32_t i = 0; i < p->columns; i++)
        if (p->column[i])
            flush(p->column[i]);
    batch_settle(p);
}

static void stage(struct pane *p, struct pane_column *c, uint8_t state,
                  double prediction)
{
    c->state[c->staged] = state;
    c->prediction[c->staged] = prediction;
    c->row = p->values;
    p->type_errors += state == VALUE_TYPE_ERROR;
    if (++c->staged == PANE_STAGE_ROWS)
        flush(c);
}

// --- Values

// The text of a category; a number among them is called as people write it.
static bool category_of(const struct datum *d, char room[TEXT_NUMBER_BYTES],
                        struct span *out)
{
    if (d->kind == DATUM_CATEGORY)
        *out = d->text;
    else if (d->kind == DATUM_NUMBER)
        *out = span_of(room, text_number(d->number, room));
    return d->kind == DATUM_CATEGORY || d->kind == DATUM_NUMBER;
}

static void keep_text(struct pane_column *c, struct span text)
{
    struct pane_texts *t = c->texts;
    size_t size =
        text.size < OBSERVATION_CATEGORY_MAX ? text.size : OBSERVATION_CATEGORY_MAX;
    memcpy(t->bytes[c->staged], text.data, size);
    t->text[c->staged] = span_of(t->bytes[c->staged], size);
}

static void stage_category(struct pane *p, uint32_t slot, struct pane_column *c,
                           const struct datum *d)
{
    char room[TEXT_NUMBER_BYTES];
    struct span text = {0};
    uint8_t state = VALUE_PRESENT;
    c->hash[c->staged] = 0;
    if (category_of(d, room, &text)) {
        c->hash[c->staged] = hash_sip(p->key, text);
        c->fresh += !p->yardstick && learn_is_new(p->schema, slot, text);
    } else {
        state = d->kind == DATUM_MISSING ? VALUE_MISSING : VALUE_TYPE_ERROR;
    }
    if (c->texts)
        keep_text(c, text);
    stage(p, c, state, NAN);
}

static void stage_number(struct pane *p, struct pane_column *c, const struct datum *d,
                         double prediction)
{
    uint8_t state = VALUE_TYPE_ERROR;
    c->value[c->staged] = NAN;
    if (d->kind == DATUM_NUMBER) {
        state = VALUE_PRESENT;
        c->value[c->staged] = d->number;
    } else if (d->kind == DATUM_MISSING) {
        state = VALUE_MISSING;
    }
    stage(p, c, state, prediction);
}

static void stage_any(struct pane *p, uint32_t slot, struct pane_column *c,
                      const struct datum *d, double prediction)
{
    if (c->kind == FEATURE_CATEGORICAL)
        stage_category(p, slot, c, d);
    else
        stage_number(p, c, d, prediction);
}

void pane_missing(struct pane *p, uint32_t slot, struct pane_column *c, uint64_t rows)
{
    const struct datum none = {.kind = DATUM_MISSING};
    for (; rows > 0; rows--)
        stage_any(p, slot, c, &none, NAN);
}

static const struct reference_feature *known_as(const struct pane *p,
                                                const struct datum *d)
{
    const struct reference_feature *known = NULL;
    if (p->yardstick)
        (void)yardstick_grid(p->yardstick, d->name, (uint8_t)d->side, &known);
    return known;
}

// What the baseline says a feature is goes before what its first value is.
static uint8_t kind_of(const struct pane *p, const struct datum *d)
{
    const struct reference_feature *known = known_as(p, d);
    if (known)
        return known->kind;
    return d->kind == DATUM_CATEGORY ? FEATURE_CATEGORICAL : FEATURE_NUMERIC;
}

static void see_place(struct pane *p, uint32_t slot)
{
    if (p->row_slot != UINT32_MAX && slot < p->row_slot) {
        p->is_row_ordered = false;
        p->reordered_slot = slot;
    }
    p->row_slot = slot;
}

// What a value says about its column, before it is counted.
static void see_value(struct pane *p, uint32_t slot, struct pane_column *c,
                      const struct datum *d)
{
    const struct schema_feature *f = &p->schema->feature[slot];
    c->named++;
    if (f->role == FEATURE_INPUT)
        see_place(p, slot);
    if (!p->schema->is_frozen)
        learn_value(p->schema, slot, d);
    else if (d->kind != DATUM_MISSING && f->kinds != 0 && !(f->kinds >> d->kind & 1)) {
        c->odd++;
        c->odd_kind = (uint8_t)d->kind;
    }
}

// A feature that is only missing so far, and unknown to the baseline, has no kind and
// so no place yet.
static enum status count_datum(struct pane *p, const struct datum *d, uint32_t hint,
                               double prediction)
{
    uint8_t role = (uint8_t)d->side;
    uint32_t slot = schema_find(p->schema, d->name, role, hint);
    if (slot == UINT32_MAX && d->kind == DATUM_MISSING && !known_as(p, d))
        return ST_OK;
    if (slot == UINT32_MAX)
        ST_TRY(schema_add(p->schema, d->name, role, kind_of(p, d), &slot));
    if (p->schema->feature[slot].is_left_out && !pane_known(p, slot))
        return ST_OK;
    struct pane_column *c;
    ST_TRY(pane_column(p, slot, &c));
    if (c->row == p->values)
        return ST_OK; // a name that stands twice in one row counts once
    see_value(p, slot, c, d);
    stage_any(p, slot, c, d, prediction);
    return ST_OK;
}

static enum status count_part(struct pane *p, const struct datum *d, const char *part,
                              double v)
{
    char name[OBSERVATION_NAME_MAX + 16];
    size_t size = d->name.size < OBSERVATION_NAME_MAX - 10 ? d->name.size
                                                           : OBSERVATION_NAME_MAX - 10;
    memcpy(name, d->name.data, size);
    strcpy(name + size, part);
    const struct datum one = {
        .name = span_text(name), .side = d->side, .kind = DATUM_NUMBER, .number = v};
    return count_datum(p, &one, UINT32_MAX, NAN);
}

static enum status count_text(struct pane *p, const struct datum *d)
{
    const struct text_figures *t = &d->figures;
    double chars = t->chars ? (double)t->chars : 1;
    ST_TRY(count_part(p, d, ".chars", (double)t->chars));
    ST_TRY(count_part(p, d, ".words", (double)t->words));
    ST_TRY(count_part(p, d, ".foreign", (double)t->non_ascii / chars));
    return count_part(p, d, ".digits", (double)t->digits / chars);
}

static enum status count_vector(struct pane *p, const struct datum *d)
{
    const struct vector_figures *v = &d->vector;
    ST_TRY(count_part(p, d, ".dim", (double)v->dim));
    ST_TRY(count_part(p, d, ".norm", v->norm));
    ST_TRY(count_part(p, d, ".mean", v->mean));
    ST_TRY(count_part(p, d, ".min", v->min));
    return count_part(p, d, ".max", v->max);
}

static const char *first_part(const struct datum *d)
{
    return d->kind == DATUM_TEXT     ? ".chars"
           : d->kind == DATUM_VECTOR ? ".dim"
                                     : ".bytes";
}

// The slot under which a value of this kind is counted; UINT32_MAX: none yet.
static uint32_t slot_of(const struct pane *p, const struct datum *d, uint32_t hint)
{
    uint8_t role = (uint8_t)d->side;
    uint32_t slot = schema_find(p->schema, d->name, role, hint);
    bool is_plain = d->kind == DATUM_MISSING || d->kind == DATUM_NUMBER ||
                    d->kind == DATUM_CATEGORY;
    if (slot != UINT32_MAX || is_plain)
        return slot;
    char name[OBSERVATION_NAME_MAX + 16];
    size_t size = d->name.size < OBSERVATION_NAME_MAX - 10 ? d->name.size
                                                           : OBSERVATION_NAME_MAX - 10;
    memcpy(name, d->name.data, size);
    strcpy(name + size, first_part(d));
    return schema_find(p->schema, span_text(name), role, UINT32_MAX);
}

// A frozen schema takes no new columns, but those that the baseline knows.
static bool is_stranger(const struct pane *p, const struct datum *d, uint32_t hint)
{
    if (!schema_is_frozen_for(p->schema, (uint8_t)d->side))
        return false;
    uint32_t slot = slot_of(p, d, hint);
    return (slot == UINT32_MAX || !schema_is_open(p->schema, slot)) && !known_as(p, d);
}

static void note_stranger(struct pane *p, const struct datum *d)
{
    static const char *const kinds[] = {"missing", "number", "category", "text",
                                        "vector",  "bytes",  "histogram"};
    struct change c = {.kind = CHANGE_ADDED, .at = p->start};
    p->changes->count[CHANGE_ADDED]++;
    memcpy(c.version, p->version.data, p->version.size);
    schema_clean(d->name, c.column);
    (void)snprintf(c.more, sizeof c.more, "%s, %s",
                   d->side == SIDE_INPUT ? "input" : "output", kinds[d->kind]);
    changes_note(p->changes, &c);
}

// Text under a name that is known as a category or number is a wrong value of that
// feature; under a new name its figures are the features.
static enum status count_any(struct pane *p, const struct datum *d, uint32_t hint,
                             double prediction)
{
    if (d->kind == DATUM_HISTOGRAM)
        return ST_OK;
    if (is_stranger(p, d, hint)) {
        note_stranger(p, d);
        return ST_DENIED;
    }
    bool is_plain = d->kind == DATUM_MISSING || d->kind == DATUM_NUMBER ||
                    d->kind == DATUM_CATEGORY;
    if (is_plain ||
        schema_find(p->schema, d->name, (uint8_t)d->side, hint) != UINT32_MAX)
        return count_datum(p, d, hint, prediction);
    if (d->kind == DATUM_TEXT)
        return count_text(p, d);
    if (d->kind == DATUM_VECTOR)
        return count_vector(p, d);
    return count_part(p, d, ".bytes", (double)d->bytes);
}

static bool is_expected(const struct pane *p, uint32_t slot)
{
    const struct schema_feature *f = &p->schema->feature[slot];
    return f->is_member && schema_is_frozen_for(p->schema, f->role) &&
           !(f->is_left_out && !pane_known(p, slot));
}

// Every column that is expected gets its place, so that its absence is counted.
enum status pane_members(struct pane *p)
{
    struct pane_column *c;
    if (p->has_members)
        return ST_OK;
    for (uint32_t i = 0; i < p->schema->features; i++)
        if (is_expected(p, i))
            ST_TRY(pane_column(p, i, &c));
    p->has_members = true;
    return ST_OK;
}

static void count_absent(struct pane *p, bool has_side[SIDE_COUNT])
{
    for (uint32_t i = 0; i < p->columns; i++) {
        struct pane_column *c = p->column[i];
        if (c && c->row != p->values && has_side[p->schema->feature[i].role])
            pane_missing(p, i, c, 1);
    }
}

static void end_row(struct pane *p)
{
    struct schema *s = p->schema;
    p->rows++;
    p->rows_here++;
    if (!s->is_frozen)
        (void)learn_row(s, p->is_row_ordered, p->version, p->start, p->changes);
    else if (!p->is_row_ordered && !s->is_unordered)
        p->reordered++;
}

enum status pane_row(struct pane *p, const struct observation *o, double prediction)
{
    bool has_side[SIDE_COUNT] = {false};
    enum status st = ST_OK;
    if (o->shape != 0 && batch_row(p, o, prediction))
        return ST_OK;
    p->values++;
    p->row_slot = UINT32_MAX;
    p->is_row_ordered = true;
    for (uint32_t i = 0; i < o->values; i++) {
        const struct datum *d = &o->value[i];
        if (d->side == SIDE_LABEL)
            continue;
        has_side[d->side] = true;
        enum status one = count_any(p, d, i, prediction);
        st = one == ST_OK ? st : one;
    }
    bool is_row = has_side[SIDE_INPUT] || has_side[SIDE_OUTPUT];
    if (is_row && p->schema->is_frozen && pane_members(p) != ST_OK)
        st = ST_NOMEM;
    has_side[SIDE_SIGNAL] = false; // signals come one at a time
    count_absent(p, has_side);
    if (is_row)
        end_row(p);
    return st;
}

enum status pane_label(struct pane *p, double label, double prediction)
{
    const struct datum d = {.name = span_text("label"),
                            .side = SIDE_LABEL,
                            .kind = isnan(label) ? DATUM_MISSING : DATUM_NUMBER,
                            .number = label};
    p->values++;
    return count_datum(p, &d, UINT32_MAX, prediction);
}

enum status pane_number(struct pane *p, const char *name, enum feature_role role,
                        double value)
{
    const struct datum d = {.name = span_text(name),
                            .side = (enum observation_side)role,
                            .kind = isnan(value) ? DATUM_MISSING : DATUM_NUMBER,
                            .number = value};
    p->values++;
    return count_datum(p, &d, UINT32_MAX, NAN);
}
