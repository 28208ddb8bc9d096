// SPDX-License-Identifier: Apache-2.0
#include "agent/intake/meter.h"

#include <math.h>
#include <string.h>

#include "agent/intake/unfold.h"
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/table.h"

#define PERIOD_NS (METER_PERIOD_S * NS_PER_S)
#define SUFFIX "_per_s"
#define KEY_BYTES_MAX (3 * (OBSERVATION_NAME_MAX + 1) + 16)
#define RECENT_NS (120 * NS_PER_S)
#define GRACE_NS NS_PER_S // behind a period, for what is on its way

// One counter, or one stream of totals.
struct series {
    struct span model, version, name; // owned, in `text`
    double sum;                       // of the period, or the total at `t`
    uint64_t period;                  // the number of the one under way
    uint64_t since;                   // where the total began; 0: it is a counter
    uint64_t t;                       // of the newest
    uint32_t quiet;                   // periods of zero since
    bool is_whole; // the period under way was seen from its beginning
    uint32_t cells;
    uint64_t *count; // of a histogram, `cells` of them
    char text[];
};

struct meter {
    struct observation_sink next;
    struct table *series;
    const char *counts_rows; // NULL: rows are not counted
    struct meter_stats stats;
};

enum status meter_open(const struct observation_sink *next, struct meter **out)
{
    struct meter *m = MEM_NEW(struct meter);
    if (!m)
        return ST_NOMEM;
    m->next = *next;
    enum status st = table_open(METER_SERIES_MAX, &m->series);
    if (st != ST_OK) {
        mem_free(m);
        return st;
    }
    *out = m;
    return ST_OK;
}

static void close_series(void *value)
{
    struct series *s = value;
    mem_free(s->count);
    mem_free(s);
}

void meter_close(struct meter *m)
{
    if (!m)
        return;
    table_close(m->series, close_series);
    mem_free(m);
}

void meter_count_rows(struct meter *m, const char *name)
{
    m->counts_rows = name;
}

struct meter_stats meter_stats(const struct meter *m)
{
    struct meter_stats stats = m->stats;
    stats.series = table_len(m->series);
    return stats;
}

// --- Series

static size_t append(char *to, size_t at, struct span s)
{
    if (s.size > 0)
        memcpy(to + at, s.data, s.size);
    to[at + s.size] = 0;
    return at + s.size + 1;
}

static struct series *make(struct meter *m, struct span key,
                           const struct observation *o, struct span name)
{
    struct series *s = mem_zero(1, sizeof *s + key.size);
    if (!s)
        return NULL;
    size_t at = append(s->text, 0, o->model);
    s->model = span_of(s->text, o->model.size);
    s->version = span_of(s->text + at, o->version.size);
    at = append(s->text, at, o->version);
    s->name = span_of(s->text + at, name.size);
    append(s->text, at, name);
    if (table_put(m->series, key, s) != ST_OK) {
        mem_free(s);
        return NULL;
    }
    return s;
}

// NULL when there are too many, or memory is out.
static struct series *series_of(struct meter *m, const struct observation *o,
                                struct span name, bool *is_new)
{
    char text[KEY_BYTES_MAX];
    if (o->model.size > OBSERVATION_NAME_MAX ||
        o->version.size > OBSERVATION_NAME_MAX || name.size > OBSERVATION_NAME_MAX)
        return NULL;
    size_t size = append(text, 0, o->model);
    size = append(text, size, o->version);
    size = append(text, size, name);
    store_le64((uint8_t *)text + size, o->series);
    struct span key = span_of(text, size + 8);
    struct series *s = table_get(m->series, key);
    *is_new = s == NULL;
    if (!s)
        s = make(m, key, o, name);
    m->stats.refused += s == NULL;
    return s;
}

static void tell(struct meter *m, const struct series *s, uint64_t t, struct span name,
                 double v)
{
    const struct datum datum = {
        .name = name, .side = SIDE_SIGNAL, .kind = DATUM_NUMBER, .number = v};
    const struct observation o = {.model = s->model,
                                  .version = s->version,
                                  .t = t,
                                  .has_time = true,
                                  .weight = 1,
                                  .value = &datum,
                                  .values = 1};
    m->next.row(m->next.self, &o);
}

static void tell_rate(struct meter *m, const struct series *s, uint64_t t, double rate)
{
    char name[OBSERVATION_NAME_MAX + sizeof SUFFIX];
    size_t most = OBSERVATION_NAME_MAX - (sizeof SUFFIX - 1);
    size_t size = s->name.size < most ? s->name.size : most;
    memcpy(name, s->name.data, size);
    memcpy(name + size, SUFFIX, sizeof SUFFIX - 1);
    m->stats.rates++;
    tell(m, s, t, span_of(name, size + sizeof SUFFIX - 1), rate);
}

// --- Counters

static void end_period(struct meter *m, struct series *s)
{
    if (s->is_whole)
        tell_rate(m, s, (s->period + 1) * PERIOD_NS - 1, s->sum / METER_PERIOD_S);
    s->quiet = s->sum != 0 ? 0 : s->quiet + 1;
    s->sum = 0;
    s->period++;
    s->is_whole = true;
}

// Ends all periods before `period`; of a long silence only the beginning is told.
static void move_to(struct meter *m, struct series *s, uint64_t period)
{
    while (s->period < period && s->quiet < METER_QUIET_MAX)
        end_period(m, s);
    if (s->period < period)
        s->is_whole = false;
    s->period = period > s->period ? period : s->period;
    s->quiet = 0;
}

