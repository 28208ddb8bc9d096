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

enum change { PUT_NEW, PUT_OVER, DELETED };

// One change of the open transaction. It holds the node itself, so that an abort needs
// no memory: it cannot fail.
struct undo {
    struct undo *before;
    enum shelf_table table;
    enum change change;
    struct node *node;
    struct span value; // PUT_OVER: what it was; owned
};

struct memory {
    struct shelf shelf;
    struct list table[SHELF_COUNT];
    uint64_t bytes, limit;
    struct random coin; // of a fixed seed: the same run gives the same lists
    struct undo *undo;  // newest first
    bool is_open;       // between begin and commit or abort
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

static void unlink_node(struct memory *m, enum shelf_table t, struct node *n)
{
    struct node *before[LEVELS];
    (void)find(m, t, n->key, before);
    for (unsigned level = 0; level < n->levels; level++)
        links(m, t, before[level])[level] = n->next[level];
    m->bytes -= n->key.size + n->value.size;
}

static void link_node(struct memory *m, enum shelf_table t, struct node *n)
{
    struct node *before[LEVELS];
    (void)find(m, t, n->key, before);
    for (unsigned level = 0; level < n->levels; level++) {
        struct node **from = &links(m, t, before[level])[level];
        n->next[level] = *from;
        *from = n;
    }
    m->bytes += n->key.size + n->value.size;
}

static void free_node(struct node *n)
{
    drop_span(n->key);
    drop_span(n->value);
    mem_free(n);
}

// Notes a change that is about to be made; outside of a transaction nothing is noted.
static enum status note(struct memory *m, enum shelf_table t, enum change change,
                        struct node *n)
{
    if (!m->is_open)
        return ST_OK;
    struct undo *u = MEM_NEW(struct undo);
    if (!u)
        return ST_NOMEM;
    *u = (struct undo){.before = m->undo, .table = t, .change = change, .node = n};
    if (change == PUT_OVER)
        u->value = n->value;
    m->undo = u;
    return ST_OK;
}

static enum status insert(struct memory *m, enum shelf_table t, struct span key,
                          struct span value)
{
    unsigned levels = toss(m);
    struct node *n = mem_zero(1, sizeof *n + levels * sizeof(struct node *));
    if (!n)
        return ST_NOMEM;
    n->levels = levels;
    if (copy_span(key, &n->key) != ST_OK || copy_span(value, &n->value) != ST_OK ||
        note(m, t, PUT_NEW, n) != ST_OK) {
        free_node(n);
        return ST_NOMEM;
    }
    link_node(m, t, n);
    return ST_OK;
}

static enum status replace(struct memory *m, enum shelf_table t, struct node *n,
                           struct span value)
{
    struct span fresh;
    ST_TRY(copy_span(value, &fresh));
    if (note(m, t, PUT_OVER, n) != ST_OK) {
        drop_span(fresh);
        return ST_NOMEM;
    }
    m->bytes += value.size;
    m->bytes -= n->value.size;
    if (!m->is_open)
        drop_span(n->value);
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
    bool is_there = n && span_equal(n->key, key);
    enum status st = is_there ? replace(m, t, n, value) : insert(m, t, key, value);
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
    if (note(m, t, DELETED, n) != ST_OK)
        return fail(m, ST_NOMEM);
    unlink_node(m, t, n);
    if (!m->is_open)
        free_node(n);
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

// What was changed stays so: only the nodes and values that are gone are freed.
static void forget_undo(struct memory *m)
{
    while (m->undo) {
        struct undo *u = m->undo;
        m->undo = u->before;
        if (u->change == DELETED)
            free_node(u->node);
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

static void revert(struct memory *m, struct undo *u)
{
    struct node *n = u->node;
    if (u->change == DELETED) {
        link_node(m, u->table, n);
    } else if (u->change == PUT_NEW) {
        unlink_node(m, u->table, n);
        free_node(n);
    } else {
        m->bytes += u->value.size;
        m->bytes -= n->value.size;
        drop_span(n->value);
        n->value = u->value;
    }
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
        mem_free(u);
    }
}
