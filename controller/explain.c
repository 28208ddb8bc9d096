// Explain: a fold in memory that listens to one version's judge.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/explain.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/json.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/setup/command.h"
#include "controller/cli/cli.h"
#include "controller/cli/render.h"
#include "controller/log/cases.h"
#include "controller/log/keys.h"
#include "controller/log/memory.h"
#include "controller/recorded.h"
#include "controller/rooms.h"
#include "controller/store/embedded.h"
#include "controller/store/store.h"

#define MEMORY_BYTES (UINT64_C(64) << 30)
#define SIGNALS_MAX 8u  // of the alert, whose way is shown
#define WINDOWS_MAX 12u // of each, the last ones before the alert
#define ROUNDS_MAX 100u // of catching up with a controller that runs
#define OUT_MAX (16u << 20)

// What one window did to one subject.
struct step {
    uint64_t end_ns, rows;
    enum tier tier;
    double value, effect, gate, tolerance, evidence, capped;
};

struct way {
    char feature[BASELINE_NAME_MAX + 1];
    bool is_contribution;
    struct step step[WINDOWS_MAX]; // a ring
    uint32_t steps;                // so far; the last one is (steps - 1) % WINDOWS_MAX
};

struct explain {
    struct recorded *recorded;
    struct paper paper;
    struct record_alert alert; // as it is stored
    struct buf stored;         // its bytes
    struct way way[SIGNALS_MAX];
    uint32_t ways;
    struct memory *memory;
    struct tape *from, *to;
    struct rooms rooms;
    struct tape_pos at; // the last entry that was folded
    uint64_t entries;
    enum status st;
};

// --- What is stored

static enum status read_stored(struct explain *e, const uint8_t id[CASE_ID_BYTES])
{
    struct store_txn *t;
    struct span bytes;
    struct shelf_key key = key_alert(id);
    ST_TRY(store_begin(recorded_store(e->recorded), STORE_READ_ONLY, &t));
    enum status st = shelf_get(store_shelf(t), SHELF_ALERT, &key, &bytes);
    if (st == ST_OK) {
        buf_clear(&e->stored);
        buf_put_span(&e->stored, bytes);
        st = e->stored.failed;
    }
    store_abort(t);
    return st;
}

static bool is_on_contribution(const struct record_finding *f)
{
    return span_is(f->signal, "contribution");
}

// The strongest signals first.
static void choose_ways(struct explain *e)
{
    const struct record_alert *a = &e->alert;
    for (uint32_t tier = TIER_PAGE; tier >= TIER_WARN; tier--)
        for (uint32_t i = 0; i < a->findings && e->ways < SIGNALS_MAX; i++) {
            const struct record_finding *f = &a->finding[i];
            if (f->tier != tier || f->feature.size > BASELINE_NAME_MAX)
                continue;
            struct way *w = &e->way[e->ways++];
            *w = (struct way){.is_contribution = is_on_contribution(f)};
            memcpy(w->feature, f->feature.data, f->feature.size);
        }
}

// --- Folding

static void note(void *keep, enum status st, struct tape_pos last)
{
    (void)last;
    ((struct explain *)keep)->st = st;
}

static enum status fold_again(void *keep, const struct tape_entry *entry)
{
    struct explain *e = keep;
    struct tape_append a = {.expect = TAPE_ANY, .entry = entry, .entries = 1};
    ST_TRY(tape_memory.append(e->to, &a, note, e));
    ST_TRY(e->st);
    e->at = entry->pos;
    e->entries++;
    return ST_OK;
}

// Evidence is forgotten at an alarm, so the alarm has to tell it.
static double evidence_of_alarm(const struct judgement *j, uint32_t subject, double now)
{
    for (uint32_t i = 0; i < j->alarms; i++)
        if (j->alarm[i].subject == subject && j->alarm[i].evidence > now)
            return j->alarm[i].evidence;
    return now;
}

static void add_step(struct way *w, const struct judged_window *win,
                     const struct judgement *got, uint32_t subject,
                     const struct judge_view *v)
{
    w->step[w->steps++ % WINDOWS_MAX] = (struct step){
        .end_ns = win->end_ns,
        .rows = v->rows,
        .tier = v->tier,
        .value = v->value,
        .effect = v->effect,
        .gate = v->gate,
        .tolerance = v->tolerance,
        .evidence = evidence_of_alarm(got, subject, v->evidence),
        .capped = v->capped,
    };
}

