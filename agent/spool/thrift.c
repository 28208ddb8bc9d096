// What keeps a spool small: windows merge, old segments go. The contracts stand in
// inner.h.
//
// SPDX-License-Identifier: Apache-2.0
#include "agent/spool/inner.h"

#include <string.h>

#include "agent/spool/merge.h"

#define MERGES_A_COMMIT 8

// --- Merging

static enum status read_bodies(struct spool *s, const struct merge_run *run,
                               struct buf *bytes, struct span *body)
{
    size_t at[MERGE_RUN_MAX];
    for (uint32_t i = 0; i < run->n; i++) {
        const struct stock_entry *e = &s->stock.entry[run->at[i]];
        at[i] = bytes->size;
        ST_TRY(reel_read(s->reel, e->body, e->body_size, bytes));
    }
    for (uint32_t i = 0; i < run->n; i++)
        body[i] = span_of(bytes->data + at[i], s->stock.entry[run->at[i]].body_size);
    return ST_OK;
}

// One record takes the sum in and the parts out.
static enum status write_merged(struct spool *s, const struct merge_run *run,
                                const struct merge_result *merged)
{
    struct buf group;
    uint32_t gone = run->n - merged->parts;
    buf_init(&group, SPOOL_GROUP_BYTES_MAX);
    for (uint32_t i = 0; i < merged->parts; i++)
        group_put_entry(&group, &s->stock.entry[run->at[gone + i]],
                        span_of(merged->bytes.data + merged->at[i], merged->size[i]),
                        (struct span){0});
    for (uint32_t i = 0; i < gone; i++) {
        const struct stock_entry *e = &s->stock.entry[run->at[i]];
        group_put_gone(&group, e->boot, e->seq);
    }
    enum status st = group.failed;
    if (st == ST_OK)
        st = spool_write(s, buf_span(&group), merged->parts);
    if (st == ST_OK)
        s->stats.merged += run->windows - 1;
    buf_fini(&group);
    return st;
}

static enum status merge_run(struct spool *s, const struct merge_run *run)
{
    struct span body[MERGE_RUN_MAX];
    struct buf bytes;
    struct merge_result merged;
    buf_init(&bytes, (size_t)MERGE_RUN_MAX * SPOOL_ENTRY_BYTES_MAX);
    merge_init(&merged);
    enum status st = read_bodies(s, run, &bytes, body);
    if (st == ST_OK)
        st = merge_bodies(body, run->n, &merged);
    if (st == ST_OK)
        st = write_merged(s, run, &merged);
    buf_fini(&bytes);
    merge_fini(&merged);
    return st;
}

// Merges the oldest run of a model. Windows that do not fit together (another grid
// between them) are tried in pairs; one that fits nowhere is left alone for good.
static bool merge_model(struct spool *s, const char *model)
{
    struct merge_run run;
    while (merge_choose(&s->stock, model, s->lease.start, s->lease.seq, &run) ==
           ST_OK) {
        enum status st = merge_run(s, &run);
        if (st == ST_OK)
            return true;
        if (st != ST_CONFLICT && st != ST_CORRUPT && st != ST_FULL)
            return false;
        run.n = run.first;
        run.windows = 2;
        if (merge_run(s, &run) == ST_OK)
            return true;
        for (uint32_t i = 0; i < s->stock.entry[run.at[0]].parts; i++)
            s->stock.entry[run.at[0] + i].has_window = false;
    }
    return false;
}

// What a model has that was never handed out.
struct load {
    const char *model;
    uint32_t windows;
    uint64_t bytes;
};

static struct load load_of(const struct spool *s, size_t from)
{
    struct load l = {.model = s->stock.entry[from].model};
    for (size_t i = from; i < s->stock.entries; i++) {
        const struct stock_entry *e = &s->stock.entry[i];
        if (!e->has_window || strcmp(e->model, l.model) != 0)
            continue;
        l.windows += e->part == 0;
        l.bytes += e->body_size;
    }
    return l;
}

static bool is_over(const struct spool *s, const struct load *l)
{
    return l->windows > s->settings.windows_max || l->bytes > SPOOL_MODEL_BYTES;
}

