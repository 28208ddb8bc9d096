// Blame report: the answer as JSON.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/watch/blame_common.h"
#include "controller/watch/blame_inside.h"
#include "controller/watch/blame_report.h"

static void put_time(struct json *j, const char *key, uint64_t ns,
                     enum blame_clock clock)
{
    if (clock == BLAME_RFC3339) {
        json_key_time(j, key, ns);
        return;
    }
    if (ns % 1000000000u)
        json_key_f64(j, key, (double)ns / 1e9);
    else
        json_key_u64(j, key, ns / 1000000000u);
}

static void put_moment(struct json *j, uint64_t ns, enum blame_clock clock)
{
    if (clock == BLAME_RFC3339)
        json_time(j, ns);
    else
        json_u64(j, ns / 1000000000u);
}

// The window in which it began, and those between which it may have.
static void put_onset(const struct blame_case *c, const struct blame_onset *o,
                      enum blame_clock clock, struct json *j)
{
    if (!o->is_known) {
        json_key(j, "onset");
        json_null(j);
        json_key(j, "onset_interval");
        json_null(j);
        return;
    }
    put_time(j, "onset", c->start_ns[o->best], clock);
    json_key(j, "onset_interval");
    json_array(j);
    put_moment(j, c->start_ns[o->low], clock);
    put_moment(j, c->start_ns[o->high], clock);
    json_array_end(j);
}

static void put_path(const struct blame_case *c, uint32_t entity, struct json *j)
{
    uint32_t step[BLAME_PATH_MAX];
    uint32_t n = blame_path(c, entity, step, BLAME_PATH_MAX);
    json_key(j, "path");
    json_array(j);
    for (uint32_t i = 0; i < n; i++)
        json_text(j, c->entity[step[i]].name);
    json_array_end(j);
}

static void put_changes(const struct blame_case *c, const struct blame_finding *f,
                        enum blame_clock clock, struct json *j)
{
    json_key(j, "changes");
    json_array(j);
    for (uint32_t i = 0; i < c->events; i++) {
        const struct blame_event *e = &c->event[i];
        if (e->entity != f->entity || e->at_ns + c->window_ns < c->start_ns[c->search])
            continue;
        json_object(j);
        put_time(j, "at", e->at_ns, clock);
        json_key_text(j, "kind", c->name[e->text]);
        if (e->detail != BLAME_NONE)
            json_key_text(j, "what", c->name[e->detail]);
        json_key_bool(j, "fits", event_near(c, f->entity, f->onset.best) == i);
        json_object_end(j);
    }
    json_array_end(j);
}

static void put_effect(const struct blame_case *c, const struct blame_finding *f,
                       struct json *j)
{
    json_key_f64(j, "evidence", f->evidence);
    json_key_f64(j, "coverage", f->coverage);
    if (f->signal == BLAME_NONE) {
        json_key_cstr(j, "signal", f->is_source ? "its children" : NULL);
        return;
    }
    json_key_text(j, "signal", c->name[c->signal[f->signal].name]);
    json_key_cstr(j, "kind", blame_family_text(f->kind));
    json_key_f64(j, "effect", f->onset.effect);
    json_key_f64(j, "before", f->onset.before);
    json_key_f64(j, "now", f->onset.now);
}

static void put_suspect(const struct blame_case *c, const struct blame_finding *f,
                        uint32_t rank, enum blame_clock clock, struct json *j)
{
    json_object(j);
    json_key_u64(j, "rank", rank);
    json_key_text(j, "model", c->entity[f->entity].name);
    json_key_f64(j, "score", f->share);
    put_onset(c, &f->onset, clock, j);
    put_path(c, f->entity, j);
    put_changes(c, f, clock, j);
    put_effect(c, f, j);
    json_key(j, "explained_by");
    if (f->explained_by == BLAME_NONE)
        json_null(j);
    else
        json_text(j, c->entity[f->explained_by].name);
    json_key_bool(j, "blind", f->is_blind);
    json_object_end(j);
}

