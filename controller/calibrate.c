// Calibrate: windows with no alert open are taken for quiet; each version is judged
// against its sealed baseline, and its second half against its own first half.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/calibrate.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/base/json.h"
#include "common/base/mem.h"
#include "common/drift/builder.h"
#include "controller/cli/cli.h"
#include "controller/cli/render.h"
#include "controller/recorded.h"
#include "controller/rules.h"

#define LEVELS 4u
#define ALERTS_MAX 65536u
#define HALVES_MIN 20u // windows that the first half needs, to learn anything

static const double levels[LEVELS] = {10, 1e2, 1e3, 1e4};

enum ground { GROUND_SEALED, GROUND_HALVES, GROUNDS };
enum path { PATH_FAST, PATH_CAPPED, PATHS };

// A stretch of event time in which an alert was open.
struct stretch {
    char model[RECORDED_NAME_MAX + 1], version[RECORDED_NAME_MAX + 1];
    uint64_t from_ns, to_ns;
};

struct calibrate {
    struct recorded *recorded;
    struct rules rules;
    uint64_t days_ns, now_ns;
    struct stretch *stretch;
    uint32_t stretches;
    // Of what was judged on each ground.
    uint64_t windows[GROUNDS], feature_windows[GROUNDS];
    uint64_t alarms[GROUNDS][PATHS][LEVELS];
    uint64_t said[RULES_MAX];
    uint64_t skipped; // windows with an alert open
    uint32_t versions, halves;
};

// One version on one ground.
struct ground_run {
    struct calibrate *c;
    const struct recorded_version *version;
    enum ground ground;
    const struct baseline *baseline;
    struct judge *judge[PATHS][LEVELS];
    uint64_t from_ns; // windows up to here are not judged
    // The first half, while it is learned.
    struct builder *builder;
    uint64_t seen, half, half_ns;
};

static bool is_quiet(const struct calibrate *c, const struct recorded_version *v,
                     const struct drift_window *w)
{
    for (uint32_t i = 0; i < c->stretches; i++) {
        const struct stretch *s = &c->stretch[i];
        if (w->end > s->from_ns && w->start < s->to_ns &&
            strcmp(s->model, v->model) == 0 && strcmp(s->version, v->version) == 0)
            return false;
    }
    return true;
}

// --- Judging

static void close_judges(struct ground_run *g)
{
    for (uint32_t p = 0; p < PATHS; p++)
        for (uint32_t l = 0; l < LEVELS; l++)
            judge_close(g->judge[p][l]);
}

static enum status open_judges(struct ground_run *g)
{
    for (uint32_t l = 0; l < LEVELS; l++) {
        struct judge_settings fast = judge_defaults(), capped = judge_defaults();
        fast.warn_feature = levels[l];
        fast.warn_model = 1;
        capped.warn_feature = capped.warn_model = 1e30;
        capped.page_model = levels[l];
        ST_TRY(judge_open(g->baseline, &fast, &g->judge[PATH_FAST][l]));
        ST_TRY(judge_open(g->baseline, &capped, &g->judge[PATH_CAPPED][l]));
    }
    return ST_OK;
}

// Rules by runs (dead, stuck) have no level that they could be held to.
static uint32_t count_alarms(const struct judgement *got)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < got->alarms; i++) {
        const struct alarm *a = &got->alarm[i];
        bool is_new = a->kind == ALARM_OPEN || a->kind == ALARM_FURTHER;
        n += is_new && a->signal < SIGNAL_DEAD;
    }
    return n;
}

static enum status judge_one(void *self, const struct drift_window *w)
{
    struct ground_run *g = self;
    struct calibrate *c = g->c;
    static struct judgement got;
    if (w->end <= g->from_ns)
        return ST_OK;
    if (!is_quiet(c, g->version, w)) {
        c->skipped += g->ground == GROUND_SEALED;
        return ST_OK;
    }
    for (uint32_t p = 0; p < PATHS; p++)
        for (uint32_t l = 0; l < LEVELS; l++) {
            enum status st = judge_window(g->judge[p][l], w, &got);
            if (st == ST_RANGE)
                return ST_OK;
            ST_TRY(st);
            c->alarms[g->ground][p][l] += count_alarms(&got);
        }
    c->windows[g->ground]++;
    c->feature_windows[g->ground] += got.judged;
    uint32_t said =
        g->ground == GROUND_SEALED ? rules_window(&c->rules, g->baseline, w) : 0;
    for (uint32_t i = 0; said >> i; i++)
        c->said[i] += said >> i & 1;
    return ST_OK;
}

static enum status judge_all(struct ground_run *g)
{
    enum status st = open_judges(g);
    if (st == ST_OK)
        st = recorded_windows(g->c->recorded, g->version, g->from_ns, g->c->now_ns,
                              judge_one, g);
    close_judges(g);
    return st;
}

// --- Halves

static enum status count_quiet(void *self, const struct drift_window *w)
{
    struct ground_run *g = self;
    g->half += is_quiet(g->c, g->version, w);
    return ST_OK;
}

