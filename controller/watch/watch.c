// SPDX-License-Identifier: Apache-2.0
#include "controller/watch/watch.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/drift/deploy.h"
#include "controller/log/cases.h"
#include "controller/log/grades.h"
#include "controller/log/serving.h"
#include "controller/log/standing.h"
#include "controller/watch/alert.h"
#include "controller/watch/course.h"
#include "controller/watch/incident.h"
#include "controller/watch/jury.h"
#include "controller/watch/pulse.h"
#include "controller/watch/rival.h"
#include "controller/watch/share.h"
#include "controller/watch/symptom.h"

#define HOUR_NS (3600ull * 1000000000)
#define TIDE_WINDOWS                                                                   \
    2 // how far apart onsets of one cause may lie, and an hour at least

struct watch {
    struct watch_options options;
    struct jury *jury;
    struct alert_desk *desk;
    struct rival *rival;
    uint32_t models; // of the fleet; good while `has_models`
    bool has_models;
    struct incident_desk *incidents;
};

struct watch_options watch_defaults(void)
{
    return (struct watch_options){
        .judge = judge_defaults(), .pages_per_week = 2, .burst = 3};
}

enum status watch_open(const struct watch_options *o, struct watch **out)
{
    struct watch *w = MEM_NEW(struct watch);
    if (!w)
        return ST_NOMEM;
    w->options = *o;
    enum status st = jury_open(&o->judge, &w->jury);
    if (st == ST_OK)
        st = incident_desk_open(&w->incidents);
    if (st == ST_OK)
        st = alert_open_desk(o->pages_per_week, o->burst, w->incidents, &w->desk);
    if (st == ST_OK)
        st = rival_open(&w->rival);
    if (st != ST_OK) {
        watch_close(w);
        return st;
    }
    *out = w;
    return ST_OK;
}

void watch_close(struct watch *w)
{
    if (!w)
        return;
    jury_close(w->jury);
    alert_close_desk(w->desk);
    rival_close(w->rival);
    incident_desk_close(w->incidents);
    mem_free(w);
}

void watch_listen(struct watch *w, watch_heard *heard, void *self)
{
    w->options.heard = heard;
    w->options.heard_self = self;
}

// The deploy watch of the course, if it has one that can be read.
static enum status read_deploy(struct watch *w, struct shelf *s, uint32_t model,
                               const struct course *c, struct deploy **out)
{
    struct judge *before;
    enum status st = jury_find(w->jury, s, model, c->previous.no, &before);
    if (st != ST_OK)
        return st;
    return deploy_decode(judge_baseline(before), buf_span(&c->deploy), out);
}

static enum status write_deploy(const struct deploy *d, struct course *c)
{
    buf_clear(&c->deploy);
    deploy_encode(d, &c->deploy);
    return c->deploy.failed;
}

// What the newest version's window is compared with.
struct bout {
    uint32_t model;
    const struct drift_window *now, *old; // old: NULL when the other one had no rows
    struct deploy_report report;
    bool has_report;
    struct standing standing;
};

// Hands the window of the newest version to its deploy watch.
static enum status watch_deployment(struct watch *w, struct shelf *s, struct course *c,
                                    struct bout *b)
{
    struct deploy *d = NULL;
    enum status st = read_deploy(w, s, b->model, c, &d);
    // A version whose baseline was sealed anew in the meantime is no measure any more.
    if (st == ST_NOTFOUND || st == ST_CORRUPT || st == ST_CONFLICT) {
        c->is_watched = false;
        return ST_OK;
    }
    ST_TRY(st);
    st = deploy_window(d, b->now, b->old);
    if (st == ST_RANGE) // a window from before the deployment
        st = ST_OK;
    if (st == ST_OK)
        st = write_deploy(d, c);
    if (st == ST_OK) {
        deploy_report(d, &b->report);
        b->has_report = true;
        c->is_watched = !b->report.is_over;
    }
    deploy_close(d);
    return st;
}

static double loss_of(const struct drift_window *w, uint64_t *rows)
{
    for (uint32_t i = 0; i < w->features; i++) {
        const struct drift_feature *f = &w->feature[i];
        if (f->role != ROLE_SIGNAL || !span_is(f->name, "loss") || !f->profile)
            continue;
        const struct moments *m = profile_moments(f->profile);
        *rows += m->n;
        return m->n > 0 ? moments_mean(m) : -1;
    }
    return -1;
}

