// SPDX-License-Identifier: Apache-2.0
#include "agent/grant.h"

#include <limits.h>
#include <string.h>

#include "common/base/file.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/trust/sign.h"
#include "proto/envelope.h"
#include "proto/messages/signature.h"

static enum status signatures_of(const struct envelope *e, struct pool *pool,
                                 const struct signature **out, uint32_t *count)
{
    const void *items;
    ST_TRY(message_decode_list(&signature_message, e->sigs, SIGNATURES_MAX, pool,
                               &items, count));
    *out = items;
    return ST_OK;
}

static bool has_signed(const struct envelope *e, const struct signature *sig,
                       uint32_t sigs, const uint8_t key[32])
{
    uint8_t kid[SIGN_KID_BYTES];
    if (sign_kid(key, kid) != ST_OK)
        return false;
    for (uint32_t i = 0; i < sigs; i++)
        if (memcmp(sig[i].kid, kid, sizeof kid) == 0 &&
            sign_check(key, e->type, e->body, sig[i].sig) == ST_OK)
            return true;
    return false;
}

enum status grant_check_ring(struct span joined, const uint8_t fleet[16],
                             const struct span *root, uint32_t roots, struct pool *pool,
                             struct keyring *out)
{
    struct envelope e;
    const struct signature *sig;
    uint32_t sigs, good = 0;
    ST_TRY(envelope_split(joined, &e));
    if (!span_is(e.type, KEYRING_TYPE))
        return ST_CORRUPT;
    ST_TRY(signatures_of(&e, pool, &sig, &sigs));
    for (uint32_t i = 0; i < roots; i++)
        good += root[i].size == 32 && has_signed(&e, sig, sigs, root[i].data);
    if (good == 0)
        return ST_DENIED;
    // Signed by a root that is pinned: now it may be read.
    ST_TRY(message_decode(&keyring_message, e.body, pool, out));
    return good >= out->root_threshold && memcmp(out->fleet, fleet, 16) == 0
               ? ST_OK
               : ST_DENIED;
}

static bool is_by_order_key(const struct envelope *e, const struct signature *sig,
                            uint32_t sigs, const struct keyring *ring)
{
    for (uint32_t i = 0; i < ring->order_keys; i++)
        if (has_signed(e, sig, sigs, ring->order_key[i].pub))
            return true;
    return false;
}

// The keyring stands inside of what it vouches for; so the grant is decoded first, but
// nothing of it is believed before both have been checked.
enum status grant_check(struct span joined, const uint8_t sign_pub[32],
                        const struct span *root, uint32_t roots, struct pool *pool,
                        struct enrol_grant *out, struct keyring *ring)
{
    struct envelope e;
    const struct signature *sig;
    uint32_t sigs;
    uint8_t agent[16];
    ST_TRY(envelope_split(joined, &e));
    if (!span_is(e.type, enrol_grant_message.type))
        return ST_CORRUPT;
    ST_TRY(signatures_of(&e, pool, &sig, &sigs));
    ST_TRY(message_decode(&enrol_grant_message, e.body, pool, out));
    ST_TRY(grant_check_ring(out->keyring, out->fleet, root, roots, pool, ring));
    if (!is_by_order_key(&e, sig, sigs, ring))
        return ST_DENIED;
    ST_TRY(enrol_agent_id(out->fleet, sign_pub, agent));
    return memcmp(agent, out->agent, 16) == 0 ? ST_OK : ST_DENIED;
}

// Fills both: the bytes, and the spans that lend from them.
static enum status read_roots(const char *folder, uint8_t (*bytes)[32],
                              struct span *root, uint32_t *roots)
{
    char path[PATH_MAX];
    struct buf text;
    buf_init(&text, 8192);
    *roots = 0;
    enum status st = file_join(folder, "roots", path, sizeof path);
    if (st == ST_OK)
        st = file_read(path, &text);
    for (size_t at = 0; st == ST_OK && at + 64 <= text.size; at += 65) {
        if (*roots == KEYRING_ROOTS_MAX) {
            st = ST_FULL;
            break;
        }
        st = text_hex(span_of(text.data + at, 64), bytes[*roots], 32);
        root[*roots] = span_of(bytes[*roots], 32);
        (*roots)++;
    }
    buf_fini(&text);
    return st == ST_OK && *roots == 0 ? ST_CORRUPT : st;
}

static void read_host(const char *folder, char *out, size_t out_size)
{
    char path[PATH_MAX];
    struct buf text;
    buf_init(&text, 256);
    out[0] = '\0';
    if (file_join(folder, "host", path, sizeof path) == ST_OK &&
        file_read(path, &text) == ST_OK) {
        size_t size = text.size;
        while (size > 0 && text.data[size - 1] == '\n')
            size--;
        if (size < out_size && text_is_name(span_of(text.data, size))) {
            memcpy(out, text.data, size);
            out[size] = '\0';
        }
    }
    buf_fini(&text);
}

static enum status read_keys(const char *folder, struct grant *g, struct buf *why)
{
    char path[PATH_MAX];
    ST_TRY(file_join(folder, "keys", path, sizeof path));
    ST_TRY(keys_read(path, "curve", KEY_CURVE, &g->curve, why));
    return keys_read(path, "sign", KEY_SIGN, &g->sign, why);
}

static enum status load(const char *folder, struct grant *g, struct buf *why)
{
    char path[PATH_MAX];
    uint8_t bytes[KEYRING_ROOTS_MAX][32];
    struct span root[KEYRING_ROOTS_MAX];
    uint32_t roots;
    ST_TRY(file_join(folder, "grant", path, sizeof path));
    enum status st = file_read(path, &g->bytes);
    if (st != ST_OK) {
        buf_printf(why, "%s: %s", path,
                   st == ST_NOTFOUND ? "this host is not enrolled: kedge-agent enroll"
                                     : status_text(st));
        return st;
    }
    st = read_keys(folder, g, why);
    if (st == ST_OK)
        st = read_roots(folder, bytes, root, &roots);
    if (st == ST_OK)
        st = grant_check(buf_span(&g->bytes), g->sign.pub, root, roots, &g->pool,
                         &g->told, &g->ring);
    if (st != ST_OK && why->size == 0)
        buf_printf(why,
                   "%s: keys, roots and grant do not fit together (%s): enrol again",
                   folder, status_text(st));
    return st;
}

enum status grant_open(const char *folder, struct grant **out, struct buf *why)
{
    struct grant *g = MEM_NEW(struct grant);
    if (!g)
        return ST_NOMEM;
    buf_init(&g->bytes, GRANT_BYTES_MAX);
    g->memory = mem_zero(1, MESSAGE_POOL_BYTES);
    pool_init(&g->pool, g->memory, g->memory ? MESSAGE_POOL_BYTES : 0);
    read_host(folder, g->host, sizeof g->host);
    enum status st = g->memory ? load(folder, g, why) : ST_NOMEM;
    if (st != ST_OK) {
        grant_close(g);
        return st;
    }
    *out = g;
    return ST_OK;
}

void grant_close(struct grant *g)
{
    if (!g)
        return;
    keys_wipe(&g->curve);
    keys_wipe(&g->sign);
    buf_fini(&g->bytes);
    mem_free(g->memory);
    mem_free(g);
}
