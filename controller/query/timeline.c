// SPDX-License-Identifier: Apache-2.0
#include "controller/query/timeline.h"

#include "common/base/mem.h"
#include "controller/log/audit.h"

#define POOL_BYTES 32768u
#define MS 1000000u

// One of the two streams, at its next row.
struct stream {
    bool is_over;
    uint64_t next; // events: their own number behind `time`; leaves: the number
    uint64_t time;
    uint8_t *memory;
    struct pool pool;
    struct timeline_row row;
};

static enum status read_event(struct call *c, struct stream *s)
{
    struct shelf_key at = key_event(s->time, s->next);
    struct record_event e;
    struct span key, value;
    enum status st =
        c->s->seek(c->s->self, SHELF_EVENT, shelf_key_span(&at), &key, &value);
    s->is_over = st == ST_NOTFOUND;
    if (s->is_over)
        return ST_OK;
    ST_TRY(st);
    if (key.size != at.size)
        return ST_CORRUPT;
    s->time = load_be64(key.data);
    s->next = load_be64(key.data + 8) + 1;
    pool_clear(&s->pool);
    ST_TRY(records_read(value, &record_event_message, &s->pool, &e));
    s->row = (struct timeline_row){.at_ns = e.at,
                                   .source = "event",
                                   .kind = e.kind,
                                   .object = e.model,
                                   .version = e.version,
                                   .host = e.host,
                                   .actor = e.actor,
                                   .text = e.text};
    return ST_OK;
}

static enum status decode_leaf(struct call *c, struct stream *s, uint64_t number,
                               struct record_leaf *out)
{
    struct span bytes;
    ST_TRY(audit_leaf(c->s, number, &bytes));
    pool_clear(&s->pool);
    return records_read(bytes, &record_leaf_message, &s->pool, out);
}

static enum status read_leaf(struct call *c, struct stream *s)
{
    struct record_leaf l;
    enum status st = decode_leaf(c, s, s->next, &l);
    s->is_over = st == ST_RANGE;
    if (s->is_over)
        return ST_OK;
    ST_TRY(st);
    s->next++;
    s->row = (struct timeline_row){.at_ns = l.ts_ms * MS,
                                   .source = "audit",
                                   .kind = l.event,
                                   .object = l.object,
                                   .actor = l.actor,
                                   .text = l.detail};
    return ST_OK;
}

// The first leaf at or after the time, by halving: their times rise.
static enum status find_leaf(struct call *c, struct stream *s, uint64_t from_ns)
{
    uint64_t low = 0, high;
    uint8_t root[32];
    ST_TRY(audit_head(c->s, &high, root));
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        struct record_leaf l;
        ST_TRY(decode_leaf(c, s, middle, &l));
        if (l.ts_ms * MS < from_ns)
            low = middle + 1;
        else
            high = middle;
    }
    s->next = low;
    return ST_OK;
}

static void write_row(struct call *c, const struct timeline_row *r)
{
    json_object(c->j);
    json_key_time(c->j, "at", r->at_ns);
    json_key_cstr(c->j, "source", r->source);
    json_key_text(c->j, "kind", r->kind);
    json_key_text(c->j, "model", r->object);
    json_key_text(c->j, "version", r->version);
    json_key_text(c->j, "host", r->host);
    json_key_text(c->j, "actor", r->actor);
    json_key_text(c->j, "text", r->text);
    json_object_end(c->j);
}

static enum status merge(struct call *c, const struct timeline *t, struct stream *event,
                         struct stream *leaf)
{
    ST_TRY(find_leaf(c, leaf, t->from_ns));
    ST_TRY(read_event(c, event));
    ST_TRY(read_leaf(c, leaf));
    while (!event->is_over || !leaf->is_over) {
        bool is_event =
            !event->is_over && (leaf->is_over || event->row.at_ns <= leaf->row.at_ns);
        struct stream *s = is_event ? event : leaf;
        if (s->row.at_ns > t->until_ns)
            return ST_OK;
        if (!t->wants || t->wants(&s->row, t->with))
            write_row(c, &s->row);
        ST_TRY(is_event ? read_event(c, event) : read_leaf(c, leaf));
    }
    return ST_OK;
}

enum status timeline_write(struct call *c, const char *key, const struct timeline *t)
{
    struct stream event = {.time = t->from_ns, .memory = mem_zero(1, POOL_BYTES)};
    struct stream leaf = {.memory = mem_zero(1, POOL_BYTES)};
    enum status st = event.memory && leaf.memory ? ST_OK : ST_NOMEM;
    if (st == ST_OK) {
        pool_init(&event.pool, event.memory, POOL_BYTES);
        pool_init(&leaf.pool, leaf.memory, POOL_BYTES);
        json_key(c->j, key);
        json_array(c->j);
        st = merge(c, t, &event, &leaf);
        json_array_end(c->j);
    }
    mem_free(event.memory);
    mem_free(leaf.memory);
    return st;
}
