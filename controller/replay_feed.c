// Replay feed: batches into profiles, labels through a queue in order of arrival.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/replay_feed.h"

#include <math.h>
#include <string.h>

#include "common/base/hash.h"
#include "common/base/mem.h"

struct late_label {
    uint64_t arrival_ns;
    uint64_t row;
    double truth;
    double prediction[REPLAY_VERSIONS_MAX];
    uint32_t version; // that served the row
};

struct queue {
    struct late_label *item; // a ring
    size_t room, first, used;
};

struct column {
    struct profile *profile;
    double *number;
    uint64_t *hash;
};

struct replay_feed {
    const struct replay_plan *plan;
    const struct baseline *baseline;
    uint64_t origin_ns;
    enum status (*done)(void *self, const struct replay_window *w);
    void *self;
    struct column column[REPLAY_COLUMNS_MAX + 1]; // the last one is the prediction
    uint32_t columns;
    uint8_t *state; // of each column's batched rows
    double *prediction;
    uint32_t batched;
    struct profile *loss, *bias, *label;
    struct drift_feature feature[REPLAY_COLUMNS_MAX + 4];
    struct queue queue;
    uint64_t start_ns;
    bool is_open;
    uint64_t rows;    // in the window
    uint64_t last_ns; // of the last row
    uint64_t last_row;
    uint32_t version;
    double loss_sum[REPLAY_VERSIONS_MAX], loss_rows[REPLAY_VERSIONS_MAX];
};

const char *replay_feed_output(const struct replay_plan *plan)
{
    return plan->version[0].column;
}

uint64_t replay_feed_start(const struct replay_plan *plan, uint64_t origin_ns,
                           uint64_t at_ns)
{
    return (at_ns - origin_ns) / plan->window_ns * plan->window_ns + origin_ns;
}

static enum status open_profile(enum profile_kind kind, const struct grid *grid,
                                struct profile **out)
{
    struct profile_options options = {
        .kind = kind, .width = GRID_F64, .sketches = PROFILE_PLAIN};
    return profile_open(&options, grid, out);
}

static enum status open_column(struct replay_feed *f, const char *name,
                               enum drift_kind kind)
{
    struct column *c = &f->column[f->columns++];
    int32_t at = baseline_find_feature(f->baseline, span_text(name), 0);
    const struct grid *grid =
        at < 0 ? NULL : baseline_feature(f->baseline, (uint32_t)at)->grid;
    bool is_number = kind == KIND_NUMERIC;
    ST_TRY(open_profile(is_number ? PROFILE_NUMERIC : PROFILE_CATEGORICAL, grid,
                        &c->profile));
    if (is_number)
        c->number = mem_zero(REPLAY_BATCH, sizeof *c->number);
    else
        c->hash = mem_zero(REPLAY_BATCH, sizeof *c->hash);
    return c->number || c->hash ? ST_OK : ST_NOMEM;
}

static enum status open_columns(struct replay_feed *f)
{
    const struct replay_plan *p = f->plan;
    for (uint32_t i = 0; i < p->features; i++)
        ST_TRY(open_column(f, p->feature[i].column, p->feature[i].kind));
    if (p->versions > 0)
        ST_TRY(open_column(f, replay_feed_output(p), KIND_NUMERIC));
    ST_TRY(open_profile(PROFILE_SIGNAL, NULL, &f->loss));
    ST_TRY(open_profile(PROFILE_SIGNAL, NULL, &f->bias));
    ST_TRY(open_profile(PROFILE_NUMERIC, NULL, &f->label));
    f->state = mem_zero((size_t)REPLAY_BATCH * (f->columns + 1), 1);
    f->prediction = mem_zero(REPLAY_BATCH, sizeof *f->prediction);
    return f->state && f->prediction ? ST_OK : ST_NOMEM;
}

enum status replay_feed_open(const struct replay_plan *plan,
                             const struct baseline *baseline, uint64_t origin_ns,
                             enum status (*done)(void *self,
                                                 const struct replay_window *w),
                             void *self, struct replay_feed **out)
{
    struct replay_feed *f = MEM_NEW(struct replay_feed);
    if (!f)
        return ST_NOMEM;
    f->plan = plan;
    f->baseline = baseline;
    f->origin_ns = origin_ns;
    f->done = done;
    f->self = self;
    enum status st = open_columns(f);
    if (st != ST_OK) {
        replay_feed_close(f);
        return st;
    }
    *out = f;
    return ST_OK;
}

