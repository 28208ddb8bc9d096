// SPDX-License-Identifier: Apache-2.0
#include "controller/bundle.h"

#include <json-c/json.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/trust/chain.h"
#include "common/trust/digest.h"
#include "controller/bundle_case.h"
#include "proto/messages/record.h"

#define FORMAT "kedge.incident.v1"
#define JSON_DEPTH 16
#define POOL_BYTES (1u << 20)
#define PIECE_BYTES (16u << 20)

// A bundle on its way.
struct check {
    struct json_object *root;
    struct bundle_report *out;
    struct chain_hash tree;
    uint8_t *memory, *leaf_memory;
    struct pool pool;
    struct buf bytes;     // of the record
    struct buf scratch;   // of one leaf or piece
    uint8_t (*after)[32]; // what the proven leaves vouch for
    uint32_t afters;
    uint8_t last[32]; // by the last leaf of the incident itself
    struct record_incident incident;
};

static bool trouble(struct check *k, const char *what)
{
    if (k->out->trouble[0] == '\0')
        (void)snprintf(k->out->trouble, BUNDLE_WHY, "%s", what);
    return false;
}

static struct json_object *list_in(struct json_object *o, const char *key)
{
    struct json_object *v = NULL;
    bool is_list = json_object_object_get_ex(o, key, &v) &&
                   json_object_is_type(v, json_type_array);
    return is_list ? v : NULL;
}

static struct span text_in(struct json_object *o, const char *key)
{
    struct json_object *v = NULL;
    bool is_text = json_object_is_type(o, json_type_object) &&
                   json_object_object_get_ex(o, key, &v) &&
                   json_object_is_type(v, json_type_string);
    return is_text ? span_of(json_object_get_string(v),
                             (size_t)json_object_get_string_len(v))
                   : span_of(NULL, 0);
}

static uint64_t number_in(struct json_object *o, const char *key)
{
    struct json_object *v = NULL;
    bool is_number = json_object_is_type(o, json_type_object) &&
                     json_object_object_get_ex(o, key, &v) &&
                     json_object_is_type(v, json_type_int);
    return is_number ? json_object_get_uint64(v) : 0;
}

static bool bytes_in(struct json_object *o, const char *key, struct buf *out)
{
    buf_clear(out);
    return text_base64url(text_in(o, key), out) == ST_OK && out->size > 0;
}

// --- Leaves

static bool read_path(struct json_object *list, struct chain_hash *path, uint32_t *n)
{
    size_t count = list ? json_object_array_length(list) : CHAIN_PATH_MAX + 1;
    if (count > CHAIN_PATH_MAX)
        return false;
    for (size_t i = 0; i < count; i++) {
        struct json_object *v = json_object_array_get_idx(list, i);
        if (!json_object_is_type(v, json_type_string) ||
            text_hex(span_text(json_object_get_string(v)), path[i].byte, 32) != ST_OK)
            return false;
    }
    *n = (uint32_t)count;
    return true;
}

static bool check_leaf(struct check *k, struct json_object *p, const char *object)
{
    struct chain_hash path[CHAIN_PATH_MAX], hash;
    struct record_leaf leaf;
    struct pool pool;
    uint32_t n;
    uint64_t number = number_in(p, "n");
    pool_init(&pool, k->leaf_memory, POOL_BYTES);
    if (!bytes_in(p, "leaf", &k->scratch) ||
        message_decode(&record_leaf_message, buf_span(&k->scratch), &pool, &leaf) !=
            ST_OK)
        return trouble(k, "a leaf cannot be read");
    if (leaf.number != number || !read_path(list_in(p, "path"), path, &n))
        return trouble(k, "a leaf's place or proof cannot be read");
    if (chain_leaf(buf_span(&k->scratch), &hash) != ST_OK ||
        chain_check_inclusion(&hash, number, k->out->leaves, path, n, &k->tree) !=
            ST_OK)
        return trouble(k, "a leaf is not in the tree of that root");
    memcpy(k->after[k->afters++], leaf.after, 32);
    if (span_is(leaf.object, object))
        memcpy(k->last, leaf.after, 32);
    return true;
}

static bool check_leaves(struct check *k)
{
    struct json_object *list = list_in(k->root, "proofs");
    char object[32];
    size_t n = list ? json_object_array_length(list) : 0;
    (void)snprintf(object, sizeof object, "incident/%llu",
                   (unsigned long long)k->out->incident);
    k->after = mem_zero(n + 1, sizeof *k->after);
    if (!k->after)
        return trouble(k, "no memory");
    for (size_t i = 0; i < n; i++)
        if (!check_leaf(k, json_object_array_get_idx(list, i), object))
            return false;
    k->out->proofs = (uint32_t)n;
    return n > 0 || trouble(k, "there is no leaf in it");
}

