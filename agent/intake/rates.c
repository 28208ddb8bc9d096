// SPDX-License-Identifier: Apache-2.0
#include "agent/intake/rates.h"

#include <math.h>

#include "agent/intake/word.h"
#include "common/base/mem.h"

#define FIGURES_MAX 8

// One page's figures of a model and version; NaN where it tells none.
struct page {
    uint64_t t;
    double requests, errors, duration_ms, queue_ms, tokens;
};

struct memory {
    struct word model;
    struct word version;
    struct page last;
};

struct rates {
    struct observation_sink next;
    struct span version;
    struct memory *memory; // SCRAPE_SERIES_MAX
    uint32_t n;
    uint64_t resets;
};

enum status rates_open(const struct observation_sink *next, struct span version,
                       struct rates **out)
{
    struct rates *r = MEM_NEW(struct rates);
    if (!r)
        return ST_NOMEM;
    r->next = *next;
    r->version = version;
    r->memory = mem_zero(SCRAPE_SERIES_MAX, sizeof *r->memory);
    if (!r->memory) {
        rates_close(r);
        return ST_NOMEM;
    }
    *out = r;
    return ST_OK;
}

void rates_close(struct rates *r)
{
    if (!r)
        return;
    mem_free(r->memory);
    mem_free(r);
}

uint64_t rates_resets(const struct rates *r)
{
    return r->resets;
}

static struct memory *memory_of(struct rates *r, const struct observation *o,
                                bool *is_new)
{
    *is_new = false;
    for (uint32_t i = 0; i < r->n; i++)
        if (span_equal(word_span(&r->memory[i].model), o->model) &&
            span_equal(word_span(&r->memory[i].version), o->version))
            return &r->memory[i];
    if (r->n == SCRAPE_SERIES_MAX)
        return NULL;
    struct memory *m = &r->memory[r->n];
    if (word_set(&m->model, o->model) != ST_OK ||
        word_set(&m->version, o->version) != ST_OK)
        return NULL;
    r->n++;
    *is_new = true;
    return m;
}

static double find(const struct observation *o, const char *name)
{
    for (uint32_t i = 0; i < o->values; i++)
        if (o->value[i].kind == DATUM_NUMBER && span_is(o->value[i].name, name))
            return o->value[i].number;
    return NAN;
}

static struct page read_page(const struct observation *o)
{
    double us = find(o, "duration_us_total");
    return (struct page){
        .t = o->t,
        .requests = find(o, "requests_total"),
        .errors = find(o, "errors_total"),
        .duration_ms = isnan(us) ? find(o, "duration_s_total") * 1e3 : us / 1e3,
        .queue_ms = find(o, "queue_us_total") / 1e3,
        .tokens = find(o, "tokens_total"),
    };
}

struct figures {
    struct datum datum[FIGURES_MAX];
    uint32_t n;
};

static void add(struct figures *f, const char *name, double v)
{
    if (!isfinite(v) || f->n == FIGURES_MAX)
        return;
    f->datum[f->n++] = (struct datum){.name = span_text(name),
                                      .side = SIDE_SIGNAL,
                                      .kind = DATUM_NUMBER,
                                      .number = v};
}

// False: a total went back.
static bool compare(const struct page *a, const struct page *b, struct figures *f)
{
    double seconds = (double)(b->t - a->t) / 1e9;
    double requests = b->requests - a->requests, errors = b->errors - a->errors;
    double duration = b->duration_ms - a->duration_ms,
           queue = b->queue_ms - a->queue_ms;
    double tokens = b->tokens - a->tokens;
    if (requests < 0 || errors < 0 || duration < 0 || queue < 0 || tokens < 0)
        return false;
    double all = requests + (isnan(errors) ? 0 : errors);
    add(f, "requests_per_s", all / seconds);
    add(f, "tokens_per_s", tokens / seconds);
    if (all > 0)
        add(f, "error_rate", errors / all);
    if (requests > 0) {
        add(f, "latency_ms", duration / requests);
        add(f, "queue_latency_ms", queue / requests);
    }
    return true;
}

static void take_row(void *self, const struct observation *o)
{
    struct rates *r = self;
    struct observation out = *o;
    struct figures f = {.n = 0};
    bool is_new;
    struct memory *m = memory_of(r, o, &is_new);
    struct page now = read_page(o);
    if (m && !is_new && now.t > m->last.t && !compare(&m->last, &now, &f))
        r->resets++;
    if (m)
        m->last = now;
    add(&f, "in_flight", find(o, "in_flight"));
    add(&f, "waiting", find(o, "waiting"));
    if (r->version.size > 0)
        out.version = r->version;
    out.value = f.datum;
    out.values = f.n;
    if (f.n > 0)
        r->next.row(r->next.self, &out);
}

static void take_drop(void *self, struct span model, enum drop_reason why,
                      uint64_t rows)
{
    struct rates *r = self;
    r->next.drop(r->next.self, model, why, rows);
}

static void take_settle(void *self)
{
    struct rates *r = self;
    r->next.settle(r->next.self);
}

struct observation_sink rates_sink(struct rates *r)
{
    return (struct observation_sink){r, take_row, take_drop, take_settle};
}