// Champion and challenger need no deploy watch, only the same windows with labels.
static void hold_contest(struct bout *b)
{
    uint64_t rows = 0;
    if (!b->old)
        return;
    double champion = loss_of(b->old, &rows), challenger = loss_of(b->now, &rows);
    if (champion >= 0 && challenger >= 0)
        standing_add(&b->standing, champion, challenger, rows);
}

static void note_report(const struct judge *before, struct bout *b)
{
    const struct deploy_report *r = &b->report;
    struct standing *s = &b->standing;
    struct judge_view v;
    judge_view(before, r->subject, &v);
    s->has_watch = true;
    s->is_over = r->is_over;
    s->withheld = r->withheld;
    s->verdict = r->verdict;
    s->windows = r->windows;
    s->beside += b->old != NULL;
    s->rows_needed = r->rows_needed;
    s->direction = (int8_t)r->direction;
    s->effect = isfinite(r->effect) ? r->effect : 0;
    s->evidence = isfinite(r->evidence) ? r->evidence : 0;
    (void)snprintf(s->mover, sizeof s->mover, "%s", v.name);
}

// How the newest version stands, read or begun anew after a version change.
static enum status read_standing(struct shelf *s, uint32_t model,
                                 const struct course *c, struct standing *out)
{
    enum status st = standing_get(s, model, out);
    if (st != ST_OK && st != ST_NOTFOUND)
        return st;
    bool is_same = st == ST_OK && strcmp(out->version, c->newest.name) == 0 &&
                   strcmp(out->against, c->previous.name) == 0;
    if (is_same)
        return ST_OK;
    *out = (struct standing){.deployed_ns = c->deployed_ns};
    (void)snprintf(out->version, sizeof out->version, "%s", c->newest.name);
    (void)snprintf(out->against, sizeof out->against, "%s", c->previous.name);
    return ST_OK;
}

// Compares the newest version with the one before it, by the store's window of the same
// time where that one still serves.
static enum status compare(struct watch *w, struct shelf *s,
                           const struct judged_window *win, struct course *c,
                           struct bout *b)
{
    struct drift_window old;
    struct judge *before;
    enum status st = rival_window(w->rival, s, win->model_no, c->previous.no,
                                  win->start_ns, win->end_ns, &old);
    if (st != ST_OK && st != ST_NOTFOUND)
        return st;
    b->old = st == ST_OK ? &old : NULL;
    if (!c->is_watched && !b->old)
        return ST_OK;
    ST_TRY(read_standing(s, win->model_no, c, &b->standing));
    hold_contest(b);
    if (c->is_watched) {
        ST_TRY(watch_deployment(w, s, c, b));
        ST_TRY(course_store(s, win->model_no, c));
        st = jury_find(w->jury, s, win->model_no, c->previous.no, &before);
        if (st == ST_OK && b->has_report)
            note_report(before, b);
    }
    b->standing.judged_ns = win->end_ns;
    b->old = NULL; // lent for this function alone
    return standing_put(s, win->model_no, &b->standing);
}

// Inputs that moved on a good part of the fleet at once moved elsewhere too.
static enum status see_tide(struct watch *w, struct shelf *s,
                            const struct judged_window *win, struct alert_case *c)
{
    uint64_t onset = c->symptoms.inputs_onset_ns, length = win->end_ns - win->start_ns;
    uint64_t reach = TIDE_WINDOWS * length > HOUR_NS ? TIDE_WINDOWS * length : HOUR_NS;
    if (onset == 0)
        return ST_OK;
    ST_TRY(tide_note(s, win->model_no, onset, reach, w->models, &c->tide));
    if (!c->tide.is_common || c->symptoms.inputs != CELL_HIT)
        return ST_OK;
    c->symptoms.inputs_elsewhere = CELL_HIT;
    // Without a deployment there is one version, and what it suffers all suffer.
    if (c->symptoms.deployed == CELL_CLEAN)
        c->symptoms.performance_elsewhere = CELL_HIT;
    return ST_OK;
}