static bool is_vouched(const struct check *k, struct span bytes)
{
    uint8_t digest[32];
    if (digest_of(bytes, digest) != ST_OK)
        return false;
    for (uint32_t i = 0; i < k->afters; i++)
        if (memcmp(k->after[i], digest, 32) == 0)
            return true;
    return false;
}

// --- What they vouch for

static bool check_record(struct check *k)
{
    uint8_t digest[32];
    if (!bytes_in(k->root, "record", &k->bytes) ||
        message_decode(&record_incident_message, buf_span(&k->bytes), &k->pool,
                       &k->incident) != ST_OK)
        return trouble(k, "the record cannot be read");
    if (load_be64(k->incident.incident + 8) != k->out->incident)
        return trouble(k, "the record is another incident's");
    if (digest_of(buf_span(&k->bytes), digest) != ST_OK ||
        memcmp(digest, k->last, sizeof digest) != 0)
        return trouble(k, "the record is not what its last leaf vouches for");
    return true;
}

static bool check_pieces(struct check *k)
{
    struct json_object *list = list_in(k->root, "alerts"), *lineage = NULL;
    for (size_t i = 0; list && i < json_object_array_length(list); i++) {
        if (!bytes_in(json_object_array_get_idx(list, i), "bytes", &k->scratch))
            return trouble(k, "an alert cannot be read");
        k->out->alerts++;
        k->out->uncovered += !is_vouched(k, buf_span(&k->scratch));
    }
    if (!json_object_object_get_ex(k->root, "lineage", &lineage) || !lineage)
        return true;
    if (!bytes_in(lineage, "bytes", &k->scratch) ||
        !is_vouched(k, buf_span(&k->scratch)))
        return trouble(k, "the lineage is not one that was imported");
    return true;
}

static bool check_windows(struct check *k)
{
    struct json_object *evidence = NULL;
    const char *why;
    if (!json_object_object_get_ex(k->root, "evidence", &evidence) || !evidence)
        return true;
    k->out->has_windows = 1;
    if (bundle_case_check(evidence, &k->incident, &why) != ST_OK)
        return trouble(k, "the windows cannot be read");
    if (why)
        return trouble(k, why);
    k->out->answer_again = 1;
    return true;
}

static void copy_text(char *out, size_t room, struct span s)
{
    size_t n = s.size < room - 1 ? s.size : room - 1;
    if (n)
        memcpy(out, s.data, n);
    out[n] = '\0';
}

static void check_all(struct check *k, const char *root)
{
    struct bundle_report *r = k->out;
    r->incident = number_in(k->root, "incident");
    r->leaves = number_in(k->root, "leaves");
    copy_text(r->root, sizeof r->root, text_in(k->root, "root"));
    if (text_hex(span_text(r->root), k->tree.byte, 32) != ST_OK) {
        (void)trouble(k, "the root cannot be read");
        return;
    }
    if (root && strcmp(root, r->root) != 0)
        (void)trouble(k, "the root is not the one that was asked for");
    if (!check_leaves(k) || !check_record(k))
        return;
    copy_text(r->verdict, sizeof r->verdict, k->incident.verdict);
    copy_text(r->true_cause, sizeof r->true_cause, k->incident.true_cause);
    if (k->incident.suspects)
        copy_text(r->suspect, sizeof r->suspect, k->incident.suspect[0]);
    if (check_pieces(k))
        (void)check_windows(k);
}

static enum status parse(struct span text, struct json_object **out)
{
    struct json_tokener *t = json_tokener_new_ex(JSON_DEPTH);
    if (!t)
        return ST_NOMEM;
    *out = json_tokener_parse_ex(t, (const char *)text.data, (int)text.size);
    bool is_good = *out && json_tokener_get_error(t) == json_tokener_success &&
                   json_object_is_type(*out, json_type_object) &&
                   span_is(text_in(*out, "format"), FORMAT);
    json_tokener_free(t);
    if (!is_good)
        json_object_put(*out);
    return is_good ? ST_OK : ST_CORRUPT;
}

enum status bundle_check(struct span text, const char *root, struct bundle_report *out)
{
    *out = (struct bundle_report){.incident = 0};
    struct check k = {.out = out,
                      .memory = mem_zero(1, POOL_BYTES),
                      .leaf_memory = mem_zero(1, POOL_BYTES)};
    buf_init(&k.bytes, PIECE_BYTES);
    buf_init(&k.scratch, PIECE_BYTES);
    enum status st = k.memory && k.leaf_memory ? parse(text, &k.root) : ST_NOMEM;
    if (st == ST_OK) {
        pool_init(&k.pool, k.memory, POOL_BYTES);
        check_all(&k, root);
        json_object_put(k.root);
    }
    buf_fini(&k.bytes);
    buf_fini(&k.scratch);
    mem_free(k.memory);
    mem_free(k.leaf_memory);
    mem_free(k.after);
    return st;
}
