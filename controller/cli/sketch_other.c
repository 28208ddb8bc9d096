// SPDX-License-Identifier: Apache-2.0
#include "controller/cli/sketch_other.h"

#include "common/base/json.h"
#include "common/sketch/distinct.h"
#include "common/sketch/topk.h"
#include "controller/cli/cli.h"
#include "controller/cli/talk.h"

#define FAMILY_AT 2
#define FAMILY_HLL 7
#define FAMILY_ITEMS 10
#define ITEMS_MAX (3u << (TOPK_LG_MOST - 2)) // a summary keeps no more

static int complain(const char *path, const char *format, enum status st)
{
    talk_complain("%s: no %s sketch: %s", path, format, status_text(st));
    return st == ST_NOMEM ? CLI_USAGE : CLI_UNHEALTHY;
}

static int show_distinct(const char *path, struct span bytes, bool as_json,
                         struct buf *out)
{
    struct distinct *d;
    struct json j;
    enum status st = distinct_parse(bytes, &d);
    if (st != ST_OK)
        return complain(path, "HLL", st);
    double low, high, estimate = distinct_estimate(d);
    distinct_bounds(d, 2, &low, &high);
    if (as_json) {
        json_init(&j, out);
        json_object(&j);
        json_key_cstr(&j, "type", "hll");
        json_key_u64(&j, "lg_k", distinct_lg_k(d));
        json_key_f64(&j, "estimate", estimate);
        json_key_f64(&j, "lower", low);
        json_key_f64(&j, "upper", high);
        json_object_end(&j);
        buf_put_u8(out, '\n');
    } else {
        buf_printf(out,
                   "type        hll, distinct values\nlg k        %u\n"
                   "estimate    %.9g\nbounds      %.9g to %.9g at 2 standard errors\n",
                   distinct_lg_k(d), estimate, low, high);
    }
    distinct_close(d);
    return CLI_FINE;
}

static void put_items_json(const struct topk *t, const struct topk_item *item,
                           uint32_t n, struct buf *out)
{
    struct json j;
    struct buf name;
    buf_init(&name, TOPK_TEXT_MAX + 1);
    json_init(&j, out);
    json_object(&j);
    json_key_cstr(&j, "type", "items");
    json_key_u64(&j, "lg_max", topk_lg_max(t));
    json_key_u64(&j, "total", topk_total(t));
    json_key_u64(&j, "error", topk_error(t));
    json_key(&j, "items");
    json_array(&j);
    for (uint32_t i = 0; i < n; i++) {
        buf_clear(&name);
        topk_put_name(&item[i], &name);
        json_object(&j);
        json_key_text(&j, "item", buf_span(&name));
        json_key_u64(&j, "lower", item[i].lower);
        json_key_u64(&j, "upper", item[i].upper);
        json_object_end(&j);
    }
    json_array_end(&j);
    json_object_end(&j);
    buf_put_u8(out, '\n');
    buf_fini(&name);
}

static void put_items_table(const struct topk *t, const struct topk_item *item,
                            uint32_t n, struct buf *out)
{
    enum { SHOWN = 20 };
    buf_printf(out,
               "type        items, the heaviest values\nlg max      %u\n"
               "total       %llu\nkept        %u\nerror       at most %llu\n",
               topk_lg_max(t), (unsigned long long)topk_total(t), n,
               (unsigned long long)topk_error(t));
    for (uint32_t i = 0; i < n && i < SHOWN; i++) {
        buf_printf(out, "%10llu..%-10llu ", (unsigned long long)item[i].lower,
                   (unsigned long long)item[i].upper);
        topk_put_name(&item[i], out);
        buf_put_u8(out, '\n');
    }
}

static int show_items(const char *path, struct span bytes, bool as_json,
                      struct buf *out)
{
    static struct topk_item item[ITEMS_MAX];
    struct topk *t;
    enum status st = topk_parse(bytes, &t);
    if (st != ST_OK)
        return complain(path, "Frequent Items", st);
    uint32_t n = topk_heaviest(t, ITEMS_MAX, item);
    if (as_json)
        put_items_json(t, item, n, out);
    else
        put_items_table(t, item, n, out);
    topk_close(t);
    return CLI_FINE;
}

int cli_sketch_show_other(const char *path, struct span bytes, bool as_json,
                          struct buf *out, bool *is_other)
{
    unsigned family = bytes.size > FAMILY_AT ? bytes.data[FAMILY_AT] : 0;
    *is_other = family == FAMILY_HLL || family == FAMILY_ITEMS;
    if (family == FAMILY_HLL)
        return show_distinct(path, bytes, as_json, out);
    if (family == FAMILY_ITEMS)
        return show_items(path, bytes, as_json, out);
    return CLI_FINE;
}
