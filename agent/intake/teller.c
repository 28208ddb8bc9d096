// SPDX-License-Identifier: Apache-2.0
#include "agent/intake/teller.h"

#include "agent/intake/stamp.h"

enum status teller_init(struct teller *t, const struct observation_sink *sink)
{
    *t = (struct teller){.sink = sink, .weight = 1};
    return flat_init(&t->flat, OBSERVATION_VALUES_MAX);
}

void teller_fini(struct teller *t)
{
    flat_fini(&t->flat);
}

void teller_begin(struct teller *t, uint64_t now_ns, enum observation_side side)
{
    t->now_ns = now_ns;
    t->side = side;
    t->model.size = t->version.size = t->id.size = 0;
    t->segment.size = t->written.size = t->given_id.size = 0;
    t->has_time = false;
    t->weight = 1;
    t->form = FORM_VALUES;
    t->since = t->series = 0;
    t->row = 0;
    flat_clear(&t->flat);
}

enum status teller_time_text(struct teller *t, struct span text)
{
    ST_TRY(stamp_text(text, &t->t));
    t->has_time = true;
    return word_set(&t->written, text);
}

enum status teller_time(struct teller *t, enum token token, struct span text,
                        double number)
{
    ST_TRY(stamp_of(token, text, number, &t->t));
    t->has_time = true;
    return word_set(&t->written, text);
}

struct span teller_model(const struct teller *t)
{
    return word_span(t->model.size > 0 ? &t->model : &t->given_model);
}

enum status teller_hand(struct teller *t)
{
    if (t->flat.data == 0)
        return ST_OK; // {} says nothing
    if (t->row == OBSERVATION_ROWS_MAX)
        return ST_FULL;
    struct observation o = {
        .model = teller_model(t),
        .version = word_span(t->version.size > 0 ? &t->version : &t->given_version),
        .id = word_span(t->id.size > 0 ? &t->id : &t->given_id),
        .segment = word_span(&t->segment),
        .t = t->has_time ? t->t : t->now_ns,
        .has_time = t->has_time,
        .written = word_span(&t->written),
        .weight = t->weight,
        .form = t->form,
        .since = t->since,
        .series = t->series,
        .row = t->row++,
    };
    o.value = flat_row(&t->flat, &o.values);
    t->sink->row(t->sink->self, &o);
    flat_clear(&t->flat);
    return ST_OK;
}

void teller_begin_row(struct teller *t, enum token first)
{
    bool is_output = t->side == SIDE_OUTPUT;
    if (first == TOKEN_OBJECT)
        flat_begin(&t->flat, (struct span){0}, t->side);
    else if (is_output)
        flat_begin(&t->flat, span_text("y"), t->side);
    else if (first == TOKEN_ARRAY)
        flat_begin_items(&t->flat, span_text("f"), t->side);
    else
        flat_begin(&t->flat, span_text("f0"), t->side);
}