static enum status learn_one(void *self, const struct drift_window *w)
{
    struct ground_run *g = self;
    if (!is_quiet(g->c, g->version, w))
        return ST_OK;
    if (g->seen == g->half)
        return ST_CLOSED;
    g->seen++;
    g->half_ns = w->end;
    return builder_window(g->builder, w);
}

// The same features on the same grids as the sealed baseline has.
static enum status declare(struct builder *b, const struct baseline *from)
{
    struct buf grid;
    enum status st = ST_OK;
    uint32_t n = 0;
    buf_init(&grid, GRID_BYTES_MAX);
    for (uint32_t i = 0; i < baseline_features(from) && st == ST_OK; i++) {
        const struct baseline_feature *f = baseline_feature(from, i);
        if (!f->grid || f->role == ROLE_LABEL)
            continue;
        st = builder_feature(b, span_text(f->name), (enum drift_role)f->role,
                             (enum drift_kind)f->kind, grid_width(f->grid));
        buf_clear(&grid);
        grid_encode(f->grid, &grid);
        if (st == ST_OK)
            st = grid.failed ? grid.failed : builder_grid(b, n++, buf_span(&grid));
    }
    buf_fini(&grid);
    return st;
}

static enum status learn_half(struct ground_run *g, struct baseline **out)
{
    const struct baseline *sealed = g->version->baseline;
    struct builder_settings settings = {.window_ns = baseline_window_ns(sealed),
                                        .seed = 1,
                                        .performance = baseline_performance(sealed)};
    memcpy(settings.key, baseline_key(sealed), sizeof settings.key);
    ST_TRY(builder_open(&settings, &g->builder));
    ST_TRY(declare(g->builder, sealed));
    ST_TRY(recorded_windows(g->c->recorded, g->version, g->from_ns, g->c->now_ns,
                            learn_one, g));
    return builder_seal(g->builder, out);
}

static enum status run_halves(struct calibrate *c, const struct recorded_version *v,
                              uint64_t from_ns)
{
    struct ground_run g = {
        .c = c, .version = v, .ground = GROUND_HALVES, .from_ns = from_ns};
    struct baseline *own = NULL;
    ST_TRY(recorded_windows(c->recorded, v, from_ns, c->now_ns, count_quiet, &g));
    g.half /= 2;
    if (g.half < HALVES_MIN)
        return ST_OK;
    enum status st = learn_half(&g, &own);
    if (st == ST_OK) {
        c->halves++;
        g.baseline = own;
        g.from_ns = g.half_ns;
        st = judge_all(&g);
    }
    builder_close(g.builder);
    baseline_close(own);
    return st == ST_EMPTY || st == ST_CONFLICT ? ST_OK : st;
}

static enum status run_version(void *self, const struct recorded_version *v)
{
    struct calibrate *c = self;
    uint64_t end;
    ST_TRY(recorded_end(c->recorded, v, &end));
    uint64_t from = end > c->days_ns ? end - c->days_ns : 0;
    struct ground_run g = {.c = c,
                           .version = v,
                           .ground = GROUND_SEALED,
                           .baseline = v->baseline,
                           .from_ns = from};
    c->now_ns = end;
    c->versions++;
    ST_TRY(judge_all(&g));
    return run_halves(c, v, from);
}

static void copy(struct span from, char out[RECORDED_NAME_MAX + 1])
{
    size_t n = from.size < RECORDED_NAME_MAX ? from.size : RECORDED_NAME_MAX;
    if (n)
        memcpy(out, from.data, n);
    out[n] = '\0';
}

static enum status take_alert(void *self, const struct record_alert *a)
{
    struct calibrate *c = self;
    if (c->stretches == ALERTS_MAX)
        return ST_OK;
    struct stretch *s = &c->stretch[c->stretches++];
    copy(a->model, s->model);
    copy(a->version, s->version);
    s->from_ns = a->onset ? a->onset : a->opened_event;
    s->to_ns = a->closed_event ? a->closed_event : UINT64_MAX;
    return ST_OK;
}

// --- Telling

// Each feature may cry once in `level` windows; capped, each model.
static double promised(const struct calibrate *c, enum ground g, enum path p,
                       uint32_t l)
{
    uint64_t n = p == PATH_FAST ? c->feature_windows[g] : c->windows[g];
    return (double)n / levels[l];
}

// The least count whose Poisson tail below the promise is under 1 in 1000 is more than
// bad luck.
static bool is_broken(double alarms, double bound)
{
    return alarms > bound + 3 * sqrt(bound) + 3;
}

