// Chain: the Merkle tree of RFC 6962 over stored full subtrees.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/trust/chain.h"

#include <stdbool.h>

#include "common/trust/digest.h"

// A tree of `size` leaves is a row of full subtrees, one for each set bit of `size`,
// the largest on the left. Only those are stored; whatever spans several is computed.

static uint8_t lowest_bit(uint64_t v)
{
    return (uint8_t)__builtin_ctzll(v);
}

static uint8_t highest_bit(uint64_t v)
{
    return (uint8_t)(63 - __builtin_clzll(v));
}

static bool is_same(const struct chain_hash *a, const struct chain_hash *b)
{
    return digest_equal(a->byte, b->byte);
}

enum status chain_leaf(struct span bytes, struct chain_hash *out)
{
    const uint8_t prefix = 0;
    return digest_of_two(span_of(&prefix, 1), bytes, out->byte);
}

enum status chain_node(const struct chain_hash *left, const struct chain_hash *right,
                       struct chain_hash *out)
{
    uint8_t bytes[1 + 2 * CHAIN_HASH_BYTES];
    bytes[0] = 1;
    memcpy(bytes + 1, left->byte, CHAIN_HASH_BYTES);
    memcpy(bytes + 1 + CHAIN_HASH_BYTES, right->byte, CHAIN_HASH_BYTES);
    return digest_of(span_of(bytes, sizeof bytes), out->byte);
}

enum status chain_append(const struct chain_store *s, uint64_t size,
                         const struct chain_hash *leaf)
{
    if (size == UINT64_MAX)
        return ST_RANGE;
    struct chain_hash hash = *leaf;
    uint8_t level = 0;
    ST_TRY(s->put(s->self, 0, size, &hash));
    // Each trailing one of `size` is a full subtree that this leaf joins to a larger
    // one.
    for (uint64_t index = size; index & 1; index >>= 1) {
        struct chain_hash left;
        ST_TRY(s->get(s->self, level, index - 1, &left));
        ST_TRY(chain_node(&left, &hash, &hash));
        level++;
        ST_TRY(s->put(s->self, level, index >> 1, &hash));
    }
    return ST_OK;
}

// Hash over leaves [begin, end), where begin is a multiple of the smallest power of two
// that is not below end - begin. Joins the full subtrees from the right.
static enum status range_hash(const struct chain_store *s, uint64_t begin, uint64_t end,
                              struct chain_hash *out)
{
    uint64_t left = end - begin;
    uint64_t at = end;
    bool has_hash = false;
    struct chain_hash hash;
    while (left) {
        uint8_t level = lowest_bit(left);
        struct chain_hash subtree;
        at -= UINT64_C(1) << level;
        ST_TRY(s->get(s->self, level, at >> level, &subtree));
        if (has_hash)
            ST_TRY(chain_node(&subtree, &hash, &hash));
        else
            hash = subtree;
        has_hash = true;
        left &= left - 1;
    }
    *out = hash;
    return ST_OK;
}

enum status chain_root(const struct chain_store *s, uint64_t size,
                       struct chain_hash *out)
{
    if (size == 0)
        return digest_of((struct span){0}, out->byte);
    return range_hash(s, 0, size, out);
}

// The largest power of two below n (n >= 2): where RFC 6962 splits a tree.
static uint64_t split_of(uint64_t n)
{
    return UINT64_C(1) << highest_bit(n - 1);
}

static void reverse(struct chain_hash *path, uint32_t paths)
{
    for (uint32_t i = 0, j = paths; i + 1 < j; i++) {
        j--;
        struct chain_hash keep = path[i];
        path[i] = path[j];
        path[j] = keep;
    }
}

enum status chain_inclusion(const struct chain_store *s, uint64_t index, uint64_t size,
                            struct chain_hash *path, uint32_t *paths)
{
    if (index >= size)
        return ST_RANGE;
    uint64_t begin = 0, end = size;
    uint32_t n = 0;
    while (end - begin > 1) {
        uint64_t middle = begin + split_of(end - begin);
        if (index < middle) {
            ST_TRY(range_hash(s, middle, end, &path[n++]));
            end = middle;
        } else {
            ST_TRY(range_hash(s, begin, middle, &path[n++]));
            begin = middle;
        }
    }
    reverse(path, n);
    *paths = n;
    return ST_OK;
}

enum status chain_consistency(const struct chain_store *s, uint64_t old, uint64_t size,
                              struct chain_hash *path, uint32_t *paths)
{
    if (old > size)
        return ST_RANGE;
    *paths = 0;
    if (old == 0 || old == size)
        return ST_OK;
    uint64_t begin = 0, end = size;
    uint32_t n = 0;
    // Down to the subtree that ends where the old tree ended.
    while (end != old) {
        uint64_t middle = begin + split_of(end - begin);
        if (old <= middle) {
            ST_TRY(range_hash(s, middle, end, &path[n++]));
            end = middle;
        } else {
            ST_TRY(range_hash(s, begin, middle, &path[n++]));
            begin = middle;
        }
    }
    // When that subtree is the whole old tree, its hash is the root that is known.
    if (begin > 0)
        ST_TRY(range_hash(s, begin, end, &path[n++]));
    reverse(path, n);
    *paths = n;
    return ST_OK;
}

