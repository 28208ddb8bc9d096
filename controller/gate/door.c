// Door: nonces of connections, and who may try how often.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/gate/door.h"

#include <string.h>

#include "common/base/clock.h"
#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/trust/sign.h"

#define MINUTE_NS (60 * NS_PER_S)
#define ADDRESSES 256u // counted apart; two that share a place share their tries

struct talk {
    bool is_open; // the nonce is still to be used
    uint8_t id[5];
    uint32_t place; // of its address among the tries
    uint8_t nonce[32];
    uint64_t since_ns;
};

struct tries {
    uint64_t since_ns;
    uint32_t n;
};

struct door {
    struct door_options o;
    uint8_t *keyring;
    struct talk talk[DOOR_TALKS_MAX];
    struct tries all, address[ADDRESSES];
    uint8_t seed[16];
};

enum status door_open(const struct door_options *o, struct door **out)
{
    struct door *d = MEM_NEW(struct door);
    if (!d)
        return ST_NOMEM;
    d->o = *o;
    d->keyring = mem_copy(o->keyring);
    if (!d->keyring && o->keyring.size > 0) {
        door_close(d);
        return ST_NOMEM;
    }
    d->o.keyring = span_of(d->keyring, o->keyring.size);
    random_os_bytes(d->seed, sizeof d->seed);
    *out = d;
    return ST_OK;
}

void door_close(struct door *d)
{
    if (!d)
        return;
    mem_free(d->keyring);
    mem_free(d);
}

static uint32_t place_of(const struct door *d, const char *address)
{
    return (uint32_t)(hash_sip(d->seed, span_text(address)) % ADDRESSES);
}

static bool is_spent(const struct tries *t, uint32_t most, uint64_t now_ns)
{
    return now_ns - t->since_ns < MINUTE_NS && t->n >= most;
}

static void count_try(struct tries *t, uint64_t now_ns)
{
    if (now_ns - t->since_ns >= MINUTE_NS)
        *t = (struct tries){.since_ns = now_ns};
    t->n++;
}

bool door_may_try(const struct door *d, const char *address, uint64_t now_ns)
{
    return !is_spent(&d->address[place_of(d, address)], DOOR_TRIES_ADDRESS, now_ns) &&
           !is_spent(&d->all, DOOR_TRIES, now_ns);
}

static struct talk *find_talk(struct door *d, const uint8_t id[5])
{
    for (uint32_t i = 0; i < DOOR_TALKS_MAX; i++) {
        if (memcmp(d->talk[i].id, id, 5) == 0)
            return &d->talk[i];
    }
    return NULL;
}

// A free place, or the oldest one.
static struct talk *new_talk(struct door *d)
{
    struct talk *best = &d->talk[0];
    for (uint32_t i = 0; i < DOOR_TALKS_MAX; i++) {
        if (!d->talk[i].is_open)
            return &d->talk[i];
        if (d->talk[i].since_ns < best->since_ns)
            best = &d->talk[i];
    }
    return best;
}

void door_failed(struct door *d, const uint8_t id[5], uint64_t now_ns)
{
    const struct talk *t = find_talk(d, id);
    count_try(&d->all, now_ns);
    if (t)
        count_try(&d->address[t->place], now_ns);
}

enum status door_hello(struct door *d, const struct door_talk *who, struct span body,
                       struct buf *out)
{
    struct enrol_hello hello;
    struct pool none;
    pool_init(&none, NULL, 0);
    if (message_decode(&enrol_hello_message, body, &none, &hello) != ST_OK)
        return ST_CORRUPT;
    struct talk *t = find_talk(d, who->id);
    if (!t)
        t = new_talk(d);
    *t = (struct talk){
        .is_open = true, .place = place_of(d, who->address), .since_ns = who->now_ns};
    memcpy(t->id, who->id, 5);
    random_os_bytes(t->nonce, sizeof t->nonce);
    struct enrol_challenge c = {.server_ms = who->wall_ms, .keyring = d->o.keyring};
    memcpy(c.nonce, t->nonce, sizeof c.nonce);
    return message_encode(&enrol_challenge_message, &c, out, NULL);
}

static enum status read_request(struct span body, struct enrol_request *r)
{
    struct pool none;
    pool_init(&none, NULL, 0);
    return message_decode(&enrol_request_message, body, &none, r) == ST_OK ? ST_OK
                                                                           : ST_CORRUPT;
}

enum status door_claim(struct span body, struct pool *pool, struct enrol_claim *claim)
{
    struct enrol_request r;
    ST_TRY(read_request(body, &r));
    return message_decode(&enrol_claim_message, r.body, pool, claim) == ST_OK
               ? ST_OK
               : ST_CORRUPT;
}

enum status door_request(struct door *d, const uint8_t id[5], const uint8_t key[32],
                         struct span body, uint64_t now_ns)
{
    uint8_t memory[16384];
    struct pool pool;
    struct enrol_claim claim;
    pool_init(&pool, memory, sizeof memory);
    ST_TRY(door_claim(body, &pool, &claim));
    struct talk *t = find_talk(d, id);
    if (!t || !t->is_open)
        return ST_DENIED;
    bool is_good = now_ns - t->since_ns < DOOR_TALK_NS &&
                   memcmp(claim.nonce, t->nonce, sizeof t->nonce) == 0 &&
                   memcmp(claim.agent_curve, key, 32) == 0 &&
                   memcmp(claim.server_curve, d->o.curve, 32) == 0 &&
                   memcmp(claim.fleet, d->o.fleet, 16) == 0;
    t->is_open = false;
    return is_good ? ST_OK : ST_DENIED;
}

enum status door_verify(struct span body, const uint8_t token_key[32],
                        struct pool *pool, struct enrol_claim *claim)
{
    struct enrol_request r;
    struct span type = span_text(ENROL_CLAIM_TYPE);
    ST_TRY(read_request(body, &r));
    ST_TRY(sign_check(token_key, type, r.body, r.sig_token));
    struct enrol_claim c;
    if (message_decode(&enrol_claim_message, r.body, pool, &c) != ST_OK)
        return ST_CORRUPT;
    ST_TRY(sign_check(c.agent_sign, type, r.body, r.sig_agent));
    *claim = c;
    return ST_OK;
}