static bool write_levels(const struct calibrate *c, struct json *j)
{
    static const char *const grounds[] = {"sealed baseline", "own first half"};
    static const char *const paths[] = {"ticket (fast)", "page (capped)"};
    bool all = true;
    json_key(j, "levels");
    json_array(j);
    for (uint32_t g = 0; g < GROUNDS; g++)
        for (uint32_t p = 0; p < PATHS; p++)
            for (uint32_t l = 0; l < LEVELS; l++) {
                double bound = promised(c, (enum ground)g, (enum path)p, l);
                double seen = (double)c->alarms[g][p][l];
                bool kept = !is_broken(seen, bound);
                all = all && kept;
                json_object(j);
                json_key_cstr(j, "against", grounds[g]);
                json_key_cstr(j, "path", paths[p]);
                json_key_f64(j, "level", levels[l]);
                json_key_f64(j, "promised", bound);
                json_key_u64(j, "observed", c->alarms[g][p][l]);
                json_key_f64(j, "ratio", bound > 0 ? seen / bound : 0);
                json_key_bool(j, "kept", kept);
                json_object_end(j);
            }
    json_array_end(j);
    return all;
}

static void write_rules(const struct calibrate *c, struct json *j)
{
    json_key(j, "rules");
    json_array(j);
    for (uint32_t i = 0; i < rules_count(&c->rules); i++) {
        json_object(j);
        json_key_cstr(j, "rule", rules_at(&c->rules, i)->name);
        json_key_cstr(j, "when", rules_at(&c->rules, i)->when);
        json_key_u64(j, "windows", c->windows[GROUND_SEALED]);
        json_key_u64(j, "false_alarms", c->said[i]);
        json_key_f64(j, "share",
                     (double)c->said[i] / fmax((double)c->windows[GROUND_SEALED], 1));
        json_object_end(j);
    }
    json_array_end(j);
}

static bool write_answer(const struct calibrate *c, struct buf *out)
{
    struct json j;
    json_init(&j, out);
    json_object(&j);
    json_key_cstr(&j, "apiVersion", "kedge/v1");
    json_key_u64(&j, "versions", c->versions);
    json_key_u64(&j, "halves", c->halves);
    json_key_u64(&j, "windows", c->windows[GROUND_SEALED]);
    json_key_u64(&j, "feature_windows", c->feature_windows[GROUND_SEALED]);
    json_key_u64(&j, "left_out", c->skipped);
    bool all = write_levels(c, &j);
    write_rules(c, &j);
    json_key_cstr(&j, "verdict",
                  all ? "every level kept its promise" : "a level broke its promise");
    json_object_end(&j);
    return all;
}

// --- The verb

static enum status calibrate_it(struct calibrate *c, const struct command_line *line,
                                const char *folder, struct buf *why)
{
    const char *policy = command_text(line, "policy");
    ST_TRY(policy ? rules_read(policy, &c->rules, why) : rules_standard(&c->rules));
    ST_TRY(recorded_open(folder, &c->recorded, why));
    c->days_ns = command_u64(line, "days") * 24 * 3600 * 1000000000ull;
    c->stretch = mem_zero(ALERTS_MAX, sizeof *c->stretch);
    if (!c->stretch)
        return ST_NOMEM;
    ST_TRY(recorded_alerts(c->recorded, take_alert, c));
    return recorded_versions(c->recorded, run_version, c);
}

static enum status answer(void *self, const struct command_line *line,
                          const char *folder, struct buf *json, struct buf *why)
{
    struct calibrate *c = MEM_NEW(struct calibrate);
    if (!c)
        return ST_NOMEM;
    enum status st = calibrate_it(c, line, folder, why);
    if (st == ST_OK) {
        *(bool *)self = write_answer(c, json);
        st = json->failed;
    }
    recorded_close(c->recorded);
    rules_free(&c->rules);
    mem_free(c->stretch);
    mem_free(c);
    return st;
}

static const struct render_list lists[] = {
    {"levels", "evidence", "against path level promised observed ratio kept"},
    {"rules", "familiar rules on the same windows",
     "rule when windows false_alarms share"},
};
static const struct render_view view = {
    "verdict versions halves windows feature_windows left_out", lists, 2, NULL};

static int run(void *program, const struct command_line *line)
{
    bool all = true;
    (void)program;
    int exit = recorded_show(line, answer, &all, &view);
    return exit == CLI_FINE && !all ? CLI_UNHEALTHY : exit;
}

static const struct option_row options[] = {
    {"days", 0, VALUE_NUMBER, "14", "of each version's past, by event time", "1..3650",
     NULL},
    {"policy", 0, VALUE_TEXT, NULL, "familiar rules to count beside", NULL, "FILE"},
};

int calibrate_main(int argc, char **argv)
{
    static const struct verb_row verb = {
        "",
        "",
        "Counts false alarms on the fleet's own quiet past.",
        run,
        options,
        sizeof options / sizeof *options,
        "Windows with an alert open are left out. What is quiet is what nobody "
        "noticed: "
        "a change that was missed counts against the detector here."};
    static const struct command command = {
        .program = "kedge calibrate",
        .purpose = "Holds the levels against what they promise.",
        .verb = &verb,
        .verbs = 1,
        .option = recorded_options,
        .options = RECORDED_OPTIONS};
    return command_main(&command, NULL, argc, argv);
}
