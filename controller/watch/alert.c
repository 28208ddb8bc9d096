// SPDX-License-Identifier: Apache-2.0
#include "controller/watch/alert.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/cursor.h"
#include "common/base/mem.h"
#include "common/drift/budget.h"
#include "controller/log/cases.h"
#include "controller/log/keys.h"
#include "controller/log/names.h"
#include "controller/log/serving.h"
#include "controller/watch/incident.h"
#include "controller/watch/pulse.h"
#include "proto/messages/record.h"

#define SYMBOLS 15u
#define NAME_BYTES 1024u

struct alert_desk {
    double pages_per_week, burst;
    struct incident_desk *incidents;
    struct paper paper;
    struct record_finding finding[RECORD_FINDINGS_MAX];
    uint32_t findings;
    struct pair symbol[SYMBOLS];
    char common[64];   // "12 of 20 models"
    struct buf leader; // the first of them, by name
};

enum status alert_open_desk(double pages_per_week, double burst,
                            struct incident_desk *incidents, struct alert_desk **out)
{
    struct alert_desk *d = MEM_NEW(struct alert_desk);
    if (!d)
        return ST_NOMEM;
    d->pages_per_week = pages_per_week;
    d->burst = burst;
    d->incidents = incidents;
    buf_init(&d->leader, NAME_BYTES);
    if (paper_init(&d->paper) != ST_OK) {
        alert_close_desk(d);
        return ST_NOMEM;
    }
    *out = d;
    return ST_OK;
}

void alert_close_desk(struct alert_desk *d)
{
    if (!d)
        return;
    paper_fini(&d->paper);
    buf_fini(&d->leader);
    mem_free(d);
}

// Typical figures then and now, in the unit that people know where there is one.
static void put_figures(const struct judge *j, const struct judge_view *v,
                        struct record_finding *f)
{
    const struct baseline *b = judge_baseline(j);
    if (v->subject == SUBJECT_SCALAR) {
        int32_t i = baseline_find_scalar(b, span_text(v->name), 0);
        if (i < 0)
            return;
        const struct baseline_scalar *scalar = baseline_scalar(b, (uint32_t)i);
        double scale = scalar->scale != 0 ? scalar->scale : 1;
        f->before = scalar->learned.mu / scale;
        f->now = (scalar->learned.mu + v->smooth[0]) / scale;
        return;
    }
    int32_t i = baseline_find_feature(b, span_text(v->name), 0);
    if (i < 0)
        return;
    const struct baseline_feature *feature = baseline_feature(b, (uint32_t)i);
    if (v->subject == SUBJECT_CONTRIBUTION) {
        double level = feature->fci + feature->fci_learned.mu;
        f->before = tanh(level);
        f->now = tanh(level + v->smooth[0]);
    } else if (v->signal == SIGNAL_MISSING) {
        f->before = feature->scores.missing_share;
        f->now = v->missing;
    } else {
        f->now = v->effect * v->direction;
    }
}

// The learned figures are finite; a record takes no others.
static double finite_or_0(double v)
{
    return isfinite(v) ? v : 0;
}

static struct record_finding finding_of(const struct judge *j,
                                        const struct judge_view *v)
{
    struct record_finding f = {
        .feature = span_text(v->name),
        .signal = span_text(signal_name(v->signal)),
        .tier = (uint8_t)v->tier,
        .direction = v->direction,
        .effect = finite_or_0(v->effect),
        .evidence = finite_or_0(v->evidence),
        .onset = v->since,
    };
    put_figures(j, v, &f);
    f.before = finite_or_0(f.before);
    f.now = finite_or_0(f.now);
    return f;
}

// A finding that was open earlier in this alert stays on its list when it has cleared.
static void keep_tier(const struct record_alert *old, struct record_finding *f)
{
    for (uint32_t i = 0; i < old->findings; i++) {
        const struct record_finding *o = &old->finding[i];
        if (!span_equal(o->feature, f->feature) || o->tier == TIER_NONE)
            continue;
        bool is_contribution = span_is(f->signal, "contribution");
        if (span_is(o->signal, "contribution") != is_contribution)
            continue;
        if (f->tier == TIER_NONE)
            *f = *o;
        else if (o->onset && o->onset < f->onset)
            f->onset = o->onset;
    }
}

