// Blame report: the answer as text for a person at night.
//
// SPDX-License-Identifier: Apache-2.0
#include <math.h>

#include "common/base/text.h"
#include "controller/watch/blame_inside.h"
#include "controller/watch/blame_report.h"

#define BLIND_NAMED 8u
#define SHARE_SHOWN 0.005 // suspects that would be 0.00 are left out

static void put_name(struct buf *out, const struct blame_case *c, uint32_t entity)
{
    buf_put_span(out, c->entity[entity].name);
}

static void put_onset(const struct blame_case *c, const struct blame_onset *o,
                      struct buf *out)
{
    buf_put_text(out, "onset ");
    text_put_time(out, c->start_ns[o->best]);
    if (o->low == o->high)
        return;
    buf_put_text(out, " (");
    text_put_time(out, c->start_ns[o->low]);
    buf_put_text(out, " to ");
    text_put_time(out, c->start_ns[o->high]);
    buf_put_text(out, ")");
}

static void put_head(const struct blame_case *c, const struct blame_answer *a,
                     double took_ms, struct buf *out)
{
    if (a->verdict == BLAME_NOTHING)
        buf_put_text(out, "Nothing stands out.\n");
    if (a->verdict == BLAME_NOT_SURE)
        buf_printf(out, "Not sure (%.2f). What is known:\n", a->confidence);
    if (a->verdict == BLAME_CAUSE)
        buf_printf(out, "Likely cause (%.2f):\n", a->confidence);
    buf_put_text(out, "Incident");
    if (c->kpi != BLAME_NONE) {
        buf_put_text(out, " of ");
        put_name(out, c, c->kpi);
    }
    buf_put_text(out, ", noticed ");
    text_put_time(out, c->start_ns[c->reported]);
    buf_put_text(out, a->has_kpi_series ? ", its " : ", assumed ");
    put_onset(c, &a->kpi, out);
    buf_printf(out, "\nLooked at %u, of which %u reach it", a->entities, a->reaching);
    if (took_ms >= 0)
        buf_printf(out, ", in %.0f ms", took_ms);
    buf_put_text(out, "\n");
}

static void put_path(const struct blame_case *c, uint32_t entity, struct buf *out)
{
    uint32_t step[BLAME_PATH_MAX];
    uint32_t n = blame_path(c, entity, step, BLAME_PATH_MAX);
    if (n < 2) {
        buf_put_text(out, "      no known way to it");
        return;
    }
    buf_printf(out, "      %u hop%s:", n - 1, n == 2 ? "" : "s");
    for (uint32_t i = 1; i < n; i++) {
        buf_put_text(out, " -> ");
        put_name(out, c, step[i]);
    }
}

static void put_effect(const struct blame_case *c, const struct blame_finding *f,
                       struct buf *out)
{
    if (f->signal != BLAME_NONE) {
        buf_put_text(out, "      ");
        buf_put_span(out, c->name[c->signal[f->signal].name]);
        buf_printf(out, " %.4g -> %.4g (effect %.1f)", f->onset.before, f->onset.now,
                   fabs(f->onset.effect));
    } else {
        buf_put_text(out, "      judged by what it feeds");
    }
    if (f->explained_by != BLAME_NONE) {
        buf_put_text(out, ", explained by ");
        put_name(out, c, f->explained_by);
    }
    if (f->event != BLAME_NONE) {
        buf_put_text(out, ", CHANGE: ");
        buf_put_span(out, c->name[c->event[f->event].text]);
        buf_put_text(out, " ");
        text_put_time(out, c->event[f->event].at_ns);
    }
    buf_printf(out, "; %.0f %% of what moved lies at or behind it\n",
               100 * f->coverage);
}

static void put_suspects(const struct blame_case *c, const struct blame_answer *a,
                         struct buf *out)
{
    for (uint32_t i = 0; i < a->suspects; i++) {
        const struct blame_finding *f = &a->finding[a->rank[i]];
        if (i > 0 && f->share < SHARE_SHOWN)
            break;
        buf_printf(out, "%2u. ", i + 1);
        put_name(out, c, f->entity);
        buf_printf(out, "  %.2f  ", f->share);
        if (f->onset.is_known)
            put_onset(c, &f->onset, out);
        buf_put_text(out, "\n");
        put_path(c, f->entity, out);
        buf_put_text(out, "\n");
        put_effect(c, f, out);
    }
}

static void put_cleared(const struct blame_case *c, const struct blame_answer *a,
                        struct buf *out)
{
    uint32_t count[BLAME_REASONS] = {0};
    for (uint32_t i = 0; i < c->entities; i++)
        if (!a->finding[i].is_blind)
            count[a->finding[i].reason]++;
    buf_put_text(out, "Exonerated:");
    const char *comma = " ";
    for (int r = BLAME_NO_SHIFT; r <= BLAME_CHILDREN_OK; r++) {
        if (count[r] == 0)
            continue;
        buf_printf(out, "%s%u %s", comma, count[r], blame_reason_text(r));
        comma = ", ";
    }
    buf_printf(out, "%s\n", comma[0] == ' ' ? " nobody" : "");
}

static void put_blind(const struct blame_case *c, const struct blame_answer *a,
                      struct buf *out)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < c->entities; i++) {
        if (!a->finding[a->rank[i]].is_blind)
            continue;
        if (n == 0)
            buf_put_text(out, "Blind (cannot be cleared): ");
        if (n < BLIND_NAMED) {
            buf_put_text(out, n ? ", " : "");
            put_name(out, c, a->rank[i]);
        }
        n++;
    }
    if (n > BLIND_NAMED)
        buf_printf(out, " and %u more", n - BLIND_NAMED);
    if (n)
        buf_put_text(out, "\n");
}

void blame_report_table(const struct blame_case *c, const struct blame_answer *a,
                        double took_ms, struct buf *out)
{
    put_head(c, a, took_ms, out);
    if (a->verdict != BLAME_NOTHING)
        put_suspects(c, a, out);
    put_cleared(c, a, out);
    put_blind(c, a, out);
}
