// Memory: one skip list for each table, and a list of what to undo.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/log/memory.h"

#include <assert.h>
#include <string.h>

#include "common/base/hash.h"
#include "common/base/mem.h"

#define LEVELS 20 // a quarter of the nodes climbs each level: room for 4^20 keys

struct node {
    struct span key, value; // owned
    unsigned levels;
    struct node *next[];
};

struct list {
    struct node *first[LEVELS];
};

struct undo {
    struct undo *before;
    enum shelf_table table;
    bool had_value;
    struct span key, value; // owned
};

struct memory {
    struct shelf shelf;
    struct list table[SHELF_COUNT];
    uint64_t bytes, limit;
    struct random coin; // of a fixed seed: the same run gives the same lists
    struct undo *undo;
    bool is_open; // between begin and commit or abort
    enum status broken;
};

static struct node **links(struct memory *m, enum shelf_table t, struct node *n)
{
    return n ? n->next : m->table[t].first;
}

// Fills `before` with the last node below `key` on each level (NULL: the list's head).
static struct node *find(struct memory *m, enum shelf_table t, struct span key,
                         struct node *before[LEVELS])
{
    struct node *at = NULL;
    for (int level = LEVELS - 1; level >= 0; level--) {
        struct node *next = links(m, t, at)[level];
        while (next && span_compare(next->key, key) < 0) {
            at = next;
            next = at->next[level];
        }
        before[level] = at;
    }
    return links(m, t, at)[0];
}

static unsigned toss(struct memory *m)
{
    unsigned levels = 1;
    uint64_t r = random_u64(&m->coin);
    while (levels < LEVELS && (r & 3) == 0) {
        levels++;
        r >>= 2;
    }
    return levels;
}

static void drop_span(struct span s)
{
    // An owned span was copied by mem_copy, which is ours to give back.
    union {
        const uint8_t *lent;
        void *owned;
    } u = {.lent = s.data};
    mem_free(u.owned);
}

static enum status copy_span(struct span s, struct span *out)
{
    static const uint8_t nothing = 0;
    uint8_t *copy = mem_copy(s.size > 0 ? s : span_of(&nothing, 1));
    if (!copy)
        return ST_NOMEM;
    *out = span_of(copy, s.size);
    return ST_OK;
}

static enum status fail(struct memory *m, enum status st)
{
    m->broken = st;
    return st;
}

static struct node *unlink_node(struct memory *m, enum shelf_table t, struct node *n,
                                struct node *before[LEVELS])
{
    for (unsigned level = 0; level < n->levels; level++)
        links(m, t, before[level])[level] = n->next[level];
    m->bytes -= n->key.size + n->value.size;
    return n;
}

static void free_node(struct node *n)
{
    drop_span(n->key);
    drop_span(n->value);
    mem_free(n);
}

// Notes what `key` was before its change. Takes `value` when had_value.
static enum status note(struct memory *m, enum shelf_table t, struct span key,
                        bool had_value, struct span value)
{
    struct undo *u = MEM_NEW(struct undo);
    if (!u)
        return ST_NOMEM;
    if (copy_span(key, &u->key) != ST_OK) {
        mem_free(u);
        return ST_NOMEM;
    }
    u->table = t;
    u->had_value = had_value;
    u->value = value;
    u->before = m->undo;
    m->undo = u;
    return ST_OK;
}

static enum status insert(struct memory *m, enum shelf_table t, struct span key,
                          struct span value, struct node *before[LEVELS])
{
    unsigned levels = toss(m);
    struct node *n = mem_zero(1, sizeof *n + levels * sizeof(struct node *));
    if (!n)
        return ST_NOMEM;
    n->levels = levels;
    if (copy_span(key, &n->key) != ST_OK || copy_span(value, &n->value) != ST_OK) {
        free_node(n);
        return ST_NOMEM;
    }
    for (unsigned level = 0; level < levels; level++) {
        struct node **from = &links(m, t, before[level])[level];
        n->next[level] = *from;
        *from = n;
    }
    m->bytes += key.size + value.size;
    return ST_OK;
}

static enum status replace(struct memory *m, struct node *n, enum shelf_table t,
                           struct span value)
{
    struct span fresh;
    ST_TRY(copy_span(value, &fresh));
    if (m->is_open) {
        enum status st = note(m, t, n->key, true, n->value);
        if (st != ST_OK) {
            drop_span(fresh);
            return st;
        }
    } else {
        drop_span(n->value);
    }
    m->bytes += value.size;
    m->bytes -= n->value.size;
    n->value = fresh;
    return ST_OK;
}

static enum status check(const struct memory *m, enum shelf_table t, struct span key)
{
    if (m->broken != ST_OK)
        return m->broken;
    if ((unsigned)t >= SHELF_COUNT || key.size == 0 || key.size > SHELF_KEY_MAX)
        return ST_RANGE;
    return ST_OK;
}

static enum status memory_get(void *self, enum shelf_table t, struct span key,
                              struct span *value)
{
    struct memory *m = self;
    ST_TRY(check(m, t, key));
    struct node *before[LEVELS];
    struct node *n = find(m, t, key, before);
    if (!n || !span_equal(n->key, key))
        return ST_NOTFOUND;
    *value = n->value;
    return ST_OK;
}

