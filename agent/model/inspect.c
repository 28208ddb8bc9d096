// SPDX-License-Identifier: Apache-2.0
#include "agent/model/inspect.h"

#include <stdio.h>
#include <string.h>

#include "agent/model/learn.h"

// So many values must be alike before a column is called stuck: more than this, and
// four times the longest run that the learned rows had.
#define STUCK_MIN 50
#define STUCK_RUNS 4

// A category of which one in a hundred values is new is told; fewer are only counted.
#define FRESH_SHARE 0.01

static const char *const kinds[] = {"missing", "number", "category", "text",
                                    "vector",  "bytes",  "histogram"};

static void note(struct pane *p, uint32_t slot, enum change_kind kind, const char *more)
{
    struct change c = {.kind = kind, .at = p->start};
    struct span column = schema_name(p->schema, slot);
    memcpy(c.version, p->version.data, p->version.size);
    memcpy(c.column, column.data, column.size);
    (void)snprintf(c.more, sizeof c.more, "%s", more);
    changes_note(p->changes, &c);
}

// Notes it, or that it is over; neither when the window has not enough to say.
static void judge(struct pane *p, uint32_t slot, enum change_kind kind, bool is_so,
                  bool is_over, const char *more)
{
    if (is_so)
        note(p, slot, kind, more);
    else if (is_over)
        changes_end(p->changes, kind, p->version, schema_name(p->schema, slot));
}

static void look_for_absence(struct pane *p, uint32_t slot, const struct pane_column *c)
{
    bool is_gone =
        c->named == 0 && learn_named(p->schema, slot, p->rows_here) >= LEARN_EXPECTED;
    p->changes->count[CHANGE_REMOVED] += is_gone;
    judge(p, slot, CHANGE_REMOVED, is_gone, c->named > 0, "");
    uint64_t valid = counters_valid(profile_counters(c->profile));
    bool is_dead = c->named > 0 && valid == 0 && c->odd == 0 &&
                   learn_valid(p->schema, slot, c->named) >= LEARN_EXPECTED;
    p->changes->count[CHANGE_DEAD] += is_dead;
    judge(p, slot, CHANGE_DEAD, is_dead, valid > 0, "");
}

static void look_for_types(struct pane *p, uint32_t slot, const struct pane_column *c)
{
    char more[64];
    bool is_other = c->odd > 0 && c->odd * 2 >= c->named;
    p->changes->count[CHANGE_RETYPED] += c->odd;
    (void)snprintf(more, sizeof more, "%s, was %s", kinds[c->odd_kind],
                   c->kind == FEATURE_CATEGORICAL ? "category" : "number");
    judge(p, slot, CHANGE_RETYPED, is_other, c->named > 0 && c->odd * 10 < c->named,
          more);
}

static void look_for_standstill(struct pane *p, uint32_t slot,
                                const struct pane_column *c)
{
    const struct schema_feature *f = &p->schema->feature[slot];
    uint64_t valid = counters_valid(profile_counters(c->profile));
    bool is_one = profile_is_constant(c->profile);
    bool is_stuck = is_one && f->is_varied && valid >= STUCK_MIN &&
                    valid >= (uint64_t)STUCK_RUNS * f->run_longest;
    p->changes->count[CHANGE_STUCK] += is_stuck;
    judge(p, slot, CHANGE_STUCK, is_stuck, valid > 0 && !is_one, "");
}

// By the baseline's cells where there are some: the last one holds what is unseen.
static uint64_t fresh_of(const struct pane_column *c)
{
    uint32_t n;
    const uint64_t *cell = profile_cells(c->profile, &n);
    return n > 0 ? cell[n - 1] : c->fresh;
}

static void look_for_categories(struct pane *p, uint32_t slot,
                                const struct pane_column *c)
{
    char more[64];
    if (c->kind != FEATURE_CATEGORICAL)
        return;
    uint64_t fresh = fresh_of(c);
    uint64_t valid = counters_valid(profile_counters(c->profile));
    p->changes->count[CHANGE_APPEARED] += fresh;
    (void)snprintf(more, sizeof more, "%llu of %llu values", (unsigned long long)fresh,
                   (unsigned long long)valid);
    judge(p, slot, CHANGE_APPEARED,
          fresh > 0 && (double)fresh >= FRESH_SHARE * (double)valid, false, more);
}

static void look_at(struct pane *p, uint32_t slot)
{
    const struct schema_feature *f = &p->schema->feature[slot];
    const struct pane_column *c = p->column[slot];
    if (!c || !f->is_member || !schema_is_frozen_for(p->schema, f->role))
        return;
    look_for_absence(p, slot, c);
    look_for_types(p, slot, c);
    look_for_standstill(p, slot, c);
    look_for_categories(p, slot, c);
}

void inspect_pane(struct pane *p)
{
    pane_settle(p);
    if (p->is_inspected || !p->schema->is_frozen)
        return;
    p->is_inspected = true;
    for (uint32_t i = 0; i < p->columns; i++)
        look_at(p, i);
    p->changes->count[CHANGE_REORDERED] += p->reordered;
    if (p->reordered > 0)
        note(p, p->reordered_slot, CHANGE_REORDERED, "");
    else if (p->rows_here > 0)
        changes_end_all(p->changes, CHANGE_REORDERED, p->version);
}
