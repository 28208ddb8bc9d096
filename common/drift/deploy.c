// Deploy: fresh evidence against the previous version's recent level.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/drift/deploy.h"

#include <math.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/drift/trial.h"

#define OUTPUT_GATE 2.0       // a new version may predict a little differently
#define GROSS_GATES 5.0       // what may hide from us and still be called clean
#define PERFORMANCE_SHARE 0.5 // of the budget, for loss and bias
#define SHARED_SHOCK 0.25     // of b that stays in the difference of two versions
#define PRACTICAL 0.10        // tolerance of scalars and contributions
static const char *const names[DEPLOY_COUNT] = {"insufficient", "better", "worse",
                                                "different", "same"};

const char *deploy_verdict_name(enum deploy_verdict v)
{
    return v < DEPLOY_COUNT ? names[v] : "unknown";
}

struct deploy_settings deploy_defaults(void)
{
    return (struct deploy_settings){.windows = 60, .false_alarms = 0.001};
}

void deploy_close(struct deploy *d)
{
    if (!d)
        return;
    judge_close(d->court);
    mem_free(d->subject);
    mem_free(d->old);
    mem_free(d);
}

enum status deploy_lay(const struct baseline *b, const struct deploy_settings *settings,
                       struct deploy **out)
{
    if (settings->windows == 0 || !(settings->false_alarms > 0) ||
        settings->false_alarms > 1)
        return ST_RANGE;
    struct deploy *d = MEM_NEW(struct deploy);
    if (!d)
        return ST_NOMEM;
    d->settings = *settings;
    struct judge_settings judge = judge_defaults();
    judge.gate_factor = OUTPUT_GATE;
    enum status st = judge_open(b, &judge, &d->court);
    if (st == ST_OK) {
        d->subject = mem_zero(d->court->subjects + 1, sizeof *d->subject);
        d->old = mem_zero(d->court->subjects + 1, sizeof *d->old);
        st = d->subject && d->old ? ST_OK : ST_NOMEM;
    }
    if (st != ST_OK) {
        deploy_close(d);
        return st;
    }
    *out = d;
    return ST_OK;
}

enum status deploy_open(const struct judge *before,
                        const struct deploy_settings *settings, struct deploy **out)
{
    struct deploy *d;
    ST_TRY(deploy_lay(before->baseline, settings, &d));
    for (uint32_t i = 0; i < d->court->subjects; i++) {
        const struct subject_state *s = &before->state[i];
        d->subject[i].recent =
            s->windows < SUBJECT_RECENT ? (uint32_t)s->windows : SUBJECT_RECENT;
        for (uint32_t c = 0; c < COMPONENT_COUNT; c++) {
            d->subject[i].trail[c].base = s->memory[c].mean;
            d->subject[i].trail[c].spread = s->memory[c].spread;
        }
    }
    *out = d;
    return ST_OK;
}

static bool is_performance(const struct judge *j, const struct subject *s)
{
    if (s->kind != SUBJECT_SCALAR)
        return false;
    const char *name = baseline_scalar(j->baseline, s->index)->name;
    return strcmp(name, "loss") == 0 || strcmp(name, "bias") == 0;
}

// The part of the budget that one subject may spend.
static double share_of(const struct deploy *d, uint32_t subject)
{
    uint32_t performance = 0, rest = 0;
    for (uint32_t i = 0; i < d->court->subjects; i++) {
        const struct subject *s = &d->court->subject[i];
        if (s->tests == 0 || s->watch_only)
            continue;
        if (is_performance(d->court, s))
            performance++;
        else
            rest++;
    }
    double part = performance && rest ? PERFORMANCE_SHARE : 1;
    bool is_one = is_performance(d->court, &d->court->subject[subject]);
    return part / fmax(is_one ? performance : rest, 1);
}

static double level_of(const struct deploy *d, uint32_t subject)
{
    return d->settings.windows / d->settings.false_alarms / share_of(d, subject);
}

// Tolerance that is practical alone: the learned one holds a year's wandering, which a
// comparison with last month's windows does not need.
static double practical(const struct judge *j, const struct subject *s, uint32_t c)
{
    if (s->kind == SUBJECT_NUMERIC || s->kind == SUBJECT_CATEGORICAL)
        return component_tolerance(&baseline_feature(j->baseline, s->index)->scores,
                                   (enum component)c);
    return PRACTICAL;
}

