// Audit: record_leaf under numbered keys, and the tree's hashes beside them.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/log/audit.h"

#include <string.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/text.h"
#include "common/trust/chain.h"
#include "common/trust/digest.h"
#include "controller/log/keys.h"
#include "proto/messages/record.h"

#define LEAF_BYTES_MAX (16u * 1024u)

static enum status get_hash(void *self, uint8_t level, uint64_t index,
                            struct chain_hash *out)
{
    struct shelf_key k = key_leaf_hash(level, index);
    struct span v;
    ST_TRY(shelf_get(self, SHELF_AUDIT, &k, &v));
    if (v.size != sizeof out->byte)
        return ST_CORRUPT;
    memcpy(out->byte, v.data, v.size);
    return ST_OK;
}

static enum status put_hash(void *self, uint8_t level, uint64_t index,
                            const struct chain_hash *hash)
{
    struct shelf_key k = key_leaf_hash(level, index);
    return shelf_put(self, SHELF_AUDIT, &k, span_of(hash->byte, sizeof hash->byte));
}

static struct chain_store chain_of(struct shelf *s)
{
    return (struct chain_store){.self = s, .get = get_hash, .put = put_hash};
}

static enum status count_leaves(struct shelf *s, uint64_t *out)
{
    struct shelf_key prefix = shelf_key_of('l');
    struct span key;
    enum status st = shelf_last(s, SHELF_AUDIT, &prefix, &key, NULL);
    if (st == ST_NOTFOUND) {
        *out = 0;
        return ST_OK;
    }
    if (st != ST_OK)
        return st;
    if (key.size != 9)
        return ST_CORRUPT;
    *out = load_be64(key.data + 1) + 1;
    return ST_OK;
}

// The longest beginning of `s` that is whole UTF-8 and within the limit; nothing of
// bytes that are no text at all. A leaf must not fail for what somebody wrote.
static struct span clean(struct span s, size_t limit)
{
    if (s.size > limit) {
        while (limit > 0 && (s.data[limit] & 0xc0) == 0x80)
            limit--;
        s.size = limit;
    }
    return text_is_utf8(s) ? s : span_text("(no text)");
}

static enum status hash_of(struct span bytes, uint8_t out[32])
{
    memset(out, 0, 32);
    return bytes.size == 0 ? ST_OK : digest_of(bytes, out);
}

enum status audit_append(struct shelf *s, const struct fold_moment *now,
                         const struct audit_change *c)
{
    struct record_leaf leaf = {.ts_ms = now->now_ns / NS_PER_MS,
                               .gen = now->pos.generation,
                               .seq = now->pos.seq,
                               .actor_kind = c->actor_kind,
                               .actor = clean(c->actor, 128),
                               .from = clean(c->from, 64),
                               .event = clean(span_text(c->event), 64),
                               .object = clean(c->object, 256),
                               .detail = clean(c->detail, AUDIT_DETAIL_MAX)};
    ST_TRY(count_leaves(s, &leaf.number));
    ST_TRY(hash_of(c->before, leaf.before));
    ST_TRY(hash_of(c->after, leaf.after));

    struct buf b;
    buf_init(&b, LEAF_BYTES_MAX);
    struct chain_hash hash;
    struct chain_store chain = chain_of(s);
    struct shelf_key k = key_leaf(leaf.number);
    enum status st = message_encode(&record_leaf_message, &leaf, &b, NULL);
    if (st == ST_OK)
        st = chain_leaf(buf_span(&b), &hash);
    if (st == ST_OK)
        st = chain_append(&chain, leaf.number, &hash);
    if (st == ST_OK)
        st = shelf_put(s, SHELF_AUDIT, &k, buf_span(&b));
    buf_fini(&b);
    return st;
}

enum status audit_head(struct shelf *s, uint64_t *leaves, uint8_t root[32])
{
    ST_TRY(count_leaves(s, leaves));
    return audit_root(s, *leaves, root);
}

enum status audit_root(struct shelf *s, uint64_t leaves, uint8_t root[32])
{
    struct chain_store chain = chain_of(s);
    struct chain_hash hash;
    uint64_t all;
    ST_TRY(count_leaves(s, &all));
    if (leaves > all)
        return ST_RANGE;
    ST_TRY(chain_root(&chain, leaves, &hash));
    memcpy(root, hash.byte, 32);
    return ST_OK;
}

enum status audit_leaf(struct shelf *s, uint64_t number, struct span *bytes)
{
    struct shelf_key k = key_leaf(number);
    enum status st = shelf_get(s, SHELF_AUDIT, &k, bytes);
    return st == ST_NOTFOUND ? ST_RANGE : st;
}

enum status audit_proof(struct shelf *s, uint64_t number, uint64_t leaves,
                        struct chain_hash *path, uint32_t *paths)
{
    struct chain_store chain = chain_of(s);
    return chain_inclusion(&chain, number, leaves, path, paths);
}

// What the walk over the leaves checks besides their hashes.
struct check {
    struct shelf *shelf;
    uint64_t time_ms;
    const char *trouble;
};

static enum status check_leaf(void *keep, uint64_t index, struct span *bytes)
{
    struct check *c = keep;
    struct shelf_key k = key_leaf(index);
    enum status st = shelf_get(c->shelf, SHELF_AUDIT, &k, bytes);
    if (st != ST_OK) {
        c->trouble = "the leaf is missing";
        return st;
    }
    uint8_t memory[8192];
    struct pool pool;
    struct record_leaf leaf;
    pool_init(&pool, memory, sizeof memory);
    if (message_decode(&record_leaf_message, *bytes, &pool, &leaf) != ST_OK)
        c->trouble = "the leaf cannot be read";
    else if (leaf.number != index)
        c->trouble = "the leaf bears another number";
    else if (leaf.ts_ms < c->time_ms)
        c->trouble = "time goes back";
    else {
        c->time_ms = leaf.ts_ms;
        return ST_OK;
    }
    return ST_NOTFOUND;
}

enum status audit_verify(struct shelf *s, struct audit_report *out)
{
    struct audit_report r = {.first_bad = UINT64_MAX};
    struct check check = {.shelf = s};
    struct chain_store chain = chain_of(s);
    struct chain_hash root = {{0}};
    uint64_t broken = 0;
    ST_TRY(count_leaves(s, &r.leaves));
    enum status st = chain_verify(&chain, r.leaves, check_leaf, &check, &root, &broken);
    if (st == ST_DENIED) {
        r.first_bad = broken;
        r.trouble =
            check.trouble ? check.trouble : "the leaf does not agree with its hash";
    } else if (st != ST_OK) {
        return st;
    }
    memcpy(r.root, root.byte, sizeof r.root);
    *out = r;
    return ST_OK;
}