static void collect(struct alert_desk *d, const struct alert_case *c,
                    const struct record_alert *old)
{
    d->findings = 0;
    for (uint32_t i = 0; i < judge_subjects(c->judge); i++) {
        if (d->findings == RECORD_FINDINGS_MAX)
            break;
        struct judge_view v;
        judge_view(c->judge, i, &v);
        struct record_finding *f = &d->finding[d->findings++];
        *f = finding_of(c->judge, &v);
        keep_tier(old, f);
    }
}

static bool is_wanted(const struct alert_case *c)
{
    for (uint32_t i = 0; i < judge_subjects(c->judge); i++) {
        struct judge_view v;
        judge_view(c->judge, i, &v);
        if (v.tier >= TIER_WARN)
            return true;
    }
    return c->deploy && c->deploy->verdict == DEPLOY_WORSE;
}

static uint64_t onset_of(const struct alert_desk *d, const struct alert_case *c)
{
    uint64_t onset = c->end_ns;
    for (uint32_t i = 0; i < d->findings; i++)
        if (d->finding[i].tier >= TIER_WARN && d->finding[i].onset &&
            d->finding[i].onset < onset)
            onset = d->finding[i].onset;
    return onset;
}

static enum status read_budget(const struct alert_desk *d, struct shelf *s,
                               uint64_t now_ns, struct budget *out)
{
    struct shelf_key key = key_state('b', 0);
    struct span bytes;
    enum status st = shelf_get(s, SHELF_STATE, &key, &bytes);
    if (st == ST_NOTFOUND)
        return budget_init(out, d->pages_per_week, d->burst, now_ns);
    ST_TRY(st);
    struct cursor in = {bytes};
    return budget_decode(&in, out);
}

// A page needs a token of the fleet's budget; without one the alert stays a ticket. An
// open one asks again with each window, and is counted as held back once.
static enum status take_token(struct alert_desk *d, struct shelf *s, uint64_t now_ns,
                              bool is_new, bool *out)
{
    struct budget budget;
    ST_TRY(read_budget(d, s, now_ns, &budget));
    *out = false;
    if (!is_new && budget_next(&budget, now_ns) > now_ns)
        return ST_OK;
    *out = budget_take(&budget, now_ns);
    buf_clear(&d->paper.fresh);
    budget_encode(&budget, &d->paper.fresh);
    ST_TRY(d->paper.fresh.failed);
    struct shelf_key key = key_state('b', 0);
    return shelf_put(s, SHELF_STATE, &key, buf_span(&d->paper.fresh));
}

// PAGE: evidence on the capped path, or a warning together with evidence from labels.
// Once somebody was called for the incident, its other alerts call nobody.
static enum status tier_of(struct alert_desk *d, struct shelf *s,
                           const struct alert_case *c, bool is_new, bool has_paged,
                           uint8_t *tier)
{
    bool is_page = c->symptoms.performance == CELL_HIT;
    for (uint32_t i = 0; i < d->findings; i++)
        is_page |= d->finding[i].tier == TIER_PAGE;
    if (*tier < TIER_WARN)
        *tier = TIER_WARN;
    if (!is_page || has_paged || *tier == TIER_PAGE)
        return ST_OK;
    // One cause, one page: it is the first model's.
    if (c->tide.is_common && c->tide.leader != c->model_no)
        return ST_OK;
    bool has_token = false;
    ST_TRY(take_token(d, s, c->end_ns, is_new, &has_token));
    if (has_token)
        *tier = TIER_PAGE;
    return ST_OK;
}

static enum status name_tide(struct alert_desk *d, struct shelf *s,
                             const struct alert_case *c)
{
    buf_clear(&d->leader);
    d->common[0] = '\0';
    if (!c->tide.is_common)
        return ST_OK;
    (void)snprintf(d->common, sizeof d->common, "%" PRIu32 " of %" PRIu32 " models",
                   c->tide.moved, c->tide.models);
    return names_of_model(s, c->tide.leader, &d->leader);
}

