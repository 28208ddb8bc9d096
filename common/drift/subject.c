// Subject: which tests look at what, and one window's step of all of them.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/drift/subject.h"

#include <math.h>
#include <string.h>

#define DAY_NS (24ull * 3600 * 1000000000)
#define CLIP_SD 4.0
#define NAMING_LAG 1000.0

struct subject_row {
    uint32_t tests;
    struct subject_test test[SUBJECT_TESTS_MAX];
};

static const struct subject_row kinds[SUBJECT_COUNT] = {
    [SUBJECT_NUMERIC] = {8,
                         {{COMPONENT_LOC, 1, SIGNAL_LOCATION},
                          {COMPONENT_LOC, -1, SIGNAL_LOCATION},
                          {COMPONENT_SCALE, 1, SIGNAL_SCALE},
                          {COMPONENT_SCALE, -1, SIGNAL_SCALE},
                          {COMPONENT_TAIL, 1, SIGNAL_TAIL},
                          {COMPONENT_DIST, 1, SIGNAL_DISTANCE},
                          {COMPONENT_MISSING, 1, SIGNAL_MISSING},
                          {COMPONENT_MISSING, -1, SIGNAL_MISSING}}},
    [SUBJECT_CATEGORICAL] = {4,
                             {{COMPONENT_TAIL, 1, SIGNAL_TAIL},
                              {COMPONENT_DIST, 1, SIGNAL_DISTANCE},
                              {COMPONENT_MISSING, 1, SIGNAL_MISSING},
                              {COMPONENT_MISSING, -1, SIGNAL_MISSING}}},
    [SUBJECT_SCALAR] = {2, {{0, 1, SIGNAL_LEVEL}, {0, -1, SIGNAL_LEVEL}}},
    [SUBJECT_CONTRIBUTION] = {2,
                              {{0, 1, SIGNAL_CONTRIBUTION},
                               {0, -1, SIGNAL_CONTRIBUTION}}},
};

static void set_norm(struct subject *s, uint32_t c)
{
    const struct learn_profile *p = s->profile[c];
    s->norm.mu[c] = p->mu;
    s->norm.phi[c] = p->phi;
    s->norm.noise[c] = p->noise;
    s->norm.extra[c] = p->extra;
    s->norm.kappa[c] = p->kappa;
    s->norm.most[c] = CLIP_SD * p->sd;
    s->norm.hold_back[c] = p->tau * (1 - p->phi);
    for (uint32_t h = 0; p->has_hours && h < LEARN_HOURS; h++)
        s->season[h][c] = p->hour[h];
    for (uint32_t d = 0; p->has_days && d < LEARN_DAYS; d++)
        s->season[LEARN_HOURS + d][c] = p->day[d];
}

static void settle(const struct baseline *b, struct subject *s)
{
    double phi = 0;
    bool season = false;
    uint64_t window_ns = baseline_window_ns(b);
    for (uint32_t i = 0; i < s->tests; i++) {
        const struct learn_profile *p = s->profile[s->test[i].component];
        phi = fmax(phi, p->phi);
        season = season || p->has_hours || p->has_days;
    }
    s->block = evidence_block(phi, window_ns, season);
    s->by_rows = window_ns == 0;
    subject_set_gates(s, 1);
    for (uint32_t c = 0; c < s->components; c++)
        set_norm(s, c);
    s->second = SUBJECT_SECOND_LEAST;
    if (season && window_ns > 0 && DAY_NS / window_ns > s->second)
        s->second = (uint32_t)(DAY_NS / window_ns);
    if (s->second > SUBJECT_SECOND_MOST)
        s->second = SUBJECT_SECOND_MOST;
}

// Keeps the tests of `kind` whose component exists, was learned, and is on a wanted
// side.
static void set_tests(const struct component_scores *scores, uint8_t sides,
                      struct subject *s)
{
    const struct subject_row *k = &kinds[s->kind];
    for (uint32_t i = 0; i < k->tests; i++) {
        struct subject_test t = k->test[i];
        bool exists = !scores || component_exists(scores, (enum component)t.component);
        bool wanted = sides & (t.sign > 0 ? LEARN_UP : LEARN_DOWN);
        if (exists && wanted && learn_is_usable(s->profile[t.component]))
            s->test[s->tests++] = t;
    }
}

