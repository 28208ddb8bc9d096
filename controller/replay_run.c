// Replay run: reference first, then one window after the other.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/replay_run.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/drift/builder.h"
#include "common/drift/contest.h"
#include "common/drift/deploy.h"
#include "common/drift/judge.h"
#include "controller/replay_feed.h"
#include "controller/replay_fold.h"

#define SEED 1                     // of samples: any, but always the same
#define PERFORMANCE_JUDGE 0x10000u // keys of the alarms of the second judge

struct run {
    const struct replay_plan *plan;
    struct replay_rows *rows;
    struct replay_result *result;
    uint64_t origin_ns;
    uint64_t reference_rows; // in whole windows
    struct builder *builder;
    struct baseline *baseline;
    struct replay_fold *fold;
    uint32_t slot;             // of the version that serves
    const struct judge *judge; // its judge, once it has judged; the fold's
    // Losses that have a reference stretch of their own.
    struct builder *late_builder;
    struct baseline *late_baseline;
    uint32_t late_slot;
    // The window that is folded.
    const struct replay_window *window;
    uint32_t keys;
    struct replay_feed *feed;
    struct deploy *deploy;
    enum deploy_verdict deploy_verdict;
    struct contest contest[REPLAY_VERSIONS_MAX];
    uint32_t version;
};

static void run_fini(struct run *r)
{
    replay_feed_close(r->feed);
    deploy_close(r->deploy);
    replay_fold_close(r->fold);
    baseline_close(r->baseline);
    baseline_close(r->late_baseline);
    builder_close(r->builder);
    builder_close(r->late_builder);
}

static bool has_late_reference(const struct replay_plan *p)
{
    return p->performance_to > p->performance_from;
}

static struct builder_settings settings_of(const struct run *r)
{
    const struct replay_plan *p = r->plan;
    return (struct builder_settings){
        .window_ns = p->window_ns,
        .window_rows = (uint32_t)p->window_rows,
        .window_origin = r->origin_ns,
        .rows_expected = r->reference_rows,
        .label_delay_ns = p->label_delay_ns,
        .performance = has_late_reference(p) ? PERFORMANCE_NONE : p->performance,
        .seed = SEED,
    };
}

// How many of the reference rows lie in windows that hold reference rows alone.
static enum status measure_reference(struct run *r, char *why)
{
    uint64_t held = 0, start = 0;
    replay_rows_rewind(r->rows);
    for (;;) {
        enum status st = replay_rows_next(r->rows, why);
        if (st == ST_EMPTY)
            break;
        ST_TRY(st);
        if (r->rows->row == 0)
            r->origin_ns = r->rows->at_ns;
        if (r->plan->window_ns > 0) {
            uint64_t now = replay_feed_start(r->plan, r->origin_ns, r->rows->at_ns);
            if (now != start || r->rows->row == 0)
                held = r->rows->row;
            start = now;
        } else if (r->rows->row % r->plan->window_rows == 0)
            held = r->rows->row;
        if (r->rows->row == r->plan->reference_rows)
            break;
    }
    r->reference_rows = held;
    if (held > 0 && r->rows->row == r->plan->reference_rows)
        return ST_OK;
    snprintf(why, 256, "the stream ends within its reference rows");
    return ST_EMPTY;
}

static enum status declare(struct run *r, struct builder *b, bool only_label)
{
    const struct replay_plan *p = r->plan;
    for (uint32_t i = 0; i < p->features && !only_label; i++)
        ST_TRY(builder_feature(b, span_text(p->feature[i].column), ROLE_INPUT,
                               p->feature[i].kind, GRID_F64));
    if (p->versions > 0 && !only_label)
        ST_TRY(builder_feature(b, span_text(replay_feed_output(p)), ROLE_OUTPUT,
                               KIND_NUMERIC, GRID_F64));
    if (p->label[0])
        ST_TRY(builder_feature(b, span_text(p->label), ROLE_LABEL, KIND_NUMERIC,
                               GRID_F64));
    return ST_OK;
}

static struct builder_value number_value(double v)
{
    return (struct builder_value){.number = v,
                                  .state = isnan(v) ? VALUE_MISSING : VALUE_PRESENT};
}