static void hear(void *self, const struct judged_window *w, const struct judge *judge,
                 const struct judgement *got)
{
    struct explain *e = self;
    if (w->end_ns > e->alert.opened_event || w->is_flash ||
        !span_equal(w->model, e->alert.model) ||
        !span_equal(w->version, e->alert.version))
        return;
    for (uint32_t i = 0; i < judge_subjects(judge); i++) {
        struct judge_view v;
        judge_view(judge, i, &v);
        for (uint32_t k = 0; k < e->ways; k++)
            if (strcmp(e->way[k].feature, v.name) == 0 &&
                e->way[k].is_contribution == (v.subject == SUBJECT_CONTRIBUTION))
                add_step(&e->way[k], w, got, i, &v);
    }
}

static enum status open_fold(struct explain *e)
{
    struct tape_options from = {.store = recorded_store(e->recorded), .partitions = 1};
    ST_TRY(tape_embedded.open(&from, &e->from));
    ST_TRY(memory_open(MEMORY_BYTES, &e->memory));
    ST_TRY(rooms_open(&e->rooms, &recorded_settings(e->recorded)->file, NULL));
    watch_listen(e->rooms.watch, hear, e);
    struct tape_options to = {
        .fold = &e->rooms.tape_fold, .memory = e->memory, .partitions = 1};
    return tape_memory.open(&to, &e->to);
}

// Folds until the stored alert belongs to the last entry that was folded: a controller
// that runs goes on meanwhile.
static enum status fold_all(struct explain *e, const uint8_t id[CASE_ID_BYTES])
{
    struct tape_reader reader = {.keep = e, .entry = fold_again};
    e->at = (struct tape_pos){1, 0};
    for (uint32_t round = 0; round < ROUNDS_MAX; round++) {
        struct tape_pos head, oldest;
        ST_TRY(tape_embedded.read(e->from, 0, e->at, &reader));
        ST_TRY(read_stored(e, id));
        ST_TRY(tape_embedded.head(e->from, 0, &head, &oldest));
        if (head.seq == e->at.seq)
            return ST_OK;
    }
    return ST_TIMEOUT;
}

static enum status compare(struct explain *e, const uint8_t id[CASE_ID_BYTES],
                           enum explain_outcome *out)
{
    struct span again;
    struct shelf_key key = key_alert(id);
    enum status st = shelf_get(memory_shelf(e->memory), SHELF_ALERT, &key, &again);
    if (st != ST_OK && st != ST_NOTFOUND)
        return st;
    bool is_same = st == ST_OK && span_equal(again, buf_span(&e->stored));
    *out = is_same ? EXPLAIN_SAME : EXPLAIN_DIFFERS;
    return ST_OK;
}

// --- Telling

static const char *outcome_text(enum explain_outcome o)
{
    static const char *const texts[] = {
        "the same, to the bit", "NOT THE SAME: the log gives another alert",
        "cannot be recomputed: parts of the log have expired"};
    return texts[o];
}

static void write_step(struct json *j, const struct way *w, const struct step *s)
{
    json_object(j);
    json_key_cstr(j, "feature", w->feature);
    json_key_time(j, "window", s->end_ns);
    json_key_u64(j, "rows", s->rows);
    json_key_f64(j, "value", s->value);
    json_key_f64(j, "effect", s->effect);
    json_key_f64(j, "tolerance", s->tolerance);
    json_key_f64(j, "gate", s->gate);
    json_key_f64(j, "evidence", s->evidence);
    json_key_f64(j, "capped", s->capped);
    json_key_cstr(j, "tier", tier_name(s->tier));
    json_object_end(j);
}

static void write_ways(const struct explain *e, struct json *j)
{
    json_key(j, "way");
    json_array(j);
    for (uint32_t k = 0; k < e->ways; k++) {
        const struct way *w = &e->way[k];
        uint32_t n = w->steps < WINDOWS_MAX ? w->steps : WINDOWS_MAX;
        for (uint32_t i = w->steps - n; i < w->steps; i++)
            write_step(j, w, &w->step[i % WINDOWS_MAX]);
    }
    json_array_end(j);
}

static void write_signals(const struct record_alert *a, struct json *j)
{
    json_key(j, "signals");
    json_array(j);
    for (uint32_t i = 0; i < a->findings; i++) {
        const struct record_finding *f = &a->finding[i];
        if (f->tier < TIER_WARN)
            continue;
        json_object(j);
        json_key_text(j, "feature", f->feature);
        json_key_text(j, "signal", f->signal);
        json_key_cstr(j, "tier", tier_name(f->tier));
        json_key_cstr(j, "direction", f->direction < 0 ? "down" : "up");
        json_key_f64(j, "effect", f->effect);
        json_key_f64(j, "evidence", f->evidence);
        json_key_f64(j, "before", f->before);
        json_key_f64(j, "now", f->now);
        json_key_time(j, "since", f->onset);
        json_object_end(j);
    }
    json_array_end(j);
}