// By rank, so that the answer does not show in which order entities arrived.
static void put_explained(const struct blame_case *c, const struct blame_answer *a,
                          struct json *j)
{
    json_key(j, "explained_away");
    json_array(j);
    for (uint32_t i = 0; i < c->entities; i++) {
        const struct blame_finding *f = &a->finding[a->rank[i]];
        if (f->explained_by == BLAME_NONE || f->evidence < MOVED)
            continue;
        json_object(j);
        json_key_text(j, "model", c->entity[f->entity].name);
        json_key_text(j, "by", c->entity[f->explained_by].name);
        json_key_cstr(j, "kind", blame_family_text(f->kind));
        json_key_f64(j, "share", f->explained);
        json_object_end(j);
    }
    json_array_end(j);
}

static bool is_cleared(const struct blame_finding *f, enum blame_reason r)
{
    return f->reason == r && !f->is_blind;
}

static void put_exonerated(const struct blame_case *c, const struct blame_answer *a,
                           enum blame_detail detail, struct json *j)
{
    static const enum blame_reason reasons[] = {
        BLAME_NO_SHIFT,    BLAME_TOO_EARLY, BLAME_TOO_LATE, BLAME_NO_PATH,
        BLAME_CHILDREN_OK, BLAME_WEAK,      BLAME_ELSEWHERE};
    json_key(j, "exonerated");
    json_array(j);
    for (size_t r = 0; r < sizeof reasons / sizeof *reasons; r++) {
        uint32_t n = 0;
        for (uint32_t i = 0; i < c->entities; i++)
            n += is_cleared(&a->finding[i], reasons[r]);
        if (n == 0)
            continue;
        json_object(j);
        json_key_cstr(j, "reason", blame_reason_text(reasons[r]));
        json_key_u64(j, "count", n);
        json_key(j, "models");
        json_array(j);
        for (uint32_t i = 0; detail == BLAME_NAMES && i < c->entities; i++)
            if (is_cleared(&a->finding[a->rank[i]], reasons[r]))
                json_text(j, c->entity[a->rank[i]].name);
        json_array_end(j);
        json_object_end(j);
    }
    json_array_end(j);
}

static void put_kpi(const struct blame_case *c, const struct blame_answer *a,
                    enum blame_clock clock, struct json *j)
{
    json_key(j, "kpi");
    json_object(j);
    if (c->kpi != BLAME_NONE)
        json_key_text(j, "name", c->entity[c->kpi].name);
    json_key_bool(j, "has_series", a->has_kpi_series);
    put_onset(c, &a->kpi, clock, j);
    json_key_f64(j, "effect", a->kpi.effect);
    json_key_f64(j, "gain", a->kpi.gain);
    json_object_end(j);
}

static void put_fact(const struct blame_case *c, uint32_t key, uint32_t value,
                     struct json *j)
{
    json_object(j);
    json_key_text(j, "key", c->name[key]);
    json_key_text(j, "value", c->name[value]);
    json_object_end(j);
}

static void put_common(const struct blame_case *c, const struct blame_answer *a,
                       struct json *j)
{
    struct blame_common x[BLAME_COMMON_MAX];
    uint32_t n = 0;
    json_key(j, "common");
    json_array(j);
    if (blame_common_find(c, a, x, &n) != ST_OK)
        n = 0;
    for (uint32_t i = 0; i < n; i++) {
        json_object(j);
        bool is_upstream = x[i].upstream != BLAME_NONE;
        json_key_text(j, "key",
                      is_upstream ? span_text("upstream") : c->name[x[i].key]);
        json_key_text(j, "value",
                      is_upstream ? c->entity[x[i].upstream].name
                                  : c->name[x[i].value]);
        json_key_u64(j, "moved_with", x[i].moved_with);
        json_key_u64(j, "moved", x[i].moved);
        json_key_u64(j, "all_with", x[i].all_with);
        json_key_u64(j, "all", x[i].all);
        json_object_end(j);
    }
    json_array_end(j);
}