// Feeds the reference rows once.
static enum status feed_reference(struct run *r, char *why)
{
    struct builder_value value[REPLAY_COLUMNS_MAX + 2];
    const struct replay_plan *p = r->plan;
    replay_rows_rewind(r->rows);
    for (uint64_t i = 0; i < r->reference_rows; i++) {
        uint32_t n = p->features;
        ST_TRY(replay_rows_next(r->rows, why));
        memcpy(value, r->rows->value, n * sizeof *value);
        if (p->versions > 0)
            value[n++] = number_value(r->rows->prediction[0]);
        if (p->label[0])
            value[n++] = number_value(r->rows->truth);
        ST_TRY(builder_row(r->builder, r->rows->at_ns, value));
    }
    return ST_OK;
}

static enum status learn(struct run *r, char *why)
{
    struct builder_settings settings = settings_of(r);
    ST_TRY(builder_open(&settings, &r->builder));
    ST_TRY(declare(r, r->builder, false));
    ST_TRY(feed_reference(r, why));
    ST_TRY(builder_turn(r->builder));
    ST_TRY(feed_reference(r, why));
    ST_TRY(builder_seal(r->builder, &r->baseline));
    ST_TRY(replay_fold_open(&r->fold));
    ST_TRY(replay_fold_version(r->fold, "stream", "v1", r->baseline, &r->slot));
    r->result->reference_rows = r->reference_rows;
    r->result->reference_windows = baseline_windows(r->baseline);
    if (!has_late_reference(r->plan))
        return ST_OK;
    settings.performance = r->plan->performance;
    ST_TRY(builder_open(&settings, &r->late_builder));
    return declare(r, r->late_builder, true);
}

static void name_alarm(const struct run *r, const struct judge *j,
                       const struct alarm *a, struct replay_alarm *out)
{
    struct judge_view v;
    judge_view(j, a->subject, &v);
    const char *served = r->plan->version[r->version].column;
    bool is_scalar = v.subject == SUBJECT_SCALAR;
    const char *feature = is_scalar || v.role == ROLE_OUTPUT ? served : v.name;
    const char *signal = is_scalar ? v.name : signal_name((enum signal)a->signal);
    snprintf(out->feature, sizeof out->feature, "%s", feature);
    snprintf(out->signal, sizeof out->signal, "%s", signal);
}

static enum status note_alarm(struct run *r, const struct judge *j, uint32_t keys,
                              const struct replay_window *w, const struct alarm *a)
{
    uint32_t key = keys + a->subject;
    struct replay_alarm *open = replay_result_open(r->result, key);
    if (a->kind == ALARM_CLEAR || a->kind == ALARM_ESCALATE) {
        if (open && a->kind == ALARM_CLEAR)
            open->cleared_ns = w->at_ns;
        else if (open && a->tier > open->tier) {
            open->tier = (enum tier)a->tier;
            open->paged_ns = w->at_ns;
        }
        return ST_OK;
    }
    struct replay_alarm out = {.kind = (enum alarm_kind)a->kind,
                               .tier = (enum tier)a->tier,
                               .row = w->last_row,
                               .at_ns = w->at_ns,
                               .direction = a->direction,
                               .effect = a->effect,
                               .evidence = a->evidence,
                               .paged_ns = a->tier == TIER_PAGE ? w->at_ns : 0,
                               .key = key};
    name_alarm(r, j, a, &out);
    return replay_result_alarm(r->result, &out);
}

// What the fold's judge made of the window under way.
static enum status hear(void *self, const struct judge *j, const struct judgement *got)
{
    struct run *r = self;
    if (r->keys == 0)
        r->judge = j;
    r->result->feature_windows += got->judged;
    r->result->alarms_dropped += got->alarms_dropped;
    for (uint32_t i = 0; i < got->alarms; i++)
        ST_TRY(note_alarm(r, j, r->keys, r->window, &got->alarm[i]));
    return ST_OK;
}

static enum status judge_it(struct run *r, uint32_t slot, uint32_t keys,
                            const struct replay_window *w)
{
    r->window = w;
    r->keys = keys;
    return replay_fold_window(r->fold, slot, &w->drift, hear, r);
}

// Losses with a stretch of their own: learned there, judged after it.
static enum status judge_late(struct run *r, const struct replay_window *w)
{
    const struct replay_plan *p = r->plan;
    if (!has_late_reference(p) || w->last_row < p->performance_from)
        return ST_OK;
    if (w->last_row < p->performance_to)
        return builder_window(r->late_builder, &w->drift);
    if (!r->late_baseline) {
        ST_TRY(builder_seal(r->late_builder, &r->late_baseline));
        ST_TRY(replay_fold_version(r->fold, "performance", "v1", r->late_baseline,
                                   &r->late_slot));
    }
    return judge_it(r, r->late_slot, PERFORMANCE_JUDGE, w);
}

