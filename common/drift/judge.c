// Judge: one window, every subject in turn: evidence first, then the life of its alert.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/drift/judge.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "common/drift/court.h"
#include "common/drift/integrity.h"

#define CALM_WINDOWS 5     // windows under half the gates until an alert clears
#define ESCALATE_FACTOR 2  // times the effect
#define SETTLING_WINDOWS 5 // windows that an effect takes to show its size
#define GROSS_BLOCKS 2     // blocks that a gross change must last to page by itself

// What one subject's step needs to know.
struct step {
    const struct judge *judge;
    const struct subject *subject;
    struct subject_state *state;
    uint32_t index;
    uint64_t start, end;
    struct judgement *out;
    struct subject_peak fast, capped;
};

static void announce(struct step *t, enum alarm_kind kind, enum signal signal,
                     int direction, double effect, double gate)
{
    if (t->out->alarms == JUDGE_ALARMS_MAX) {
        t->out->alarms_dropped++;
        return;
    }
    t->out->alarm[t->out->alarms++] = (struct alarm){
        .subject = t->index,
        .kind = (uint8_t)kind,
        .tier = t->state->tier,
        .signal = (uint8_t)signal,
        .direction = (int8_t)direction,
        .gross = t->state->gross,
        .effect = effect,
        .gate = gate,
        .evidence = t->fast.evidence,
        .capped = t->capped.evidence,
        .at = t->end,
        .since = t->state->since,
    };
}

static void announce_peak(struct step *t, enum alarm_kind kind,
                          const struct subject_peak *p)
{
    const struct subject_test *test = &t->subject->test[p->test];
    announce(t, kind, (enum signal)test->signal, test->sign, p->effect, p->gate);
}

static void begin_second(struct step *t)
{
    t->state->second_seen = 0;
    subject_forget(t->subject, t->state->second);
    for (uint32_t c = 0; c < t->subject->components; c++) {
        t->state->memory[c].shift = 0;
        t->state->memory[c].squares = 0;
    }
}

static void open_alert(struct step *t, enum tier tier, enum signal signal,
                       int direction, double effect, double gate)
{
    struct subject_state *s = t->state;
    s->opened = t->end;
    s->tier = (uint8_t)tier;
    s->signal = (uint8_t)signal;
    s->direction = (int8_t)direction;
    s->opened_effect = (float)effect;
    s->calm_run = 0;
    announce(t, ALARM_OPEN, signal, direction, effect, gate);
    subject_forget(t->subject, s->fast);
    s->evidence = 0;
    if (tier == TIER_PAGE)
        subject_forget(t->subject, s->capped);
    begin_second(t);
}

static void open_by_peak(struct step *t, enum tier tier, const struct subject_peak *p)
{
    const struct subject_test *test = &t->subject->test[p->test];
    open_alert(t, tier, (enum signal)test->signal, test->sign, p->effect, p->gate);
}

// Dead and stuck are told by their runs, whatever the evidence says.
static bool open_by_rule(struct step *t)
{
    struct subject_state *s = t->state;
    if (!(s->gross & (GROSS_DEAD | GROSS_STUCK)))
        return false;
    bool dead = s->gross & GROSS_DEAD;
    open_alert(t, TIER_WARN, dead ? SIGNAL_DEAD : SIGNAL_STUCK, 1,
               dead ? s->dead_run : s->stuck_run, INTEGRITY_RUN_MIN);
    return true;
}

static void clear_alert(struct step *t)
{
    struct subject_state *s = t->state;
    announce(t, ALARM_CLEAR, (enum signal)s->signal, s->direction, t->fast.effect,
             t->fast.gate);
    s->opened = 0;
    s->tier = TIER_NONE;
    s->calm_run = 0;
    subject_forget(t->subject, s->fast);
    s->evidence = 0;
    subject_forget(t->subject, s->capped);
    begin_second(t);
}

static bool is_lasting(const struct step *t)
{
    const struct subject_state *s = t->state;
    uint64_t lasted = t->subject->by_rows ? s->gross_run : t->end - s->gross_at;
    return s->gross_run > 0 && lasted >= GROSS_BLOCKS * t->subject->block;
}

// Whether the open alert has earned a page: by the capped path, or by integrity.
static bool earns_page(const struct step *t)
{
    if (t->state->tier >= TIER_PAGE)
        return false;
    if (t->capped.any && t->capped.admitted >= t->subject->page_level)
        return true;
    uint32_t reasons = integrity_reasons(t->state->gross);
    return reasons >= 2 || is_lasting(t) ||
           (t->judge->settings.page_on_gross && t->state->gross);
}

static void make_page(struct step *t)
{
    t->state->tier = TIER_PAGE;
    announce_peak(t, ALARM_ESCALATE, &t->fast);
    subject_forget(t->subject, t->state->capped);
}

static void see_further(struct step *t)
{
    struct subject_peak p;
    if (t->state->second_seen < t->subject->second)
        return;
    subject_peak_second(t->subject, t->state, &p);
    if (!p.any || p.admitted < t->subject->level)
        return;
    t->fast.evidence = p.evidence; // this alarm is told by the second profile
    announce_peak(t, ALARM_FURTHER, &p);
    begin_second(t);
}