static void write_answer(const struct explain *e, enum explain_outcome outcome,
                         struct buf *out)
{
    const struct record_alert *a = &e->alert;
    struct json j;
    json_init(&j, out);
    json_object(&j);
    json_key_cstr(&j, "apiVersion", "kedge/v1");
    json_key_u64(&j, "alert", case_number(a->alert));
    json_key_text(&j, "model", a->model);
    json_key_text(&j, "version", a->version);
    json_key_cstr(&j, "tier", tier_name(a->tier));
    json_key_time(&j, "opened", a->opened_event);
    json_key_text(&j, "cause", a->diagnosis);
    json_key_text(&j, "reason", a->why);
    json_key_cstr(&j, "recomputed", outcome_text(outcome));
    json_key_bool(&j, "same", outcome == EXPLAIN_SAME);
    json_key_u64(&j, "entries", e->entries);
    write_signals(a, &j);
    write_ways(e, &j);
    json_object_end(&j);
}

static enum status explain_it(struct explain *e, const char *folder, uint64_t alert,
                              struct buf *json, enum explain_outcome *outcome,
                              struct buf *why)
{
    uint8_t id[CASE_ID_BYTES];
    case_id(alert, id);
    ST_TRY(recorded_open(folder, &e->recorded, why));
    enum status st = read_stored(e, id);
    if (st == ST_NOTFOUND)
        buf_printf(why, "no alert %" PRIu64 ": kedge alert list", alert);
    ST_TRY(st);
    ST_TRY(paper_init(&e->paper));
    ST_TRY(
        paper_read(&e->paper, &record_alert_message, buf_span(&e->stored), &e->alert));
    choose_ways(e);
    st = open_fold(e);
    if (st == ST_OK)
        st = fold_all(e, id);
    *outcome = EXPLAIN_EXPIRED;
    if (st == ST_OK)
        st = compare(e, id, outcome);
    else if (st == ST_NOTFOUND)
        st = ST_OK;
    ST_TRY(st);
    write_answer(e, *outcome, json);
    return json->failed;
}

enum status explain_alert(const char *folder, uint64_t alert, struct buf *json,
                          enum explain_outcome *outcome, struct buf *why)
{
    struct explain *e = MEM_NEW(struct explain);
    if (!e)
        return ST_NOMEM;
    buf_init(&e->stored, OUT_MAX);
    enum status st = explain_it(e, folder, alert, json, outcome, why);
    if (st != ST_OK && why->size == 0)
        buf_printf(why, "%s: %s", folder, status_text(st));
    if (e->to)
        tape_memory.close(e->to);
    if (e->from)
        tape_embedded.close(e->from);
    rooms_close(&e->rooms);
    memory_close(e->memory);
    recorded_close(e->recorded);
    paper_fini(&e->paper);
    buf_fini(&e->stored);
    mem_free(e);
    return st;
}

// --- The verb

static const struct render_list lists[] = {
    {"signals", "what moved", "feature signal tier direction effect evidence since"},
    {"way", "how it came about",
     "feature window rows value effect tolerance gate evidence capped tier"},
};
static const struct render_view view = {
    "alert model version tier opened cause reason recomputed entries", lists, 2, NULL};

static enum status answer(void *self, const struct command_line *line,
                          const char *folder, struct buf *json, struct buf *why)
{
    uint64_t number;
    if (text_u64(span_text(command_operand(line, 0)), &number) != ST_OK) {
        buf_put_text(why, "an alert is named by its number");
        return ST_RANGE;
    }
    return explain_alert(folder, number, json, self, why);
}

static int run(void *program, const struct command_line *line)
{
    static const int code[] = {CLI_FINE, CLI_UNHEALTHY, CLI_PARTIAL};
    enum explain_outcome outcome = EXPLAIN_EXPIRED;
    (void)program;
    int exit = recorded_show(line, answer, &outcome, &view);
    return exit == CLI_FINE ? code[outcome] : exit;
}

int explain_main(int argc, char **argv)
{
    static const struct verb_row verb = {
        "",
        "ALERT",
        "Recomputes an alert from the log alone, and shows how it came about.",
        run,
        recorded_options,
        RECORDED_OPTIONS,
        NULL};
    static const struct command command = {.program = "kedge explain",
                                           .purpose = "Recomputes an alert offline.",
                                           .verb = &verb,
                                           .verbs = 1};
    return command_main(&command, NULL, argc, argv);
}