static enum status memory_put(void *self, enum shelf_table t, struct span key,
                              struct span value)
{
    struct memory *m = self;
    ST_TRY(check(m, t, key));
    if (value.size > SHELF_VALUE_MAX)
        return ST_RANGE;
    if (m->bytes + key.size + value.size > m->limit)
        return fail(m, ST_FULL);
    struct node *before[LEVELS];
    struct node *n = find(m, t, key, before);
    enum status st;
    if (n && span_equal(n->key, key)) {
        st = replace(m, n, t, value);
    } else {
        st = m->is_open ? note(m, t, key, false, (struct span){0}) : ST_OK;
        if (st == ST_OK)
            st = insert(m, t, key, value, before);
    }
    return st == ST_OK ? ST_OK : fail(m, st);
}

static enum status memory_del(void *self, enum shelf_table t, struct span key)
{
    struct memory *m = self;
    ST_TRY(check(m, t, key));
    struct node *before[LEVELS];
    struct node *n = find(m, t, key, before);
    if (!n || !span_equal(n->key, key))
        return ST_NOTFOUND;
    if (m->is_open) {
        struct span kept;
        if (copy_span(n->value, &kept) != ST_OK)
            return fail(m, ST_NOMEM);
        enum status st = note(m, t, key, true, kept);
        if (st != ST_OK) {
            drop_span(kept);
            return fail(m, st);
        }
    }
    free_node(unlink_node(m, t, n, before));
    return ST_OK;
}

// As the other driver, a search may start from one byte more than a key has: the walk
// asks for what comes behind the longest key.
static enum status check_seek(const struct memory *m, enum shelf_table t,
                              struct span from)
{
    if (from.size == SHELF_KEY_MAX + 1)
        from.size--;
    return check(m, t, from);
}

static enum status memory_seek(void *self, enum shelf_table t, struct span from,
                               struct span *key, struct span *value)
{
    struct memory *m = self;
    ST_TRY(check_seek(m, t, from));
    struct node *before[LEVELS];
    struct node *n = find(m, t, from, before);
    if (!n)
        return ST_NOTFOUND;
    *key = n->key;
    *value = n->value;
    return ST_OK;
}

static enum status memory_seek_down(void *self, enum shelf_table t, struct span from,
                                    struct span *key, struct span *value)
{
    struct memory *m = self;
    ST_TRY(check_seek(m, t, from));
    struct node *before[LEVELS];
    struct node *n = find(m, t, from, before);
    if (!n || !span_equal(n->key, from))
        n = before[0];
    if (!n)
        return ST_NOTFOUND;
    *key = n->key;
    *value = n->value;
    return ST_OK;
}

enum status memory_open(uint64_t limit_bytes, struct memory **out)
{
    struct memory *m = MEM_NEW(struct memory);
    if (!m)
        return ST_NOMEM;
    m->limit = limit_bytes;
    m->shelf = (struct shelf){.self = m,
                              .get = memory_get,
                              .put = memory_put,
                              .del = memory_del,
                              .seek = memory_seek,
                              .seek_down = memory_seek_down};
    *out = m;
    return ST_OK;
}

static void forget_undo(struct memory *m)
{
    while (m->undo) {
        struct undo *u = m->undo;
        m->undo = u->before;
        drop_span(u->key);
        drop_span(u->value);
        mem_free(u);
    }
}

void memory_close(struct memory *m)
{
    if (!m)
        return;
    forget_undo(m);
    for (unsigned t = 0; t < SHELF_COUNT; t++) {
        struct node *n = m->table[t].first[0];
        while (n) {
            struct node *next = n->next[0];
            free_node(n);
            n = next;
        }
    }
    mem_free(m);
}

struct shelf *memory_shelf(struct memory *m)
{
    return &m->shelf;
}

void memory_begin(struct memory *m)
{
    assert(!m->is_open);
    m->is_open = true;
    m->broken = ST_OK;
}

enum status memory_commit(struct memory *m)
{
    assert(m->is_open);
    if (m->broken != ST_OK) {
        enum status st = m->broken;
        memory_abort(m);
        return st;
    }
    forget_undo(m);
    m->is_open = false;
    return ST_OK;
}

// Puts one noted value back in place. A node that has to come back needs memory; when
// there is none, the memory stays broken rather than wrong.
static void revert(struct memory *m, struct undo *u)
{
    struct node *before[LEVELS];
    struct node *n = find(m, u->table, u->key, before);
    bool is_there = n && span_equal(n->key, u->key);
    if (!u->had_value) {
        if (is_there)
            free_node(unlink_node(m, u->table, n, before));
        return;
    }
    enum status st = is_there ? replace(m, n, u->table, u->value)
                              : insert(m, u->table, u->key, u->value, before);
    if (st != ST_OK)
        m->broken = st;
}

void memory_abort(struct memory *m)
{
    assert(m->is_open);
    m->is_open = false;
    m->broken = ST_OK;
    while (m->undo) {
        struct undo *u = m->undo;
        m->undo = u->before;
        revert(m, u);
        drop_span(u->key);
        drop_span(u->value);
        mem_free(u);
    }
}
