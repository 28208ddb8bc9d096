// Effects: a list in the order of arrival, its bytes owned by the list.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/log/effects.h"

#include "common/base/mem.h"

struct effects {
    struct effect *item;
    uint32_t len, capacity;
    uint64_t bytes;
};

enum status effects_open(struct effects **out)
{
    struct effects *e = MEM_NEW(struct effects);
    if (!e)
        return ST_NOMEM;
    *out = e;
    return ST_OK;
}

void effects_close(struct effects *e)
{
    if (!e)
        return;
    effects_clear(e);
    mem_free(e->item);
    mem_free(e);
}

static enum status grow(struct effects *e)
{
    if (e->len < e->capacity)
        return ST_OK;
    uint32_t capacity = e->capacity ? 2 * e->capacity : 64;
    struct effect *item = mem_resize(e->item, capacity, sizeof *item);
    if (!item)
        return ST_NOMEM;
    e->item = item;
    e->capacity = capacity;
    return ST_OK;
}

// The three spans share one block, text first.
static enum status own(struct effect *x)
{
    size_t size = x->text.size + x->more.size + x->bytes.size;
    uint8_t *block = mem_zero(size + 1, 1);
    if (!block)
        return ST_NOMEM;
    struct span *part[] = {&x->text, &x->more, &x->bytes};
    uint8_t *at = block;
    for (unsigned i = 0; i < 3; i++) {
        if (part[i]->size > 0)
            memcpy(at, part[i]->data, part[i]->size);
        part[i]->data = at;
        at += part[i]->size;
    }
    return ST_OK;
}

enum status effects_add(struct effects *e, const struct effect *effect)
{
    if (!e)
        return ST_OK;
    uint64_t size = effect->text.size + effect->more.size + effect->bytes.size;
    if (e->len == EFFECTS_MAX || size > EFFECTS_BYTES_MAX - e->bytes)
        return ST_FULL;
    ST_TRY(grow(e));
    struct effect x = *effect;
    ST_TRY(own(&x));
    e->item[e->len++] = x;
    e->bytes += size;
    return ST_OK;
}

uint32_t effects_len(const struct effects *e)
{
    return e->len;
}

const struct effect *effects_at(const struct effects *e, uint32_t i)
{
    return &e->item[i];
}

void effects_clear(struct effects *e)
{
    for (uint32_t i = 0; i < e->len; i++)
        mem_free((void *)(uintptr_t)e->item[i].text.data);
    e->len = 0;
    e->bytes = 0;
}
