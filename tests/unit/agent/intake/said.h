// Said: writes observations as lines of text, so that a test can compare them.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_TESTS_UNIT_AGENT_INTAKE_SAID_H
#define KEDGE_TESTS_UNIT_AGENT_INTAKE_SAID_H

#include "common/base/buf.h"
#include "proto/observation.h"

struct said {
    struct buf text;
    uint64_t rows;
    uint64_t dropped[DROP_REASONS];
    uint64_t settled;
};

static inline void said_datum(struct buf *out, const struct datum *d)
{
    static const char sides[] = "iols";
    buf_printf(out, " %c:%.*s=", sides[d->side], (int)d->name.size, d->name.data);
    switch (d->kind) {
    case DATUM_MISSING:
        buf_put_text(out, "null");
        break;
    case DATUM_NUMBER:
        buf_printf(out, "%.10g", d->number);
        break;
    case DATUM_CATEGORY:
        buf_printf(out, "'%.*s'", (int)d->text.size, d->text.data);
        break;
    case DATUM_TEXT:
        buf_printf(out, "text(%llu,%llu)", (unsigned long long)d->figures.chars,
                   (unsigned long long)d->figures.words);
        break;
    case DATUM_VECTOR:
        buf_printf(out, "vec(%llu,%.6g,%.6g,%.6g,%.6g)",
                   (unsigned long long)d->vector.dim, d->vector.norm, d->vector.mean,
                   d->vector.min, d->vector.max);
        break;
    case DATUM_BYTES:
        buf_printf(out, "bytes(%llu)", (unsigned long long)d->bytes);
        break;
    case DATUM_HISTOGRAM:
        buf_put_text(out, "histogram");
        break;
    }
}

static inline void said_row(void *self, const struct observation *o)
{
    struct said *s = self;
    s->rows++;
    buf_printf(&s->text, "%.*s/%.*s #%.*s", (int)o->model.size, o->model.data,
               (int)o->version.size, o->version.data, (int)o->id.size, o->id.data);
    buf_printf(&s->text, o->has_time ? " @%llu" : " @now",
               (unsigned long long)(o->t / 1000000));
    for (uint32_t i = 0; i < o->values; i++)
        said_datum(&s->text, &o->value[i]);
    if (o->unknown)
        buf_printf(&s->text, " unknown=%u", o->unknown);
    buf_put_text(&s->text, "\n");
}

static inline void said_drop(void *self, struct span model, enum drop_reason why,
                             uint64_t rows)
{
    struct said *s = self;
    s->dropped[why] += rows;
    buf_printf(&s->text, "drop %s %.*s\n", drop_reason_name(why), (int)model.size,
               model.data);
}

static inline void said_settle(void *self)
{
    ((struct said *)self)->settled++;
}

static inline void said_init(struct said *s, struct observation_sink *sink)
{
    *s = (struct said){0};
    buf_init(&s->text, 64u << 20);
    *sink = (struct observation_sink){s, said_row, said_drop, said_settle};
}

#endif
