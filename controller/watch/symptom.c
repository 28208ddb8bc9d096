// SPDX-License-Identifier: Apache-2.0
#include "controller/watch/symptom.h"

#include <string.h>

#include "common/base/clock.h"

// An onset up to this long after a deployment, or this many windows when those are
// longer, is put down to it.
#define DEPLOY_REACH_NS (24 * 3600 * NS_PER_S)
#define DEPLOY_REACH_WINDOWS 5

static enum cell cell_of_moved(enum deploy_moved m)
{
    return m == MOVED_HIT ? CELL_HIT : m == MOVED_CLEAN ? CELL_CLEAN : CELL_UNKNOWN;
}

// What the judge's subjects of one kind say together: one hit is a hit, all quiet is
// clean, anything else is not known.
struct census {
    uint32_t seen, hit, quiet;
    uint64_t onset; // of the earliest hit
};

static enum cell cell_of_census(const struct census *c)
{
    if (c->hit)
        return CELL_HIT;
    return c->seen && c->quiet == c->seen ? CELL_CLEAN : CELL_UNKNOWN;
}

struct censuses {
    struct census inputs, outputs, contributions, performance, bias, all;
};

static void count(struct census *c, const struct judge_view *v)
{
    c->seen++;
    c->quiet += v->verdict == VERDICT_QUIET;
    if (v->tier < TIER_WARN)
        return;
    c->hit++;
    if (c->onset == 0 || v->since < c->onset)
        c->onset = v->since;
}

static struct census *place_of(struct censuses *c, const struct judge_view *v)
{
    if (v->subject == SUBJECT_CONTRIBUTION)
        return &c->contributions;
    if (v->subject == SUBJECT_SCALAR)
        return v->role == ROLE_SIGNAL ? &c->performance : NULL;
    if (v->role == ROLE_INPUT)
        return &c->inputs;
    return v->role == ROLE_OUTPUT ? &c->outputs : NULL;
}

static struct censuses take_censuses(const struct judge *j)
{
    struct censuses c = {0};
    for (uint32_t i = 0; i < judge_subjects(j); i++) {
        struct judge_view v;
        judge_view(j, i, &v);
        struct census *place = place_of(&c, &v);
        if (!place)
            continue;
        count(place, &v);
        count(&c.all, &v);
        if (place == &c.performance && strcmp(v.name, "bias") == 0)
            count(&c.bias, &v);
    }
    return c;
}

// Did it begin with the deployment?
static enum cell began_with(const struct judge *j, const struct course *course,
                            uint64_t onset)
{
    uint64_t window = baseline_window_ns(judge_baseline(j));
    uint64_t reach = window * DEPLOY_REACH_WINDOWS;
    if (reach < DEPLOY_REACH_NS)
        reach = DEPLOY_REACH_NS;
    bool is_soon =
        onset + window >= course->deployed_ns && onset <= course->deployed_ns + reach;
    return is_soon ? CELL_HIT : CELL_CLEAN;
}

static enum cell worst(enum cell a, enum cell b)
{
    if (a == CELL_HIT || b == CELL_HIT)
        return CELL_HIT;
    return a == CELL_UNKNOWN ? b : a;
}

static void add_deployment(struct symptoms *s, const struct judge *j,
                           const struct censuses *c, const struct deploy_report *d,
                           const struct course *course)
{
    // The recent level of the version before says more than a baseline that may be
    // months old: a slow season is no news.
    s->inputs = cell_of_moved(d->inputs);
    s->outputs = cell_of_moved(d->outputs);
    s->behaviour = worst(cell_of_moved(d->contributions), s->behaviour);
    s->performance = worst(cell_of_moved(d->performance), s->performance);
    s->deploy_worse = d->verdict == DEPLOY_WORSE ? CELL_HIT : CELL_UNKNOWN;
    uint64_t onset = c->all.hit ? c->all.onset : course->deployed_ns;
    s->deployed = began_with(j, course, onset);
    s->rung = RUNG_HISTORY;
    s->previous_healthy = course->was_previous_healthy;
}

// Both versions serve, and what is judged is the difference of their windows on the
// same traffic: what the world did to both is gone from it, so a hit is this version's
// alone. What only the baseline shows, and the difference does not, both have.
static void add_beside(struct symptoms *s, const struct deploy_report *d,
                       const struct standing *standing)
{
    if (standing->beside * 2 < standing->windows)
        return;
    s->rung = RUNG_CONCURRENT;
    if (s->inputs == CELL_HIT)
        s->inputs_elsewhere = CELL_CLEAN;
    if (s->outputs == CELL_HIT)
        s->outputs_elsewhere = CELL_CLEAN;
    if (s->performance == CELL_HIT)
        s->performance_elsewhere = d->performance == MOVED_HIT     ? CELL_CLEAN
                                   : d->performance == MOVED_CLEAN ? CELL_HIT
                                                                   : CELL_UNKNOWN;
    if (standing_contest(standing) == STANDING_WORSE) {
        s->performance = CELL_HIT;
        s->performance_elsewhere = CELL_CLEAN;
    }
}

struct symptoms symptom_of(const struct judge *j, const struct deploy_report *deploy,
                           const struct standing *standing, const struct course *course,
                           bool is_newest)
{
    struct censuses c = take_censuses(j);
    struct symptoms s = {
        .telemetry = CELL_CLEAN,
        .inputs = cell_of_census(&c.inputs),
        .outputs = cell_of_census(&c.outputs),
        .behaviour = cell_of_census(&c.contributions),
        .performance = cell_of_census(&c.performance),
        .calibration = cell_of_census(&c.bias),
        .service_only = CELL_CLEAN,
        .deployed = CELL_CLEAN,
        .rung = RUNG_NONE,
        .inputs_onset_ns = c.inputs.hit ? c.inputs.onset : 0,
    };
    if (deploy && is_newest) {
        add_deployment(&s, j, &c, deploy, course);
        add_beside(&s, deploy, standing);
    }
    // No version changed when it began: what the inputs did, they did by themselves.
    if (s.deployed == CELL_CLEAN && s.inputs == CELL_HIT)
        s.inputs_elsewhere = CELL_HIT;
    return s;
}
