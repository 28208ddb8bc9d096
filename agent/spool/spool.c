// SPDX-License-Identifier: Apache-2.0
#include "agent/spool/spool.h"

#include <limits.h>
#include <string.h>

#include "agent/spool/inner.h"
#include "common/base/buf.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "proto/codec.h"

#define BYTES_DEFAULT (64u << 20)
#define MEMORY_DEFAULT (4u << 20)
#define WINDOWS_DEFAULT 64
#define COMPACTIONS_A_TURN 4 // each of them syncs

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
    buf_init(&s->group, SPOOL_GROUP_BYTES_MAX);
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
    for (uint32_t i = 0; i < SPOOL_WAITING_MAX; i++)
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
enum status spool_write(struct spool *s, struct span group, uint32_t entries)
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
        if (spool_write(s, buf_span(&w->group), w->entries) != ST_OK)
            return false;
        s->waiting_bytes -= w->group.size;
        buf_fini(&w->group);
        s->waiting_first = (s->waiting_first + 1) % SPOOL_WAITING_MAX;
        s->waitings--;
    }
    return true;
}

static enum status wait_group(struct spool *s)
{
    if (s->waitings == SPOOL_WAITING_MAX ||
        s->group.size > s->settings.memory_max - s->waiting_bytes)
        return ST_FULL;
    struct waiting *w =
        &s->waiting[(s->waiting_first + s->waitings) % SPOOL_WAITING_MAX];
    w->group = s->group;
    w->entries = s->group_entries;
    s->waiting_bytes += w->group.size;
    s->waitings++;
    buf_init(&s->group, SPOOL_GROUP_BYTES_MAX);
    if (s->waitings == 1)
        log_line(LOG_WARN, "the disk is full, the spool waits in memory", "bytes=%llu",
                 (unsigned long long)s->waiting_bytes);
    return ST_OK;
}

enum status spool_commit(struct spool *s)
{
    if (s->group.size == 0)
        return ST_OK;
    thrift_make_room(s);
    enum status st = ST_FULL;
    if (write_waiting(s) &&
        reel_stats(s->reel).bytes + s->group.size <= 2 * s->settings.bytes_max)
        st = spool_write(s, buf_span(&s->group), s->group_entries);
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

void spool_lease_down(struct spool *s)
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
        spool_lease_down(s);
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

// --- Turns and figures

void spool_turn(struct spool *s, uint64_t now_ns)
{
    (void)now_ns;
    write_waiting(s);
    thrift_make_room(s);
    for (int i = 0; i < COMPACTIONS_A_TURN && thrift_compact(s, false);)
        i++;
}

struct spool_stats spool_stats(const struct spool *s)
{
    struct spool_stats stats = s->stats;
    struct reel_stats reel = reel_stats(s->reel);
    stats.entries = s->stock.entries;
    for (size_t i = 0; i < s->stock.entries; i++)
        stats.windows += s->stock.entry[i].has_window && s->stock.entry[i].part == 0;
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
