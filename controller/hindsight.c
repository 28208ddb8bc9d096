// Hindsight: a judge without a controller around it.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/hindsight.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/drift/budget.h"

// One version while it is judged.
struct trial {
    struct hindsight *h;
    const struct recorded_version *version;
    struct judge *judge;
    uint8_t *tier;   // of each subject's open alarm
    uint32_t open;   // subjects with one
    bool has_firing; // the last one of h->firing is this version's and still open
};

void hindsight_init(struct hindsight *h, const struct rules *rules, double share)
{
    *h = (struct hindsight){.rules = rules, .share = share};
}

void hindsight_fini(struct hindsight *h)
{
    mem_free(h->firing);
    *h = (struct hindsight){0};
}

static enum status grow(struct hindsight *h)
{
    uint32_t capacity = h->capacity ? 2 * h->capacity : 64;
    struct firing *more = mem_zero(capacity, sizeof *more);
    if (!more)
        return ST_NOMEM;
    if (h->firings)
        memcpy(more, h->firing, h->firings * sizeof *more);
    mem_free(h->firing);
    h->firing = more;
    h->capacity = capacity;
    return ST_OK;
}

static enum status begin_firing(struct trial *t, const struct alarm *a)
{
    struct hindsight *h = t->h;
    if (h->firings == HINDSIGHT_FIRINGS_MAX) {
        h->firings_dropped++;
        return ST_OK;
    }
    if (h->firings == h->capacity)
        ST_TRY(grow(h));
    struct judge_view v;
    judge_view(t->judge, a->subject, &v);
    struct firing *f = &h->firing[h->firings++];
    *f = (struct firing){
        .signal = (enum signal)a->signal, .onset_ns = a->since, .opened_ns = a->at};
    memcpy(f->model, t->version->model, sizeof f->model);
    memcpy(f->version, t->version->version, sizeof f->version);
    (void)snprintf(f->feature, sizeof f->feature, "%s", v.name);
    t->has_firing = true;
    return ST_OK;
}

static bool is_performance(const struct judge *j, uint32_t subject)
{
    struct judge_view v;
    judge_view(j, subject, &v);
    return v.subject == SUBJECT_SCALAR && v.role == ROLE_SIGNAL;
}

static enum status take_alarm(struct trial *t, const struct alarm *a)
{
    bool was_open = t->tier[a->subject] > TIER_NONE;
    if (a->kind == ALARM_CLEAR) {
        t->open -= was_open;
        t->tier[a->subject] = TIER_NONE;
        return ST_OK;
    }
    t->open += !was_open;
    t->tier[a->subject] = a->tier;
    if (a->at <= t->h->from_ns)
        return ST_OK;
    if (!t->has_firing)
        ST_TRY(begin_firing(t, a));
    if (!t->has_firing)
        return ST_OK;
    struct firing *f = &t->h->firing[t->h->firings - 1];
    bool is_page = a->tier == TIER_PAGE || is_performance(t->judge, a->subject);
    enum tier tier = is_page ? TIER_PAGE : (enum tier)a->tier;
    if (tier > f->tier)
        f->tier = tier;
    if (is_page && f->page_ns == 0)
        f->page_ns = a->at;
    return ST_OK;
}

static void note_window(struct trial *t, const struct drift_window *w,
                        const struct judgement *got)
{
    struct hindsight *h = t->h;
    if (w->end <= h->from_ns)
        return;
    h->windows++;
    h->feature_windows += got->judged;
    if (h->first_ns == 0 || w->start < h->first_ns)
        h->first_ns = w->start;
    if (w->end > h->last_ns)
        h->last_ns = w->end;
    uint32_t said = rules_window(h->rules, t->version->baseline, w);
    for (uint32_t i = 0; said >> i; i++)
        h->said[i] += said >> i & 1;
}

static enum status take_window(void *self, const struct drift_window *w)
{
    struct trial *t = self;
    static struct judgement got;
    enum status st = judge_window(t->judge, w, &got);
    if (st == ST_RANGE)
        return ST_OK;
    ST_TRY(st);
    note_window(t, w, &got);
    for (uint32_t i = 0; i < got.alarms; i++)
        ST_TRY(take_alarm(t, &got.alarm[i]));
    if (t->open == 0 && t->has_firing) {
        t->h->firing[t->h->firings - 1].closed_ns = w->end;
        t->has_firing = false;
    }
    return ST_OK;
}

enum status hindsight_add(struct hindsight *h, struct recorded *r,
                          const struct recorded_version *v, uint64_t to_ns)
{
    struct trial t = {.h = h, .version = v};
    struct judge_settings settings =
        rules_judge(h->rules, h->share, baseline_window_ns(v->baseline));
    ST_TRY(judge_open(v->baseline, &settings, &t.judge));
    t.tier = mem_zero(judge_subjects(t.judge) + 1, sizeof *t.tier);
    enum status st =
        t.tier ? recorded_windows(r, v, 0, to_ns, take_window, &t) : ST_NOMEM;
    mem_free(t.tier);
    judge_close(t.judge);
    return st;
}

static int by_time(const void *a, const void *b)
{
    const struct firing *x = a, *y = b;
    if (x->opened_ns != y->opened_ns)
        return x->opened_ns < y->opened_ns ? -1 : 1;
    int order = strcmp(x->model, y->model);
    return order ? order : strcmp(x->version, y->version);
}

static int by_page(const void *a, const void *b)
{
    const struct firing *x = *(struct firing *const *)a,
                        *y = *(struct firing *const *)b;
    if (x->page_ns != y->page_ns)
        return x->page_ns < y->page_ns ? -1 : 1;
    return x < y ? -1 : x > y;
}

void hindsight_settle(struct hindsight *h)
{
    if (h->firings == 0)
        return;
    qsort(h->firing, h->firings, sizeof *h->firing, by_time);
    struct firing **page = mem_zero(h->firings, sizeof(struct firing *));
    uint32_t pages = 0;
    struct budget budget;
    if (!page || budget_init(&budget, h->rules->detect.pages_per_week,
                             h->rules->detect.burst, h->firing[0].opened_ns) != ST_OK) {
        mem_free(page);
        return;
    }
    for (uint32_t i = 0; i < h->firings; i++)
        if (h->firing[i].page_ns)
            page[pages++] = &h->firing[i];
    qsort(page, pages, sizeof *page, by_page);
    for (uint32_t i = 0; i < pages; i++)
        page[i]->is_sent = budget_take(&budget, page[i]->page_ns);
    mem_free(page);
}
