// SPDX-License-Identifier: Apache-2.0
#include "agent/model/yardstick.h"

#include "common/base/mem.h"
#include "proto/messages/reference.h"

struct yardstick {
    uint32_t holders;
    uint8_t *body;
    size_t body_size;
    void *pool_memory;
    struct reference reference; // lends from body and pool
    struct grid **grid;         // of each feature, NULL where it has no cells
};

static void close_yardstick(struct yardstick *y)
{
    for (uint32_t i = 0; y->grid && i < y->reference.features; i++)
        grid_close(y->grid[i]);
    mem_free(y->grid);
    mem_free(y->body);
    mem_free(y->pool_memory);
    mem_free(y);
}

static enum status decode(struct yardstick *y, struct span body)
{
    struct pool pool;
    y->body = mem_copy(body);
    y->body_size = body.size;
    y->pool_memory = mem_zero(1, MESSAGE_POOL_BYTES);
    if (!y->body || !y->pool_memory)
        return ST_NOMEM;
    pool_init(&pool, y->pool_memory, MESSAGE_POOL_BYTES);
    enum status st = message_decode(&reference_message, span_of(y->body, body.size),
                                    &pool, &y->reference);
    if (st != ST_OK) {
        y->reference.features = 0;
        return st == ST_NOMEM || st == ST_VERSION ? st : ST_CORRUPT;
    }
    y->grid = mem_zero(y->reference.features + 1, sizeof *y->grid);
    if (!y->grid)
        return ST_NOMEM;
    for (uint32_t i = 0; i < y->reference.features; i++)
        if (y->reference.feature[i].grid.size > 0)
            ST_TRY(grid_decode(y->reference.feature[i].grid, &y->grid[i]));
    return ST_OK;
}

enum status yardstick_open(struct span body, struct yardstick **out)
{
    struct yardstick *y = MEM_NEW(struct yardstick);
    if (!y)
        return ST_NOMEM;
    y->holders = 1;
    enum status st = decode(y, body);
    if (st != ST_OK) {
        close_yardstick(y);
        return st;
    }
    *out = y;
    return ST_OK;
}

struct yardstick *yardstick_hold(struct yardstick *y)
{
    if (y)
        y->holders++;
    return y;
}

void yardstick_drop(struct yardstick *y)
{
    if (y && --y->holders == 0)
        close_yardstick(y);
}

struct span yardstick_model(const struct yardstick *y)
{
    return y->reference.model;
}

struct span yardstick_version(const struct yardstick *y)
{
    return y->reference.version;
}

struct span yardstick_body(const struct yardstick *y)
{
    return span_of(y->body, y->body_size);
}

const uint8_t *yardstick_digest(const struct yardstick *y)
{
    return y->reference.baseline;
}

const uint8_t *yardstick_key(const struct yardstick *y)
{
    return y->reference.key;
}

uint64_t yardstick_window_ns(const struct yardstick *y)
{
    return y->reference.window_ns;
}

uint32_t yardstick_sketch_every(const struct yardstick *y)
{
    return y->reference.sketch_every;
}

const struct grid *yardstick_grid(const struct yardstick *y, struct span feature,
                                  uint8_t role, const struct reference_feature **found)
{
    uint32_t low = 0, high = y->reference.features;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct reference_feature *f = &y->reference.feature[middle];
        int order = span_compare(f->name, feature);
        if (order == 0) {
            if (f->role != role)
                return NULL;
            *found = f;
            return y->grid[middle];
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

// --- The shelf

static void take_out(struct yardstick_shelf *s, uint32_t at)
{
    yardstick_drop(s->item[at]);
    s->n--;
    memmove(&s->item[at], &s->item[at + 1], (s->n - at) * sizeof s->item[0]);
}

void yardstick_shelf_put(struct yardstick_shelf *s, struct yardstick *y)
{
    for (uint32_t i = 0; i < s->n; i++)
        if (span_equal(yardstick_version(s->item[i]), yardstick_version(y))) {
            take_out(s, i);
            break;
        }
    if (s->n == YARDSTICK_VERSIONS_MAX)
        take_out(s, 0);
    s->item[s->n++] = y;
}

void yardstick_shelf_fini(struct yardstick_shelf *s)
{
    while (s->n > 0)
        take_out(s, s->n - 1);
}

struct yardstick *yardstick_shelf_for(const struct yardstick_shelf *s,
                                      struct span version)
{
    for (uint32_t i = 0; i < s->n; i++)
        if (span_equal(yardstick_version(s->item[i]), version))
            return s->item[i];
    return s->n > 0 ? s->item[s->n - 1] : NULL;
}