static void live_on(struct step *t)
{
    struct subject_state *s = t->state;
    bool calm =
        subject_is_calm(t->subject, s) && !(s->gross & (GROSS_DEAD | GROSS_STUCK));
    s->calm_run = calm ? s->calm_run + 1 : 0;
    if (s->calm_run >= CALM_WINDOWS) {
        clear_alert(t);
        return;
    }
    // The effect is smoothed: what it grows to at once is still the first change.
    if (s->second_seen <= SETTLING_WINDOWS && t->fast.effect > (double)s->opened_effect)
        s->opened_effect = (float)t->fast.effect;
    if (earns_page(t))
        make_page(t);
    else if (t->fast.any && s->signal <= SIGNAL_CONTRIBUTION &&
             t->fast.effect >= ESCALATE_FACTOR * (double)s->opened_effect) {
        s->opened_effect = (float)t->fast.effect;
        announce_peak(t, ALARM_ESCALATE, &t->fast);
    }
    see_further(t);
}

// The gross run, with the bit that only the effect can set.
static void note_gross(struct step *t)
{
    struct subject_state *s = t->state;
    if (t->fast.any && t->fast.effect > INTEGRITY_EFFECT * t->fast.gate)
        s->gross |= GROSS_EFFECT;
    if (s->gross && s->gross_run == 0)
        s->gross_at = t->start;
    s->gross_run = s->gross ? s->gross_run + 1 : 0;
}

static void decide(struct step *t)
{
    const struct subject *s = t->subject;
    t->fast.evidence = (double)t->state->evidence;
    if (t->state->opened > 0 || t->state->gross || subject_is_admitted(s, t->state)) {
        subject_peak_fast(s, t->state, &t->fast);
        subject_peak_capped(s, t->state, &t->capped);
    }
    note_gross(t);
    t->out->judged++;
    t->out->evidence += s->weight * t->fast.evidence;
    t->out->capped += s->weight * t->capped.evidence;
    if (s->watch_only)
        return;
    if (t->state->opened > 0)
        live_on(t);
    else if (open_by_rule(t))
        return;
    else if (t->fast.any && t->fast.admitted >= s->level)
        open_by_peak(t, TIER_WARN, &t->fast);
    else if (t->capped.any && t->capped.admitted >= s->page_level)
        open_by_peak(t, TIER_PAGE, &t->capped);
}

static void pool_clear(struct court_pool *p)
{
    if (p->rows == 0)
        return;
    memset(p->cell, 0, p->cells * sizeof *p->cell);
    p->missing = p->rows = 0;
}

// Called after the decision: an alert that has just opened keeps what led to it.
static void pool_add(struct court_pool *p, const struct component_counts *c,
                     const struct subject_window *w, const struct subject_state *state)
{
    if (state->since == w->start || (state->opened == 0 && state->evidence <= 1))
        pool_clear(p);
    if (state->opened == 0 && state->evidence <= 1)
        return;
    uint64_t rows = w->rows;
    if (rows > COURT_POOL_MAX || c->missing > COURT_POOL_MAX ||
        p->rows + rows + c->missing > COURT_POOL_MAX)
        return;
    for (uint32_t i = 0; i < p->cells; i++)
        p->cell[i] += c->cell[i];
    p->missing += c->missing;
    p->rows += rows + c->missing;
}

// Joins a scalar's small windows until there are rows enough to say something.
static bool is_enough(struct step *t, struct subject_window *w)
{
    const struct baseline_scalar *f =
        baseline_scalar(t->judge->baseline, t->subject->index);
    struct subject_state *s = t->state;
    s->carried_rows += (double)w->rows;
    s->carried_sum += (double)w->rows * w->value[0];
    if (s->carried_rows < (double)f->rows_min)
        return false;
    w->value[0] = s->carried_sum / s->carried_rows;
    w->variance[0] = f->variance / s->carried_rows;
    s->carried_rows = s->carried_sum = 0;
    return true;
}

static void judge_regular(struct step *t, struct court_pool *pool)
{
    const struct judge *j = t->judge;
    struct subject_window w = {.start = t->start, .end = t->end};
    struct component_counts counts;
    if (!court_values(j, t->index, &w, &counts))
        return;
    if (t->subject->kind == SUBJECT_SCALAR && !is_enough(t, &w))
        return;
    t->capped.evidence = subject_add(t->subject, t->state, &w);
    t->state->gross = 0;
    if (pool->cell) {
        double all = (double)w.rows + (double)counts.missing;
        t->state->missing = (float)((double)counts.missing / all);
        t->state->gross = integrity_add(
            baseline_feature(j->baseline, t->subject->index),
            baseline_windows(j->baseline), j->shown[t->index], &counts, t->state);
    }
    decide(t);
    if (pool->cell)
        pool_add(pool, &counts, &w, t->state);
}

