// Codec: what encoding and decoding share: pools, pairs and the sizes of things.
//
// SPDX-License-Identifier: Apache-2.0
#include "proto/codec.h"

#include <stdlib.h>

#include "proto/reader.h"

void pool_init(struct pool *p, void *memory, size_t size)
{
    *p = (struct pool){.data = memory, .size = size};
}

void pool_clear(struct pool *p)
{
    p->used = 0;
    p->fault = NULL;
}

void *pool_take(struct pool *p, size_t count, size_t size)
{
    size_t left = p->size - p->used;
    if (size && count > left / size)
        return NULL;
    // Every struct of a message is aligned to at most 8 bytes.
    size_t bytes = (count * size + 7) & ~(size_t)7;
    if (bytes > left)
        return NULL;
    void *taken = memset(p->data + p->used, 0, bytes);
    p->used += bytes;
    return taken;
}

static int by_pair_key(const void *a, const void *b)
{
    const struct pair *left = a, *right = b;
    return span_compare(left->key, right->key);
}

void pairs_sort(struct pair *pair, uint32_t pairs)
{
    if (pairs > 1)
        qsort(pair, pairs, sizeof *pair, by_pair_key);
}

static int by_tally_key(const void *a, const void *b)
{
    const struct tally *left = a, *right = b;
    return span_compare(left->key, right->key);
}

void tally_sort(struct tally *tally, uint32_t tallies)
{
    if (tallies > 1)
        qsort(tally, tallies, sizeof *tally, by_tally_key);
}

// These lists are short (their tables say so), and a walk needs no order.
struct span pairs_get(const struct pair *pair, uint32_t pairs, const char *key)
{
    for (uint32_t i = 0; i < pairs; i++)
        if (span_is(pair[i].key, key))
            return pair[i].value;
    return (struct span){0};
}

uint64_t tally_get(const struct tally *tally, uint32_t tallies, const char *key)
{
    for (uint32_t i = 0; i < tallies; i++)
        if (span_is(tally[i].key, key))
            return tally[i].count;
    return 0;
}

static size_t item_bytes(const struct field *f)
{
    switch (f->type) {
    case FIELD_LIST:
    case FIELD_SORTED:
        return f->of->size + message_pool_max(f->of);
    case FIELD_U64S:
        return sizeof(uint64_t);
    case FIELD_TEXTS:
    case FIELD_BLOBS:
        return sizeof(struct span);
    case FIELD_PAIRS:
        return sizeof(struct pair);
    case FIELD_TALLY:
        return sizeof(struct tally);
    default:
        return 0;
    }
}

size_t message_pool_max(const struct message *m)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < m->fields; i++) {
        const struct field *f = &m->field[i];
        if (f->type == FIELD_STRUCT)
            bytes += message_pool_max(f->of);
        else if (item_bytes(f))
            bytes += f->max * item_bytes(f) + 7;
    }
    return bytes;
}
