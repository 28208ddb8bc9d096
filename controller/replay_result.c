// Replay result: lists that grow, and their two forms of print.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/replay_result.h"

#include <string.h>

#include "common/base/json.h"
#include "common/base/mem.h"
#include "common/base/text.h"

#define SECOND_NS 1000000000ull

void replay_result_fini(struct replay_result *r)
{
    mem_free(r->alarm);
    mem_free(r->contest);
    mem_free(r->deploy);
    memset(r, 0, sizeof *r);
}

// Makes room for one more of `size` bytes; NULL when memory is out.
static void *grow(void *block, uint32_t used, uint32_t *capacity, size_t size)
{
    if (used < *capacity)
        return block;
    uint32_t more = *capacity ? 2 * *capacity : 16;
    void *grown = mem_resize(block, more, size);
    if (grown)
        *capacity = more;
    return grown;
}

enum status replay_result_alarm(struct replay_result *r, const struct replay_alarm *a)
{
    if (r->alarms == REPLAY_ALARMS_MAX) {
        r->alarms_dropped++;
        return ST_OK;
    }
    struct replay_alarm *room =
        grow(r->alarm, r->alarms, &r->alarms_capacity, sizeof *room);
    if (!room)
        return ST_NOMEM;
    r->alarm = room;
    r->alarm[r->alarms++] = *a;
    return ST_OK;
}

enum status replay_result_contest(struct replay_result *r,
                                  const struct replay_contest *c)
{
    struct replay_contest *room =
        grow(r->contest, r->contests, &r->contests_capacity, sizeof *room);
    if (!room)
        return ST_NOMEM;
    r->contest = room;
    r->contest[r->contests++] = *c;
    return ST_OK;
}

enum status replay_result_deploy(struct replay_result *r, const struct replay_deploy *d)
{
    struct replay_deploy *room =
        grow(r->deploy, r->deploys, &r->deploys_capacity, sizeof *room);
    if (!room)
        return ST_NOMEM;
    r->deploy = room;
    r->deploy[r->deploys++] = *d;
    return ST_OK;
}

struct replay_alarm *replay_result_open(struct replay_result *r, uint32_t key)
{
    for (uint32_t i = r->alarms; i-- > 0;)
        if (r->alarm[i].key == key && r->alarm[i].kind == ALARM_OPEN)
            return r->alarm[i].cleared_ns ? NULL : &r->alarm[i];
    return NULL;
}

static uint32_t count_tier(const struct replay_result *r, enum tier tier)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < r->alarms; i++)
        n += r->alarm[i].tier == tier;
    return n;
}

// Unix seconds; 0 (never) is null.
static void put_seconds(struct json *j, const char *key, uint64_t ns)
{
    json_key(j, key);
    if (ns == 0)
        json_null(j);
    else if (ns % SECOND_NS == 0)
        json_u64(j, ns / SECOND_NS);
    else
        json_f64(j, (double)ns / 1e9);
}

static void put_alarm(struct json *j, const struct replay_alarm *a)
{
    json_object(j);
    json_key_cstr(j, "tier", tier_name(a->tier));
    json_key_u64(j, "row", a->row);
    put_seconds(j, "ts", a->at_ns);
    json_key_cstr(j, "feature", a->feature);
    json_key_cstr(j, "signal", a->signal);
    json_key_cstr(j, "direction", direction_name(a->direction));
    json_key_f64(j, "effect", a->effect);
    json_key_f64(j, "evidence", a->evidence);
    put_seconds(j, "cleared_ts", a->cleared_ns);
    json_key_cstr(j, "kind", alarm_name(a->kind));
    put_seconds(j, "paged_ts", a->paged_ns);
    json_object_end(j);
}

static void put_contest(struct json *j, const struct replay_contest *c)
{
    json_object(j);
    put_seconds(j, "ts", c->at_ns);
    json_key_cstr(j, "champion", c->champion);
    json_key_cstr(j, "challenger", c->challenger);
    json_key_cstr(j, "verdict", contest_name(c->verdict));
    json_key_f64(j, "evidence", c->evidence);
    json_object_end(j);
}

static void put_deploy(struct json *j, const struct replay_deploy *d)
{
    json_object(j);
    put_seconds(j, "ts", d->at_ns);
    json_key_cstr(j, "version", d->version);
    json_key_cstr(j, "verdict", deploy_verdict_name(d->verdict));
    json_key_bool(j, "withheld", d->withheld);
    json_key_u64(j, "rows_needed", d->rows_needed);
    json_object_end(j);
}

