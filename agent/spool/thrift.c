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
                                struct span merged)
{
    struct buf group;
    struct stock_entry last = s->stock.entry[run->at[run->n - 1]];
    buf_init(&group, SPOOL_GROUP_BYTES_MAX);
    group_put_entry(&group, &last, merged, (struct span){0});
    for (uint32_t i = 0; i + 1 < run->n; i++) {
        const struct stock_entry *e = &s->stock.entry[run->at[i]];
        group_put_gone(&group, e->boot, e->seq);
    }
    enum status st = group.failed;
    if (st == ST_OK)
        st = spool_write(s, buf_span(&group), 1);
    if (st == ST_OK)
        s->stats.merged += run->n - 1;
    buf_fini(&group);
    return st;
}

static enum status merge_run(struct spool *s, const struct merge_run *run)
{
    struct span body[MERGE_RUN_MAX];
    struct buf bytes, merged;
    buf_init(&bytes, (size_t)MERGE_RUN_MAX * SPOOL_ENTRY_BYTES_MAX);
    buf_init(&merged, SPOOL_ENTRY_BYTES_MAX);
    enum status st = read_bodies(s, run, &bytes, body);
    if (st == ST_OK)
        st = merge_bodies(body, run->n, &merged);
    if (st == ST_OK)
        st = write_merged(s, run, buf_span(&merged));
    buf_fini(&bytes);
    buf_fini(&merged);
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
        run.n = 2;
        if (merge_run(s, &run) == ST_OK)
            return true;
        s->stock.entry[run.at[0]].has_window = false;
    }
    return false;
}

// The model with the most windows that were never handed out, and how many.
static const char *fullest_model(const struct spool *s, uint32_t *most)
{
    const char *found = NULL;
    size_t from = stock_behind(&s->stock, s->offered_start, s->offered_seq);
    *most = 0;
    for (size_t i = from; i < s->stock.entries; i++) {
        const struct stock_entry *e = &s->stock.entry[i];
        if (!e->has_window || (found && strcmp(found, e->model) == 0))
            continue;
        uint32_t n = 0;
        for (size_t k = i; k < s->stock.entries; k++)
            n += s->stock.entry[k].has_window &&
                 strcmp(s->stock.entry[k].model, e->model) == 0;
        if (n > *most) {
            *most = n;
            found = e->model;
        }
    }
    return found;
}

// --- Room

static uint64_t live_in(const struct spool *s, uint64_t segment)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < s->stock.entries; i++) {
        const struct stock_entry *e = &s->stock.entry[i];
        if (e->body.segment == segment)
            bytes += e->body_size + e->sigs_size;
    }
    size_t at = 0;
    void *value;
    while (table_next(s->stock.states, &at, NULL, &value)) {
        const struct stock_state *state = value;
        if (state->value.segment == segment)
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

bool thrift_compact(struct spool *s, bool is_pressed)
{
    bool is_newest;
    uint64_t bytes;
    uint64_t segment = reel_oldest(s->reel, &is_newest, &bytes);
    if (is_newest)
        return false;
    uint64_t live = live_in(s, segment);
    if (live > bytes / 2 && !(is_pressed && live < bytes - bytes / 8))
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
    uint32_t most;
    for (int i = 0; i < MERGES_A_COMMIT; i++) {
        bool is_pressed = reel_stats(s->reel).bytes > s->settings.bytes_max;
        const char *model = fullest_model(s, &most);
        if (!is_pressed && most <= s->settings.windows_max)
            break;
        if (is_pressed && thrift_compact(s, true))
            continue;
        // What a lease has beyond what was handed out may be merged, once it is given
        // back.
        spool_lease_down(s);
        if (!model || !merge_model(s, model))
            break;
    }
}
