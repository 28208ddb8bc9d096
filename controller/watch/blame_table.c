// Blame report: the answer as text for a person at night.
//
// SPDX-License-Identifier: Apache-2.0
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/base/text.h"
#include "controller/watch/blame_common.h"
#include "controller/watch/blame_inside.h"
#include "controller/watch/blame_report.h"

#define NAMED_MAX 8u
#define SHARE_SHOWN 0.005 // suspects that would be 0.00 are left out
#define GUESS_LEAST 0.9
#define DATE_CHARS 10u
#define CLOCK_AT 11u
#define CLOCK_CHARS 5u
#define WHOLE_EFFECT 10 // from here on a decimal says nothing

static void put_name(struct buf *out, const struct blame_case *c, uint32_t entity)
{
    buf_put_span(out, c->entity[entity].name);
}

// 1,963 as people write it.
static void put_count(struct buf *out, uint32_t n)
{
    if (n >= 1000) {
        put_count(out, n / 1000);
        buf_printf(out, ",%03u", n % 1000);
    } else {
        buf_printf(out, "%u", n);
    }
}

// The hour and minute, UTC; with the day in front when it is another one than the
// incident's.
static void put_clock(const struct blame_case *c, uint64_t ns, struct buf *out)
{
    char text[TEXT_TIME_BYTES], today[TEXT_TIME_BYTES];
    text_time_cstr(ns, text);
    text_time_cstr(c->start_ns[c->reported], today);
    if (memcmp(text, today, DATE_CHARS) != 0)
        buf_printf(out, "%.*s ", (int)DATE_CHARS, text);
    buf_printf(out, "%.*s", (int)CLOCK_CHARS, text + CLOCK_AT);
}

static void put_span_of_time(const struct blame_case *c, const struct blame_onset *o,
                             const char *between, struct buf *out)
{
    put_clock(c, c->start_ns[o->low], out);
    if (o->low == o->high)
        return;
    buf_put_text(out, between);
    put_clock(c, c->start_ns[o->high], out);
}

static void put_onset(const struct blame_case *c, const struct blame_onset *o,
                      struct buf *out)
{
    if (!o->is_known)
        return;
    buf_put_text(out, "   onset ");
    put_clock(c, c->start_ns[o->best], out);
    if (o->low == o->high)
        return;
    buf_put_text(out, " (");
    put_span_of_time(c, o, "-", out);
    buf_put_text(out, ")");
}

static void put_head(const struct blame_case *c, const struct blame_answer *a,
                     double took_ms, struct buf *out)
{
    char text[TEXT_TIME_BYTES];
    if (a->verdict == BLAME_NOTHING)
        buf_put_text(out, "Nothing stands out.\n");
    if (a->verdict == BLAME_NOT_SURE)
        buf_printf(out, "Not sure (%.2f). What is known:\n", a->confidence);
    text_time_cstr(c->start_ns[c->reported], text);
    buf_printf(out, "Incident %.*s %.*s", (int)DATE_CHARS, text, (int)CLOCK_CHARS,
               text + CLOCK_AT);
    if (c->kpi != BLAME_NONE) {
        buf_put_text(out, " ");
        put_name(out, c, c->kpi);
    }
    if (a->has_kpi_series) {
        buf_put_text(out, " (KPI onset ");
        put_span_of_time(c, &a->kpi, "..", out);
        buf_put_text(out, ")");
    }
    buf_put_text(out, "    looked at ");
    put_count(out, a->entities);
    buf_put_text(out, " models, ");
    put_count(out, a->reaching);
    buf_put_text(out, " reach this KPI");
    if (took_ms >= 0)
        buf_printf(out, ", %.2f s", took_ms / 1000);
    buf_put_text(out, "\n");
}

// --- Suspects

static void put_path(const struct blame_case *c, uint32_t entity, struct buf *out)
{
    uint32_t step[BLAME_PATH_MAX];
    uint32_t n = blame_path(c, entity, step, BLAME_PATH_MAX);
    if (c->kpi == BLAME_NONE || entity == c->kpi)
        return;
    if (n < 2) {
        buf_put_text(out, "   no known way to it");
        return;
    }
    buf_printf(out, "   %u hop%s:", n - 1, n == 2 ? "" : "s");
    for (uint32_t i = 1; i < n; i++) {
        buf_put_text(out, " -> ");
        put_name(out, c, step[i]);
    }
}

static void put_effect(const struct blame_case *c, const struct blame_finding *f,
                       struct buf *out)
{
    buf_put_text(out, "      ");
    if (f->signal != BLAME_NONE) {
        double size = fabs(f->onset.effect);
        buf_put_span(out, c->name[c->signal[f->signal].name]);
        buf_printf(out, " %.4g -> %.4g (effect %.*f)", f->onset.before, f->onset.now,
                   size < WHOLE_EFFECT ? 1 : 0, size);
    } else {
        buf_put_text(out, f->is_source ? "judged by what it feeds" : "no windows");
    }
    if (f->explained_by == BLAME_NONE && f->signal != BLAME_NONE &&
        f->kind == BLAME_DRIFT)
        buf_put_text(out, ", no upstream drift");
}

