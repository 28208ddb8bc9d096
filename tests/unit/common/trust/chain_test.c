// Chain: the roots of RFC 6962's reference trees, every proof of small trees, and
// tampering.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/trust/chain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/trust/digest.h"

#define LEAVES 70
#define LEVELS 8

// A store in memory whose hashes a test may change.
struct shelf {
    struct chain_hash hash[LEVELS][LEAVES];
    bool has[LEVELS][LEAVES];
    uint32_t rewrites;
    char leaf[LEAVES][16];
    uint64_t leaves;
};

static enum status shelf_get(void *self, uint8_t level, uint64_t index,
                             struct chain_hash *out)
{
    struct shelf *s = self;
    if (level >= LEVELS || index >= LEAVES || !s->has[level][index])
        return ST_NOTFOUND;
    *out = s->hash[level][index];
    return ST_OK;
}

static enum status shelf_put(void *self, uint8_t level, uint64_t index,
                             const struct chain_hash *hash)
{
    struct shelf *s = self;
    assert_true(level < LEVELS && index < LEAVES);
    s->rewrites += s->has[level][index];
    s->has[level][index] = true;
    s->hash[level][index] = *hash;
    return ST_OK;
}

static enum status shelf_leaf(void *keep, uint64_t index, struct span *bytes)
{
    struct shelf *s = keep;
    if (index >= s->leaves)
        return ST_NOTFOUND;
    *bytes = span_text(s->leaf[index]);
    return ST_OK;
}

static struct chain_store store_of(struct shelf *s)
{
    return (struct chain_store){.self = s, .get = shelf_get, .put = shelf_put};
}

static void append(struct shelf *s, struct span bytes)
{
    struct chain_store store = store_of(s);
    struct chain_hash leaf;
    assert_int_equal(chain_leaf(bytes, &leaf), ST_OK);
    assert_int_equal(chain_append(&store, s->leaves, &leaf), ST_OK);
    s->leaves++;
}

static int make_shelf(void **state)
{
    struct shelf *s = MEM_NEW(struct shelf);
    *state = s;
    return s ? 0 : -1;
}

static int drop_shelf(void **state)
{
    mem_free(*state);
    return 0;
}

static void fill(struct shelf *s)
{
    while (s->leaves < LEAVES) {
        snprintf(s->leaf[s->leaves], sizeof s->leaf[0], "leaf %u", (unsigned)s->leaves);
        append(s, span_text(s->leaf[s->leaves]));
    }
}

static struct chain_hash root_of(struct shelf *s, uint64_t size)
{
    struct chain_store store = store_of(s);
    struct chain_hash root;
    assert_int_equal(chain_root(&store, size, &root), ST_OK);
    return root;
}

// The inputs and roots that the reference implementation of RFC 6962 is tested with.
static const struct {
    const char *leaf, *root;
} reference[] = {
    {"", "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"},
    {"00", "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"},
    {"10", "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"},
    {"2021", "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"},
    {"3031", "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4"},
    {"40414243", "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef"},
    {"5051525354555657",
     "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c"},
    {"606162636465666768696a6b6c6d6e6f",
     "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"},
};

static void the_roots_are_those_of_rfc_6962(void **state)
{
    struct shelf *s = *state;
    struct chain_walk walk;
    chain_walk_init(&walk);
    struct chain_hash root = root_of(s, 0), walked;
    uint8_t want[32];
    assert_int_equal(digest_of((struct span){0}, want), ST_OK);
    assert_memory_equal(root.byte, want, 32);
    for (size_t i = 0; i < sizeof reference / sizeof reference[0]; i++) {
        uint8_t bytes[16];
        struct span leaf = span_of(bytes, strlen(reference[i].leaf) / 2);
        struct chain_hash hash;
        assert_int_equal(text_hex(span_text(reference[i].leaf), bytes, leaf.size),
                         ST_OK);
        assert_int_equal(text_hex(span_text(reference[i].root), want, 32), ST_OK);
        append(s, leaf);
        root = root_of(s, i + 1);
        assert_memory_equal(root.byte, want, 32);
        assert_int_equal(chain_leaf(leaf, &hash), ST_OK);
        assert_int_equal(chain_walk_add(&walk, &hash), ST_OK);
        assert_int_equal(chain_walk_root(&walk, &walked), ST_OK);
        assert_memory_equal(walked.byte, want, 32);
    }
}

static void nothing_is_ever_rewritten(void **state)
{
    struct shelf *s = *state;
    fill(s);
    assert_int_equal(s->rewrites, 0);
}

static void every_leaf_of_every_tree_is_proven(void **state)
{
    struct shelf *s = *state;
    fill(s);
    struct chain_store store = store_of(s);
    for (uint64_t size = 1; size <= LEAVES; size++) {
        struct chain_hash root = root_of(s, size), path[CHAIN_PATH_MAX];
        for (uint64_t i = 0; i < size; i++) {
            uint32_t n = 0;
            assert_int_equal(chain_inclusion(&store, i, size, path, &n), ST_OK);
            struct chain_hash leaf = s->hash[0][i];
            assert_int_equal(chain_check_inclusion(&leaf, i, size, path, n, &root),
                             ST_OK);
            leaf.byte[0] ^= 1;
            assert_int_equal(chain_check_inclusion(&leaf, i, size, path, n, &root),
                             ST_DENIED);
            leaf.byte[0] ^= 1;
            if (size > 1) {
                assert_int_equal(
                    chain_check_inclusion(&leaf, (i + 1) % size, size, path, n, &root),
                    ST_DENIED);
                assert_int_equal(
                    chain_check_inclusion(&leaf, i, size, path, n - 1, &root),
                    ST_DENIED);
            }
        }
    }
}