// How far the previous version's recent level is known, and this component's tolerance.
static double tolerance(const struct deploy *d, uint32_t i, uint32_t c)
{
    const struct subject *s = &d->court->subject[i];
    const struct learn_profile *p = s->profile[c];
    double known = fmax(2, d->subject[i].recent * (1 - p->phi) / (1 + p->phi));
    double sd = sqrt(fmax((double)d->subject[i].trail[c].spread, 0));
    if (d->subject[i].recent < LEARN_WINDOWS_MIN)
        sd = p->sd;
    return practical(d->court, s, c) + 2 * sd / sqrt(known);
}

static double hold(double v, double most)
{
    return v < -most ? -most : v > most ? most : v;
}

static void add(struct trail *t, double residual, double u, double tau, double sigma)
{
    evidence_add(&t->side[0], (u - tau) / sigma);
    evidence_add(&t->side[1], (-u - tau) / sigma);
    t->lag = (float)residual;
    t->smooth = (float)(0.5 * (double)t->smooth + 0.5 * residual);
    t->sum = (float)((double)t->sum + residual);
    t->windows++;
}

// Against the recent level: season out, memory out, then the two directions.
static void add_alone(struct deploy *d, uint32_t i, const struct subject_window *w)
{
    const struct subject *s = &d->court->subject[i];
    for (uint32_t c = 0; c < s->components; c++) {
        const struct learn_profile *p = s->profile[c];
        struct trail *t = &d->subject[i].trail[c];
        if (!w->valid[c] || !learn_is_usable(p))
            continue;
        double residual = learn_residual(p, w->value[c], w->start) - (double)t->base;
        double u = residual - p->phi * hold((double)t->lag, 4 * p->sd);
        add(t, residual, u, tolerance(d, i, c) * (1 - p->phi),
            learn_sigma(p, w->variance[c]));
    }
}

// Against the other version's same window: what both felt is gone.
static void add_beside(struct deploy *d, uint32_t i, const struct subject_window *w,
                       const struct subject_window *old)
{
    const struct subject *s = &d->court->subject[i];
    for (uint32_t c = 0; c < s->components; c++) {
        const struct learn_profile *p = s->profile[c];
        if (!w->valid[c] || !old->valid[c] || !learn_is_usable(p))
            continue;
        double gap = w->value[c] - old->value[c];
        double variance = p->noise * (w->variance[c] + old->variance[c]);
        double sigma = p->kappa * sqrt(variance + SHARED_SHOCK * p->extra) + 1e-9;
        add(&d->subject[i].trail[c], gap, gap, practical(d->court, s, c), sigma);
    }
}

// Values of every subject in the window; which of them said anything is in `valid`.
static void read_window(struct deploy *d, const struct drift_window *w,
                        struct subject_window *out)
{
    struct component_counts counts;
    uint32_t foreign = 0;
    court_show(d->court, w, &foreign);
    for (uint32_t i = 0; i < d->court->subjects; i++) {
        out[i] = (struct subject_window){.start = w->start, .end = w->end};
        (void)court_values(d->court, i, &out[i], &counts);
    }
}

static bool says_anything(const struct subject_window *w)
{
    for (uint32_t c = 0; c < COMPONENT_COUNT; c++)
        if (w->valid[c])
            return true;
    return false;
}

// Whether the component may be judged in that direction. Loss in both: a new version
// may also be better.
static bool looks(const struct subject *s, uint32_t c, uint32_t side)
{
    if (s->kind == SUBJECT_SCALAR || s->kind == SUBJECT_CONTRIBUTION)
        return true;
    for (uint32_t i = 0; i < s->tests; i++)
        if (s->test[i].component == c && (s->test[i].sign > 0) == (side == 0))
            return true;
    return false;
}

static double gate_of(const struct subject *s, uint32_t c)
{
    return s->profile[c]->gate * s->gate_factor;
}

// The strongest direction of a subject.
struct mover {
    enum deploy_moved moved;
    uint32_t component, side;
    double evidence, effect, gate;
    double band; // two standard errors of the mean shift
};

static double mean_shift(const struct trail *t)
{
    return t->windows ? (double)t->sum / t->windows : 0;
}