static void count(struct meter *m, const struct observation *o, struct span name,
                  double v)
{
    bool is_new;
    struct series *s = series_of(m, o, name, &is_new);
    if (!s)
        return;
    uint64_t period = o->t / PERIOD_NS;
    if (is_new)
        s->period = period;
    if (period > s->period)
        move_to(m, s, period);
    s->sum += v; // what comes late counts where it comes
    s->t = o->t > s->t ? o->t : s->t;
}

// --- Totals

// Whether what came is what came on top of the last: it began where that ended, or
// recently.
static bool is_delta(const struct series *s, const struct observation *o, bool is_new)
{
    if (!is_new && o->since >= s->t && s->t > 0)
        return true;
    return is_new && o->t - o->since <= RECENT_NS;
}

static void take_total(struct meter *m, const struct observation *o,
                       const struct datum *d)
{
    bool is_new;
    struct series *s = series_of(m, o, d->name, &is_new);
    if (!s)
        return;
    double on_top = s->since == o->since && !is_new ? d->number - s->sum
                    : is_delta(s, o, is_new)        ? d->number
                                                    : -1;
    uint64_t from = s->since == o->since && !is_new ? s->t : o->since;
    m->stats.resets += on_top < 0 && !is_new;
    if (on_top >= 0 && o->t > from)
        tell_rate(m, s, o->t, on_top * 1e9 / (double)(o->t - from));
    s->sum = d->number;
    s->since = o->since;
    s->t = o->t;
}

struct unfolding {
    struct meter *meter;
    const struct series *series;
    uint64_t t;
};

static void tell_value(void *self, double v)
{
    struct unfolding *to = self;
    to->meter->stats.unfolded++;
    tell(to->meter, to->series, to->t, to->series->name, v);
}

// What came on top of the last; false when that is not known.
static bool subtract(struct meter *m, const struct series *s, uint64_t *cell,
                     uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        if (cell[i] < s->count[i]) {
            m->stats.resets++;
            return false;
        }
        cell[i] -= s->count[i];
    }
    return true;
}

static void take_histogram(struct meter *m, const struct observation *o,
                           const struct datum *d)
{
    bool is_new;
    struct histogram_figures h = d->histogram;
    uint32_t n = h.n_bounds + 1;
    struct series *s = series_of(m, o, d->name, &is_new);
    uint64_t *now = s ? mem_copy(span_of(h.counts, n * sizeof *now)) : NULL;
    uint64_t *cell = now ? mem_copy(span_of(h.counts, n * sizeof *cell)) : NULL;
    if (!cell) {
        mem_free(now);
        return;
    }
    bool is_total = !is_new && o->since != 0 && s->since == o->since && s->cells == n;
    bool is_known =
        is_total ? subtract(m, s, cell, n) : o->since == 0 || is_delta(s, o, is_new);
    h.counts = cell;
    if (is_total) // of all of it, and not of what came on top
        h.min = h.max = NAN;
    struct unfolding to = {m, s, o->t};
    if (is_known)
        unfold(&h, METER_UNFOLD_MAX, tell_value, &to);
    mem_free(cell);
    mem_free(s->count);
    s->count = now;
    s->cells = n;
    s->since = o->since;
    s->t = o->t;
}

// --- The sink

static bool is_for_meter(const struct observation *o)
{
    for (uint32_t i = 0; i < o->values; i++)
        if (o->value[i].side != SIDE_SIGNAL)
            return false;
    return o->form == FORM_COUNTS || o->since != 0 ||
           (o->values > 0 && o->value[0].kind == DATUM_HISTOGRAM);
}

static void take_row(void *self, const struct observation *o)
{
    struct meter *m = self;
    if (m->counts_rows)
        count(m, o, span_text(m->counts_rows), 1);
    if (!is_for_meter(o)) {
        m->next.row(m->next.self, o);
        return;
    }
    for (uint32_t i = 0; i < o->values; i++) {
        const struct datum *d = &o->value[i];
        if (d->kind == DATUM_HISTOGRAM)
            take_histogram(m, o, d);
        else if (d->kind == DATUM_NUMBER && isfinite(d->number) && o->since != 0)
            take_total(m, o, d);
        else if (d->kind == DATUM_NUMBER && isfinite(d->number))
            count(m, o, d->name, d->number * o->weight);
    }
}

static void take_drop(void *self, struct span model, enum drop_reason why,
                      uint64_t rows)
{
    struct meter *m = self;
    m->next.drop(m->next.self, model, why, rows);
}

static void take_settle(void *self)
{
    struct meter *m = self;
    m->next.settle(m->next.self);
}

struct observation_sink meter_sink(struct meter *m)
{
    return (struct observation_sink){m, take_row, take_drop, take_settle};
}

void meter_turn(struct meter *m, uint64_t now_ns)
{
    size_t at = 0;
    void *value;
    struct span key;
    while (table_next(m->series, &at, &key, &value)) {
        struct series *s = value;
        uint64_t done = (now_ns - GRACE_NS) / PERIOD_NS;
        bool is_present =
            s->since == 0 && s->t + RECENT_NS > now_ns && s->period < done;
        while (is_present && s->period < done && s->quiet < METER_QUIET_MAX)
            end_period(m, s);
    }
}