// Source: RFC 9162, 2.1.3.2.
enum status chain_check_inclusion(const struct chain_hash *leaf, uint64_t index,
                                  uint64_t size, const struct chain_hash *path,
                                  uint32_t paths, const struct chain_hash *root)
{
    if (index >= size)
        return ST_DENIED;
    uint64_t fn = index, sn = size - 1;
    struct chain_hash hash = *leaf;
    for (uint32_t i = 0; i < paths; i++) {
        if (sn == 0)
            return ST_DENIED;
        if ((fn & 1) || fn == sn) {
            ST_TRY(chain_node(&path[i], &hash, &hash));
            while (!(fn & 1) && fn != 0) {
                fn >>= 1;
                sn >>= 1;
            }
        } else {
            ST_TRY(chain_node(&hash, &path[i], &hash));
        }
        fn >>= 1;
        sn >>= 1;
    }
    return sn == 0 && is_same(&hash, root) ? ST_OK : ST_DENIED;
}

// Both roots from one path. Source: RFC 9162, 2.1.4.2.
static enum status walk_consistency(uint64_t old, uint64_t size,
                                    const struct chain_hash *path, uint32_t paths,
                                    struct chain_hash *old_root,
                                    struct chain_hash *root)
{
    uint64_t fn = old - 1, sn = size - 1;
    while (fn & 1) {
        fn >>= 1;
        sn >>= 1;
    }
    *old_root = *root = path[0];
    for (uint32_t i = 1; i < paths; i++) {
        if (sn == 0)
            return ST_DENIED;
        if ((fn & 1) || fn == sn) {
            ST_TRY(chain_node(&path[i], old_root, old_root));
            ST_TRY(chain_node(&path[i], root, root));
            while (!(fn & 1) && fn != 0) {
                fn >>= 1;
                sn >>= 1;
            }
        } else {
            ST_TRY(chain_node(root, &path[i], root));
        }
        fn >>= 1;
        sn >>= 1;
    }
    return sn == 0 ? ST_OK : ST_DENIED;
}

enum status chain_check_consistency(uint64_t old, const struct chain_hash *old_root,
                                    uint64_t size, const struct chain_hash *root,
                                    const struct chain_hash *path, uint32_t paths)
{
    if (old > size || paths > CHAIN_PATH_MAX)
        return ST_DENIED;
    if (old == 0)
        return paths == 0 ? ST_OK : ST_DENIED;
    if (old == size)
        return paths == 0 && is_same(old_root, root) ? ST_OK : ST_DENIED;
    struct chain_hash whole[CHAIN_PATH_MAX + 1];
    uint32_t n = 0;
    if ((old & (old - 1)) == 0)
        whole[n++] = *old_root;
    for (uint32_t i = 0; i < paths; i++)
        whole[n++] = path[i];
    if (n == 0)
        return ST_DENIED;
    struct chain_hash found_old, found;
    ST_TRY(walk_consistency(old, size, whole, n, &found_old, &found));
    return is_same(&found_old, old_root) && is_same(&found, root) ? ST_OK : ST_DENIED;
}

void chain_walk_init(struct chain_walk *w)
{
    w->size = 0;
}

// edge[k] is the full subtree of 2^k leaves for each set bit k of size.
enum status chain_walk_add(struct chain_walk *w, const struct chain_hash *leaf)
{
    struct chain_hash hash = *leaf;
    uint8_t level = 0;
    for (uint64_t bits = w->size; bits & 1; bits >>= 1, level++)
        ST_TRY(chain_node(&w->edge[level], &hash, &hash));
    w->edge[level] = hash;
    w->size++;
    return ST_OK;
}

enum status chain_walk_root(const struct chain_walk *w, struct chain_hash *out)
{
    if (w->size == 0)
        return digest_of((struct span){0}, out->byte);
    uint8_t level = lowest_bit(w->size);
    struct chain_hash hash = w->edge[level];
    for (uint64_t bits = w->size & (w->size - 1); bits; bits &= bits - 1)
        ST_TRY(chain_node(&w->edge[lowest_bit(bits)], &hash, &hash));
    *out = hash;
    return ST_OK;
}

// The walk with one more leaf, each hash that it completes compared with the stored
// one.
static enum status verify_leaf(const struct chain_store *s, struct chain_walk *w,
                               const struct chain_hash *leaf)
{
    struct chain_hash hash = *leaf, stored;
    uint8_t level = 0;
    for (uint64_t index = w->size;; index >>= 1, level++) {
        enum status st = s->get(s->self, level, index, &stored);
        if (st == ST_NOTFOUND || (st == ST_OK && !is_same(&stored, &hash)))
            return ST_DENIED;
        ST_TRY(st);
        if (!(index & 1))
            break;
        ST_TRY(chain_node(&w->edge[level], &hash, &hash));
    }
    w->edge[level] = hash;
    w->size++;
    return ST_OK;
}

enum status chain_verify(const struct chain_store *s, uint64_t size,
                         chain_leaf_fn *leaf, void *keep, struct chain_hash *root,
                         uint64_t *broken)
{
    struct chain_walk w;
    chain_walk_init(&w);
    while (w.size < size) {
        struct span bytes = {0};
        struct chain_hash hash;
        enum status st = leaf(keep, w.size, &bytes);
        if (st == ST_OK)
            st = chain_leaf(bytes, &hash);
        if (st == ST_OK)
            st = verify_leaf(s, &w, &hash);
        if (st == ST_NOTFOUND || st == ST_DENIED) {
            *broken = w.size;
            return ST_DENIED;
        }
        ST_TRY(st);
    }
    return chain_walk_root(&w, root);
}