static enum status note_deploy(struct run *r, const struct replay_window *w)
{
    struct deploy_report report;
    if (!r->deploy)
        return ST_OK;
    ST_TRY(deploy_window(r->deploy, &w->drift, NULL));
    deploy_report(r->deploy, &report);
    bool is_news = report.verdict != r->deploy_verdict;
    r->deploy_verdict = report.verdict;
    if (report.is_over) {
        deploy_close(r->deploy);
        r->deploy = NULL;
    }
    if (!is_news && !(report.is_over && report.verdict == DEPLOY_INSUFFICIENT))
        return ST_OK;
    struct replay_deploy out = {.at_ns = w->at_ns,
                                .verdict = report.verdict,
                                .withheld = report.withheld,
                                .rows_needed = report.rows_needed};
    snprintf(out.version, sizeof out.version, "%s",
             r->plan->version[r->version].column);
    return replay_result_deploy(r->result, &out);
}

static enum status hold_contest(struct run *r, const struct replay_window *w,
                                uint32_t challenger)
{
    struct contest *c = &r->contest[challenger];
    enum contest_verdict last = (enum contest_verdict)c->verdict;
    enum contest_verdict now =
        contest_window(c, w->loss[r->version], w->loss[challenger], CONTEST_LEVEL);
    if (now == CONTEST_UNDECIDED || now == last)
        return ST_OK;
    struct replay_contest out = {
        .at_ns = w->at_ns, .verdict = now, .evidence = CONTEST_LEVEL};
    snprintf(out.champion, sizeof out.champion, "%s",
             r->plan->version[r->version].column);
    snprintf(out.challenger, sizeof out.challenger, "%s",
             r->plan->version[challenger].column);
    return replay_result_contest(r->result, &out);
}

static enum status change_version(struct run *r, uint32_t version)
{
    struct deploy_settings settings = deploy_defaults();
    deploy_close(r->deploy);
    r->deploy = NULL;
    r->deploy_verdict = DEPLOY_INSUFFICIENT;
    r->version = version;
    memset(r->contest, 0, sizeof r->contest);
    if (r->judge)
        ST_TRY(deploy_open(r->judge, &settings, &r->deploy));
    const char *name = r->plan->version[version].column;
    ST_TRY(replay_fold_version(r->fold, "stream", name, r->baseline, &r->slot));
    if (!r->late_baseline)
        return ST_OK;
    return replay_fold_version(r->fold, "performance", name, r->late_baseline,
                               &r->late_slot);
}

static enum status take_window(void *self, const struct replay_window *w)
{
    struct run *r = self;
    if (w->version != r->version)
        ST_TRY(change_version(r, w->version));
    r->result->windows++;
    ST_TRY(note_deploy(r, w));
    ST_TRY(judge_it(r, r->slot, 0, w));
    ST_TRY(judge_late(r, w));
    for (uint32_t v = 0; v < r->version; v++)
        ST_TRY(hold_contest(r, w, v));
    return ST_OK;
}

static enum status judge_rest(struct run *r, char *why)
{
    enum status st = ST_OK;
    ST_TRY(
        replay_feed_open(r->plan, r->baseline, r->origin_ns, take_window, r, &r->feed));
    while ((st = replay_rows_next(r->rows, why)) == ST_OK)
        ST_TRY(replay_feed_row(r->feed, r->rows));
    if (st != ST_EMPTY)
        return st;
    r->result->rows = r->rows->row + 1;
    r->result->late_rows = r->rows->late;
    return replay_feed_end(r->feed);
}

enum status replay_run(struct replay_rows *rows, struct replay_result *out,
                       char why[256])
{
    struct run r = {.plan = rows->plan, .rows = rows, .result = out};
    why[0] = 0;
    out->plan = rows->plan;
    enum status st = measure_reference(&r, why);
    if (st == ST_OK)
        st = learn(&r, why);
    if (st == ST_OK)
        st = judge_rest(&r, why);
    if (st != ST_OK && !why[0])
        snprintf(why, 256, "%s", status_text(st));
    run_fini(&r);
    return st;
}
