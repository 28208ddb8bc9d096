// SPDX-License-Identifier: Apache-2.0
#include "agent/intake/print.h"

#include <inttypes.h>
#include <math.h>

#include "common/base/json.h"
#include "common/base/mem.h"
#include "common/base/text.h"

#define TEXT_BYTES_MAX (256u << 20)

struct print {
    struct json json;
    struct buf side[SIDE_COUNT]; // rows as JSON, without brackets
    uint32_t rows[SIDE_COUNT];
    struct buf head; // what stands before the side: model, version
    struct buf tail; // behind the side: id, t
    struct buf more; // and behind the rows: weight, segment
    uint64_t dropped[DROP_REASONS];
};

static const char *const side_names[SIDE_COUNT] = {"input", "output", "label",
                                                   "signal"};

// --- Values

static void put_figures(struct json *j, const struct text_figures *t)
{
    json_object(j);
    json_key(j, "text");
    json_object(j);
    json_key_u64(j, "chars", t->chars);
    json_key_u64(j, "words", t->words);
    json_object_end(j);
    json_object_end(j);
}

static void put_vector(struct json *j, const struct vector_figures *v)
{
    json_object(j);
    json_key(j, "vec");
    json_object(j);
    json_key_u64(j, "dim", v->dim);
    json_key_f64(j, "norm", v->norm);
    json_key_f64(j, "mean", v->mean);
    json_key_f64(j, "min", v->min);
    json_key_f64(j, "max", v->max);
    json_object_end(j);
    json_object_end(j);
}

static void put_histogram(struct json *j, const struct histogram_figures *h)
{
    json_object(j);
    json_key(j, "hist");
    json_object(j);
    json_key_u64(j, "count", h->count);
    json_key_f64(j, "sum", h->sum);
    json_key_f64(j, "min", h->min);
    json_key_f64(j, "max", h->max);
    json_key(j, "bounds");
    json_array(j);
    for (uint32_t i = 0; i < h->n_bounds; i++)
        json_f64(j, h->bounds[i]);
    json_array_end(j);
    json_key(j, "counts");
    json_array(j);
    for (uint32_t i = 0; i <= h->n_bounds; i++)
        json_u64(j, h->counts[i]);
    json_array_end(j);
    json_object_end(j);
    json_object_end(j);
}

static void put_value(struct json *j, const struct datum *d)
{
    switch (d->kind) {
    case DATUM_MISSING:
        json_null(j);
        break;
    case DATUM_NUMBER:
        if (isinf(d->number))
            json_cstr(j, d->number > 0 ? "+inf" : "-inf");
        else
            json_f64(j, d->number);
        break;
    case DATUM_CATEGORY:
        json_object(j);
        json_key_text(j, "cat", d->text);
        json_object_end(j);
        break;
    case DATUM_TEXT:
        put_figures(j, &d->figures);
        break;
    case DATUM_VECTOR:
        put_vector(j, &d->vector);
        break;
    case DATUM_BYTES:
        json_object(j);
        json_key_u64(j, "bytes", d->bytes);
        json_object_end(j);
        break;
    case DATUM_HISTOGRAM:
        put_histogram(j, &d->histogram);
        break;
    }
}

static void put_row(struct print *p, const struct observation *o,
                    enum observation_side side)
{
    struct json j;
    char name[OBSERVATION_NAME_MAX + 1];
    bool has_any = false;
    for (uint32_t i = 0; i < o->values; i++)
        has_any = has_any || o->value[i].side == side;
    if (!has_any)
        return;
    if (p->rows[side]++ > 0)
        buf_put_u8(&p->side[side], ',');
    json_init(&j, &p->side[side]);
    json_object(&j);
    for (uint32_t i = 0; i < o->values; i++) {
        const struct datum *d = &o->value[i];
        if (d->side != side)
            continue;
        memcpy(name, d->name.data, d->name.size);
        name[d->name.size] = 0;
        json_key(&j, name);
        put_value(&j, d);
    }
    json_object_end(&j);
}

// --- Messages

static void put_text_or_null(struct json *j, const char *key, struct span text)
{
    json_key(j, key);
    if (text.size > 0)
        json_text(j, text);
    else
        json_null(j);
}

