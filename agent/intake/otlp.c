// SPDX-License-Identifier: Apache-2.0
#include "agent/intake/otlp.h"

#include <math.h>

#include "common/base/hash.h"
#include "common/base/text.h"

enum slot {
    SLOT_METRIC,
    SLOT_POINT,
    SLOT_TIME,
    SLOT_COUNT,
    SLOT_SUM,
    SLOT_MIN,
    SLOT_MAX,
    SLOT_COUNTS,
    SLOT_BOUNDS,
    SLOT_VALUE,
    SLOT_KEY,
    SLOT_ATTRIBUTE,
    SLOT_BEGIN,
    SLOT_RESOURCE,
    SLOT_MARK,  // of the resource
    SLOT_OTHER, // an attribute that is no text
};

#define METRIC "/resourceMetrics/*/scopeMetrics/*/metrics/*"
#define POINT METRIC "/+/dataPoints/*" // of a gauge, a sum or a histogram

static const struct pick_row rows[] = {
    {"/resourceMetrics/*", SLOT_RESOURCE, PICK_AROUND},
    {"/resourceMetrics/*/resource/attributes/*/value/stringValue", SLOT_MARK,
     PICK_VALUE},
    {METRIC "/name", SLOT_METRIC, PICK_VALUE},
    {POINT, SLOT_POINT, PICK_AROUND},
    {POINT "/timeUnixNano", SLOT_TIME, PICK_VALUE},
    {POINT "/startTimeUnixNano", SLOT_BEGIN, PICK_VALUE},
    {POINT "/asDouble", SLOT_VALUE, PICK_VALUE},
    {POINT "/asInt", SLOT_VALUE, PICK_VALUE},
    {POINT "/attributes/*/key", SLOT_KEY, PICK_VALUE},
    {POINT "/attributes/*/value/stringValue", SLOT_ATTRIBUTE, PICK_VALUE},
    {POINT "/attributes/*/value/intValue", SLOT_OTHER, PICK_VALUE},
    {POINT "/attributes/*/value/boolValue", SLOT_OTHER, PICK_VALUE},
    {POINT "/count", SLOT_COUNT, PICK_VALUE},
    {POINT "/sum", SLOT_SUM, PICK_VALUE},
    {POINT "/min", SLOT_MIN, PICK_VALUE},
    {POINT "/max", SLOT_MAX, PICK_VALUE},
    {POINT "/bucketCounts", SLOT_COUNTS, PICK_VALUE},
    {POINT "/explicitBounds", SLOT_BOUNDS, PICK_VALUE},
};

// The names are not stable yet: they stand here and nowhere else.
static const struct {
    const char *metric;
    const char *signal;
} names[] = {
    {"gen_ai.client.token.usage", "tokens"}, // by gen_ai.token.type
    {"gen_ai.client.operation.duration", "duration_s"},
    {"gen_ai.server.request.duration", "request.duration_s"},
    {"gen_ai.server.time_to_first_token", "first_token_s"},
    {"gen_ai.server.time_per_output_token", "output_token_s"},
};

static pick_fn take;

void otlp_init(struct otlp *o, struct teller *t)
{
    *o = (struct otlp){.teller = t};
    lexer_init(&o->lexer, pick_token, &o->pick);
    pick_init(&o->pick, rows, (uint32_t)(sizeof rows / sizeof *rows), take, o);
}

void otlp_fini(struct otlp *o)
{
    lexer_fini(&o->lexer);
}

void otlp_begin(struct otlp *o)
{
    lexer_reset(&o->lexer);
    pick_reset(&o->pick);
    o->metric.size = 0;
}

// --- Points

static void begin_point(struct otlp *o)
{
    o->key.size = o->model.size = o->direction.size = o->time.size = 0;
    o->begin.size = 0;
    o->series = o->resource;
    o->has_value = false;
    o->n_bounds = o->n_counts = 0;
    o->figures = (struct histogram_figures){.sum = NAN, .min = NAN, .max = NAN};
}

static struct span signal_name(const struct otlp *o, char out[OTLP_NAME_MAX])
{
    struct span metric = word_span(&o->metric);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!span_is(metric, names[i].metric))
            continue;
        size_t size = strlen(names[i].signal);
        memcpy(out, names[i].signal, size);
        if (i == 0 && o->direction.size > 0 && o->direction.size < OTLP_NAME_MAX / 2) {
            out[size++] = '.';
            memcpy(out + size, o->direction.data, o->direction.size);
            size += o->direction.size;
        }
        return span_of(out, size);
    }
    return metric;
}

static enum status set_time(struct otlp *o)
{
    uint64_t ns;
    struct teller *t = o->teller;
    t->has_time = false;
    t->written.size = 0;
    if (o->time.size == 0)
        return ST_OK;
    ST_TRY(text_u64(word_span(&o->time), &ns));
    t->t = ns;
    t->has_time = true;
    t->since = 0;
    if (o->begin.size > 0)
        ST_TRY(text_u64(word_span(&o->begin), &t->since));
    if (t->since >= t->t)
        t->since = 0;
    t->series = o->series;
    return ST_OK;
}

