// Table: entries in the order of insertion, and an index of open addressing over them.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/base/table.h"

#include "common/base/hash.h"
#include "common/base/mem.h"

#define FREE_SLOT UINT32_MAX

struct entry {
    uint64_t hash;
    struct span key; // owned
    void *value;
};

struct table {
    uint8_t seed[16];
    size_t limit;
    struct entry *entry; // `len` of them, without gaps
    size_t len;
    size_t capacity;
    uint32_t *slot; // positions in `entry`; linear probing, at most half full
    size_t mask;    // slots - 1, a power of two less one; 0 before the first entry
};

enum status table_open(size_t limit, struct table **out)
{
    struct table *t = MEM_NEW(struct table);
    if (!t)
        return ST_NOMEM;
    // A quarter of the 32-bit positions keeps the index far from overflow.
    t->limit = limit < UINT32_MAX / 4 ? limit : UINT32_MAX / 4;
    random_os_bytes(t->seed, sizeof t->seed);
    *out = t;
    return ST_OK;
}

static void free_key(struct entry *e)
{
    mem_free((void *)(uintptr_t)e->key.data);
}

void table_close(struct table *t, void (*drop)(void *value))
{
    if (!t)
        return;
    for (size_t i = 0; i < t->len; i++) {
        free_key(&t->entry[i]);
        if (drop)
            drop(t->entry[i].value);
    }
    mem_free(t->entry);
    mem_free(t->slot);
    mem_free(t);
}

// The slot that holds the key, or the free one where it would go. Needs an index.
static size_t find_slot(const struct table *t, uint64_t hash, struct span key)
{
    size_t at = (size_t)hash & t->mask;
    while (t->slot[at] != FREE_SLOT) {
        const struct entry *e = &t->entry[t->slot[at]];
        if (e->hash == hash && span_equal(e->key, key))
            break;
        at = (at + 1) & t->mask;
    }
    return at;
}

void *table_get(const struct table *t, struct span key)
{
    if (t->len == 0)
        return NULL;
    size_t at = find_slot(t, hash_sip(t->seed, key), key);
    return t->slot[at] == FREE_SLOT ? NULL : t->entry[t->slot[at]].value;
}

// Doubles the room for entries and builds the index anew; nothing changes on failure.
static enum status grow(struct table *t)
{
    size_t capacity = t->capacity ? t->capacity * 2 : 8;
    size_t slots = capacity * 2;
    uint32_t *slot = mem_resize(NULL, slots, sizeof *slot);
    if (!slot)
        return ST_NOMEM;
    struct entry *entry = mem_resize(t->entry, capacity, sizeof *entry);
    if (!entry) {
        mem_free(slot);
        return ST_NOMEM;
    }
    for (size_t i = 0; i < slots; i++)
        slot[i] = FREE_SLOT;
    for (size_t i = 0; i < t->len; i++) {
        size_t at = (size_t)entry[i].hash & (slots - 1);
        while (slot[at] != FREE_SLOT)
            at = (at + 1) & (slots - 1);
        slot[at] = (uint32_t)i;
    }
    mem_free(t->slot);
    t->slot = slot;
    t->entry = entry;
    t->capacity = capacity;
    t->mask = slots - 1;
    return ST_OK;
}

enum status table_put(struct table *t, struct span key, void *value)
{
    uint64_t hash = hash_sip(t->seed, key);
    if (t->len > 0 && t->slot[find_slot(t, hash, key)] != FREE_SLOT)
        return ST_EXISTS;
    if (t->len >= t->limit)
        return ST_FULL;
    if (t->len == t->capacity)
        ST_TRY(grow(t));
    void *copy = mem_copy(key);
    if (!copy)
        return ST_NOMEM;
    t->slot[find_slot(t, hash, key)] = (uint32_t)t->len;
    t->entry[t->len++] = (struct entry){hash, span_of(copy, key.size), value};
    return ST_OK;
}

// Frees a slot and moves later ones of the same run back, so that no probe stops early.
static void free_slot(struct table *t, size_t hole)
{
    for (size_t at = (hole + 1) & t->mask; t->slot[at] != FREE_SLOT;
         at = (at + 1) & t->mask) {
        size_t home = (size_t)t->entry[t->slot[at]].hash & t->mask;
        if (((at - home) & t->mask) < ((at - hole) & t->mask))
            continue; // its probe begins after the hole
        t->slot[hole] = t->slot[at];
        hole = at;
    }
    t->slot[hole] = FREE_SLOT;
}

void *table_take(struct table *t, struct span key)
{
    if (t->len == 0)
        return NULL;
    size_t at = find_slot(t, hash_sip(t->seed, key), key);
    if (t->slot[at] == FREE_SLOT)
        return NULL;
    size_t gone = t->slot[at];
    struct entry taken = t->entry[gone];
    free_slot(t, at);
    t->len--;
    if (gone != t->len) {
        struct entry *last = &t->entry[t->len];
        t->slot[find_slot(t, last->hash, last->key)] = (uint32_t)gone;
        t->entry[gone] = *last;
    }
    free_key(&taken);
    return taken.value;
}

size_t table_len(const struct table *t)
{
    return t->len;
}

bool table_next(const struct table *t, size_t *at, struct span *key, void **value)
{
    if (*at >= t->len)
        return false;
    const struct entry *e = &t->entry[(*at)++];
    if (key)
        *key = e->key;
    if (value)
        *value = e->value;
    return true;
}