static enum status review(struct watch *w, struct shelf *s,
                          const struct judged_window *win, const struct judge *judge,
                          struct course *course, const struct drift_window *dw,
                          const struct fold_moment *now, struct effects *out,
                          uint8_t changed[16])
{
    bool is_newest = course->newest.no == win->version_no;
    struct bout bout = {.model = win->model_no, .now = dw};
    if (is_newest && course->previous.no && !win->is_flash)
        ST_TRY(compare(w, s, win, course, &bout));
    const struct deploy_report *deploy = bout.has_report ? &bout.report : NULL;
    struct alert_case c = {
        .model_no = win->model_no,
        .version_no = win->version_no,
        .model = win->model,
        .version = win->version,
        .start_ns = win->start_ns,
        .end_ns = win->end_ns,
        .rows = win->rows,
        .judge = judge,
        .deploy = deploy,
        .symptoms = symptom_of(judge, deploy, &bout.standing, course, is_newest),
    };
    ST_TRY(see_tide(w, s, win, &c));
    return alert_review(w->desk, s, &c, now, out, changed);
}

// The fleet's budget flows to the judge that is about to judge.
static enum status set_page(struct watch *w, struct shelf *s, struct judge *judge)
{
    if (!w->has_models)
        ST_TRY(share_models(s, &w->models));
    w->has_models = true;
    judge_set_page(judge, share_level(w->options.pages_per_week, w->models,
                                      baseline_window_ns(judge_baseline(judge)),
                                      w->options.judge.warn_feature));
    return ST_OK;
}

// The newest version's grades; before any version was attested, whatever serves.
static enum status grade(struct shelf *s, const struct judged_window *win,
                         const struct course *c, const struct drift_window *dw)
{
    struct grades g;
    if (c->newest.no && c->newest.no != win->version_no)
        return ST_OK;
    enum status st = grades_get(s, win->model_no, &g);
    if (st != ST_OK && st != ST_NOTFOUND)
        return st;
    if (st == ST_NOTFOUND || !span_is(win->version, g.version)) {
        g = (struct grades){.windows = 0};
        size_t n =
            win->version.size < GRADES_NAME_MAX ? win->version.size : GRADES_NAME_MAX;
        memcpy(g.version, win->version.data, n);
    }
    grades_add(&g, dw);
    return grades_put(s, win->model_no, &g);
}

static enum status judge_it(struct watch *w, struct shelf *s,
                            const struct judged_window *win,
                            const struct fold_moment *now, struct effects *out,
                            uint8_t changed[16])
{
    struct judge *judge;
    enum status st = jury_find(w->jury, s, win->model_no, win->version_no, &judge);
    // Without a baseline there is nothing to judge by; the catalog shows that.
    if (st == ST_NOTFOUND)
        return ST_OK;
    ST_TRY(st);
    ST_TRY(set_page(w, s, judge));
    struct drift_window dw;
    struct judgement judgement;
    jury_window(w->jury, win, &dw);
    st = judge_window(judge, &dw, &judgement);
    if (st == ST_RANGE)
        return ST_OK;
    ST_TRY(st);
    ST_TRY(jury_store(w->jury, s, win->model_no, win->version_no));
    if (w->options.heard)
        w->options.heard(w->options.heard_self, win, judge, &judgement);

    struct course course;
    course_init(&course);
    st = course_load(s, win->model_no, &course);
    if (st == ST_OK && !win->is_flash)
        st = grade(s, win, &course, &dw);
    if (st == ST_OK)
        st = review(w, s, win, judge, &course, &dw, now, out, changed);
    course_fini(&course);
    return st;
}

enum status watch_window(void *self, struct shelf *s, const struct judged_window *w,
                         const struct fold_moment *now, struct effects *out,
                         uint8_t changed_alert[16])
{
    if (!w->is_flash)
        ST_TRY(pulse_write(s, w, now->now_ns));
    return w->features ? judge_it(self, s, w, now, out, changed_alert) : ST_OK;
}

enum status watch_flash(void *self, struct shelf *s, const struct judged_window *w,
                        const struct fold_moment *now, struct effects *out,
                        uint8_t changed_alert[16])
{
    return watch_window(self, s, w, now, out, changed_alert);
}

