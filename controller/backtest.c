// Backtest: what would have fired, which known incidents it would have missed, and what
// of the budget it would have taken.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/backtest.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/json.h"
#include "common/base/mem.h"
#include "controller/cli/cli.h"
#include "controller/cli/render.h"
#include "controller/cli/talk.h"
#include "controller/hindsight.h"
#include "controller/log/cases.h"

#define INCIDENTS_MAX 4096u
#define ALERTS_MAX 65536u
#define OUT_MAX (64u << 20)
#define WEEK_NS (7.0 * 24 * 3600 * 1e9)

// What people recorded: `kedge event record incident ...`.
struct incident {
    char model[RECORDED_NAME_MAX + 1]; // empty: any
    uint64_t at_ns;
    const struct firing *found; // the first that overlaps
};

// What the controller opened at the time.
struct opened {
    char model[RECORDED_NAME_MAX + 1], version[RECORDED_NAME_MAX + 1];
    uint64_t number, opened_ns, closed_ns;
    bool is_kept; // the policy opens something at that time as well
};

struct backtest {
    struct recorded *recorded;
    struct rules rules;
    struct hindsight hindsight;
    uint64_t from_ns, to_ns, within_ns;
    uint32_t models, versions, last_model;
    struct incident *incident;
    uint32_t incidents;
    struct opened *opened;
    uint32_t openeds;
};

// --- Reading

static enum status count_version(void *self, const struct recorded_version *v)
{
    struct backtest *b = self;
    b->models += v->model_no != b->last_model || b->versions == 0;
    b->last_model = v->model_no;
    b->versions++;
    uint64_t end;
    ST_TRY(recorded_end(b->recorded, v, &end));
    if (end > b->to_ns)
        b->to_ns = end;
    return ST_OK;
}

static enum status run_version(void *self, const struct recorded_version *v)
{
    struct backtest *b = self;
    return hindsight_add(&b->hindsight, b->recorded, v, b->to_ns);
}

static void copy(struct span from, char out[RECORDED_NAME_MAX + 1])
{
    size_t n = from.size < RECORDED_NAME_MAX ? from.size : RECORDED_NAME_MAX;
    if (n)
        memcpy(out, from.data, n);
    out[n] = '\0';
}

static enum status take_event(void *self, const struct record_event *e)
{
    struct backtest *b = self;
    if (!span_is(e->kind, "incident") || e->at <= b->from_ns || e->at > b->to_ns ||
        b->incidents == INCIDENTS_MAX)
        return ST_OK;
    struct incident *i = &b->incident[b->incidents++];
    i->at_ns = e->at;
    copy(e->model, i->model);
    return ST_OK;
}

static enum status take_alert(void *self, const struct record_alert *a)
{
    struct backtest *b = self;
    if (a->opened_event <= b->from_ns || a->opened_event > b->to_ns ||
        b->openeds == ALERTS_MAX)
        return ST_OK;
    struct opened *o = &b->opened[b->openeds++];
    o->number = case_number(a->alert);
    o->opened_ns = a->opened_event;
    o->closed_ns = a->closed_event ? a->closed_event : b->to_ns;
    copy(a->model, o->model);
    copy(a->version, o->version);
    return ST_OK;
}

// --- Comparing

static bool overlaps(const struct backtest *b, const struct firing *f, uint64_t from,
                     uint64_t to)
{
    uint64_t end = f->closed_ns ? f->closed_ns : b->to_ns;
    return f->opened_ns <= to && end >= from;
}

static void match_incident(struct backtest *b, struct incident *i)
{
    for (uint32_t k = 0; k < b->hindsight.firings; k++) {
        struct firing *f = &b->hindsight.firing[k];
        bool is_meant = i->model[0] == '\0' || strcmp(i->model, f->model) == 0;
        if (!is_meant || !overlaps(b, f, i->at_ns, i->at_ns + b->within_ns))
            continue;
        if (!i->found)
            i->found = f;
        if (f->incident_ns == 0)
            f->incident_ns = i->at_ns;
    }
}

static void match_opened(struct backtest *b, struct opened *o)
{
    for (uint32_t k = 0; k < b->hindsight.firings && !o->is_kept; k++) {
        const struct firing *f = &b->hindsight.firing[k];
        o->is_kept = strcmp(f->model, o->model) == 0 &&
                     strcmp(f->version, o->version) == 0 &&
                     overlaps(b, f, o->opened_ns, o->closed_ns);
    }
}

static bool is_new(const struct backtest *b, const struct firing *f)
{
    for (uint32_t i = 0; i < b->openeds; i++) {
        const struct opened *o = &b->opened[i];
        if (strcmp(f->model, o->model) == 0 && strcmp(f->version, o->version) == 0 &&
            overlaps(b, f, o->opened_ns, o->closed_ns))
            return false;
    }
    return true;
}

