// Audits: the log of changes, whether it is whole, and the account of rows.
//
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "common/base/text.h"
#include "controller/log/audit.h"
#include "controller/query/inside.h"
#include "controller/query/timeline.h"

#define LOG_ROWS_DEFAULT 200u
#define DROPS_MAX 64u
#define EXPORT_PAGE 1000u // leaves of at most 16 KiB: an answer holds them

static const char *const actor_kinds[] = {"user", "agent", "system", "token"};

struct window_of_rows {
    uint64_t from, limit, seen, written;
};

static enum status write_leaf(struct call *c, struct span rest, struct span value,
                              void *with)
{
    struct window_of_rows *w = with;
    struct record_leaf l;
    (void)rest;
    if (w->seen++ < w->from || w->written == w->limit)
        return ST_OK;
    ST_TRY(records_read(value, &record_leaf_message, c->pool, &l));
    w->written++;
    json_object(c->j);
    json_key_u64(c->j, "n", l.number);
    json_key_time(c->j, "at", l.ts_ms * 1000000);
    json_key_cstr(c->j, "actor_kind", actor_kinds[l.actor_kind & 3]);
    json_key_text(c->j, "actor", l.actor);
    json_key_text(c->j, "event", l.event);
    json_key_text(c->j, "object", l.object);
    json_key_text(c->j, "detail", l.detail);
    json_object_end(c->j);
    return ST_OK;
}

enum status answer_audit_log(struct call *c)
{
    uint64_t leaves, limit = LOG_ROWS_DEFAULT;
    uint8_t root[32];
    struct span asked = call_arg(c, "limit");
    if (asked.size && text_u64(asked, &limit) != ST_OK)
        return call_refuse(c, CODE_USAGE, "--limit: write a number of rows");
    ST_TRY(audit_head(c->s, &leaves, root));
    struct window_of_rows w = {.limit = limit,
                               .from = leaves > limit ? leaves - limit : 0};
    struct shelf_key prefix = shelf_key_of('l');
    json_key_u64(c->j, "leaves", leaves);
    json_key_hex(c->j, "root", span_of(root, 32));
    json_key(c->j, "log");
    json_array(c->j);
    ST_TRY(call_walk(c, SHELF_AUDIT, &prefix, write_leaf, &w));
    json_array_end(c->j);
    return ST_OK;
}

static enum status write_leaf_bytes(struct call *c, uint64_t number, struct buf *text)
{
    struct span bytes;
    ST_TRY(audit_leaf(c->s, number, &bytes));
    buf_clear(text);
    text_put_base64url(text, bytes);
    json_text(c->j, buf_span(text));
    return text->failed;
}

// The leaves' own bytes, a page at a time: those from number `from` on, of a tree of
// `leaves` (now, if it is not said), so that all pages have one root.
enum status answer_audit_export(struct call *c)
{
    uint64_t from = 0, leaves;
    uint8_t root[32];
    struct span first = call_arg(c, "from"), size = call_arg(c, "leaves");
    ST_TRY(audit_head(c->s, &leaves, root));
    bool is_good = (!first.size || text_u64(first, &from) == ST_OK) &&
                   (!size.size || text_u64(size, &leaves) == ST_OK);
    enum status st = is_good ? audit_root(c->s, leaves, root) : ST_RANGE;
    if (st == ST_RANGE)
        return call_refuse(c, CODE_USAGE, "from, leaves: the log is not so long");
    ST_TRY(st);
    json_key_u64(c->j, "leaves", leaves);
    json_key_hex(c->j, "root", span_of(root, 32));
    json_key(c->j, "log");
    json_array(c->j);
    struct buf text;
    buf_init(&text, QUERY_JSON_MAX);
    for (uint64_t i = from; st == ST_OK && i < leaves && i - from < EXPORT_PAGE; i++)
        st = write_leaf_bytes(c, i, &text);
    buf_fini(&text);
    json_array_end(c->j);
    return st;
}

enum status answer_audit_verify(struct call *c)
{
    struct audit_report r;
    ST_TRY(audit_verify(c->s, &r));
    bool is_intact = r.first_bad == UINT64_MAX;
    json_key_cstr(c->j, "result", is_intact ? "intact" : "broken");
    json_key_u64(c->j, "leaves", r.leaves);
    json_key_hex(c->j, "root", span_of(r.root, 32));
    json_key(c->j, "first_bad");
    if (is_intact)
        json_null(c->j);
    else
        json_u64(c->j, r.first_bad);
    json_key_cstr(c->j, "trouble", r.trouble);
    c->code = is_intact ? CODE_FINE : CODE_UNHEALTHY;
    return ST_OK;
}

struct account {
    uint64_t observed, merged, late;
    struct {
        char reason[64];
        uint64_t rows;
    } drop[DROPS_MAX];
    uint32_t drops;
};

