// SPDX-License-Identifier: Apache-2.0
#include "agent/spool/spool.h"

#include <limits.h>
#include <string.h>

#include "agent/spool/group.h"
#include "agent/spool/reel.h"
#include "agent/spool/lease.h"
#include "agent/spool/merge.h"
#include "agent/spool/stock.h"
#include "common/base/buf.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "proto/codec.h"

#define BYTES_DEFAULT (64u << 20)
#define MEMORY_DEFAULT (4u << 20)
#define WINDOWS_DEFAULT 64
#define GROUP_BYTES_MAX (16u << 20)
#define WAITING_MAX 1024
#define MERGES_A_COMMIT 8

// A group that the disk had no room for. Its states and entries are known to nobody
// yet.
struct waiting {
    struct buf group;
    uint32_t entries;
};

struct spool {
    struct spool_settings settings;
    uint8_t boot[16];
    uint64_t start; // of this run of the agent
    uint64_t next_seq;
    uint64_t group_seq; // next_seq when the group began
    struct reel *reel;
    struct lease lease;
    struct stock stock;
    struct buf group;
    uint32_t group_entries;
    struct waiting waiting[WAITING_MAX];
    uint32_t waiting_first, waitings;
    uint64_t waiting_bytes;
    uint64_t offered_start, offered_seq; // the last that was really handed out
    bool is_online;
    struct buf lent; // what spool_offer and spool_state_get lend
    struct spool_stats stats;
    void *pool_memory;
    struct pool pool;
};

// --- Opening

static enum status load_group(void *self, struct place at, struct span payload)
{
    struct spool *s = self;
    enum status st = group_apply(&s->stock, at, payload, &s->pool);
    if (st == ST_CORRUPT) {
        s->stats.bad_records++;
        return ST_OK;
    }
    return st;
}

static enum status open_lease(struct spool *s)
{
    char path[PATH_MAX];
    ST_TRY(file_join(s->settings.folder, "offered", path, sizeof path));
    ST_TRY(lease_open(path, &s->lease));
    // Starts count up, so that entries of older ones are sent first; the highest is in
    // an entry or in the lease.
    s->start = 1;
    if (s->stock.entries > 0)
        s->start = s->stock.entry[s->stock.entries - 1].start + 1;
    if (s->lease.start != UINT64_MAX && s->lease.start >= s->start)
        s->start = s->lease.start + 1;
    // Now "everything" of a fresh lease means everything of earlier starts.
    if (s->lease.start >= s->start)
        ST_TRY(lease_set(&s->lease, s->start - 1, UINT64_MAX));
    s->offered_start = s->lease.start;
    s->offered_seq = s->lease.seq;
    return ST_OK;
}

static enum status load(struct spool *s)
{
    s->pool_memory = mem_zero(1, MESSAGE_POOL_BYTES);
    if (!s->pool_memory)
        return ST_NOMEM;
    pool_init(&s->pool, s->pool_memory, MESSAGE_POOL_BYTES);
    ST_TRY(stock_init(&s->stock));
    ST_TRY(reel_open(s->settings.folder, load_group, s, &s->reel));
    return open_lease(s);
}

enum status spool_open(const struct spool_settings *settings, struct spool **out)
{
    struct spool *s = MEM_NEW(struct spool);
    if (!s)
        return ST_NOMEM;
    s->settings = *settings;
    s->lease.fd = -1;
    if (!s->settings.bytes_max)
        s->settings.bytes_max = BYTES_DEFAULT;
    if (!s->settings.memory_max)
        s->settings.memory_max = MEMORY_DEFAULT;
    if (!s->settings.windows_max)
        s->settings.windows_max = WINDOWS_DEFAULT;
    memcpy(s->boot, settings->boot, sizeof s->boot);
    s->next_seq = s->group_seq = 1;
    buf_init(&s->group, GROUP_BYTES_MAX);
    buf_init(&s->lent, SPOOL_STATE_BYTES_MAX + SPOOL_ENTRY_BYTES_MAX);
    enum status st = load(s);
    if (st != ST_OK) {
        spool_close(s);
        return st;
    }
    s->settings.folder = NULL; // lent for the opening alone
    *out = s;
    return ST_OK;
}

void spool_close(struct spool *s)
{
    if (!s)
        return;
    reel_close(s->reel);
    lease_close(&s->lease);
    stock_fini(&s->stock);
    buf_fini(&s->group);
    buf_fini(&s->lent);
    for (uint32_t i = 0; i < WAITING_MAX; i++)
        buf_fini(&s->waiting[i].group);
    mem_free(s->pool_memory);
    mem_free(s);
}

// --- Writing

void spool_stamp(const struct spool *s, uint8_t boot[16], uint64_t *seq)
{
    memcpy(boot, s->boot, sizeof s->boot);
    *seq = s->next_seq;
}

