// Sample: what pass one keeps of a feature until its grid is drawn.
//
// SPDX-License-Identifier: Apache-2.0
#include <math.h>

#include "common/base/mem.h"
#include "common/drift/draft.h"

#define SLOTS_LEAST 256

void draft_sample_fini(struct draft_sample *s)
{
    mem_free(s->number);
    mem_free(s->slot);
    *s = (struct draft_sample){.number = NULL};
}

static enum status grow_numbers(struct draft_sample *s)
{
    uint32_t room = s->slots ? 4 * s->slots : SLOTS_LEAST;
    room = room < BUILDER_SAMPLE ? room : BUILDER_SAMPLE;
    double *more = mem_resize(s->number, room, sizeof *more);
    if (!more)
        return ST_NOMEM;
    s->number = more;
    s->slots = room;
    return ST_OK;
}

// Algorithm R (Vitter 1985): every value has the same chance to be kept.
enum status draft_sample_number(struct draft_sample *s, struct random *r, double number)
{
    s->seen++;
    if (s->held == BUILDER_SAMPLE) {
        uint64_t at = random_u64(r) % s->seen;
        if (at < s->held)
            s->number[at] = number;
        return ST_OK;
    }
    if (s->held == s->slots)
        ST_TRY(grow_numbers(s));
    s->number[s->held++] = number;
    return ST_OK;
}

static struct grid_category *slot_of(struct grid_category *slot, uint32_t slots,
                                     uint64_t hash)
{
    uint32_t at = (uint32_t)(hash & (slots - 1)); // slots is a power of two
    while (slot[at].weight != 0 && slot[at].hash != hash)
        at = (at + 1) & (slots - 1);
    return &slot[at];
}

static enum status grow_slots(struct draft_sample *s)
{
    uint32_t slots = s->slots ? 2 * s->slots : SLOTS_LEAST;
    struct grid_category *more = mem_zero(slots, sizeof *more);
    if (!more)
        return ST_NOMEM;
    for (uint32_t i = 0; i < s->slots; i++)
        if (s->slot[i].weight != 0)
            *slot_of(more, slots, s->slot[i].hash) = s->slot[i];
    mem_free(s->slot);
    s->slot = more;
    s->slots = slots;
    return ST_OK;
}

enum status draft_sample_category(struct draft_sample *s, uint64_t hash, bool names)
{
    if (2 * s->used >= s->slots)
        ST_TRY(grow_slots(s));
    struct grid_category *at = slot_of(s->slot, s->slots, hash);
    if (at->weight == 0 && (!names || s->used == BUILDER_CATEGORIES))
        return ST_OK; // stays unknown
    s->used += at->weight == 0;
    at->hash = hash;
    at->weight++;
    return ST_OK;
}

static enum status grid_of_slots(const struct draft_sample *s, struct grid **out)
{
    struct grid_category *known = mem_zero(s->used + 1, sizeof *known);
    if (!known)
        return ST_NOMEM;
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->slots; i++)
        if (s->slot[i].weight != 0)
            known[n++] = s->slot[i];
    enum status st = grid_of_categories(known, n, out);
    mem_free(known);
    return st;
}

enum status draft_sample_grid(const struct draft_sample *s, enum drift_kind kind,
                              enum grid_width width, struct grid **out)
{
    if (kind == KIND_CATEGORICAL)
        return grid_of_slots(s, out);
    if (s->held > 0)
        return grid_of_rows(width, s->number, s->held, out);
    // Never a value: one cell that stays empty, so that the missing share can be
    // judged.
    return grid_of_points(width, &(struct grid_point){0, 1}, 1, out);
}