static void judge_flash(struct step *t, const struct profile *p)
{
    const struct baseline_feature *f =
        baseline_feature(t->judge->baseline, t->subject->index);
    struct component_counts counts;
    if (!sealed_counts(p, &counts))
        return;
    uint8_t gross = integrity_flash(f, p, &counts);
    if (!gross)
        return;
    t->state->gross = gross;
    bool is_page = integrity_reasons(gross) >= 2 || t->judge->settings.page_on_gross;
    subject_peak_fast(t->subject, t->state, &t->fast);
    subject_peak_capped(t->subject, t->state, &t->capped);
    double share =
        (double)counts.missing /
        fmax(1, (double)counts.missing + (double)counters_valid(profile_counters(p)));
    if (t->state->opened == 0)
        open_alert(t, is_page ? TIER_PAGE : TIER_WARN, SIGNAL_FLASH, 1,
                   gross & GROSS_MISSING ? share : 1, 0);
    else if (is_page && t->state->tier < TIER_PAGE)
        make_page(t);
}

// A fleet's judges do not fit in the cache, and each window visits all of them: while
// one subject is judged, the next one's state, scores and counts are on their way.
#define LINE 64u

static void fetch(const void *at, size_t size)
{
    for (size_t i = 0; i < size; i += LINE)
        __builtin_prefetch((const char *)at + i);
}

// What a subject needs of its baseline, once the subject itself is there.
static void fetch_scores(const struct judge *j, uint32_t i, uint64_t start_ns)
{
    if (i >= j->subjects || !j->shown[i])
        return;
    const struct subject *s = &j->subject[i];
    fetch(s->season[learn_hour(start_ns)], sizeof s->season[0]);
    fetch(s->season[LEARN_HOURS + learn_day(start_ns)], sizeof s->season[0]);
    if (s->kind == SUBJECT_SCALAR || s->kind == SUBJECT_CONTRIBUTION)
        return;
    const struct component_scores *c = &baseline_feature(j->baseline, s->index)->scores;
    uint32_t cells;
    const uint64_t *cell = profile_cells(j->shown[i], &cells);
    fetch(c, offsetof(struct component_scores, loc));
    fetch(c->loc, cells * sizeof *c->loc);
    fetch(c->scale, cells * sizeof *c->scale);
    fetch(c->group_end, sizeof *c - offsetof(struct component_scores, group_end));
    fetch(cell, cells * sizeof *cell);
}

static void fetch_subject(const struct judge *j, uint32_t i)
{
    if (i >= j->subjects || !j->shown[i])
        return;
    fetch(&j->subject[i], offsetof(struct subject, season));
    fetch(&j->state[i], offsetof(struct subject_state, second));
    fetch(&j->state[i].memory,
          sizeof j->state[i] - offsetof(struct subject_state, memory));
    __builtin_prefetch(&j->pool[i]);
}

static void judge_subject(struct judge *j, uint32_t i, const struct drift_window *w,
                          struct judgement *out)
{
    struct step t = {.judge = j,
                     .subject = &j->subject[i],
                     .state = &j->state[i],
                     .index = i,
                     .start = w->start,
                     .end = w->end,
                     .out = out};
    if (!(w->flags & DRIFT_FLASH))
        judge_regular(&t, &j->pool[i]);
    else if (j->pool[i].cell)
        judge_flash(&t, j->shown[i]);
}

// WARN and label evidence: a loss that is open beside an open change of anything else
// is a page, told by the loss.
static void page_by_labels(struct judge *j, const struct drift_window *w,
                           struct judgement *out)
{
    bool other = false;
    for (uint32_t i = 0; i < j->subjects; i++)
        other =
            other || (j->subject[i].kind != SUBJECT_SCALAR && j->state[i].opened > 0);
    for (uint32_t i = 0; other && i < j->subjects; i++) {
        struct step t = {.judge = j,
                         .subject = &j->subject[i],
                         .state = &j->state[i],
                         .index = i,
                         .start = w->start,
                         .end = w->end,
                         .out = out};
        if (t.subject->kind != SUBJECT_SCALAR || t.state->opened == 0 ||
            t.state->tier >= TIER_PAGE ||
            strcmp(baseline_scalar(j->baseline, t.subject->index)->name, "loss") != 0)
            continue;
        subject_peak_fast(t.subject, t.state, &t.fast);
        subject_peak_capped(t.subject, t.state, &t.capped);
        make_page(&t);
    }
}

enum status judge_window(struct judge *j, const struct drift_window *w,
                         struct judgement *out)
{
    bool is_flash = w->flags & DRIFT_FLASH;
    if (w->features > DRIFT_FEATURES_MAX || w->end <= w->start ||
        (!is_flash && j->windows > 0 && w->end < j->last_end))
        return ST_RANGE;
    out->alarms = out->alarms_dropped = out->judged = out->foreign = 0;
    out->evidence = out->capped = 0;
    court_show(j, w, &out->foreign);
    for (uint32_t i = 0; i < j->subjects; i++) {
        fetch_subject(j, i + 2);
        fetch_scores(j, i + 1, w->start);
        if (j->shown[i])
            judge_subject(j, i, w, out);
    }
    if (is_flash)
        return ST_OK;
    page_by_labels(j, w, out);
    j->windows++;
    j->last_end = w->end;
    return ST_OK;
}