static void put_symbols(struct alert_desk *d, const struct symptoms *s,
                        struct record_alert *a)
{
    const struct {
        const char *key;
        const char *value;
    } all[] = {
        {"B", cell_name(s->calibration)},
        {"D", cell_name(s->deployed)},
        {"H", cell_name(s->some_hosts)},
        {"I", cell_name(s->inputs)},
        {"Iv", cell_name(s->inputs_elsewhere)},
        {"O", cell_name(s->outputs)},
        {"Oc", cell_name(s->behaviour)},
        {"Ov", cell_name(s->outputs_elsewhere)},
        {"P", cell_name(s->performance)},
        {"Pv", cell_name(s->performance_elsewhere)},
        {"S", cell_name(s->schema)},
        {"common", d->common},
        {"healthy", s->previous_healthy ? "yes" : "no"},
        {"rung", rung_name(s->rung)},
        {"with", buf_cstr(&d->leader)},
    };
    for (uint32_t i = 0; i < SYMBOLS; i++)
        d->symbol[i] = (struct pair){span_text(all[i].key), span_text(all[i].value)};
    pairs_sort(d->symbol, SYMBOLS);
    a->symbol = d->symbol;
    a->symbols = SYMBOLS;
}

static void put_diagnosis(struct alert_desk *d, const struct alert_case *c,
                          struct record_alert *a)
{
    struct diagnosis found = diagnose(&c->symptoms);
    a->row = (uint8_t)found.row;
    a->diagnosis = span_text(cause_name(found.cause));
    bool is_by_hand = found.remedy == REMEDY_ROLLBACK && !found.may_auto;
    a->decision =
        span_text(is_by_hand ? "rollback_by_hand" : remedy_name(found.remedy));
    a->code = span_text(found.refusal);
    a->why = span_text(found.reason);
    put_symbols(d, &c->symptoms, a);
}

static void put_findings(struct alert_desk *d, struct record_alert *a)
{
    a->finding = d->finding;
    a->findings = d->findings;
}

// When the whole world moved, going back is for people to decide.
static void withhold(struct record_alert *a)
{
    if (span_is(a->decision, "rollback"))
        a->decision = span_text("rollback_by_hand");
    a->code = span_text("E_WORLD");
    a->why = span_text("common cause outside: most models moved within an hour, so no "
                       "rollback starts by itself");
}

static enum status describe(const struct alert_case *c, struct shelf *s,
                            const struct record_alert *a, struct incident_alert *out)
{
    *out = (struct incident_alert){
        .model = c->model,
        .version = c->version,
        .onset_ns = a->onset,
        .end_ns = c->end_ns,
        .window_ns = c->end_ns - c->start_ns,
        .is_own = c->symptoms.deployed == CELL_HIT || c->symptoms.inputs == CELL_CLEAN,
    };
    return pulse_rows(s, c->model_no, c->version_no, a->onset, c->end_ns, &out->rows);
}

static enum status open_alert(struct alert_desk *d, struct shelf *s,
                              const struct alert_case *c, const struct fold_moment *now,
                              struct effects *out, uint8_t changed[16])
{
    struct record_alert a = {
        .model = c->model,
        .version = c->version,
        .opened = now->now_ns,
        .opened_event = c->end_ns,
        .updated_event = c->end_ns,
        .state = ALERT_OPEN,
    };
    buf_clear(&d->paper.old);
    collect(d, c, &a);
    put_findings(d, &a);
    a.onset = onset_of(d, c);
    put_diagnosis(d, c, &a);
    struct incident_alert self;
    struct incident_place place;
    ST_TRY(describe(c, s, &a, &self));
    ST_TRY(incident_place(d->incidents, s, &self, &place));
    if (place.is_outside)
        withhold(&a);
    ST_TRY(tier_of(d, s, c, true, place.has_paged, &a.tier));
    uint64_t number;
    ST_TRY(shelf_next_number(s, "alert", &number));
    case_id(number, a.alert);
    ST_TRY(cases_set_open(s, c->model_no, a.alert));
    ST_TRY(cases_write(&d->paper, s, &a, "alert.open", NULL, now, out));
    ST_TRY(incident_join(d->incidents, s, &self, &place, a.alert, a.tier, now));
    memcpy(changed, a.alert, 16);
    return ST_OK;
}

