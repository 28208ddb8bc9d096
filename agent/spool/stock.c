// SPDX-License-Identifier: Apache-2.0
#include "agent/spool/stock.h"

#include <string.h>

#include "common/base/mem.h"

enum status stock_init(struct stock *s)
{
    *s = (struct stock){0};
    return table_open(STOCK_STATES_MAX, &s->states);
}

void stock_fini(struct stock *s)
{
    table_close(s->states, mem_free);
    mem_free(s->entry);
}

static int compare(const struct stock_entry *e, uint64_t start, uint64_t seq)
{
    if (e->start != start)
        return e->start < start ? -1 : 1;
    return e->seq < seq ? -1 : e->seq > seq;
}

size_t stock_behind(const struct stock *s, uint64_t start, uint64_t seq)
{
    size_t low = 0, high = s->entries;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare(&s->entry[middle], start, seq) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

enum status stock_reserve(struct stock *s, size_t more)
{
    if (s->entries + more <= s->room)
        return ST_OK;
    size_t room = s->room ? s->room * 2 : 64;
    while (room < s->entries + more)
        room *= 2;
    struct stock_entry *grown = mem_resize(s->entry, room, sizeof *grown);
    if (!grown)
        return ST_NOMEM;
    s->entry = grown;
    s->room = room;
    return ST_OK;
}

enum status stock_put(struct stock *s, const struct stock_entry *e)
{
    size_t at = stock_behind(s, e->start, e->seq);
    if (at > 0 && compare(&s->entry[at - 1], e->start, e->seq) == 0) {
        s->entry[at - 1] = *e;
        return ST_OK;
    }
    ST_TRY(stock_reserve(s, 1));
    memmove(s->entry + at + 1, s->entry + at, (s->entries - at) * sizeof *s->entry);
    s->entry[at] = *e;
    s->entries++;
    return ST_OK;
}

// Entries leave from the front, so looking from there is short.
struct stock_entry *stock_find(struct stock *s, const uint8_t boot[16], uint64_t seq)
{
    for (size_t i = 0; i < s->entries; i++)
        if (s->entry[i].seq == seq && memcmp(s->entry[i].boot, boot, 16) == 0)
            return &s->entry[i];
    return NULL;
}

void stock_remove(struct stock *s, size_t at)
{
    s->entries--;
    memmove(s->entry + at, s->entry + at + 1, (s->entries - at) * sizeof *s->entry);
}

static void copy_name(char out[FIELD_NAME_MAX + 1], struct span name)
{
    memcpy(out, name.data, name.size);
    out[name.size] = 0;
}

void stock_describe(struct stock_entry *e, struct span body, struct pool *pool)
{
    struct window w;
    e->has_window = false;
    if (strcmp(e->type, window_message.type) != 0)
        return;
    pool_clear(pool);
    if (message_decode(&window_message, body, pool, &w) != ST_OK ||
        window_check(&w) != ST_OK || (w.flags & WINDOW_FLASH) ||
        w.model.size > FIELD_NAME_MAX || w.version.size > FIELD_NAME_MAX)
        return;
    e->has_window = true;
    copy_name(e->model, w.model);
    copy_name(e->version, w.version);
    e->from = w.start;
    e->until = w.end;
    e->part = w.part;
    e->parts = w.parts > 1 ? w.parts : 1;
}

enum status stock_put_state(struct stock *s, struct span key, struct place value,
                            uint32_t size)
{
    struct stock_state *state = table_get(s->states, key);
    if (size == 0) {
        mem_free(table_take(s->states, key));
        return ST_OK;
    }
    if (state) {
        *state = (struct stock_state){value, size};
        return ST_OK;
    }
    state = MEM_NEW(struct stock_state);
    if (!state)
        return ST_NOMEM;
    *state = (struct stock_state){value, size};
    enum status st = table_put(s->states, key, state);
    if (st != ST_OK)
        mem_free(state);
    return st;
}

const struct stock_state *stock_state(const struct stock *s, struct span key)
{
    return table_get(s->states, key);
}
