// Fleet: a table by agent id.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/fleet/fleet.h"

#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/table.h"

struct fleet {
    struct table *agent;
};

enum status fleet_open(struct fleet **out)
{
    struct fleet *f = MEM_NEW(struct fleet);
    if (!f)
        return ST_NOMEM;
    enum status st = table_open(FLEET_AGENTS_MAX, &f->agent);
    if (st != ST_OK) {
        mem_free(f);
        return st;
    }
    *out = f;
    return ST_OK;
}

void fleet_close(struct fleet *f)
{
    if (!f)
        return;
    table_close(f->agent, mem_free);
    mem_free(f);
}

static struct fleet_agent *find(const struct fleet *f, const uint8_t agent[16])
{
    return table_get(f->agent, span_of(agent, 16));
}

static int64_t skew(uint64_t theirs_ms, uint64_t wall_ns)
{
    return (int64_t)(theirs_ms - wall_ns / NS_PER_MS);
}

enum status fleet_hello(struct fleet *f, const uint8_t agent[16], const struct hello *h,
                        uint64_t wall_ns)
{
    struct fleet_agent *a = find(f, agent);
    if (!a) {
        a = MEM_NEW(struct fleet_agent);
        if (!a)
            return ST_NOMEM;
        enum status st = table_put(f->agent, span_of(agent, 16), a);
        if (st != ST_OK) {
            mem_free(a);
            return st;
        }
    }
    memset(a, 0, sizeof *a);
    memcpy(a->agent, agent, sizeof a->agent);
    memcpy(a->boot, h->boot, sizeof a->boot);
    memcpy(a->sess, h->sess, sizeof a->sess);
    size_t size = h->host.size < sizeof a->host ? h->host.size : sizeof a->host - 1;
    memcpy(a->host, h->host.data, size);
    a->hello_ns = a->seen_ns = wall_ns;
    a->skew_ms = skew(h->time_ms, wall_ns);
    return ST_OK;
}

bool fleet_beat(struct fleet *f, const uint8_t agent[16], const struct beat *b,
                uint64_t wall_ns)
{
    struct fleet_agent *a = find(f, agent);
    if (!a)
        return false;
    bool is_first = !fleet_has_beat(a);
    memcpy(a->hb, b->hb, sizeof a->hb);
    a->seen_ns = wall_ns;
    a->skew_ms = skew(b->time_ms, wall_ns);
    a->spool_entries = b->spool_entries;
    a->spool_bytes = b->spool_bytes;
    return is_first;
}

bool fleet_has_beat(const struct fleet_agent *a)
{
    static const uint8_t none[16];
    return memcmp(a->hb, none, sizeof none) != 0;
}

void fleet_told(struct fleet *f, const uint8_t agent[16], uint32_t models)
{
    struct fleet_agent *a = find(f, agent);
    if (a)
        a->told = models;
}

void fleet_seen(struct fleet *f, const uint8_t agent[16], uint64_t wall_ns)
{
    struct fleet_agent *a = find(f, agent);
    if (a)
        a->seen_ns = wall_ns;
}

void fleet_forget(struct fleet *f, const uint8_t agent[16])
{
    mem_free(table_take(f->agent, span_of(agent, 16)));
}

const struct fleet_agent *fleet_get(const struct fleet *f, const uint8_t agent[16])
{
    return find(f, agent);
}

const struct fleet_agent *fleet_next(const struct fleet *f, size_t *at)
{
    void *value;
    return table_next(f->agent, at, NULL, &value) ? value : NULL;
}

bool fleet_is_alive(const struct fleet_agent *a, uint64_t wall_ns)
{
    return wall_ns < a->seen_ns || wall_ns - a->seen_ns < FLEET_SILENCE_NS;
}