static double band_of(const struct deploy *d, uint32_t i, uint32_t c)
{
    const struct trail *t = &d->subject[i].trail[c];
    const struct learn_profile *p = d->court->subject[i].profile[c];
    double spread = fmax((double)t->spread, 0);
    if (d->subject[i].recent < LEARN_WINDOWS_MIN)
        spread = p->sd * p->sd;
    return 2 *
           sqrt(spread / fmax(t->windows, 1) + spread / fmax(d->subject[i].recent, 1));
}

// The strongest direction now; returns the evidence of those at their gates.
static double find_mover(const struct deploy *d, uint32_t i, struct mover *out)
{
    const struct subject *s = &d->court->subject[i];
    double sum = 0;
    *out = (struct mover){.evidence = -1};
    for (uint32_t c = 0; c < s->components; c++) {
        const struct trail *t = &d->subject[i].trail[c];
        if (!learn_is_usable(s->profile[c]))
            continue;
        for (uint32_t side = 0; side < TRIAL_SIDES; side++) {
            double m = evidence_of(&t->side[side]);
            double effect = (side == 0 ? 1 : -1) * (double)t->smooth;
            if (!looks(s, c, side))
                continue;
            sum += effect >= gate_of(s, c) ? m : 0;
            if (m <= out->evidence)
                continue;
            out->evidence = m;
            out->component = c;
            out->side = side;
        }
    }
    uint32_t tests = s->kind == SUBJECT_SCALAR ? TRIAL_SIDES : s->tests;
    return tests > 0 ? sum / tests : 0;
}

// Says once that the level was reached.
static void latch(struct deploy *d, uint32_t i)
{
    struct mover m;
    struct deploy_subject *s = &d->subject[i];
    if (s->hit || find_mover(d, i, &m) < level_of(d, i))
        return;
    s->hit = true;
    s->hit_component = (uint8_t)m.component;
    s->hit_side = (uint8_t)m.side;
    s->hit_evidence = (float)m.evidence;
}

// Nothing gross can hide from us in any component.
static bool is_clean(const struct deploy *d, uint32_t i)
{
    const struct subject *s = &d->court->subject[i];
    bool seen = false;
    for (uint32_t c = 0; c < s->components; c++) {
        const struct trail *t = &d->subject[i].trail[c];
        if (!learn_is_usable(s->profile[c]))
            continue;
        seen = seen || t->windows > 0;
        if (fabs(mean_shift(t)) + band_of(d, i, c) >= GROSS_GATES * gate_of(s, c))
            return false;
    }
    return seen;
}

static void look(const struct deploy *d, uint32_t i, struct mover *out)
{
    const struct subject *s = &d->court->subject[i];
    const struct deploy_subject *t = &d->subject[i];
    (void)find_mover(d, i, out);
    if (t->hit) {
        out->component = t->hit_component;
        out->side = t->hit_side;
        out->evidence = (double)t->hit_evidence;
    }
    out->moved = t->hit ? MOVED_HIT : is_clean(d, i) ? MOVED_CLEAN : MOVED_UNKNOWN;
    out->effect = (out->side == 0 ? 1 : -1) * mean_shift(&t->trail[out->component]);
    out->gate = gate_of(s, out->component);
    out->band = band_of(d, i, out->component);
}

enum status deploy_window(struct deploy *d, const struct drift_window *now,
                          const struct drift_window *old)
{
    if (now->end <= now->start || now->features > DRIFT_FEATURES_MAX ||
        (old && old->features > DRIFT_FEATURES_MAX))
        return ST_RANGE;
    if (now->flags & DRIFT_FLASH)
        return ST_OK;
    if (old)
        read_window(d, old, d->old);
    uint32_t foreign = 0;
    court_show(d->court, now, &foreign);
    for (uint32_t i = 0; i < d->court->subjects; i++) {
        struct subject_window w = {.start = now->start, .end = now->end};
        struct component_counts counts;
        if (!court_values(d->court, i, &w, &counts))
            continue;
        d->subject[i].rows += w.rows;
        if (old && says_anything(&d->old[i]))
            add_beside(d, i, &w, &d->old[i]);
        else
            add_alone(d, i, &w);
        latch(d, i);
    }
    d->windows++;
    return ST_OK;
}

enum deploy_moved deploy_subject(const struct deploy *d, uint32_t subject,
                                 double *effect, double *evidence)
{
    struct mover m;
    look(d, subject, &m);
    *effect = m.effect;
    *evidence = m.evidence;
    return m.moved;
}