static enum status clear_alert(struct alert_desk *d, struct shelf *s,
                               const struct alert_case *c, struct record_alert *a,
                               const struct fold_moment *now, struct effects *out,
                               uint8_t changed[16])
{
    a->state = ALERT_CLOSED;
    a->closed = now->now_ns;
    a->closed_event = c->end_ns;
    a->updated_event = c->end_ns;
    a->closed_why = span_text("cleared by itself: every signal is back under half its "
                              "gate for five windows");
    ST_TRY(cases_set_open(s, c->model_no, NULL));
    ST_TRY(cases_write(&d->paper, s, a, "alert.close", NULL, now, out));
    ST_TRY(incident_left(d->incidents, s, a->alert, c->end_ns, now));
    memcpy(changed, a->alert, 16);
    return ST_OK;
}

static uint32_t moved_count(const struct record_finding *f, uint32_t n)
{
    uint32_t moved = 0;
    for (uint32_t i = 0; i < n; i++)
        moved += f[i].tier >= TIER_WARN;
    return moved;
}

static enum status update_alert(struct alert_desk *d, struct shelf *s,
                                const struct alert_case *c, struct record_alert *a,
                                const struct fold_moment *now, struct effects *out,
                                uint8_t changed[16])
{
    static const uint8_t none[16];
    bool has_plan = memcmp(a->plan, none, sizeof none) != 0;
    struct record_alert was = *a;
    collect(d, c, &was);
    put_findings(d, a);
    a->updated_event = c->end_ns;
    uint64_t onset = onset_of(d, c);
    if (onset < a->onset)
        a->onset = onset;
    // What was decided with a plan in flight stands until the plan ends.
    struct incident_ties ties;
    ST_TRY(incident_ties(d->incidents, s, a->alert, &ties));
    if (!has_plan) {
        put_diagnosis(d, c, a);
        if (ties.is_outside)
            withhold(a);
        ST_TRY(tier_of(d, s, c, false, ties.has_paged, &a->tier));
    }
    ST_TRY(incident_heard(d->incidents, s, a->alert, a->tier, c->rows, c->end_ns, now));
    bool is_news =
        a->tier != was.tier || a->row != was.row ||
        moved_count(a->finding, a->findings) != moved_count(was.finding, was.findings);
    ST_TRY(
        cases_write(&d->paper, s, a, is_news ? "alert.change" : NULL, NULL, now, out));
    if (is_news)
        memcpy(changed, a->alert, 16);
    return ST_OK;
}

// Labels of a version that was left come in for a while: nobody is called for those.
// Where no host has attested anything (a replay), everything counts as served.
static enum status is_served(struct shelf *s, const struct alert_case *c, bool *out)
{
    struct serving serving;
    ST_TRY(serving_read(s, c->model_no, &serving));
    *out = serving.hosts == 0 || serving_count(&serving, c->version) > 0;
    serving_fini(&serving);
    return ST_OK;
}

enum status alert_review(struct alert_desk *d, struct shelf *s,
                         const struct alert_case *c, const struct fold_moment *now,
                         struct effects *out, uint8_t changed[16])
{
    uint8_t id[16];
    bool is_open;
    ST_TRY(cases_open_of(s, c->model_no, id, &is_open));
    ST_TRY(name_tide(d, s, c));
    bool wanted = is_wanted(c);
    if (!is_open && wanted)
        ST_TRY(is_served(s, c, &wanted));
    if (!is_open)
        return wanted ? open_alert(d, s, c, now, out, changed) : ST_OK;

    struct record_alert a;
    ST_TRY(cases_read(&d->paper, s, id, &a));
    // The alert belongs to one version; another one's windows neither feed nor clear
    // it.
    if (!span_equal(a.version, c->version))
        return ST_OK;
    static const uint8_t none[16];
    bool has_plan = memcmp(a.plan, none, sizeof none) != 0;
    if (!wanted && !has_plan)
        return clear_alert(d, s, c, &a, now, out, changed);
    return update_alert(d, s, c, &a, now, out, changed);
}

enum status alert_ack(struct alert_desk *d, struct shelf *s, uint64_t number,
                      struct span actor, const struct fold_moment *now,
                      struct effects *out)
{
    uint8_t id[CASE_ID_BYTES];
    case_id(number, id);
    struct record_alert a;
    ST_TRY(cases_read(&d->paper, s, id, &a));
    if (a.state == ALERT_CLOSED)
        return ST_CONFLICT;
    a.state = ALERT_ACKED;
    a.acked_by = actor;
    return cases_write(&d->paper, s, &a, "alert.ack", &actor, now, out);
}