static void put_change(const struct blame_case *c, const struct blame_finding *f,
                       struct buf *out)
{
    if (f->event == BLAME_NONE)
        return;
    const struct blame_event *e = &c->event[f->event];
    buf_put_text(out, "      CHANGE: ");
    buf_put_span(out, c->name[e->text]);
    buf_put_text(out, " ");
    put_clock(c, e->at_ns, out);
    if (e->detail == BLAME_NONE)
        return;
    buf_put_text(out, " (");
    buf_put_span(out, c->name[e->detail]);
    buf_put_text(out, ")");
}

static void put_fact(const struct blame_case *c, uint32_t key, uint32_t value,
                     struct buf *out)
{
    buf_put_span(out, c->name[key]);
    buf_put_text(out, " ");
    buf_put_span(out, c->name[value]);
}

static void put_segment(const struct blame_case *c, const struct blame_answer *a,
                        uint32_t entity, struct buf *out)
{
    struct blame_segment s;
    if (blame_segment_find(c, a, entity, &s) != ST_OK || s.facts == 0)
        return;
    buf_put_text(out, "; ");
    for (uint32_t i = 0; i < s.facts; i++) {
        buf_put_text(out, i ? " and " : "");
        put_fact(c, s.key[i], s.value[i], out);
    }
    if (s.outside_moved == 0)
        buf_put_text(out, " only (all others unchanged)");
    else
        buf_printf(out, " above all (%u of %u moved; elsewhere %u of %u)",
                   s.inside_moved, s.inside, s.outside_moved, s.outside);
}

static bool is_shown(const struct blame_answer *a, uint32_t i)
{
    return i == 0 || a->finding[a->rank[i]].share >= SHARE_SHOWN;
}

// "explained by 1", or by its name when it is not in the list.
static void put_explained(const struct blame_case *c, const struct blame_answer *a,
                          const struct blame_finding *f, struct buf *out)
{
    buf_put_text(out, "   explained by ");
    for (uint32_t i = 0; i < a->suspects; i++)
        if (a->rank[i] == f->explained_by && is_shown(a, i)) {
            buf_printf(out, "%u", i + 1);
            return;
        }
    put_name(out, c, f->explained_by);
}

static void put_why_less(const struct blame_case *c, const struct blame_answer *a,
                         const struct blame_finding *f, struct buf *out)
{
    if (f->explained_by != BLAME_NONE)
        put_explained(c, a, f, out);
    else if (f->is_blind)
        buf_put_text(out, "   blind: it sent no windows");
    else if (f->onset.is_known && f->onset.high + 3 < a->kpi.low)
        buf_put_text(out, "   too early, steady since");
    else if (f->onset.is_known && f->onset.low > a->kpi.high + 1)
        buf_put_text(out, "   only after the KPI");
}

static void put_suspect(const struct blame_case *c, const struct blame_answer *a,
                        uint32_t i, struct buf *out)
{
    const struct blame_finding *f = &a->finding[a->rank[i]];
    uint32_t version = blame_case_fact_of(c, f->entity, "version");
    buf_printf(out, "%2u. ", i + 1);
    put_name(out, c, f->entity);
    if (version != BLAME_NONE) {
        buf_put_text(out, " ");
        buf_put_span(out, c->name[version]);
    }
    buf_printf(out, "   %.2f", f->share);
    put_onset(c, &f->onset, out);
    if (i > 0 && f->event == BLAME_NONE) {
        put_why_less(c, a, f, out);
        buf_put_text(out, "\n");
        return;
    }
    put_path(c, f->entity, out);
    buf_put_text(out, "\n");
    put_effect(c, f, out);
    if (f->explained_by != BLAME_NONE)
        put_explained(c, a, f, out);
    put_change(c, f, out);
    buf_printf(out, "\n      explains %.0f %% of what moved downstream",
               100 * f->coverage);
    put_segment(c, a, f->entity, out);
    buf_put_text(out, "\n");
}

