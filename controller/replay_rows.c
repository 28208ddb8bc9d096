// Replay rows: fields become numbers, categories, or nothing.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/replay_rows.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/base/text.h"

static enum status find(const struct replay_rows *r, const char *name, int *out,
                        char *why)
{
    *out = replay_table_column(r->table, name);
    if (*out >= 0)
        return ST_OK;
    snprintf(why, 256, "the stream has no column %s", name);
    return ST_NOTFOUND;
}

enum status replay_rows_open(const struct replay_plan *plan, struct replay_table *table,
                             struct replay_rows *out, char why[256])
{
    memset(out, 0, sizeof *out);
    out->plan = plan;
    out->table = table;
    out->label = -1;
    ST_TRY(find(out, plan->timestamp, &out->timestamp, why));
    if (plan->label[0])
        ST_TRY(find(out, plan->label, &out->label, why));
    for (uint32_t i = 0; i < plan->features; i++)
        ST_TRY(find(out, plan->feature[i].column, &out->feature[i], why));
    for (uint32_t i = 0; i < plan->versions; i++)
        ST_TRY(find(out, plan->version[i].column, &out->version[i], why));
    replay_rows_rewind(out);
    return ST_OK;
}

void replay_rows_rewind(struct replay_rows *r)
{
    replay_table_rewind(r->table);
    r->row = 0;
    r->at_ns = 0;
    r->late = 0;
    r->is_begun = false;
}

static double number_or_nan(struct span field)
{
    double v;
    return text_f64(field, &v) == ST_OK ? v : NAN;
}

static struct builder_value value_of(enum drift_kind kind, struct span field)
{
    struct builder_value v = {.text = field, .state = VALUE_PRESENT};
    if (field.size == 0)
        v.state = VALUE_MISSING;
    else if (kind == KIND_NUMERIC && text_f64(field, &v.number) != ST_OK)
        v.state = VALUE_TYPE_ERROR;
    return v;
}

static enum status broken(const struct replay_rows *r, const char *what, char *why)
{
    snprintf(why, 256, "line %llu: %s", (unsigned long long)r->table->line, what);
    return ST_CORRUPT;
}

enum status replay_rows_next(struct replay_rows *r, char why[256])
{
    uint64_t at_ns;
    enum status st = replay_table_next(r->table);
    if (st == ST_CORRUPT)
        return broken(r, "not as many fields as the header has, or an open quote", why);
    ST_TRY(st);
    const struct span *field = r->table->field;
    if (text_time(field[r->timestamp], &at_ns) != ST_OK)
        return broken(r, "the timestamp is no time", why);
    if (r->is_begun && at_ns < r->at_ns) {
        r->late++;
        at_ns = r->at_ns;
    }
    r->row = r->is_begun ? r->row + 1 : 0;
    r->is_begun = true;
    r->at_ns = at_ns;
    for (uint32_t i = 0; i < r->plan->features; i++)
        r->value[i] = value_of(r->plan->feature[i].kind, field[r->feature[i]]);
    for (uint32_t i = 0; i < r->plan->versions; i++)
        r->prediction[i] = number_or_nan(field[r->version[i]]);
    r->truth = r->label >= 0 ? number_or_nan(field[r->label]) : NAN;
    return ST_OK;
}