// Opens a deploy watch of the newest version against the recent level of the previous.
static enum status begin_deploy_watch(struct watch *w, struct shelf *s, uint32_t model,
                                      struct course *c)
{
    struct judge *before;
    enum status st = jury_find(w->jury, s, model, c->previous.no, &before);
    if (st == ST_NOTFOUND)
        return ST_OK;
    ST_TRY(st);
    struct deploy_settings settings = deploy_defaults();
    struct deploy *d = NULL;
    ST_TRY(deploy_open(before, &settings, &d));
    st = write_deploy(d, c);
    c->is_watched = st == ST_OK;
    deploy_close(d);
    return st;
}

static enum status begin_version(struct watch *w, struct shelf *s,
                                 const struct judged_attest *a, struct course *c)
{
    uint8_t id[16];
    bool has_alert;
    ST_TRY(cases_open_of(s, a->model_no, id, &has_alert));
    c->previous = c->newest;
    course_set(&c->newest, a->version_no, a->version);
    c->deployed_ns = a->at_ns;
    c->was_previous_healthy = !has_alert;
    c->is_return = span_is(a->cause, "order");
    c->is_watched = false;
    buf_clear(&c->deploy);
    if (c->previous.no && !c->is_return)
        return begin_deploy_watch(w, s, a->model_no, c);
    return ST_OK;
}

// A return by order is one version change, however many hosts it takes: the course
// moves on only when nobody serves the version that was left.
static enum status is_left(struct shelf *s, const struct judged_attest *a,
                           const struct course *c, bool *out)
{
    struct serving now;
    ST_TRY(serving_read(s, a->model_no, &now));
    *out = serving_count(&now, span_text(c->newest.name)) == 0;
    serving_fini(&now);
    return ST_OK;
}

static enum status follow(struct watch *w, struct shelf *s,
                          const struct judged_attest *a, struct course *c)
{
    if (a->version_no == c->newest.no) {
        // The first rows under it may come behind the attestation itself.
        if (c->deployed_ns == 0 && a->at_ns) {
            c->deployed_ns = a->at_ns;
            return course_store(s, a->model_no, c);
        }
        return ST_OK;
    }
    if (span_is(a->cause, "order") || a->version_no == c->previous.no) {
        bool left;
        ST_TRY(is_left(s, a, c, &left));
        if (!left)
            return ST_OK;
    }
    ST_TRY(begin_version(w, s, a, c));
    return course_store(s, a->model_no, c);
}

enum status watch_attest(void *self, struct shelf *s, const struct judged_attest *a,
                         const struct fold_moment *now, struct effects *out)
{
    (void)now;
    (void)out;
    struct course c;
    course_init(&c);
    enum status st = course_load(s, a->model_no, &c);
    if (st == ST_OK)
        st = follow(self, s, a, &c);
    course_fini(&c);
    return st;
}

enum status watch_baseline(void *self, struct shelf *s, uint32_t model,
                           uint32_t version, const struct fold_moment *now,
                           struct effects *out)
{
    (void)now;
    (void)out;
    struct watch *w = self;
    ST_TRY(share_count(s, model, &w->models));
    w->has_models = true;
    return jury_forget(w->jury, s, model, version);
}

static enum status answer(struct effects *out, const struct entry_command *c,
                          uint32_t code, const char *text, const char *json)
{
    const struct effect e = {.kind = EFFECT_ANSWER,
                             .number = c->request,
                             .code = code,
                             .text = span_text(text),
                             .bytes = span_text(json)};
    return effects_add(out, &e);
}

enum status watch_command(void *self, struct shelf *s, const struct entry_command *c,
                          const struct fold_moment *now, struct effects *out)
{
    struct watch *w = self;
    if (!span_is(c->verb, "alert.ack"))
        return incident_command(w->incidents, s, c, now, out);
    uint64_t number;
    if (text_u64(entry_arg(c, "alert"), &number) != ST_OK)
        return answer(out, c, 2, "alert.ack wants the number of an alert", "");
    enum status st = alert_ack(w->desk, s, number, c->actor, now, out);
    if (st == ST_NOTFOUND)
        return answer(out, c, 3, "no such alert: see kedge alert list", "");
    if (st == ST_CONFLICT)
        return answer(out, c, 6, "that alert is closed already", "");
    ST_TRY(st);
    return answer(out, c, 0, "", "{\"acked\":true}");
}

void watch_dropped(void *self)
{
    struct watch *w = self;
    w->has_models = false;
    jury_drop(w->jury);
    incident_desk_drop(w->incidents);
}