// As it was written; else RFC 3339 with the digits that are needed.
static void put_time(struct json *j, const struct observation *o)
{
    double number;
    json_key(j, "t");
    if (!o->has_time) {
        json_null(j);
    } else if (o->written.size > 0 && text_f64(o->written, &number) == ST_OK) {
        json_raw(j, o->written);
    } else if (o->written.size > 0) {
        json_text(j, o->written);
    } else {
        struct buf text;
        buf_init(&text, 64);
        text_put_time(&text, o->t);
        json_text(j, buf_span(&text));
        buf_fini(&text);
    }
}

static void flush(struct print *p)
{
    for (uint32_t side = 0; side < SIDE_COUNT; side++) {
        if (p->rows[side] == 0)
            continue;
        struct buf object;
        buf_init(&object, TEXT_BYTES_MAX);
        buf_printf(&object, "{%s,\"side\":\"%s\",%s,\"rows\":[", buf_cstr(&p->head),
                   side_names[side], buf_cstr(&p->tail));
        buf_put_span(&object, buf_span(&p->side[side]));
        buf_printf(&object, "]%s}", buf_cstr(&p->more));
        json_raw(&p->json, buf_span(&object));
        buf_fini(&object);
        buf_clear(&p->side[side]);
        p->rows[side] = 0;
    }
}

// The members of one object, without its braces.
static void keep_members(struct buf *out, struct buf *object)
{
    buf_clear(out);
    buf_put(out, object->data + 1, object->size - 2);
    buf_fini(object);
}

static void begin_message(struct print *p, const struct observation *o)
{
    struct buf object;
    struct json j;
    flush(p);
    buf_init(&object, 4096);
    json_init(&j, &object);
    json_object(&j);
    put_text_or_null(&j, "model", o->model);
    put_text_or_null(&j, "version", o->version);
    json_object_end(&j);
    keep_members(&p->head, &object);
    buf_init(&object, 4096);
    json_init(&j, &object);
    json_object(&j);
    put_text_or_null(&j, "id", o->id);
    put_time(&j, o);
    json_object_end(&j);
    keep_members(&p->tail, &object);
    buf_clear(&p->more);
    if (o->weight != 1)
        buf_printf(&p->more, ",\"weight\":%.17g", o->weight);
    if (o->segment.size > 0) {
        buf_put_text(&p->more, ",\"segment\":");
        json_init(&j, &p->more);
        json_text(&j, o->segment);
    }
}

static void take_row(void *self, const struct observation *o)
{
    struct print *p = self;
    if (o->row == 0)
        begin_message(p, o);
    for (uint32_t side = 0; side < SIDE_COUNT; side++)
        put_row(p, o, (enum observation_side)side);
}

static void take_drop(void *self, struct span model, enum drop_reason why,
                      uint64_t rows)
{
    struct print *p = self;
    (void)model;
    p->dropped[why] += rows;
}

static void settle(void *self)
{
    (void)self;
}

enum status print_open(struct buf *out, struct observation_sink *sink, struct print **p)
{
    struct print *made = MEM_NEW(struct print);
    if (!made)
        return ST_NOMEM;
    json_init(&made->json, out);
    json_array(&made->json);
    for (uint32_t i = 0; i < SIDE_COUNT; i++)
        buf_init(&made->side[i], TEXT_BYTES_MAX);
    buf_init(&made->head, 4096);
    buf_init(&made->tail, 4096);
    buf_init(&made->more, 4096);
    *sink = (struct observation_sink){made, take_row, take_drop, settle};
    *p = made;
    return ST_OK;
}

void print_end(struct print *p)
{
    flush(p);
    json_array_end(&p->json);
}

void print_close(struct print *p)
{
    if (!p)
        return;
    for (uint32_t i = 0; i < SIDE_COUNT; i++)
        buf_fini(&p->side[i]);
    buf_fini(&p->head);
    buf_fini(&p->tail);
    buf_fini(&p->more);
    mem_free(p);
}

uint64_t print_dropped(const struct print *p, enum drop_reason why)
{
    return p->dropped[why];
}
