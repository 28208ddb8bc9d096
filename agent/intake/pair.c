// SPDX-License-Identifier: Apache-2.0
#include "agent/intake/pair.h"

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/table.h"

#define SIGNALS_MAX 2 // that a row gets in addition
#define KEY_BYTES_MAX (2 * OBSERVATION_NAME_MAX + 16)

// A request that waits, in one block of memory with all that it lends.
struct held {
    struct held *older, *younger;
    size_t bytes;
    uint64_t since_ns;
    struct observation o;
    struct span key;
    struct datum datum[]; // then the texts
};

struct pair {
    struct observation_sink next;
    uint64_t horizon_ns;
    struct table *held;
    struct held *oldest, *youngest;
    size_t bytes;
    uint64_t now_ns;      // as of the last turn
    struct datum *merged; // OBSERVATION_VALUES_MAX, for one row
    bool tells;
    struct pair_stats stats;
};

enum status pair_open(const struct observation_sink *next, uint64_t horizon_ns,
                      struct pair **out)
{
    struct pair *p = MEM_NEW(struct pair);
    if (!p)
        return ST_NOMEM;
    p->next = *next;
    p->horizon_ns = horizon_ns;
    p->merged = mem_zero(OBSERVATION_VALUES_MAX, sizeof *p->merged);
    enum status st = p->merged ? table_open(PAIR_HELD_MAX, &p->held) : ST_NOMEM;
    if (st != ST_OK) {
        mem_free(p->merged);
        mem_free(p);
        return st;
    }
    *out = p;
    return ST_OK;
}

void pair_close(struct pair *p)
{
    if (!p)
        return;
    pair_turn(p, UINT64_MAX);
    table_close(p->held, NULL);
    mem_free(p->merged);
    mem_free(p);
}

struct pair_stats pair_stats(const struct pair *p)
{
    struct pair_stats stats = p->stats;
    stats.waiting = table_len(p->held);
    return stats;
}

// --- Keys

static size_t append(uint8_t *to, size_t at, struct span s)
{
    if (s.size > 0)
        memcpy(to + at, s.data, s.size);
    to[at + s.size] = 0;
    return at + s.size + 1;
}

static struct span key_of(const struct observation *o, uint8_t out[KEY_BYTES_MAX])
{
    size_t size = append(out, 0, o->model);
    size = append(out, size, o->id);
    store_le32(out + size, o->row);
    return span_of(out, size + 4);
}

// --- Waiting

static size_t text_bytes(const struct observation *o, struct span key)
{
    size_t size = o->model.size + o->version.size + o->id.size + key.size;
    for (uint32_t i = 0; i < o->values; i++) {
        size += o->value[i].name.size;
        if (o->value[i].kind == DATUM_CATEGORY)
            size += o->value[i].text.size;
    }
    return size;
}

static struct span keep(uint8_t **at, struct span text)
{
    struct span kept = span_of(*at, text.size);
    if (text.size > 0)
        memcpy(*at, text.data, text.size);
    *at += text.size;
    return kept;
}

static struct held *copy_of(const struct observation *o, struct span key)
{
    size_t data = (o->values + SIGNALS_MAX) * sizeof(struct datum);
    size_t bytes = sizeof(struct held) + data + text_bytes(o, key);
    struct held *h = mem_zero(1, bytes);
    if (!h)
        return NULL;
    uint8_t *at = (uint8_t *)h->datum + data;
    h->bytes = bytes;
    h->o = *o;
    h->o.model = keep(&at, o->model);
    h->o.version = keep(&at, o->version);
    h->o.id = keep(&at, o->id);
    h->o.written = h->o.segment = (struct span){0};
    h->o.value = h->datum;
    h->key = keep(&at, key);
    for (uint32_t i = 0; i < o->values; i++) {
        h->datum[i] = o->value[i];
        h->datum[i].name = keep(&at, o->value[i].name);
        if (o->value[i].kind == DATUM_CATEGORY)
            h->datum[i].text = keep(&at, o->value[i].text);
    }
    return h;
}

// Takes it out of the line; the caller frees it.
static void take_out(struct pair *p, struct held *h)
{
    table_take(p->held, h->key);
    if (h->older)
        h->older->younger = h->younger;
    else
        p->oldest = h->younger;
    if (h->younger)
        h->younger->older = h->older;
    else
        p->youngest = h->older;
    p->bytes -= h->bytes;
}