static void put_segment(const struct blame_case *c, const struct blame_answer *a,
                        struct json *j)
{
    struct blame_segment s = {.facts = 0};
    json_key(j, "segment");
    if (!a->suspects || blame_segment_find(c, a, a->rank[0], &s) != ST_OK ||
        s.facts == 0) {
        json_null(j);
        return;
    }
    json_object(j);
    json_key(j, "where");
    json_array(j);
    for (uint32_t i = 0; i < s.facts; i++)
        put_fact(c, s.key[i], s.value[i], j);
    json_array_end(j);
    json_key_u64(j, "inside_moved", s.inside_moved);
    json_key_u64(j, "inside", s.inside);
    json_key_u64(j, "outside_moved", s.outside_moved);
    json_key_u64(j, "outside", s.outside);
    json_object_end(j);
}

// What gives the same answer again: the windows looked at, and what was decided by.
static void put_basis(const struct blame_case *c, enum blame_clock clock,
                      struct json *j)
{
    json_key(j, "basis");
    json_object(j);
    put_time(j, "usual_from", c->start_ns[c->first], clock);
    put_time(j, "search_from", c->start_ns[c->search], clock);
    put_time(j, "last", c->start_ns[c->last], clock);
    json_key_f64(j, "window_s", (double)c->window_ns / 1e9);
    json_key_u64(j, "edges", c->edges);
    json_key_u64(j, "rules", BLAME_RULES);
    json_key_f64(j, "sure", BLAME_SURE);
    json_object_end(j);
}

void blame_report_next(const struct blame_case *c, const struct blame_answer *a,
                       struct buf *out)
{
    if (a->verdict == BLAME_NOTHING || !a->suspects)
        return;
    const struct blame_finding *f = &a->finding[a->rank[0]];
    struct span name = c->entity[f->entity].name;
    if (f->is_source || c->entity[f->entity].signals == 0) {
        buf_put_text(out, "kedge event list --model ");
        buf_put_span(out, name);
        return;
    }
    if (f->event != BLAME_NONE) {
        buf_put_text(out, "kedge rollback plan ");
        buf_put_span(out, name);
        buf_put_text(out, " | kedge model history ");
    } else {
        buf_put_text(out, "kedge why --model ");
    }
    buf_put_span(out, name);
}

static void put_next(const struct blame_case *c, const struct blame_answer *a,
                     struct json *j)
{
    struct buf b;
    buf_init(&b, 1024);
    blame_report_next(c, a, &b);
    json_key_text(j, "next", buf_span(&b));
    buf_fini(&b);
}

void blame_report_json(const struct blame_case *c, const struct blame_answer *a,
                       enum blame_clock clock, enum blame_detail detail, struct json *j)
{
    json_key_cstr(j, "verdict", blame_verdict_text(a->verdict));
    json_key_f64(j, "confidence", a->confidence);
    json_key_f64(j, "certainty", a->certainty);
    put_kpi(c, a, clock, j);
    json_key_u64(j, "looked_at", a->entities);
    json_key_u64(j, "reaching", a->reaching);
    json_key(j, "suspects");
    json_array(j);
    for (uint32_t i = 0; i < a->suspects; i++)
        put_suspect(c, &a->finding[a->rank[i]], i + 1, clock, j);
    json_array_end(j);
    put_explained(c, a, j);
    put_exonerated(c, a, detail, j);
    json_key(j, "blind");
    json_array(j);
    for (uint32_t i = 0; i < c->entities; i++)
        if (a->finding[a->rank[i]].is_blind)
            json_text(j, c->entity[a->rank[i]].name);
    json_array_end(j);
    put_common(c, a, j);
    put_segment(c, a, j);
    put_basis(c, clock, j);
    put_next(c, a, j);
}