// A hit anywhere is a hit; clean only when all are.
static enum deploy_moved joined(enum deploy_moved a, enum deploy_moved b, bool is_first)
{
    if (is_first)
        return b;
    if (a == MOVED_HIT || b == MOVED_HIT)
        return MOVED_HIT;
    return a == MOVED_CLEAN && b == MOVED_CLEAN ? MOVED_CLEAN : MOVED_UNKNOWN;
}

static enum deploy_moved *group_of(const struct judge *j, const struct subject *s,
                                   struct deploy_report *out)
{
    if (s->kind == SUBJECT_CONTRIBUTION)
        return &out->contributions;
    if (s->kind == SUBJECT_SCALAR)
        return is_performance(j, s) ? &out->performance : NULL;
    return s->role == ROLE_OUTPUT ? &out->outputs : &out->inputs;
}

static enum signal signal_of(const struct subject *s, const struct mover *m)
{
    if (s->kind == SUBJECT_SCALAR)
        return SIGNAL_LEVEL;
    return s->kind == SUBJECT_CONTRIBUTION ? SIGNAL_CONTRIBUTION
                                           : (enum signal)m->component;
}

// Which way the loss went, and whether the output broke (missing or out of range).
struct tally {
    bool worse, better, broken, same;
    double rows_needed;
};

static void count_mover(const struct deploy *d, uint32_t i, const struct mover *m,
                        struct tally *t)
{
    const struct subject *s = &d->court->subject[i];
    bool is_loss =
        s->kind == SUBJECT_SCALAR &&
        strcmp(baseline_scalar(d->court->baseline, s->index)->name, "loss") == 0;
    bool hit = m->moved == MOVED_HIT;
    t->worse = t->worse || (hit && is_loss && m->side == 0);
    t->better = t->better || (hit && is_loss && m->side == 1);
    t->broken = t->broken ||
                (hit && s->role == ROLE_OUTPUT && s->kind != SUBJECT_CONTRIBUTION &&
                 m->side == 0 && m->component == COMPONENT_MISSING);
    bool judged = is_loss || s->role == ROLE_OUTPUT;
    if (!judged || hit)
        return;
    double left = m->gate - fabs(m->effect);
    t->same = t->same && m->band <= left;
    if (m->band <= left || !(left > 0) || d->windows == 0)
        return;
    double more = (m->band / left) * (m->band / left) - 1; // the band shrinks by sqrt n
    t->rows_needed = fmax(t->rows_needed, more * (double)d->subject[i].rows);
}

static enum deploy_verdict verdict_of(const struct deploy_report *r,
                                      const struct tally *t)
{
    if (t->worse || t->broken)
        return DEPLOY_WORSE;
    if (t->better)
        return DEPLOY_BETTER;
    if (r->outputs == MOVED_HIT || r->contributions == MOVED_HIT ||
        r->performance == MOVED_HIT)
        return DEPLOY_DIFFERENT;
    return t->same && r->windows > 0 ? DEPLOY_SAME : DEPLOY_INSUFFICIENT;
}

void deploy_report(const struct deploy *d, struct deploy_report *out)
{
    struct tally tally = {.same = true};
    bool first[4] = {true, true, true, true};
    double best = -1;
    *out = (struct deploy_report){.windows = d->windows,
                                  .is_over = d->windows >= d->settings.windows};
    for (uint32_t i = 0; i < d->court->subjects; i++) {
        const struct subject *s = &d->court->subject[i];
        enum deploy_moved *group = group_of(d->court, s, out);
        if (s->tests == 0 || s->watch_only || !group)
            continue;
        struct mover m;
        look(d, i, &m);
        bool *is_first = &first[group == &out->inputs          ? 0
                                : group == &out->outputs       ? 1
                                : group == &out->contributions ? 2
                                                               : 3];
        *group = joined(*group, m.moved, *is_first);
        *is_first = false;
        count_mover(d, i, &m, &tally);
        double weight = m.evidence * share_of(d, i);
        if (weight > best) {
            best = weight;
            out->subject = i;
            out->signal = signal_of(s, &m);
            out->direction = m.side == 0 ? 1 : -1;
            out->effect = m.effect;
            out->evidence = m.evidence;
        }
    }
    out->verdict = verdict_of(out, &tally);
    out->withheld = out->inputs == MOVED_HIT;
    if (out->verdict == DEPLOY_INSUFFICIENT)
        out->rows_needed = (uint64_t)fmin(tally.rows_needed, 1e15);
}
