// SPDX-License-Identifier: Apache-2.0
#include "controller/log/serving.h"

#include <string.h>

#include "common/base/mem.h"
#include "controller/log/keys.h"
#include "proto/messages/record.h"

// Two attestations decode well within this.
#define POOL_BYTES 4096u

static void put_name(char out[SERVING_NAME_MAX + 1], struct span name)
{
    size_t size = name.size < SERVING_NAME_MAX ? name.size : SERVING_NAME_MAX;
    if (size)
        memcpy(out, name.data, size);
    out[size] = '\0';
}

static enum status add_host(struct serving *out, struct span value)
{
    uint8_t memory[POOL_BYTES];
    struct pool pool;
    pool_init(&pool, memory, sizeof memory);
    struct record_attest a;
    ST_TRY(message_decode(&record_attest_message, value, &pool, &a));
    struct serving_host *more =
        mem_resize(out->host, out->hosts + 1, sizeof *out->host);
    if (!more)
        return ST_NOMEM;
    out->host = more;
    struct serving_host *h = &out->host[out->hosts++];
    *h = (struct serving_host){.at_ns = a.at, .wall_ns = a.wall};
    memcpy(h->agent, a.agent, sizeof h->agent);
    memcpy(h->digest, a.digest, sizeof h->digest);
    put_name(h->host, a.host);
    put_name(h->version, a.version);
    put_name(h->before, a.before);
    h->by_order = span_is(a.cause, "order");
    return ST_OK;
}

// The newest attestation of the agent that `key` belongs to, and then the place behind
// all of them in `from`.
static enum status take_agent(struct shelf *s, uint32_t model, struct span key,
                              struct shelf_key *from, struct serving *out)
{
    struct shelf_key prefix = key_served_all(model);
    if (key.size < prefix.size + 16u)
        return ST_CORRUPT;
    struct shelf_key agent = key_served_by(model, key.data + prefix.size);
    struct span newest, value;
    ST_TRY(shelf_last(s, SHELF_AGENT, &agent, &newest, &value));
    *from = agent;
    shelf_key_be64(from, UINT64_MAX);
    return add_host(out, value);
}

enum status serving_read(struct shelf *s, uint32_t model, struct serving *out)
{
    struct serving found = {0};
    struct shelf_key prefix = key_served_all(model), from = prefix;
    enum status st;
    for (;;) {
        struct span key, value;
        st = s->seek(s->self, SHELF_AGENT, shelf_key_span(&from), &key, &value);
        bool is_ours = st == ST_OK && key.size >= prefix.size &&
                       memcmp(key.data, prefix.bytes, prefix.size) == 0;
        if (st == ST_OK && is_ours)
            st = take_agent(s, model, key, &from, &found);
        else if (st == ST_OK || st == ST_NOTFOUND)
            break;
        if (st != ST_OK) {
            serving_fini(&found);
            return st;
        }
    }
    *out = found;
    return ST_OK;
}

void serving_fini(struct serving *s)
{
    mem_free(s->host);
    *s = (struct serving){0};
}

uint32_t serving_count(const struct serving *s, struct span version)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->hosts; i++)
        n += span_is(version, s->host[i].version);
    return n;
}