void subject_of_feature(const struct baseline *b, uint32_t index, struct subject *out)
{
    const struct baseline_feature *f = baseline_feature(b, index);
    *out = (struct subject){.role = f->role, .index = index};
    out->kind = f->kind == KIND_CATEGORICAL ? SUBJECT_CATEGORICAL : SUBJECT_NUMERIC;
    out->components = COMPONENT_COUNT;
    for (uint32_t c = 0; c < COMPONENT_COUNT; c++)
        out->profile[c] = &f->learned[c];
    if (f->has_scores)
        set_tests(&f->scores, LEARN_BOTH, out);
    settle(b, out);
}

void subject_of_contribution(const struct baseline *b, uint32_t index,
                             struct subject *out)
{
    const struct baseline_feature *f = baseline_feature(b, index);
    *out = (struct subject){
        .kind = SUBJECT_CONTRIBUTION, .role = f->role, .index = index, .components = 1};
    out->profile[0] = &f->fci_learned;
    set_tests(NULL, LEARN_BOTH, out);
    settle(b, out);
}

void subject_of_scalar(const struct baseline *b, uint32_t index, struct subject *out)
{
    const struct baseline_scalar *f = baseline_scalar(b, index);
    *out = (struct subject){.kind = SUBJECT_SCALAR,
                            .role = ROLE_SIGNAL,
                            .watch_only = f->watch_only,
                            .index = index,
                            .components = 1};
    out->profile[0] = &f->learned;
    set_tests(NULL, f->sides, out);
    settle(b, out);
}

double subject_evidence(const struct subject *s, const struct evidence *of)
{
    double sum = 0;
    for (uint32_t i = 0; i < s->tests; i++)
        sum += evidence_of(&of[i]);
    return s->tests ? sum / s->tests : 0;
}

void subject_set_gates(struct subject *s, double factor)
{
    s->gate_factor = factor;
    for (uint32_t i = 0; i < s->tests; i++)
        s->gate[i] = s->profile[s->test[i].component]->gate * factor;
}

double subject_effect(const struct subject *s, const struct subject_state *state,
                      uint32_t test)
{
    const struct subject_test *t = &s->test[test];
    return t->sign * (double)state->memory[t->component].smooth;
}

void subject_forget(const struct subject *s, struct evidence *of)
{
    for (uint32_t i = 0; i < s->tests; i++)
        evidence_reset(&of[i]);
}

// The effect that meets the gate: the smoothed one or the last window's, whichever is
// larger. (The smoothed one alone shows half of a change in its first window.) Against
// the second profile its level is taken off.
static double seen_effect(const struct subject *s, const struct subject_state *state,
                          uint32_t test, bool is_second)
{
    const struct subject_test *t = &s->test[test];
    const struct subject_memory *m = &state->memory[t->component];
    double smooth = t->sign * (double)m->smooth, last = t->sign * (double)m->lag;
    double effect = last > smooth ? last : smooth;
    return is_second ? effect - t->sign * (double)m->shift : effect;
}

bool subject_is_admitted(const struct subject *s, const struct subject_state *state)
{
    for (uint32_t i = 0; i < s->tests; i++)
        if (seen_effect(s, state, i, false) >= subject_gate(s, i))
            return true;
    return false;
}

bool subject_is_calm(const struct subject *s, const struct subject_state *state)
{
    for (uint32_t i = 0; i < s->tests; i++)
        if (subject_effect(s, state, i) >= subject_gate(s, i) / 2)
            return false;
    return true;
}

static double hold(double v, double most)
{
    return v < -most ? -most : v > most ? most : v;
}

// z of one direction against the second profile, which has its own level, a wider sigma
// and a wider tolerance for having been learned from few windows.
static double second_z(const struct subject *s, const struct subject_memory *m,
                       const struct learn_profile *p, int sign, double residual,
                       double variance)
{
    double windows = s->second, most = CLIP_SD * p->sd;
    double lag = (double)m->lag - (double)m->shift;
    double u = residual - (double)m->shift - p->phi * hold(lag, most);
    double wider = fmax(1, (double)m->squares / fmax(p->sd * p->sd, 1e-18));
    double sigma = learn_sigma(p, variance) * sqrt(wider * (1 + 3 / sqrt(windows)));
    double sd = p->sd * sqrt(wider);
    double tau = p->tau + 2 * sd / sqrt(fmax(2, windows * (1 - p->phi) / (1 + p->phi)));
    return (sign * u - tau * (1 - p->phi)) / sigma;
}