void replay_feed_close(struct replay_feed *f)
{
    if (!f)
        return;
    for (uint32_t i = 0; i < f->columns; i++) {
        profile_close(f->column[i].profile);
        mem_free(f->column[i].number);
        mem_free(f->column[i].hash);
    }
    profile_close(f->loss);
    profile_close(f->bias);
    profile_close(f->label);
    mem_free(f->state);
    mem_free(f->prediction);
    mem_free(f->queue.item);
    mem_free(f);
}

static uint8_t *states_of(const struct replay_feed *f, uint32_t column)
{
    return f->state + (size_t)column * REPLAY_BATCH;
}

static void flush(struct replay_feed *f)
{
    for (uint32_t i = 0; i < f->columns && f->batched > 0; i++) {
        const struct column *c = &f->column[i];
        bool is_input = i < f->plan->features;
        if (c->hash)
            profile_update_hash(c->profile,
                                &(struct profile_categories){.hash = c->hash,
                                                             .state = states_of(f, i),
                                                             .n = f->batched});
        else
            profile_update(
                c->profile,
                &(struct profile_column){
                    .f64 = c->number,
                    .state = states_of(f, i),
                    .prediction = is_input && f->plan->versions ? f->prediction : NULL,
                    .n = f->batched});
    }
    f->batched = 0;
}

static void add_one(struct profile *p, double v)
{
    profile_update(p, &(struct profile_column){.f64 = &v, .n = 1});
}

// A label joins the prediction that was served, if that version still serves.
static void join(struct replay_feed *f, const struct late_label *l)
{
    if (l->version != f->version)
        return;
    double served = l->prediction[l->version];
    profile_update(f->label, &(struct profile_column){
                                 .f64 = &l->truth, .prediction = &served, .n = 1});
    if (f->plan->performance == PERFORMANCE_NONE || isnan(served))
        return;
    add_one(f->loss, fabs(served - l->truth));
    add_one(f->bias, served - l->truth);
    for (uint32_t v = 0; v < f->plan->versions; v++) {
        if (isnan(l->prediction[v]))
            continue;
        f->loss_sum[v] += fabs(l->prediction[v] - l->truth);
        f->loss_rows[v] += 1;
    }
}

static void join_until(struct replay_feed *f, uint64_t before_ns)
{
    struct queue *q = &f->queue;
    while (q->used > 0 && q->item[q->first].arrival_ns < before_ns) {
        join(f, &q->item[q->first]);
        q->first = (q->first + 1) % q->room;
        q->used--;
    }
}

static enum status grow_queue(struct queue *q)
{
    size_t room = q->room ? 2 * q->room : 1024;
    if (q->used < q->room)
        return ST_OK;
    if (room > REPLAY_LABELS_MAX)
        return ST_FULL;
    struct late_label *item = mem_zero(room, sizeof *item);
    if (!item)
        return ST_NOMEM;
    for (size_t i = 0; i < q->used; i++)
        item[i] = q->item[(q->first + i) % q->room];
    mem_free(q->item);
    *q = (struct queue){item, room, 0, q->used};
    return ST_OK;
}

static enum status expect_label(struct replay_feed *f, const struct replay_rows *r)
{
    if (isnan(r->truth) || f->plan->versions == 0)
        return ST_OK;
    ST_TRY(grow_queue(&f->queue));
    struct queue *q = &f->queue;
    struct late_label *l = &q->item[(q->first + q->used++) % q->room];
    *l = (struct late_label){.arrival_ns = r->at_ns + f->plan->label_delay_ns,
                             .row = r->row,
                             .truth = r->truth,
                             .version = f->version};
    memcpy(l->prediction, r->prediction, sizeof l->prediction);
    return ST_OK;
}

static void show(struct replay_feed *f, uint32_t *n, const char *name,
                 enum drift_role role, enum drift_kind kind, const struct profile *p)
{
    f->feature[(*n)++] =
        (struct drift_feature){span_text(name), (uint8_t)role, (uint8_t)kind, p};
}

static void clear(struct replay_feed *f)
{
    for (uint32_t i = 0; i < f->columns; i++)
        profile_reset(f->column[i].profile);
    profile_reset(f->loss);
    profile_reset(f->bias);
    profile_reset(f->label);
    memset(f->loss_sum, 0, sizeof f->loss_sum);
    memset(f->loss_rows, 0, sizeof f->loss_rows);
    f->rows = 0;
    f->is_open = false;
}