static enum status put_histogram(struct otlp *o, struct span name)
{
    struct datum d = {.kind = DATUM_HISTOGRAM, .histogram = o->figures};
    if (o->n_counts != o->n_bounds + 1)
        return ST_CORRUPT;
    for (uint32_t i = 1; i < o->n_bounds; i++)
        if (!(o->bounds[i - 1] < o->bounds[i]))
            return ST_CORRUPT;
    d.histogram.bounds = o->bounds;
    d.histogram.counts = o->counts;
    d.histogram.n_bounds = o->n_bounds;
    return flat_figures(&o->teller->flat, name, SIDE_SIGNAL, &d);
}

static enum status end_point(struct otlp *o)
{
    char text[OTLP_NAME_MAX];
    if (o->model.size == 0)
        o->model = o->teller->given_model;
    if (o->model.size == 0 || o->metric.size == 0) {
        o->strangers++;
        return ST_OK;
    }
    if (o->n_counts == 0 && !o->has_value)
        return ST_OK; // a summary, or an exponential histogram
    struct span name = signal_name(o, text);
    o->teller->model = o->model;
    o->teller->row = 0;
    ST_TRY(set_time(o));
    if (o->n_counts > 0)
        ST_TRY(put_histogram(o, name));
    else
        ST_TRY(flat_number(&o->teller->flat, name, SIDE_SIGNAL, o->value));
    return teller_hand(o->teller);
}

// --- Tokens

// Numbers of 64 bits come as text.
static enum status number_of(enum token token, struct span text, double number,
                             double *out)
{
    if (token == TOKEN_STRING)
        return text_f64(text, out);
    *out = number;
    return token == TOKEN_NUMBER ? ST_OK : ST_CORRUPT;
}

static enum status add_bound(struct otlp *o, double v)
{
    if (o->n_bounds == OTLP_BOUNDS_MAX)
        return ST_FULL;
    o->bounds[o->n_bounds++] = v;
    return isfinite(v) ? ST_OK : ST_CORRUPT;
}

static enum status add_count(struct otlp *o, double v)
{
    if (o->n_counts == OTLP_BOUNDS_MAX + 1)
        return ST_FULL;
    if (!(v >= 0 && v < 9007199254740992.0))
        return ST_CORRUPT;
    o->counts[o->n_counts++] = (uint64_t)v;
    return ST_OK;
}

static enum status take_number(struct otlp *o, int slot, double v)
{
    switch (slot) {
    case SLOT_COUNT:
        if (!(v >= 0 && v < 9007199254740992.0))
            return ST_CORRUPT;
        o->figures.count = (uint64_t)v;
        break;
    case SLOT_SUM:
        o->figures.sum = v;
        break;
    case SLOT_MIN:
        o->figures.min = v;
        break;
    case SLOT_MAX:
        o->figures.max = v;
        break;
    case SLOT_VALUE:
        o->value = v;
        o->has_value = true;
        break;
    case SLOT_BOUNDS:
        return add_bound(o, v);
    default:
        return add_count(o, v);
    }
    return ST_OK;
}

static void mark(uint64_t *series, struct span name, struct span text)
{
    uint64_t hash[2];
    hash_murmur3(name, *series, hash);
    hash_murmur3(text, hash[0], hash);
    *series = hash[0];
}

static enum status take_attribute(struct otlp *o, struct span text)
{
    mark(&o->series, word_span(&o->key), text);
    struct span key = word_span(&o->key);
    if (span_is(key, "gen_ai.request.model"))
        return word_set(&o->model, text);
    if (span_is(key, "gen_ai.token.type"))
        return word_set(&o->direction, text);
    return ST_OK;
}

// An attribute's key or text may be of any length; those that matter are short.
static enum status take_short(struct word *w, struct span text)
{
    w->size = 0;
    return text.size <= sizeof w->data ? word_set(w, text) : ST_OK;
}

static enum status take(void *self, int slot, enum token token, struct span text,
                        double number, bool is_last)
{
    struct otlp *o = self;
    double v;
    switch (slot) {
    case SLOT_METRIC:
        return take_short(&o->metric, text);
    case SLOT_POINT:
        if (is_last)
            return end_point(o);
        begin_point(o);
        return ST_OK;
    case SLOT_TIME:
        return take_short(&o->time, text);
    case SLOT_BEGIN:
        return take_short(&o->begin, text);
    case SLOT_RESOURCE:
        o->resource = 0;
        return ST_OK;
    case SLOT_MARK:
        mark(&o->resource, span_text(""), text);
        return ST_OK;
    case SLOT_OTHER:
        mark(&o->series, word_span(&o->key), text);
        return ST_OK;
    case SLOT_KEY:
        return take_short(&o->key, text);
    case SLOT_ATTRIBUTE:
        return token == TOKEN_STRING ? take_attribute(o, text) : ST_CORRUPT;
    default:
        break;
    }
    if (token == TOKEN_ARRAY || token == TOKEN_ARRAY_END)
        return ST_OK;
    ST_TRY(number_of(token, text, number, &v));
    return take_number(o, slot, v);
}

enum status otlp_bytes(struct otlp *o, struct span bytes)
{
    size_t used;
    ST_TRY(lexer_feed(&o->lexer, bytes, &used));
    for (; used < bytes.size; used++)
        if (!memchr(" \t\r\n", bytes.data[used], 4))
            return ST_CORRUPT;
    return ST_OK;
}

enum status otlp_end(struct otlp *o)
{
    return lexer_end(&o->lexer);
}