// Two components side by side in the 128-bit registers that every machine of ours has.
typedef double pair __attribute__((vector_size(16)));
#define PAIRS ((COMPONENT_COUNT + 1) / 2)

static double place(const pair *v, uint32_t c)
{
    return v[c / 2][c % 2];
}

static pair pair_at(const double *v)
{
    pair out;
    memcpy(&out, v, sizeof out);
    return out;
}

static pair root(pair v)
{
    return (pair){sqrt(v[0]), sqrt(v[1])};
}

static pair held(pair v, pair most)
{
    return (pair){hold(v[0], most[0]), hold(v[1], most[1])};
}

static pair lags(const struct subject_state *state, uint32_t c)
{
    double second = c + 1 < COMPONENT_COUNT ? (double)state->memory[c + 1].lag : 0;
    return (pair){(double)state->memory[c].lag, second};
}

// Innovations, and 1 / sigma of each component.
static void normalise(const struct subject *s, const struct subject_state *state,
                      const struct subject_window *w, const pair *residual, pair *u,
                      pair *per_sigma)
{
    const pair one = {1, 1}, least = {LEARN_SIGMA_LEAST, LEARN_SIGMA_LEAST};
    const struct subject_norm *p = &s->norm;
    for (uint32_t c = 0; c < s->components; c += 2) {
        pair wander =
            pair_at(p->noise + c) * pair_at(w->variance + c) + pair_at(p->extra + c);
        pair sigma = pair_at(p->kappa + c) * root(wander) + least;
        u[c / 2] = residual[c / 2] -
                   pair_at(p->phi + c) * held(lags(state, c), pair_at(p->most + c));
        per_sigma[c / 2] = one / sigma;
    }
}

// Level, hour and day taken off.
static void take_residuals(const struct subject *s, const struct subject_window *w,
                           pair *out)
{
    const float *hour = s->season[learn_hour(w->start)];
    const float *day = s->season[LEARN_HOURS + learn_day(w->start)];
    for (uint32_t c = 0; c < s->components; c += 2) {
        uint32_t next = c + 1 < COMPONENT_COUNT ? c + 1 : c;
        pair season = {(double)hour[c] + (double)day[c],
                       (double)hour[next] + (double)day[next]};
        pair value = {w->value[c], w->value[next]};
        out[c / 2] = value - pair_at(s->norm.mu + c) - season;
    }
}

// One window's step of every test; returns M of both paths.
static struct evidence_sums add_tests(const struct subject *s,
                                      struct subject_state *state,
                                      const struct subject_window *w,
                                      const pair *residual)
{
    bool has_second = state->opened > 0 && state->second_seen >= s->second;
    pair u[PAIRS], per_sigma[PAIRS];
    double z[SUBJECT_TESTS_MAX];
    uint32_t moves = 0;
    normalise(s, state, w, residual, u, per_sigma);
    for (uint32_t i = 0; i < s->tests; i++) {
        uint32_t c = s->test[i].component;
        int sign = s->test[i].sign;
        z[i] = (sign * place(u, c) - s->norm.hold_back[c]) * place(per_sigma, c);
        moves |= (uint32_t)w->valid[c] << i;
    }
    for (uint32_t i = 0; has_second && i < s->tests; i++) {
        uint32_t c = s->test[i].component;
        if (moves >> i & 1)
            evidence_add(&state->second[i],
                         second_z(s, &state->memory[c], s->profile[c], s->test[i].sign,
                                  place(residual, c), w->variance[c]));
    }
    struct evidence_sums m =
        evidence_add_all(state->fast, state->capped, state->start, z, moves, s->tests);
    double tests = s->tests ? s->tests : 1;
    m.fast /= tests;
    m.capped /= tests;
    return m;
}