// The model with the most windows; one that is over a limit goes before all others.
static struct load fullest_model(const struct spool *s)
{
    struct load found = {0};
    size_t from = stock_behind(&s->stock, s->offered_start, s->offered_seq);
    for (size_t i = from; i < s->stock.entries; i++) {
        const struct stock_entry *e = &s->stock.entry[i];
        if (!e->has_window || (found.model && strcmp(found.model, e->model) == 0))
            continue;
        struct load l = load_of(s, i);
        bool is_worse = is_over(s, &l) == is_over(s, &found) ? l.windows > found.windows
                                                             : is_over(s, &l);
        if (is_worse)
            found = l;
    }
    return found;
}

// --- Room

// What is alive in a segment; ALL of them together.
#define ALL UINT64_MAX

static uint64_t live_in(const struct spool *s, uint64_t segment)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < s->stock.entries; i++) {
        const struct stock_entry *e = &s->stock.entry[i];
        if (segment == ALL || e->body.segment == segment)
            bytes += e->body_size + e->sigs_size;
    }
    size_t at = 0;
    void *value;
    while (table_next(s->stock.states, &at, NULL, &value)) {
        const struct stock_state *state = value;
        if (segment == ALL || state->value.segment == segment)
            bytes += state->size;
    }
    return bytes;
}

// Copies what still lives in a segment into one record at the end.
static enum status collect_live(struct spool *s, uint64_t segment, struct buf *group)
{
    struct buf bytes;
    buf_init(&bytes, SPOOL_STATE_BYTES_MAX + SPOOL_ENTRY_BYTES_MAX);
    enum status st = ST_OK;
    for (size_t i = 0; st == ST_OK && i < s->stock.entries; i++) {
        const struct stock_entry *e = &s->stock.entry[i];
        if (e->body.segment != segment)
            continue;
        buf_clear(&bytes);
        st = reel_read(s->reel, e->body, e->body_size + e->sigs_size, &bytes);
        if (st == ST_OK)
            group_put_entry(group, e, span_of(bytes.data, e->body_size),
                            span_of(bytes.data + e->body_size, e->sigs_size));
    }
    size_t at = 0;
    struct span key;
    void *value;
    while (st == ST_OK && table_next(s->stock.states, &at, &key, &value)) {
        const struct stock_state *state = value;
        if (state->value.segment != segment)
            continue;
        buf_clear(&bytes);
        st = reel_read(s->reel, state->value, state->size, &bytes);
        if (st == ST_OK)
            group_put_state(group, key, buf_span(&bytes));
    }
    buf_fini(&bytes);
    return st == ST_OK ? group->failed : st;
}

// Segments leave in their order, since one may tell of the end of what an older one
// holds. So one that lives behind which others have died is written again as well, when
// the dead take more than half of the living and WASTE_BYTES.
#define WASTE_BYTES (1u << 20)

static bool is_wasteful(const struct spool *s)
{
    uint64_t live = live_in(s, ALL);
    return reel_stats(s->reel).bytes > live + live / 2 + WASTE_BYTES;
}

bool thrift_compact(struct spool *s, bool is_pressed)
{
    bool is_newest;
    uint64_t bytes;
    uint64_t segment = reel_oldest(s->reel, &is_newest, &bytes);
    if (is_newest)
        return false;
    uint64_t live = live_in(s, segment);
    if (live > bytes / 4 * 3 && !(is_pressed && live < bytes - bytes / 8) &&
        !is_wasteful(s))
        return false;
    struct buf group;
    buf_init(&group, REEL_RECORD_MAX);
    enum status st = live > 0 ? collect_live(s, segment, &group) : ST_OK;
    if (st == ST_OK && group.size > 0)
        st = spool_write(s, buf_span(&group), 0);
    // What was copied must be on disk before its first copy goes.
    if (st == ST_OK && group.size > 0)
        st = reel_sync(s->reel);
    if (st == ST_OK)
        st = reel_drop_oldest(s->reel);
    buf_fini(&group);
    return st == ST_OK;
}

void thrift_make_room(struct spool *s)
{
    for (int i = 0; i < MERGES_A_COMMIT; i++) {
        bool is_pressed = reel_stats(s->reel).bytes > s->settings.bytes_max;
        struct load l = fullest_model(s);
        if (!is_pressed && !is_over(s, &l))
            break;
        if (is_pressed && thrift_compact(s, true))
            continue;
        // What a lease has beyond what was handed out may be merged, once it is given
        // back.
        spool_lease_down(s);
        if (!l.model || !merge_model(s, l.model))
            break;
    }
}
