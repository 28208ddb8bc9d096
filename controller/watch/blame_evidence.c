// Blame: what each signal says against its entity, and the entity's families.
//
// SPDX-License-Identifier: Apache-2.0
#include <math.h>

#include "common/base/mem.h"
#include "controller/watch/blame_inside.h"

#define EARLY_SERIES 2.5 // windows before the KPI at which agreement has faded
#define EARLY_NO_SERIES 8.0
#define LATE 1.0
// Puts those in order that moved no more than noise does; too little to matter
// otherwise.
#define FAINT 1e-6
#define MAD_TO_SD 1.4826
#define JUMPS_LEAST 8u
#define SECOND 0.2 // weight of what agrees with the best

// --- Agreement with the KPI

// align[i]: how well an onset in split i agrees with the KPI's.
static void align_splits(const struct splits *kpi, double early, uint32_t count,
                         double *align)
{
    for (uint32_t i = 0; i < count; i++) {
        double sum = 0;
        for (uint32_t j = 0; j < kpi->count; j++) {
            double lag = (double)j - (double)i;
            double off = fmax(0, lag - 1) / early + fmax(0, -lag - 1) / LATE;
            sum += kpi->posterior[j] * exp(-off);
        }
        align[i] = 0.1 + 0.9 * sum;
    }
}

// How much the KPI jumps from window to window before the search. A level that changed
// back then for reasons of its own widens every other measure of noise, but not this.
static double jumps(const struct blame_case *c, const double *value, double *room)
{
    uint32_t n = 0;
    for (uint32_t k = c->first + 1; k < c->search; k++)
        if (!isnan(value[k]) && !isnan(value[k - 1]))
            room[n++] = fabs(value[k] - value[k - 1]);
    return n < JUMPS_LEAST ? 0 : MAD_TO_SD * median_of(room, n) / sqrt(2);
}

static struct scale kpi_scale(const struct blame_case *c, struct divider *d,
                              const struct scale *usual)
{
    struct scale own = usual[c->kpi_signal];
    double jump = jumps(c, c->signal[c->kpi_signal].value, d->z);
    if (jump > 0 && jump < own.noise) {
        own.spread *= jump / own.noise;
        own.noise = jump;
    }
    return own;
}

// The KPI's own splits, or the reported window when it has no series that tells.
static bool kpi_splits(const struct blame_case *c, struct divider *d,
                       const struct scale *scale, struct splits *out)
{
    // A later split would be a KPI that moved after somebody noticed.
    uint32_t last = c->reported + 2 < c->last ? c->reported + 2 : c->last;
    if (last < c->search)
        last = c->search;
    if (c->kpi_signal != BLAME_NONE) {
        struct scale own = kpi_scale(c, d, scale);
        divide(c, d, c->signal[c->kpi_signal].value, &own, last, out);
        if (out->onset.is_known) {
            // Whether it moved at all is asked in its own noise: a KPI that is steadier
            // than the floor of effects may well have moved by less than that.
            if (own.noise > 0)
                out->onset.gain *= own.spread / own.noise;
            return true;
        }
    }
    uint32_t at = c->reported > c->search ? c->reported : c->search;
    *out = (struct splits){.count = last - c->search + 1, .posterior = d->posterior};
    for (uint32_t i = 0; i < out->count; i++)
        d->posterior[i] = c->search + i == at;
    out->onset = (struct blame_onset){
        .is_known = true, .best = at, .low = at, .high = at, .effect = 0};
    return false;
}

// --- Weight and direction

static double weight_of(const struct blame_case *c, const struct blame_signal *s)
{
    const struct blame_kind *kind = &c->kind[s->name];
    double w = 1;
    if (kind->family == BLAME_TRAFFIC)
        w = 0.15;
    if (kind->family == BLAME_SELF)
        w = 0.8;
    if (kind->family == BLAME_KPI)
        w = 0;
    if (c->kpi_kind != BLAME_UNKNOWN && kind->family != BLAME_SELF) {
        if (kind->family != c->kpi_kind)
            w = fmin(w, 0.35);
        else if (c->kpi_name != s->name && s->entity != c->kpi)
            w *= 0.6;
    }
    return kind->is_outer ? w * 0.5 : w;
}

static double direction_of(const struct blame_kind *kind, double effect)
{
    bool is_up = effect > 0;
    switch (kind->family) {
    case BLAME_ERRORS:
        return is_up != kind->is_good ? 1 : 0.2;
    case BLAME_LATENCY:
        return is_up ? 1 : 0.5;
    case BLAME_DRIFT:
        return is_up ? 1 : 0.2;
    default:
        return 1;
    }
}