// --- Telling

static double weeks(const struct backtest *b)
{
    const struct hindsight *h = &b->hindsight;
    return h->last_ns > h->first_ns ? (double)(h->last_ns - h->first_ns) / WEEK_NS : 0;
}

static void write_firings(const struct backtest *b, struct json *j)
{
    json_key(j, "fired");
    json_array(j);
    for (uint32_t i = 0; i < b->hindsight.firings; i++) {
        const struct firing *f = &b->hindsight.firing[i];
        json_object(j);
        json_key_cstr(j, "model", f->model);
        json_key_cstr(j, "version", f->version);
        json_key_time(j, "opened", f->opened_ns);
        json_key_time(j, "closed", f->closed_ns);
        json_key_cstr(j, "feature", f->feature);
        json_key_cstr(j, "signal", signal_name(f->signal));
        json_key_cstr(j, "tier", tier_name(f->tier));
        json_key_cstr(j, "page",
                      f->page_ns == 0 ? "none"
                      : f->is_sent    ? "sent"
                                      : "digest");
        json_key_time(j, "incident", f->incident_ns);
        json_key_bool(j, "new", is_new(b, f));
        json_object_end(j);
    }
    json_array_end(j);
}

static void write_incidents(const struct backtest *b, struct json *j)
{
    uint32_t missed = 0;
    json_key(j, "incidents");
    json_array(j);
    for (uint32_t i = 0; i < b->incidents; i++) {
        const struct incident *k = &b->incident[i];
        json_object(j);
        json_key_time(j, "at", k->at_ns);
        json_key_cstr(j, "model", k->model);
        json_key_cstr(j, "found", k->found ? "yes" : "MISSED");
        if (k->found) {
            double late = (double)k->found->opened_ns - (double)k->at_ns;
            json_key_f64(j, "delay_s", late / 1e9);
            json_key_cstr(j, "by", k->found->feature);
        }
        json_object_end(j);
        missed += !k->found;
    }
    json_array_end(j);
    json_key_u64(j, "missed", missed);
}

static void write_lost(const struct backtest *b, struct json *j)
{
    json_key(j, "lost");
    json_array(j);
    for (uint32_t i = 0; i < b->openeds; i++) {
        const struct opened *o = &b->opened[i];
        if (o->is_kept)
            continue;
        json_object(j);
        json_key_u64(j, "alert", o->number);
        json_key_cstr(j, "model", o->model);
        json_key_cstr(j, "version", o->version);
        json_key_time(j, "opened", o->opened_ns);
        json_object_end(j);
    }
    json_array_end(j);
}

static void write_rules(const struct backtest *b, struct json *j)
{
    const struct hindsight *h = &b->hindsight;
    json_key(j, "rules");
    json_array(j);
    for (uint32_t i = 0; i < rules_count(&b->rules); i++) {
        json_object(j);
        json_key_cstr(j, "rule", rules_at(&b->rules, i)->name);
        json_key_u64(j, "windows", h->windows);
        json_key_u64(j, "spoke", h->said[i]);
        json_key_f64(j, "share", (double)h->said[i] / fmax((double)h->windows, 1));
        json_key_f64(j, "a_week", weeks(b) > 0 ? (double)h->said[i] / weeks(b) : 0);
        json_object_end(j);
    }
    json_array_end(j);
}

static void write_budget(const struct backtest *b, struct json *j)
{
    uint64_t asked = 0, sent = 0, fresh = 0;
    for (uint32_t i = 0; i < b->hindsight.firings; i++) {
        const struct firing *f = &b->hindsight.firing[i];
        asked += f->page_ns > 0;
        sent += f->is_sent;
        fresh += is_new(b, f);
    }
    json_key(j, "budget");
    json_object(j);
    json_key_f64(j, "pages_per_week", b->rules.detect.pages_per_week);
    json_key_f64(j, "weeks", weeks(b));
    json_key_u64(j, "asked", asked);
    json_key_u64(j, "sent", sent);
    json_key_u64(j, "digest", asked - sent);
    json_object_end(j);
    json_key_u64(j, "new", fresh);
}

static void write_answer(const struct backtest *b, const char *policy, struct buf *out)
{
    const struct hindsight *h = &b->hindsight;
    struct json j;
    json_init(&j, out);
    json_object(&j);
    json_key_cstr(&j, "apiVersion", "kedge/v1");
    json_key_cstr(&j, "policy", policy);
    json_key_time(&j, "from", h->first_ns);
    json_key_time(&j, "to", h->last_ns);
    json_key_u64(&j, "models", b->models);
    json_key_u64(&j, "versions", b->versions);
    json_key_u64(&j, "windows", h->windows);
    json_key_u64(&j, "feature_windows", h->feature_windows);
    json_key_u64(&j, "alerts", h->firings + h->firings_dropped);
    json_key_u64(&j, "recorded_alerts", b->openeds);
    write_budget(b, &j);
    write_incidents(b, &j);
    write_firings(b, &j);
    write_lost(b, &j);
    write_rules(b, &j);
    json_object_end(&j);
}

