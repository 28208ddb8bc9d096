// SPDX-License-Identifier: Apache-2.0
#include "controller/watch/tide.h"

#include <string.h>

#include "common/base/buf.h"
#include "controller/log/keys.h"

#define TAG 'T'
#define ENTRY 12u // be32 model, be64 onset, in the order in which they were noticed

static uint64_t onset_at(struct span list, uint32_t i)
{
    return load_be64(list.data + (size_t)i * ENTRY + 4);
}

static uint32_t model_at(struct span list, uint32_t i)
{
    return load_be32(list.data + (size_t)i * ENTRY);
}

static bool is_near(uint64_t a, uint64_t b, uint64_t reach)
{
    return (a > b ? a - b : b - a) <= reach;
}

static void count(struct span list, uint64_t onset_ns, uint64_t reach_ns,
                  struct tide *out)
{
    uint32_t n = (uint32_t)(list.size / ENTRY);
    for (uint32_t i = 0; i < n; i++) {
        if (!is_near(onset_at(list, i), onset_ns, reach_ns))
            continue;
        if (out->moved++ == 0)
            out->leader = model_at(list, i);
    }
    out->is_common =
        out->moved >= TIDE_LEAST && out->moved >= TIDE_SHARE * (double)out->models;
}

// Where the model stands in the list, or its length.
static uint32_t place_of(struct span list, uint32_t model)
{
    uint32_t n = (uint32_t)(list.size / ENTRY), i = 0;
    while (i < n && model_at(list, i) != model)
        i++;
    return i;
}

// The list without the model's old entry, or without the oldest one when it is full,
// and the new one behind.
static enum status put(struct shelf *s, struct span list, uint32_t model,
                       uint64_t onset_ns, struct buf *b)
{
    uint32_t n = (uint32_t)(list.size / ENTRY), skip = place_of(list, model);
    if (skip == n && n == TIDE_MODELS_MAX)
        skip = 0;
    for (uint32_t i = 0; i < n; i++)
        if (i != skip)
            buf_put_span(b, span_of(list.data + (size_t)i * ENTRY, ENTRY));
    buf_put_be32(b, model);
    buf_put_be64(b, onset_ns);
    ST_TRY(b->failed);
    struct shelf_key key = key_state(TAG, 0);
    return shelf_put(s, SHELF_STATE, &key, buf_span(b));
}

enum status tide_note(struct shelf *s, uint32_t model, uint64_t onset_ns,
                      uint64_t reach_ns, uint32_t models, struct tide *out)
{
    struct shelf_key key = key_state(TAG, 0);
    struct span list = {0};
    struct buf b;
    enum status st = shelf_get(s, SHELF_STATE, &key, &list);
    if (st != ST_OK && st != ST_NOTFOUND)
        return st;
    if (st == ST_NOTFOUND || list.size % ENTRY)
        list = span_of("", 0);
    *out = (struct tide){.models = models};
    uint32_t at = place_of(list, model);
    if (at < list.size / ENTRY && onset_at(list, at) == onset_ns) {
        count(list, onset_ns, reach_ns, out);
        return ST_OK;
    }
    buf_init(&b, (TIDE_MODELS_MAX + 1) * ENTRY);
    st = put(s, list, model, onset_ns, &b);
    if (st == ST_OK)
        count(buf_span(&b), onset_ns, reach_ns, out);
    buf_fini(&b);
    return st;
}
