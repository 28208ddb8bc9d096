// SPDX-License-Identifier: Apache-2.0
#include "controller/watch/scene_facts.h"

#include <string.h>

#include "common/base/mem.h"
#include "common/base/table.h"
#include "common/base/text.h"
#include "common/trust/digest.h"
#include "controller/log/keys.h"
#include "controller/log/records.h"
#include "proto/messages/record.h"

#define POOL_BYTES 65536u
#define AGENTS_MAX 65536u
#define DIGEST_SHOWN 6u // bytes of a digest that people compare

struct facts {
    struct shelf *s;
    struct blame_case *c;
    uint64_t since_ns;
    uint8_t *memory, *label_memory;
    struct pool label_pool;
    // The agent whose labels are at hand; instances of one agent often follow each
    // other.
    uint8_t agent[16];
    struct record_agent of;
};

static enum status read_agent(struct facts *f, const uint8_t *agent)
{
    if (memcmp(f->agent, agent, sizeof f->agent) == 0)
        return ST_OK;
    struct shelf_key key = key_agent(agent);
    pool_clear(&f->label_pool);
    memset(f->agent, 0, sizeof f->agent);
    f->of = (struct record_agent){.labels = 0};
    enum status st = records_get(f->s, SHELF_AGENT, &key, &record_agent_message,
                                 &f->label_pool, &f->of);
    if (st == ST_OK)
        memcpy(f->agent, agent, sizeof f->agent);
    else
        f->of = (struct record_agent){.labels = 0};
    return st == ST_NOTFOUND ? ST_OK : st;
}

static enum status add_one(struct facts *f, uint32_t e, const char *key,
                           struct span value)
{
    return value.size ? blame_case_fact(f->c, e, span_text(key), value) : ST_OK;
}

static enum status add_digest(struct facts *f, uint32_t e, const uint8_t *digest)
{
    struct buf b;
    if (digest_is_none(digest))
        return ST_OK;
    buf_init(&b, 64);
    text_put_hex(&b, span_of(digest, DIGEST_SHOWN));
    enum status st = b.failed;
    if (st == ST_OK)
        st = add_one(f, e, "digest", buf_span(&b));
    buf_fini(&b);
    return st;
}

static enum status add_instance(struct facts *f, struct span value)
{
    struct record_instance i;
    struct pool pool;
    uint32_t e;
    pool_init(&pool, f->memory, POOL_BYTES);
    ST_TRY(records_read(value, &record_instance_message, &pool, &i));
    if (i.last_end < f->since_ns || blame_case_find(f->c, i.model, &e) != ST_OK)
        return ST_OK;
    ST_TRY(read_agent(f, i.agent));
    ST_TRY(add_one(f, e, "host", i.host));
    ST_TRY(add_one(f, e, "version", i.version));
    ST_TRY(add_digest(f, e, i.digest));
    for (uint32_t k = 0; k < f->of.labels; k++)
        if (f->of.label[k].value.size && f->of.label[k].key.size)
            ST_TRY(blame_case_fact(f->c, e, f->of.label[k].key, f->of.label[k].value));
    return ST_OK;
}

static enum status add_all(struct facts *f)
{
    struct shelf_key prefix = key_instances_all();
    struct shelf_walk walk;
    struct span key, value;
    enum status st;
    shelf_walk_init(&walk, f->s, SHELF_AGENT, &prefix);
    while ((st = shelf_walk_next(&walk, &key, &value)) == ST_OK)
        ST_TRY(add_instance(f, value));
    return st == ST_EMPTY ? ST_OK : st;
}

enum status scene_facts(struct shelf *s, uint64_t since_ns, struct blame_case *c)
{
    struct facts f = {.s = s,
                      .c = c,
                      .since_ns = since_ns,
                      .memory = mem_zero(1, POOL_BYTES),
                      .label_memory = mem_zero(1, POOL_BYTES)};
    if (f.label_memory)
        pool_init(&f.label_pool, f.label_memory, POOL_BYTES);
    enum status st = f.memory && f.label_memory ? add_all(&f) : ST_NOMEM;
    mem_free(f.memory);
    mem_free(f.label_memory);
    return st;
}