// --- Running

// By event time: recorded rows may be older than the wall's clock says.
static void set_times(struct backtest *b, const struct command_line *line)
{
    uint64_t since = command_u64(line, "since");
    if (command_has(line, "until"))
        b->to_ns = command_u64(line, "until");
    b->from_ns = since < b->to_ns ? b->to_ns - since : 0;
    b->hindsight.from_ns = b->from_ns;
    b->within_ns = command_u64(line, "within");
}

static enum status run_all(struct backtest *b, const struct command_line *line)
{
    ST_TRY(recorded_versions(b->recorded, count_version, b));
    double fleet = 1; // in steps of two, as the controller counts it
    while (fleet < b->models)
        fleet *= 2;
    double share = 1 / fleet;
    hindsight_init(&b->hindsight, &b->rules, share);
    set_times(b, line);
    b->incident = mem_zero(INCIDENTS_MAX, sizeof *b->incident);
    b->opened = mem_zero(ALERTS_MAX, sizeof *b->opened);
    if (!b->incident || !b->opened)
        return ST_NOMEM;
    ST_TRY(recorded_versions(b->recorded, run_version, b));
    hindsight_settle(&b->hindsight);
    ST_TRY(recorded_events(b->recorded, take_event, b));
    ST_TRY(recorded_alerts(b->recorded, take_alert, b));
    for (uint32_t i = 0; i < b->incidents; i++)
        match_incident(b, &b->incident[i]);
    for (uint32_t i = 0; i < b->openeds; i++)
        match_opened(b, &b->opened[i]);
    return ST_OK;
}

static void close_all(struct backtest *b)
{
    hindsight_fini(&b->hindsight);
    rules_free(&b->rules);
    recorded_close(b->recorded);
    mem_free(b->incident);
    mem_free(b->opened);
    mem_free(b);
}

static const struct render_list lists[] = {
    {"fired", "what would have fired",
     "model version opened closed|open feature signal tier page incident new"},
    {"incidents", "known incidents", "at model found delay_s by"},
    {"lost", "alerts that this policy would not have opened",
     "alert model version opened"},
    {"rules", "familiar rules on the same windows", "rule windows spoke share a_week"},
};
static const struct render_view view = {
    "policy from to models versions windows feature_windows alerts new recorded_alerts "
    "pages_asked=budget.asked pages_sent=budget.sent digest=budget.digest "
    "weeks=budget.weeks missed",
    lists, 4, NULL};

static enum status answer(void *self, const struct command_line *line,
                          const char *folder, struct buf *json, struct buf *why)
{
    (void)self;
    struct backtest *b = MEM_NEW(struct backtest);
    const char *policy = command_text(line, "policy");
    if (!b)
        return ST_NOMEM;
    enum status st =
        policy ? rules_read(policy, &b->rules, why) : rules_standard(&b->rules);
    if (st == ST_OK)
        st = recorded_open(folder, &b->recorded, why);
    if (st == ST_OK)
        st = run_all(b, line);
    if (st == ST_OK) {
        write_answer(b, policy ? policy : "as shipped", json);
        st = json->failed;
    }
    close_all(b);
    return st;
}

static int run(void *program, const struct command_line *line)
{
    (void)program;
    return recorded_show(line, answer, NULL, &view);
}

static const struct option_row options[] = {
    {"policy", 0, VALUE_TEXT, NULL, "levels and familiar rules; else those as shipped",
     NULL, "FILE"},
    {"since", 0, VALUE_DURATION, "30d", "how far back, by event time", NULL, NULL},
    {"until", 0, VALUE_TIME, NULL, "up to then; else to the last window", NULL, "TIME"},
    {"within", 0, VALUE_DURATION, "24h",
     "an alert counts for an incident up to this long after it", NULL, NULL},
};

int backtest_main(int argc, char **argv)
{
    static const struct verb_row verb = {
        "",
        "",
        "Runs a detection policy over the recorded windows.",
        run,
        options,
        sizeof options / sizeof *options,
        "Known incidents are those of `kedge event record incident`. Deploy watches "
        "and "
        "flash windows are not replayed."};
    static const struct command command = {.program = "kedge backtest",
                                           .purpose =
                                               "Says what a policy would have done.",
                                           .verb = &verb,
                                           .verbs = 1,
                                           .option = recorded_options,
                                           .options = RECORDED_OPTIONS};
    return command_main(&command, NULL, argc, argv);
}