// Welford's step; `seen` counts this window.
static void learn_second(struct subject_memory *m, double residual, uint32_t seen,
                         uint32_t of)
{
    double gap = residual - (double)m->shift;
    double mean = (double)m->shift + gap / seen;
    m->squares = (float)((double)m->squares + gap * (residual - mean));
    m->shift = (float)mean;
    if (seen == of)
        m->squares /= (float)(of - 1);
}

static void remember(struct subject_memory *m, double value, double residual,
                     double share)
{
    double gap = residual - (double)m->mean;
    m->mean = (float)((double)m->mean + share * gap);
    m->spread = (float)((1 - share) * ((double)m->spread + share * gap * gap));
    m->smooth = (float)(0.5 * (double)m->smooth + 0.5 * residual);
    m->lag = (float)residual;
    m->value = (float)value;
}

static void turn_block(const struct subject *s, struct subject_state *state,
                       const struct subject_window *w)
{
    uint64_t at = s->by_rows ? state->windows : w->start;
    if (at < state->block)
        return;
    state->block = (at / s->block + 1) * s->block;
    for (uint32_t i = 0; i < s->tests; i++)
        state->start[i] = state->capped[i];
}

double subject_add(const struct subject *s, struct subject_state *state,
                   const struct subject_window *w)
{
    pair residual[PAIRS];
    bool learns = state->opened > 0 && state->second_seen < s->second;
    turn_block(s, state, w);
    if (state->opened == 0 && state->evidence <= 1)
        state->since = w->start;
    take_residuals(s, w, residual);
    struct evidence_sums m = add_tests(s, state, w, residual);
    state->evidence = (float)m.fast;
    uint64_t seen = state->windows;
    double share = 1.0 / (seen < SUBJECT_RECENT ? (double)seen + 1 : SUBJECT_RECENT);
    for (uint32_t c = 0; c < s->components; c++) {
        if (!w->valid[c])
            continue;
        remember(&state->memory[c], w->value[c], place(residual, c), share);
        if (learns)
            learn_second(&state->memory[c], place(residual, c), state->second_seen + 1,
                         s->second);
    }
    state->second_seen += learns;
    state->windows++;
    state->age++;
    state->rows = w->rows;
    return m.capped;
}

// Whether test `a` tells more than `b`. A gate that is reached goes before evidence. A
// shift also widens, fills the tail and is a distance; so of the components of one
// shape the first one names the change, unless a later one is a thousand times as
// strong.
static bool tells_more(const struct subject *s, const double *m, const bool *admitted,
                       uint32_t a, uint32_t b)
{
    uint8_t first = s->test[a].signal, second = s->test[b].signal;
    if (admitted[a] != admitted[b])
        return admitted[a];
    if (first == second || first > SIGNAL_DISTANCE || second > SIGNAL_DISTANCE)
        return m[a] > m[b];
    return first < second ? NAMING_LAG * m[a] >= m[b] : m[a] > NAMING_LAG * m[b];
}

static void peak(const struct subject *s, const struct subject_state *state,
                 const struct evidence *of, bool is_second, struct subject_peak *out)
{
    double m[SUBJECT_TESTS_MAX];
    bool admitted[SUBJECT_TESTS_MAX];
    *out = (struct subject_peak){.any = false};
    for (uint32_t i = 0; i < s->tests; i++) {
        m[i] = evidence_of(&of[i]);
        admitted[i] = seen_effect(s, state, i, is_second) >= subject_gate(s, i);
        out->any = out->any || admitted[i];
        out->evidence += m[i];
        out->admitted += admitted[i] ? m[i] : 0;
        if (i > 0 && tells_more(s, m, admitted, i, out->test))
            out->test = i;
    }
    if (s->tests == 0)
        return;
    out->evidence /= s->tests;
    out->admitted /= s->tests;
    out->effect = seen_effect(s, state, out->test, is_second);
    out->gate = subject_gate(s, out->test);
}

void subject_peak_fast(const struct subject *s, const struct subject_state *state,
                       struct subject_peak *out)
{
    peak(s, state, state->fast, false, out);
}

void subject_peak_capped(const struct subject *s, const struct subject_state *state,
                         struct subject_peak *out)
{
    peak(s, state, state->capped, false, out);
}

void subject_peak_second(const struct subject *s, const struct subject_state *state,
                         struct subject_peak *out)
{
    peak(s, state, state->second, true, out);
}