static enum status close_window(struct replay_feed *f)
{
    const struct replay_plan *p = f->plan;
    uint32_t n = 0;
    flush(f);
    for (uint32_t i = 0; i < p->features; i++)
        show(f, &n, p->feature[i].column, ROLE_INPUT, p->feature[i].kind,
             f->column[i].profile);
    if (p->versions > 0)
        show(f, &n, replay_feed_output(p), ROLE_OUTPUT, KIND_NUMERIC,
             f->column[p->features].profile);
    if (p->label[0])
        show(f, &n, p->label, ROLE_LABEL, KIND_NUMERIC, f->label);
    show(f, &n, "loss", ROLE_SIGNAL, KIND_NUMERIC, f->loss);
    show(f, &n, "bias", ROLE_SIGNAL, KIND_NUMERIC, f->bias);
    bool by_time = p->window_ns > 0;
    uint64_t end = by_time ? f->start_ns + p->window_ns : f->last_ns + 1;
    struct replay_window w = {.drift = {f->start_ns, end, 0, n, f->feature},
                              .at_ns = by_time ? end : f->last_ns,
                              .last_row = f->last_row,
                              .version = f->version,
                              .has_rows = f->rows > 0};
    for (uint32_t v = 0; v < REPLAY_VERSIONS_MAX; v++)
        w.loss[v] = f->loss_rows[v] > 0 ? f->loss_sum[v] / f->loss_rows[v] : NAN;
    enum status st = f->done(f->self, &w);
    clear(f);
    return st;
}

// The version that serves `row`; it may change only where a window begins.
static uint32_t version_at(const struct replay_plan *p, uint64_t row)
{
    uint32_t v = 0;
    while (v + 1 < p->versions && row >= p->version[v + 1].live)
        v++;
    return v;
}

// Closes the window under way, and those after it that have labels alone.
static enum status close_until(struct replay_feed *f, uint64_t start_ns)
{
    while (f->is_open && f->start_ns < start_ns) {
        uint64_t end = f->start_ns + f->plan->window_ns;
        join_until(f, end);
        ST_TRY(close_window(f));
        const struct queue *q = &f->queue;
        if (end < start_ns && q->used > 0 && q->item[q->first].arrival_ns < start_ns) {
            f->start_ns =
                replay_feed_start(f->plan, f->origin_ns, q->item[q->first].arrival_ns);
            f->is_open = true;
        }
    }
    return ST_OK;
}

static void batch(struct replay_feed *f, const struct replay_rows *r)
{
    static const uint8_t key[BASELINE_KEY];
    uint32_t at = f->batched++;
    double prediction = f->plan->versions ? r->prediction[f->version] : NAN;
    f->prediction[at] = prediction;
    for (uint32_t i = 0; i < f->plan->features; i++) {
        states_of(f, i)[at] = r->value[i].state;
        if (f->column[i].hash)
            f->column[i].hash[at] = hash_sip(key, r->value[i].text);
        else
            f->column[i].number[at] = r->value[i].number;
    }
    if (f->plan->versions > 0) {
        uint32_t output = f->plan->features;
        states_of(f, output)[at] = isnan(prediction) ? VALUE_MISSING : VALUE_PRESENT;
        f->column[output].number[at] = prediction;
    }
    if (f->batched == REPLAY_BATCH)
        flush(f);
}

enum status replay_feed_row(struct replay_feed *f, const struct replay_rows *r)
{
    uint64_t start = r->at_ns;
    if (f->plan->window_ns > 0) {
        start = replay_feed_start(f->plan, f->origin_ns, r->at_ns);
        ST_TRY(close_until(f, start));
    } else if (f->rows == f->plan->window_rows) {
        ST_TRY(close_window(f));
    }
    if (!f->is_open) {
        f->is_open = true;
        f->start_ns = start;
        f->version = version_at(f->plan, r->row);
    }
    join_until(f, r->at_ns + 1);
    batch(f, r);
    f->rows++;
    f->last_ns = r->at_ns;
    f->last_row = r->row;
    return expect_label(f, r);
}

enum status replay_feed_end(struct replay_feed *f)
{
    if (!f->is_open)
        return ST_OK;
    if (f->plan->window_ns > 0)
        join_until(f, f->start_ns + f->plan->window_ns);
    return close_window(f);
}
