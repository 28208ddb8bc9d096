// Rows: a training file fed twice. Once to draw the grids, once to count its windows.
//
// SPDX-License-Identifier: Apache-2.0
#include <math.h>

#include "common/base/mem.h"
#include "common/drift/draft.h"

static enum status open_batch(struct draft_column *c)
{
    if (c->f.kind == KIND_CATEGORICAL)
        c->batch.hash = mem_zero(DRAFT_BATCH, sizeof *c->batch.hash);
    else
        c->batch.number = mem_zero(DRAFT_BATCH, sizeof *c->batch.number);
    c->batch.state = mem_zero(DRAFT_BATCH, 1);
    bool good = (c->batch.number || c->batch.hash) && c->batch.state;
    return good ? ST_OK : ST_NOMEM;
}

static enum status open_signal(struct profile **out)
{
    struct profile_options options = {.kind = PROFILE_SIGNAL, .width = GRID_F64};
    return profile_open(&options, NULL, out);
}

void builder_reuse(struct builder *b, const struct baseline *older)
{
    b->older = older;
}

// The grid of the older baseline's feature of that name, when it fits: a copy.
static enum status copy_grid(const struct builder *b, const struct draft_column *c,
                             struct grid **out)
{
    if (!b->older)
        return ST_NOTFOUND;
    int32_t i = baseline_find_feature(b->older, span_text(c->f.name), 0);
    if (i < 0)
        return ST_NOTFOUND;
    const struct baseline_feature *f = baseline_feature(b->older, (uint32_t)i);
    if (!f->grid || f->kind != c->f.kind ||
        (f->kind == KIND_NUMERIC && grid_width(f->grid) != c->width))
        return ST_NOTFOUND;
    struct buf bytes;
    buf_init(&bytes, GRID_BYTES_MAX);
    grid_encode(f->grid, &bytes);
    enum status st = bytes.failed ? bytes.failed : grid_decode(buf_span(&bytes), out);
    buf_fini(&bytes);
    return st;
}

// Draws the column's grid and opens the profile of its windows.
static enum status turn_column(struct builder *b, struct draft_column *c)
{
    enum drift_kind kind = (enum drift_kind)c->f.kind;
    enum status st = copy_grid(b, c, &c->f.grid);
    if (st == ST_NOTFOUND)
        st = draft_sample_grid(&c->sample, kind, c->width, &c->f.grid);
    draft_sample_fini(&c->sample);
    ST_TRY(st);
    struct profile_options options = {
        .kind = kind == KIND_CATEGORICAL ? PROFILE_CATEGORICAL : PROFILE_NUMERIC,
        .width = c->width,
        .sketches = b->settings.quantile_k ? PROFILE_WITH_SKETCHES : PROFILE_PLAIN,
        .k = b->settings.quantile_k,
        .seed = random_u64(&b->random),
    };
    ST_TRY(profile_set_grid(c->f.total, c->f.grid));
    ST_TRY(profile_open(&options, c->f.grid, &c->open));
    return open_batch(c);
}

enum status builder_turn(struct builder *b)
{
    if (b->turned)
        return ST_RANGE;
    if (b->rows_fed == 0)
        return ST_EMPTY;
    for (uint32_t i = 0; i < b->columns; i++)
        ST_TRY(turn_column(b, &b->column[i]));
    ST_TRY(open_signal(&b->loss));
    ST_TRY(open_signal(&b->bias));
    b->prediction = mem_zero(DRAFT_BATCH, sizeof *b->prediction);
    b->view = mem_zero(b->columns + 2, sizeof *b->view);
    if (!b->prediction || !b->view)
        return ST_NOMEM;
    b->turned = true;
    b->rows_fed = 0;
    b->row_at = 0;
    return ST_OK;
}

static bool is_number(const struct builder_value *v)
{
    return v->state == VALUE_PRESENT && isfinite(v->number);
}

static enum status sample_row(struct builder *b, const struct builder_value *value)
{
    uint64_t expected = b->settings.rows_expected;
    bool names = expected == 0 || b->rows_fed < (expected + 1) / 2;
    for (uint32_t i = 0; i < b->columns; i++) {
        struct draft_column *c = &b->column[i];
        if (c->f.kind == KIND_CATEGORICAL) {
            uint64_t hash = hash_sip(b->settings.key, value[i].text);
            if (value[i].state == VALUE_PRESENT)
                ST_TRY(draft_sample_category(&c->sample, hash, names));
        } else if (is_number(&value[i])) {
            double number = value[i].number;
            if (c->width == GRID_F32)
                number = (double)(float)number;
            if (isfinite(number))
                ST_TRY(draft_sample_number(&c->sample, &b->random, number));
        }
    }
    return ST_OK;
}

static void flush_rows(struct builder *b)
{
    int32_t output = draft_find_role(b, ROLE_OUTPUT);
    for (uint32_t i = 0; i < b->columns && b->batched > 0; i++) {
        struct draft_column *c = &b->column[i];
        if (c->f.kind == KIND_CATEGORICAL) {
            struct profile_categories rows = {
                .hash = c->batch.hash, .state = c->batch.state, .n = b->batched};
            profile_update_hash(c->open, &rows);
        } else {
            struct profile_column rows = {
                .f64 = c->batch.number,
                .state = c->batch.state,
                .prediction =
                    output >= 0 && c->f.role == ROLE_INPUT ? b->prediction : NULL,
                .n = b->batched};
            profile_update(c->open, &rows);
        }
    }
    b->batched = 0;
}