enum status spool_entry(struct spool *s, const char *type, struct span body,
                        struct span sigs)
{
    struct stock_entry e = {.start = s->start, .seq = s->next_seq};
    if (body.size == 0 || body.size > SPOOL_ENTRY_BYTES_MAX ||
        sigs.size > SPOOL_ENTRY_BYTES_MAX - body.size || strlen(type) > STOCK_TYPE_MAX)
        return ST_RANGE;
    memcpy(e.boot, s->boot, sizeof e.boot);
    memcpy(e.type, type, strlen(type));
    size_t before = s->group.size;
    group_put_entry(&s->group, &e, body, sigs);
    if (s->group.failed != ST_OK) {
        s->group.size = before;
        s->group.failed = ST_OK;
        return ST_NOMEM;
    }
    s->next_seq++;
    s->group_entries++;
    return ST_OK;
}

enum status spool_state(struct spool *s, struct span key, struct span value)
{
    if (key.size == 0 || key.size > 255 || value.size > SPOOL_STATE_BYTES_MAX)
        return ST_RANGE;
    size_t before = s->group.size;
    group_put_state(&s->group, key, value);
    if (s->group.failed == ST_OK)
        return ST_OK;
    s->group.size = before;
    s->group.failed = ST_OK;
    return ST_NOMEM;
}

void spool_abort(struct spool *s)
{
    buf_clear(&s->group);
    s->next_seq = s->group_seq;
    s->group_entries = 0;
}

// Room for what the group will add is made first, so that nothing can fail once it is
// on disk.
static enum status write_group(struct spool *s, struct span group, uint32_t entries)
{
    struct place at;
    ST_TRY(stock_reserve(&s->stock, entries));
    ST_TRY(reel_append(s->reel, group, &at));
    return group_apply(&s->stock, at, group, &s->pool);
}

// True when nothing waits any more.
static bool write_waiting(struct spool *s)
{
    while (s->waitings > 0) {
        struct waiting *w = &s->waiting[s->waiting_first];
        if (write_group(s, buf_span(&w->group), w->entries) != ST_OK)
            return false;
        s->waiting_bytes -= w->group.size;
        buf_fini(&w->group);
        s->waiting_first = (s->waiting_first + 1) % WAITING_MAX;
        s->waitings--;
    }
    return true;
}

static enum status wait_group(struct spool *s)
{
    if (s->waitings == WAITING_MAX ||
        s->group.size > s->settings.memory_max - s->waiting_bytes)
        return ST_FULL;
    struct waiting *w = &s->waiting[(s->waiting_first + s->waitings) % WAITING_MAX];
    w->group = s->group;
    w->entries = s->group_entries;
    s->waiting_bytes += w->group.size;
    s->waitings++;
    buf_init(&s->group, GROUP_BYTES_MAX);
    if (s->waitings == 1)
        log_line(LOG_WARN, "the disk is full, the spool waits in memory", "bytes=%llu",
                 (unsigned long long)s->waiting_bytes);
    return ST_OK;
}

static void make_room(struct spool *s);

enum status spool_commit(struct spool *s)
{
    if (s->group.size == 0)
        return ST_OK;
    make_room(s);
    enum status st = ST_FULL;
    if (write_waiting(s) &&
        reel_stats(s->reel).bytes + s->group.size <= 2 * s->settings.bytes_max)
        st = write_group(s, buf_span(&s->group), s->group_entries);
    if (st == ST_FULL || st == ST_IO)
        st = wait_group(s);
    if (st != ST_OK) {
        spool_abort(s);
        return st;
    }
    buf_clear(&s->group);
    s->group_seq = s->next_seq;
    s->group_entries = 0;
    return ST_OK;
}

enum status spool_state_get(struct spool *s, struct span key, struct span *value)
{
    const struct stock_state *state = stock_state(&s->stock, key);
    if (!state)
        return ST_NOTFOUND;
    buf_clear(&s->lent);
    ST_TRY(reel_read(s->reel, state->value, state->size, &s->lent));
    *value = buf_span(&s->lent);
    return ST_OK;
}

// --- Sending

static bool is_offered(const struct spool *s, uint64_t start, uint64_t seq)
{
    return start < s->lease.start || (start == s->lease.start && seq <= s->lease.seq);
}

// While the link is up all of this start counts as offered: one sync for a connection
// instead of one for each entry.
static enum status lease_up_to(struct spool *s, const struct stock_entry *e)
{
    if (is_offered(s, e->start, e->seq))
        return ST_OK;
    bool is_ahead = s->is_online && e->start == s->start;
    return lease_set(&s->lease, e->start, is_ahead ? UINT64_MAX : e->seq);
}

// Gives back what the lease has beyond what was really offered.
static void lease_down(struct spool *s)
{
    if (s->lease.start == s->start && s->lease.seq == UINT64_MAX)
        if (lease_set(&s->lease, s->offered_start, s->offered_seq) != ST_OK)
            log_line(LOG_ERROR, "the mark of what was offered cannot be written",
                     "start=%llu", (unsigned long long)s->start);
}

void spool_online(struct spool *s, bool online)
{
    s->is_online = online;
    if (!online)
        lease_down(s);
}