static double evidence_of(const struct blame_case *c, uint32_t i,
                          const struct splits *s, const double *align)
{
    double size = fmin(fabs(s->onset.effect), EFFECT_MAX);
    if (!s->onset.is_known || size == 0)
        return 0;
    double agree = 0;
    for (uint32_t k = 0; k < s->count; k++)
        agree += s->posterior[k] * align[k];
    const struct blame_signal *signal = &c->signal[i];
    return weight_of(c, signal) *
           direction_of(&c->kind[signal->name], s->onset.effect) * agree *
           (log1p(fmax(0, size - EFFECT_FREE)) + FAINT * size);
}

// A signal is seen when it has a window where the incident is.
static bool has_windows(const struct blame_case *c, const double *value, uint32_t from)
{
    for (uint32_t k = from; k <= c->last; k++)
        if (!isnan(value[k]))
            return true;
    return false;
}

static enum status trace_each(const struct blame_case *c, const struct scale *scale,
                              double *align, struct trace *out, struct blame_onset *kpi)
{
    struct divider d;
    struct splits s;
    ST_TRY(divider_init(&d, c));
    bool own = kpi_splits(c, &d, scale, &s);
    *kpi = s.onset;
    uint32_t count = c->last - c->search + 1;
    align_splits(&s, own ? EARLY_SERIES : EARLY_NO_SERIES, count, align);
    uint32_t seen_from = kpi->low < c->reported ? kpi->low : c->reported;
    for (uint32_t i = 0; i < c->signals; i++) {
        divide(c, &d, c->signal[i].value, &scale[i], c->last, &s);
        out[i] = (struct trace){.onset = s.onset,
                                .evidence = evidence_of(c, i, &s, align),
                                .has_windows =
                                    has_windows(c, c->signal[i].value, seen_from)};
    }
    divider_fini(&d);
    return ST_OK;
}

enum status trace_all(const struct blame_case *c, struct trace *out,
                      struct blame_onset *kpi)
{
    struct scale *scale = mem_zero(c->signals + 1, sizeof *scale);
    double *align = mem_zero(c->windows, sizeof *align);
    enum status st = scale && align ? scale_all(c, scale) : ST_NOMEM;
    if (st == ST_OK)
        st = trace_each(c, scale, align, out, kpi);
    mem_free(scale);
    mem_free(align);
    return st;
}

// --- Families

double entity_value(const double value[BLAME_FAMILIES])
{
    double best = 0, second = 0;
    for (int f = 0; f < BLAME_FAMILIES; f++) {
        if (value[f] > best) {
            second = best;
            best = value[f];
        } else if (value[f] > second) {
            second = value[f];
        }
    }
    return best + SECOND * second;
}

static void add_signal(const struct blame_kind *kind, uint32_t i, const struct trace *t,
                       struct entity_view *v, double second[BLAME_FAMILIES])
{
    struct family *f = &v->family[kind->family];
    v->has_signals = true;
    v->has_windows |= t->has_windows;
    if (f->signal == BLAME_NONE || t->evidence > f->value) {
        second[kind->family] = f->signal == BLAME_NONE ? 0 : f->value;
        f->value = t->evidence;
        f->signal = i;
    } else if (t->evidence > second[kind->family]) {
        second[kind->family] = t->evidence;
    }
    if (kind->family != BLAME_DRIFT)
        return;
    if (kind->is_input && t->evidence > v->in_drift) {
        v->in_drift = t->evidence;
        v->in_signal = i;
    } else if (!kind->is_input && t->evidence > v->out_drift) {
        v->out_drift = t->evidence;
        v->out_signal = i;
    }
}

static void finish_view(struct entity_view *v, const double second[BLAME_FAMILIES])
{
    double value[BLAME_FAMILIES];
    double top = -1;
    for (int f = 0; f < BLAME_FAMILIES; f++) {
        v->family[f].value += SECOND * second[f];
        value[f] = v->family[f].value;
        if (v->family[f].signal != BLAME_NONE && value[f] > top) {
            top = value[f];
            v->signal = v->family[f].signal;
        }
    }
    v->evidence = entity_value(value);
}

void views_fill(const struct blame_case *c, const struct trace *trace,
                struct entity_view *view)
{
    uint32_t i = 0;
    for (uint32_t e = 0; e < c->entities; e++) {
        struct entity_view *v = &view[e];
        double second[BLAME_FAMILIES] = {0};
        *v = (struct entity_view){.out_drift = -1,
                                  .in_drift = -1,
                                  .out_signal = BLAME_NONE,
                                  .in_signal = BLAME_NONE,
                                  .signal = BLAME_NONE};
        for (int f = 0; f < BLAME_FAMILIES; f++)
            v->family[f].signal = BLAME_NONE;
        // What lies in another segment moved nothing here.
        bool counts = !c->entity[e].is_elsewhere;
        for (; i < c->signals && c->signal[i].entity == e; i++)
            if (counts)
                add_signal(&c->kind[c->signal[i].name], i, &trace[i], v, second);
        finish_view(v, second);
    }
}