static void put_common(const struct blame_case *c, const struct blame_answer *a,
                       struct buf *out)
{
    struct blame_common x[BLAME_COMMON_MAX];
    uint32_t n;
    if (blame_common_find(c, a, x, &n) != ST_OK || n == 0)
        return;
    buf_put_text(out, " Common: ");
    if (x[0].moved_with == x[0].moved)
        buf_put_text(out, "all ");
    put_count(out, x[0].moved_with);
    if (x[0].moved_with < x[0].moved) {
        buf_put_text(out, " of ");
        put_count(out, x[0].moved);
    }
    buf_put_text(out, " that moved share ");
    for (uint32_t i = 0; i < n; i++) {
        buf_put_text(out, i ? ", " : "");
        if (x[i].upstream != BLAME_NONE) {
            buf_put_text(out, "upstream ");
            put_name(out, c, x[i].upstream);
        } else {
            put_fact(c, x[i].key, x[i].value, out);
        }
    }
    buf_put_text(out, "\n");
}

// --- Everybody else

static void put_cleared(const struct blame_case *c, const struct blame_answer *a,
                        struct buf *out)
{
    uint32_t count[BLAME_REASONS] = {0};
    for (uint32_t i = 0; i < c->entities; i++)
        if (!a->finding[i].is_blind)
            count[a->finding[i].reason]++;
    buf_put_text(out, " Exonerated:");
    const char *comma = " ";
    for (int r = BLAME_NO_SHIFT; r <= BLAME_CHILDREN_OK; r++) {
        if (count[r] == 0)
            continue;
        buf_put_text(out, comma);
        put_count(out, count[r]);
        comma = ", ";
        if (r == BLAME_TOO_LATE && a->kpi.high + 2 < c->windows) {
            buf_put_text(out, " shifted after ");
            put_clock(c, c->start_ns[a->kpi.high + 2], out);
        } else if (r == BLAME_TOO_EARLY && a->kpi.low > 3) {
            buf_put_text(out, " shifted before ");
            put_clock(c, c->start_ns[a->kpi.low - 3], out);
        } else {
            buf_printf(out, " %s", blame_reason_text(r));
        }
    }
    if (count[BLAME_ELSEWHERE]) {
        buf_put_text(out, comma);
        put_count(out, count[BLAME_ELSEWHERE]);
        buf_printf(out, " %s", blame_reason_text(BLAME_ELSEWHERE));
        comma = ", ";
    }
    buf_printf(out, "%s\n", comma[0] == ' ' ? " nobody" : "");
}

static bool is_blind_so(const struct blame_case *c, const struct blame_answer *a,
                        uint32_t entity, bool has_signals)
{
    return a->finding[entity].is_blind &&
           (c->entity[entity].signals > 0) == has_signals;
}

// Those that fell silent, or those that were never measured.
static void put_blind(const struct blame_case *c, const struct blame_answer *a,
                      bool has_signals, struct buf *out)
{
    uint32_t n = 0, named = 0;
    for (uint32_t i = 0; i < c->entities; i++)
        n += is_blind_so(c, a, i, has_signals);
    if (n == 0)
        return;
    buf_put_text(out, " Blind: ");
    put_count(out, n);
    if (has_signals) {
        buf_printf(out, " model%s sent no window since ", n == 1 ? "" : "s");
        put_clock(c, c->start_ns[a->kpi.low < c->reported ? a->kpi.low : c->reported],
                  out);
    } else {
        buf_put_text(out, " without windows of their own");
    }
    buf_put_text(out, " (");
    for (uint32_t i = 0; i < c->entities && named < NAMED_MAX; i++)
        if (is_blind_so(c, a, a->rank[i], has_signals)) {
            buf_put_text(out, named++ ? ", " : "");
            put_name(out, c, a->rank[i]);
        }
    buf_printf(out, "%s): cannot be cleared\n", n > NAMED_MAX ? ", ..." : "");
}

// Nothing stands out, and somebody asked all the same: what was changed just then,
// moved and has no rival may be worth a look.
static void put_guess(const struct blame_case *c, const struct blame_answer *a,
                      struct buf *out)
{
    const struct blame_finding *f = a->suspects ? &a->finding[a->rank[0]] : NULL;
    if (!f || f->event == BLAME_NONE || f->share < GUESS_LEAST)
        return;
    buf_put_text(out, " Worth a look all the same: ");
    put_name(out, c, f->entity);
    put_onset(c, &f->onset, out);
    put_change(c, f, out);
    buf_put_text(out, "\n");
}

void blame_report_table(const struct blame_case *c, const struct blame_answer *a,
                        double took_ms, struct buf *out)
{
    put_head(c, a, took_ms, out);
    for (uint32_t i = 0; a->verdict != BLAME_NOTHING && i < a->suspects; i++)
        if (is_shown(a, i))
            put_suspect(c, a, i, out);
    if (a->verdict != BLAME_NOTHING)
        put_common(c, a, out);
    put_cleared(c, a, out);
    put_blind(c, a, true, out);
    put_blind(c, a, false, out);
    if (a->verdict == BLAME_NOTHING) {
        put_guess(c, a, out);
        return;
    }
    buf_put_text(out, " Next: ");
    blame_report_next(c, a, out);
    buf_put_text(out, "\n");
}