static uint32_t add_signal(struct datum *datum, uint32_t n, const char *name, double v)
{
    if (n == OBSERVATION_VALUES_MAX)
        return n;
    datum[n] = (struct datum){.name = span_text(name),
                              .side = SIDE_SIGNAL,
                              .kind = DATUM_NUMBER,
                              .number = v};
    return n + 1;
}

static void release(struct pair *p, struct held *h)
{
    take_out(p, h);
    bool is_over = p->now_ns > h->since_ns + p->horizon_ns;
    if (p->tells && is_over && p->stats.joined > 0 && h->o.row == 0)
        h->o.values = add_signal(h->datum, h->o.values, "error", 1);
    p->stats.unanswered++;
    p->next.row(p->next.self, &h->o);
    mem_free(h);
}

static void line_up(struct pair *p, struct held *h)
{
    h->older = p->youngest;
    if (p->youngest)
        p->youngest->younger = h;
    else
        p->oldest = h;
    p->youngest = h;
    p->bytes += h->bytes;
}

// False: it cannot wait and must go on at once.
static bool hold(struct pair *p, const struct observation *o, struct span key)
{
    struct held *twin = table_get(p->held, key);
    if (twin)
        release(p, twin); // the id came again: the first will not be answered
    struct held *h = copy_of(o, key);
    while (
        h && p->oldest &&
        (table_len(p->held) == PAIR_HELD_MAX || p->bytes + h->bytes > PAIR_BYTES_MAX))
        release(p, p->oldest);
    if (!h || table_put(p->held, h->key, h) != ST_OK) {
        mem_free(h);
        return false;
    }
    h->since_ns = p->now_ns;
    line_up(p, h);
    return true;
}

// --- Joining

static uint32_t tell_join(struct pair *p, uint32_t n, const struct observation *request,
                          const struct observation *answer)
{
    if (request->has_time && answer->has_time && answer->t >= request->t)
        n = add_signal(p->merged, n, "latency_ms",
                       (double)(answer->t - request->t) / (double)NS_PER_MS);
    return add_signal(p->merged, n, "error", 0);
}

static bool join(struct pair *p, const struct observation *answer, struct span key)
{
    struct held *h = table_get(p->held, key);
    if (!h)
        return false;
    take_out(p, h);
    struct observation o = h->o;
    uint32_t room = OBSERVATION_VALUES_MAX - h->o.values;
    uint32_t more = answer->values < room ? answer->values : room;
    memcpy(p->merged, h->datum, h->o.values * sizeof *p->merged);
    memcpy(p->merged + h->o.values, answer->value, more * sizeof *p->merged);
    o.value = p->merged;
    o.values = h->o.values + more;
    if (p->tells && o.row == 0)
        o.values = tell_join(p, o.values, &h->o, answer);
    o.unknown += answer->unknown + (answer->values - more);
    if (answer->version.size > 0)
        o.version = answer->version;
    p->stats.joined++;
    p->next.row(p->next.self, &o);
    mem_free(h);
    return true;
}

static bool has_only(const struct observation *o, enum observation_side side)
{
    for (uint32_t i = 0; i < o->values; i++)
        if (o->value[i].side != side)
            return false;
    return o->values > 0;
}

static void take_row(void *self, const struct observation *o)
{
    struct pair *p = self;
    uint8_t bytes[KEY_BYTES_MAX];
    bool is_request = has_only(o, SIDE_INPUT), is_answer = has_only(o, SIDE_OUTPUT);
    bool has_key = o->id.size > 0 && o->id.size <= OBSERVATION_NAME_MAX &&
                   o->model.size <= OBSERVATION_NAME_MAX;
    if (has_key && is_request && hold(p, o, key_of(o, bytes)))
        return;
    if (has_key && is_answer && join(p, o, key_of(o, bytes)))
        return;
    p->stats.unanswered += is_request;
    p->stats.unasked += is_answer;
    p->next.row(p->next.self, o);
}

static void take_drop(void *self, struct span model, enum drop_reason why,
                      uint64_t rows)
{
    struct pair *p = self;
    p->next.drop(p->next.self, model, why, rows);
}

static void take_settle(void *self)
{
    struct pair *p = self;
    p->next.settle(p->next.self);
}

void pair_tell(struct pair *p)
{
    p->tells = true;
}

struct observation_sink pair_sink(struct pair *p)
{
    return (struct observation_sink){p, take_row, take_drop, take_settle};
}

void pair_turn(struct pair *p, uint64_t now_ns)
{
    if (now_ns != UINT64_MAX)
        p->now_ns = now_ns;
    while (p->oldest &&
           (now_ns == UINT64_MAX || now_ns > p->oldest->since_ns + p->horizon_ns))
        release(p, p->oldest);
}