static void put_summary(struct json *j, const struct replay_result *r)
{
    json_key(j, "summary");
    json_object(j);
    json_key_u64(j, "rows", r->rows);
    json_key_u64(j, "late_rows", r->late_rows);
    json_key_u64(j, "reference_rows", r->reference_rows);
    json_key_u64(j, "reference_windows", r->reference_windows);
    json_key_u64(j, "alarms", r->alarms);
    json_key_u64(j, "warn", count_tier(r, TIER_WARN));
    json_key_u64(j, "page", count_tier(r, TIER_PAGE));
    json_key_u64(j, "alarms_dropped", r->alarms_dropped);
    json_key_u64(j, "contest", r->contests);
    json_object_end(j);
}

void replay_result_json(const struct replay_result *r, struct buf *out)
{
    struct json j;
    json_init(&j, out);
    json_object(&j);
    json_key_cstr(&j, "stream", r->plan->name);
    json_key_u64(&j, "windows", r->windows);
    json_key_u64(&j, "feature_windows", r->feature_windows);
    json_key(&j, "alarms");
    json_array(&j);
    for (uint32_t i = 0; i < r->alarms; i++)
        put_alarm(&j, &r->alarm[i]);
    json_array_end(&j);
    json_key(&j, "contest");
    json_array(&j);
    for (uint32_t i = 0; i < r->contests; i++)
        put_contest(&j, &r->contest[i]);
    json_array_end(&j);
    json_key(&j, "deploy");
    json_array(&j);
    for (uint32_t i = 0; i < r->deploys; i++)
        put_deploy(&j, &r->deploy[i]);
    json_array_end(&j);
    put_summary(&j, r);
    json_object_end(&j);
    buf_put_text(out, "\n");
}

// Text in a column of its own, at least two blanks before the next one.
static void put_cell(struct buf *out, size_t start, size_t column)
{
    do
        buf_put_u8(out, ' ');
    while (out->failed == ST_OK && out->size - start < column);
}

static void put_time(struct buf *out, uint64_t ns)
{
    if (ns == 0)
        buf_put_text(out, "-");
    else
        text_put_time(out, ns);
}

static void alarm_line(const struct replay_alarm *a, struct buf *out)
{
    size_t start = out->size;
    text_put_time(out, a->at_ns);
    put_cell(out, start, 22);
    buf_printf(out, "%llu", (unsigned long long)a->row);
    put_cell(out, start, 31);
    buf_put_text(out, tier_name(a->tier));
    put_cell(out, start, 37);
    buf_put_text(out, a->feature);
    put_cell(out, start, 56);
    buf_printf(out, "%s %s", a->signal, direction_name(a->direction));
    put_cell(out, start, 76);
    buf_printf(out, "%.3f", a->effect);
    put_cell(out, start, 86);
    buf_printf(out, "%.3g", a->evidence);
    put_cell(out, start, 97);
    put_time(out, a->cleared_ns);
    buf_put_text(out, "\n");
}

void replay_result_table(const struct replay_result *r, struct buf *out)
{
    if (r->alarms > 0)
        buf_put_text(out, "TIME                  ROW      TIER  FEATURE            "
                          "SIGNAL              EFFECT    EVIDENCE   CLEARED\n");
    for (uint32_t i = 0; i < r->alarms; i++)
        alarm_line(&r->alarm[i], out);
    for (uint32_t i = 0; i < r->deploys; i++) {
        const struct replay_deploy *d = &r->deploy[i];
        text_put_time(out, d->at_ns);
        buf_printf(out, "  deployment of %s: %s%s\n", d->version,
                   deploy_verdict_name(d->verdict),
                   d->withheld ? " (inputs moved as well)" : "");
    }
    for (uint32_t i = 0; i < r->contests; i++) {
        const struct replay_contest *c = &r->contest[i];
        text_put_time(out, c->at_ns);
        buf_printf(out, "  %s (champion) against %s: %s\n", c->champion, c->challenger,
                   contest_name(c->verdict));
    }
    buf_printf(out,
               "%s: %llu rows, %llu reference windows, %llu windows, %llu "
               "feature-windows, %u alarms (%u warn, %u page), %u contest verdicts\n",
               r->plan->name, (unsigned long long)r->rows,
               (unsigned long long)r->reference_windows, (unsigned long long)r->windows,
               (unsigned long long)r->feature_windows, r->alarms,
               count_tier(r, TIER_WARN), count_tier(r, TIER_PAGE), r->contests);
}