static void every_older_tree_is_proven_to_be_a_beginning(void **state)
{
    struct shelf *s = *state;
    fill(s);
    struct chain_store store = store_of(s);
    for (uint64_t size = 0; size <= LEAVES; size++) {
        struct chain_hash root = root_of(s, size), path[CHAIN_PATH_MAX];
        for (uint64_t old = 0; old <= size; old++) {
            uint32_t n = 0;
            struct chain_hash before = root_of(s, old);
            assert_int_equal(chain_consistency(&store, old, size, path, &n), ST_OK);
            assert_int_equal(
                chain_check_consistency(old, &before, size, &root, path, n), ST_OK);
            if (old == 0)
                continue;
            before.byte[31] ^= 1;
            assert_int_equal(
                chain_check_consistency(old, &before, size, &root, path, n), ST_DENIED);
            before.byte[31] ^= 1;
            root.byte[31] ^= 1;
            assert_int_equal(
                chain_check_consistency(old, &before, size, &root, path, n), ST_DENIED);
            root.byte[31] ^= 1;
            if (n)
                assert_int_equal(
                    chain_check_consistency(old, &before, size, &root, path, n - 1),
                    ST_DENIED);
        }
    }
}

static void proofs_out_of_range_are_not_made(void **state)
{
    struct shelf *s = *state;
    fill(s);
    struct chain_store store = store_of(s);
    struct chain_hash path[CHAIN_PATH_MAX];
    uint32_t n;
    assert_int_equal(chain_inclusion(&store, 5, 5, path, &n), ST_RANGE);
    assert_int_equal(chain_consistency(&store, 6, 5, path, &n), ST_RANGE);
}

static uint64_t first_broken(struct shelf *s, uint64_t size)
{
    struct chain_store store = store_of(s);
    struct chain_hash root;
    uint64_t broken = UINT64_MAX;
    enum status st = chain_verify(&store, size, shelf_leaf, s, &root, &broken);
    assert_int_equal(st, broken == UINT64_MAX ? ST_OK : ST_DENIED);
    return broken;
}

static void verify_names_the_first_broken_leaf(void **state)
{
    struct shelf *s = *state;
    fill(s);
    assert_int_equal(first_broken(s, LEAVES), UINT64_MAX);
    for (uint64_t i = 0; i < LEAVES; i++) {
        s->leaf[i][0] ^= 1;
        assert_int_equal(first_broken(s, LEAVES), i);
        s->leaf[i][0] ^= 1;
        s->has[0][i] = false;
        assert_int_equal(first_broken(s, LEAVES), i);
        s->has[0][i] = true;
    }
    // A leaf and its own hash, both changed, still disagree with the node above them.
    struct chain_hash kept = s->hash[0][4];
    s->leaf[4][0] ^= 1;
    assert_int_equal(chain_leaf(span_text(s->leaf[4]), &s->hash[0][4]), ST_OK);
    assert_int_equal(first_broken(s, LEAVES), 5);
    s->hash[0][4] = kept;
    s->leaf[4][0] ^= 1;
    s->leaves = 60; // the last ten are gone
    assert_int_equal(first_broken(s, LEAVES), 60);
}

static void swapped_leaves_are_found(void **state)
{
    struct shelf *s = *state;
    fill(s);
    char keep[16];
    memcpy(keep, s->leaf[7], sizeof keep);
    memcpy(s->leaf[7], s->leaf[40], sizeof keep);
    memcpy(s->leaf[40], keep, sizeof keep);
    assert_int_equal(first_broken(s, LEAVES), 7);
}

static void a_failing_store_is_no_tampering(void **state)
{
    struct shelf *s = *state;
    fill(s);
    struct chain_store store = store_of(s);
    struct chain_hash root;
    uint64_t broken = 0;
    for (uint64_t n = 1; n < 4; n++) {
        mem_fail_from(n);
        enum status st = chain_verify(&store, LEAVES, shelf_leaf, s, &root, &broken);
        mem_fail_from(0);
        assert_int_equal(st, ST_NOMEM);
    }
}

#define WITH_SHELF(test) cmocka_unit_test_setup_teardown(test, make_shelf, drop_shelf)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SHELF(the_roots_are_those_of_rfc_6962),
        WITH_SHELF(nothing_is_ever_rewritten),
        WITH_SHELF(every_leaf_of_every_tree_is_proven),
        WITH_SHELF(every_older_tree_is_proven_to_be_a_beginning),
        WITH_SHELF(proofs_out_of_range_are_not_made),
        WITH_SHELF(verify_names_the_first_broken_leaf),
        WITH_SHELF(swapped_leaves_are_found),
        WITH_SHELF(a_failing_store_is_no_tampering),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