static uint64_t window_start(const struct builder *b, uint64_t at_ns)
{
    uint64_t origin = b->settings.window_origin % b->settings.window_ns;
    if (at_ns < origin)
        return 0;
    return (at_ns - origin) / b->settings.window_ns * b->settings.window_ns + origin;
}

static enum status close_window(struct builder *b, uint64_t end_ns)
{
    if (b->open_rows == 0)
        return ST_OK;
    flush_rows(b);
    for (uint32_t i = 0; i < b->columns; i++) {
        const struct draft_column *c = &b->column[i];
        b->view[i] =
            (struct drift_feature){span_text(c->f.name), c->f.role, c->f.kind, c->open};
    }
    struct drift_window w = {b->open_start, end_ns, 0, b->columns, b->view};
    ST_TRY(builder_window(b, &w));
    for (uint32_t i = 0; i < b->columns; i++) {
        profile_reset(b->column[i].open);
        profile_reset_sketches(b->column[i].open);
    }
    b->open_rows = 0;
    return ST_OK;
}

static enum status close_signals(struct builder *b)
{
    if (!b->signal_is_open)
        return ST_OK;
    ST_TRY(draft_scalar_add(b, span_text("loss"), b->signal_start,
                            profile_moments(b->loss)));
    ST_TRY(draft_scalar_add(b, span_text("bias"), b->signal_start,
                            profile_moments(b->bias)));
    profile_reset(b->loss);
    profile_reset(b->bias);
    b->signal_is_open = false;
    return ST_OK;
}

// The row's loss and bias, in the window in which its label would have come.
static enum status add_signals(struct builder *b, uint64_t at_ns,
                               const struct builder_value *value)
{
    int32_t output = draft_find_role(b, ROLE_OUTPUT),
            label = draft_find_role(b, ROLE_LABEL);
    if (b->settings.performance == PERFORMANCE_NONE || output < 0 || label < 0 ||
        !is_number(&value[output]) || !is_number(&value[label]))
        return ST_OK;
    double bias = value[output].number - value[label].number;
    double loss = fabs(bias);
    uint64_t start = b->settings.window_ns
                         ? window_start(b, at_ns + b->settings.label_delay_ns)
                         : b->open_start;
    if (b->signal_is_open && start != b->signal_start)
        ST_TRY(close_signals(b));
    b->signal_start = start;
    b->signal_is_open = true;
    profile_update(b->loss, &(struct profile_column){.f64 = &loss, .n = 1});
    profile_update(b->bias, &(struct profile_column){.f64 = &bias, .n = 1});
    return ST_OK;
}

static void batch_row(struct builder *b, const struct builder_value *value)
{
    int32_t output = draft_find_role(b, ROLE_OUTPUT);
    uint32_t at = b->batched++;
    b->prediction[at] =
        output >= 0 && is_number(&value[output]) ? value[output].number : NAN;
    for (uint32_t i = 0; i < b->columns; i++) {
        struct draft_column *c = &b->column[i];
        c->batch.state[at] = value[i].state;
        if (c->f.kind == KIND_CATEGORICAL)
            c->batch.hash[at] = hash_sip(b->settings.key, value[i].text);
        else
            c->batch.number[at] = value[i].number;
    }
    if (b->batched == DRAFT_BATCH)
        flush_rows(b);
}

static enum status count_row(struct builder *b, uint64_t at_ns,
                             const struct builder_value *value)
{
    uint64_t start = b->settings.window_ns ? window_start(b, at_ns) : at_ns;
    bool is_full =
        b->settings.window_ns == 0 && b->open_rows == b->settings.window_rows;
    bool is_past = b->settings.window_ns > 0 && start != b->open_start;
    if (is_full || is_past) {
        uint64_t end = b->settings.window_ns ? b->open_start + b->settings.window_ns
                                             : b->row_at + 1;
        ST_TRY(close_window(b, end));
    }
    if (b->open_rows++ == 0)
        b->open_start = start;
    ST_TRY(add_signals(b, at_ns, value));
    batch_row(b, value);
    return ST_OK;
}

enum status builder_row(struct builder *b, uint64_t at_ns,
                        const struct builder_value *value)
{
    if (b->columns == 0 || (b->rows_fed > 0 && at_ns < b->row_at))
        return ST_RANGE;
    b->is_fed = true;
    ST_TRY(b->turned ? count_row(b, at_ns, value) : sample_row(b, value));
    b->row_at = at_ns;
    b->rows_fed++;
    if (!b->turned && b->settings.rows_expected > 0 &&
        b->rows_fed == (b->settings.rows_expected + 1) / 2)
        b->half_ns = at_ns;
    return ST_OK;
}

enum status builder_seal(struct builder *b, struct baseline **out)
{
    if (b->turned) {
        uint64_t end = b->settings.window_ns ? b->open_start + b->settings.window_ns
                                             : b->row_at + 1;
        ST_TRY(close_window(b, end));
        ST_TRY(close_signals(b));
    }
    return draft_seal(b, out);
}