enum status spool_offer(struct spool *s, struct spool_cursor *at,
                        struct spool_item *out)
{
    size_t i = stock_behind(&s->stock, at->start, at->seq);
    if (i == s->stock.entries)
        return ST_EMPTY;
    const struct stock_entry *e = &s->stock.entry[i];
    size_t size = (size_t)e->body_size + e->sigs_size;
    buf_clear(&s->lent);
    ST_TRY(reel_read(s->reel, e->body, size, &s->lent));
    ST_TRY(reel_sync(s->reel));
    ST_TRY(lease_up_to(s, e));
    if (e->start > s->offered_start ||
        (e->start == s->offered_start && e->seq > s->offered_seq)) {
        s->offered_start = e->start;
        s->offered_seq = e->seq;
    }
    *out =
        (struct spool_item){.seq = e->seq,
                            .type = span_text(e->type),
                            .body = span_of(s->lent.data, e->body_size),
                            .sigs = span_of(s->lent.data + e->body_size, e->sigs_size)};
    memcpy(out->boot, e->boot, sizeof out->boot);
    *at = (struct spool_cursor){e->start, e->seq};
    return ST_OK;
}

enum status spool_ack(struct spool *s, const uint8_t boot[16], uint64_t seq)
{
    struct stock_entry *e = stock_find(&s->stock, boot, seq);
    if (!e)
        return ST_NOTFOUND;
    stock_remove(&s->stock, (size_t)(e - s->stock.entry));
    s->stats.acked++;
    // A lost note costs a repetition, which the controller knows. So a full disk does
    // not matter here.
    struct buf note;
    struct place at;
    buf_init(&note, 64);
    group_put_gone(&note, boot, seq);
    enum status st = reel_append(s->reel, buf_span(&note), &at);
    buf_fini(&note);
    return st == ST_FULL ? ST_OK : st;
}

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
    buf_init(&group, GROUP_BYTES_MAX);
    group_put_entry(&group, &last, merged, (struct span){0});
    for (uint32_t i = 0; i + 1 < run->n; i++) {
        const struct stock_entry *e = &s->stock.entry[run->at[i]];
        group_put_gone(&group, e->boot, e->seq);
    }
    enum status st = group.failed;
    if (st == ST_OK)
        st = write_group(s, buf_span(&group), 1);
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

// The model with the most windows that may still be merged, and how many.
static const char *fullest_model(const struct spool *s, uint32_t *most)
{
    const char *found = NULL;
    size_t from = stock_behind(&s->stock, s->lease.start, s->lease.seq);
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

// Frees the oldest segment if little or nothing in it lives. True when one went.
static bool compact(struct spool *s, bool is_pressed)
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
        st = write_group(s, buf_span(&group), 0);
    // What was copied must be on disk before its first copy goes.
    if (st == ST_OK && group.size > 0)
        st = reel_sync(s->reel);
    if (st == ST_OK)
        st = reel_drop_oldest(s->reel);
    buf_fini(&group);
    return st == ST_OK;
}

static void make_room(struct spool *s)
{
    uint32_t most;
    for (int i = 0; i < MERGES_A_COMMIT; i++) {
        bool is_pressed = reel_stats(s->reel).bytes > s->settings.bytes_max;
        const char *model = fullest_model(s, &most);
        if (!is_pressed && most <= s->settings.windows_max)
            break;
        if (is_pressed && compact(s, true))
            continue;
        if (s->is_online)
            lease_down(s);
        if (!model || !merge_model(s, model))
            break;
    }
}

void spool_turn(struct spool *s, uint64_t now_ns)
{
    (void)now_ns;
    write_waiting(s);
    make_room(s);
    while (compact(s, false))
        continue;
}

// --- Figures

struct spool_stats spool_stats(const struct spool *s)
{
    struct spool_stats stats = s->stats;
    struct reel_stats reel = reel_stats(s->reel);
    stats.entries = s->stock.entries;
    for (size_t i = 0; i < s->stock.entries; i++)
        stats.windows += s->stock.entry[i].has_window;
    stats.bytes = reel.bytes;
    stats.segments = reel.segments;
    stats.torn_bytes = reel.torn_bytes;
    stats.bad_records += reel.bad_records;
    stats.syncs = reel.syncs;
    stats.disk_full = reel.disk_full;
    stats.waiting_bytes = s->waiting_bytes;
    return stats;
}

void spool_status(const struct spool *s, struct json *out)
{
    struct spool_stats stats = spool_stats(s);
    json_object(out);
    json_key_u64(out, "entries", stats.entries);
    json_key_u64(out, "windows", stats.windows);
    json_key_u64(out, "bytes", stats.bytes);
    json_key_u64(out, "waiting_bytes", stats.waiting_bytes);
    json_key_u64(out, "segments", stats.segments);
    json_key_u64(out, "torn_bytes", stats.torn_bytes);
    json_key_u64(out, "bad_records", stats.bad_records);
    json_key_u64(out, "merged", stats.merged);
    json_key_u64(out, "acked", stats.acked);
    json_key_u64(out, "disk_full", stats.disk_full);
    json_key_u64(out, "syncs", stats.syncs);
    json_object_end(out);
}