static void add_drop(struct account *a, struct span reason, uint64_t rows)
{
    uint32_t i = 0;
    while (i < a->drops && !span_is(reason, a->drop[i].reason))
        i++;
    if (i == DROPS_MAX || reason.size >= sizeof a->drop[0].reason)
        return;
    if (i == a->drops) {
        memcpy(a->drop[i].reason, reason.data, reason.size);
        a->drop[i].reason[reason.size] = '\0';
        a->drops++;
    }
    a->drop[i].rows += rows;
}

static void write_account(struct call *c, const struct account *a)
{
    json_key_u64(c->j, "observed", a->observed);
    json_key_u64(c->j, "merged", a->merged);
    json_key_u64(c->j, "late", a->late);
    json_key(c->j, "dropped");
    json_object(c->j);
    for (uint32_t i = 0; i < a->drops; i++)
        json_key_u64(c->j, a->drop[i].reason, a->drop[i].rows);
    json_object_end(c->j);
}

static enum status write_counts(struct call *c, struct span rest, struct span value,
                                void *with)
{
    struct account *total = with, own = {0};
    struct record_instance r;
    (void)rest;
    ST_TRY(records_read(value, &record_instance_message, c->pool, &r));
    own.observed = r.observed;
    own.merged = r.rows;
    own.late = r.late;
    for (uint32_t i = 0; i < r.drops; i++) {
        add_drop(&own, r.dropped[i].key, r.dropped[i].count);
        add_drop(total, r.dropped[i].key, r.dropped[i].count);
    }
    total->observed += own.observed;
    total->merged += own.merged;
    total->late += own.late;
    json_object(c->j);
    json_key_text(c->j, "model", r.model);
    json_key_text(c->j, "version", r.version);
    json_key_text(c->j, "host", r.host);
    write_account(c, &own);
    json_object_end(c->j);
    return ST_OK;
}

enum status answer_audit_counts(struct call *c)
{
    struct account total = {0};
    struct shelf_key prefix = key_instances_all();
    json_key(c->j, "instances");
    json_array(c->j);
    ST_TRY(call_walk(c, SHELF_AGENT, &prefix, write_counts, &total));
    json_array_end(c->j);
    json_key(c->j, "total");
    json_object(c->j);
    write_account(c, &total);
    json_object_end(c->j);
    return ST_OK;
}

static enum status write_event(struct call *c, struct span rest, struct span value,
                               void *with)
{
    struct record_event e;
    (void)rest;
    (void)with;
    ST_TRY(records_read(value, &record_event_message, c->pool, &e));
    struct span model = call_arg(c, "model");
    if (model.size && !span_equal(model, e.model))
        return ST_OK;
    json_object(c->j);
    json_key_time(c->j, "at", e.at);
    json_key_text(c->j, "kind", e.kind);
    json_key_text(c->j, "model", e.model);
    json_key_text(c->j, "version", e.version);
    json_key_text(c->j, "host", e.host);
    json_key_text(c->j, "actor", e.actor);
    json_key_text(c->j, "text", e.text);
    json_object_end(c->j);
    return ST_OK;
}

static bool is_of_model(const struct timeline_row *row, void *with)
{
    const struct span *model = with;
    return model->size == 0 || span_equal(*model, row->object);
}

// Events and leaves together; of the whole past, or since a time.
static enum status list_with_audit(struct call *c)
{
    struct span model = call_arg(c, "model"), since = call_arg(c, "since");
    struct timeline t = {.until_ns = UINT64_MAX, .wants = is_of_model, .with = &model};
    if (since.size && text_time(since, &t.from_ns) != ST_OK)
        return call_refuse(c, CODE_USAGE, "since: write it like 2026-03-01T14:05:00Z");
    return timeline_write(c, "events", &t);
}

enum status answer_event_list(struct call *c)
{
    enum status known = call_model_filter(c);
    if (known != ST_OK)
        return known == ST_NOTFOUND ? ST_OK : known;
    if (call_arg(c, "audit").size)
        return list_with_audit(c);
    struct shelf_key prefix = {0};
    json_key(c->j, "events");
    json_array(c->j);
    ST_TRY(call_walk(c, SHELF_EVENT, &prefix, write_event, NULL));
    json_array_end(c->j);
    return ST_OK;
}

enum status answer_policy_show(struct call *c)
{
    struct shelf_key key = key_policy();
    struct span text;
    enum status st = shelf_get(c->s, SHELF_CATALOG, &key, &text);
    if (st == ST_NOTFOUND)
        return call_refuse(c, CODE_NOT_FOUND,
                           "no policy was set yet: kedge policy set FILE");
    ST_TRY(st);
    json_key_text(c->j, "policy", text);
    return ST_OK;
}
