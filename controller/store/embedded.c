// Embedded: append and fold in one synced transaction, then done.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/store/embedded.h"

#include <assert.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "controller/log/ledger.h"
#include "controller/store/store.h"

// Entries read, and rows trimmed, in one transaction: keeps readers under 100 ms and
// commits small.
#define READ_CHUNK 256u
#define TRIM_CHUNK 4096u

struct tape {
    struct store *store;
    bool owns_store;
    const struct tape_fold *fold;
    uint32_t partitions;
};

static void close_tape(struct tape *t)
{
    if (!t)
        return;
    if (t->owns_store)
        store_close(t->store);
    mem_free(t);
}

static enum status open_tape(const struct tape_options *o, struct tape **out)
{
    if (o->partitions == 0 || o->partitions > TAPE_PARTITIONS_MAX ||
        (!o->store && !o->folder))
        return ST_RANGE;
    struct tape *t = MEM_NEW(struct tape);
    if (!t)
        return ST_NOMEM;
    *t = (struct tape){.store = o->store,
                       .owns_store = !o->store,
                       .fold = o->fold,
                       .partitions = o->partitions};
    if (t->owns_store) {
        struct store_options so = {.folder = o->folder, .map_bytes = o->map_bytes};
        enum status st = store_open(&so, &t->store);
        if (st != ST_OK) {
            mem_free(t);
            return st;
        }
    }
    *out = t;
    return ST_OK;
}

static enum status durability(struct tape *t, struct tape_durability *out)
{
    (void)t;
    *out = (struct tape_durability){.is_synced = true, .copies = 1};
    return ST_OK;
}

static enum status append_now(struct tape *t, const struct tape_append *a,
                              struct tape_pos *last)
{
    struct store_txn *txn;
    ST_TRY(store_begin(t->store, STORE_READ_WRITE, &txn));
    enum status st = ledger_append(store_shelf(txn), t->fold, a, last);
    if (st == ST_OK)
        return store_commit(txn);
    store_abort(txn);
    return st;
}

static enum status append(struct tape *t, const struct tape_append *a,
                          tape_done_fn *done, void *keep)
{
    ST_TRY(ledger_check(a, t->partitions));
    struct tape_pos last = {0};
    enum status st = append_now(t, a, &last);
    if (st != ST_OK && t->fold)
        t->fold->dropped(t->fold->self);
    done(keep, st, last);
    return ST_OK;
}

static enum status read_chunk(struct tape *t, uint32_t partition,
                              struct tape_pos *after, struct tape_reader *each,
                              uint32_t limit)
{
    struct store_txn *txn;
    ST_TRY(store_begin(t->store, STORE_READ_ONLY, &txn));
    enum status st = ledger_read(store_shelf(txn), partition, after, each, limit);
    store_abort(txn);
    return st;
}

static enum status read_tape(struct tape *t, uint32_t partition, struct tape_pos after,
                             struct tape_reader *each)
{
    if (partition >= t->partitions)
        return ST_RANGE;
    uint64_t left = each->limit ? each->limit : UINT64_MAX;
    enum status st = ST_OK;
    while (st == ST_OK && left > 0) {
        uint32_t n = left < READ_CHUNK ? (uint32_t)left : READ_CHUNK;
        st = read_chunk(t, partition, &after, each, n);
        left -= n;
    }
    return st == ST_EMPTY || st == ST_CLOSED ? ST_OK : st;
}

static enum status head(struct tape *t, uint32_t partition, struct tape_pos *last,
                        struct tape_pos *oldest)
{
    if (partition >= t->partitions)
        return ST_RANGE;
    struct store_txn *txn;
    ST_TRY(store_begin(t->store, STORE_READ_ONLY, &txn));
    struct ledger_head h;
    enum status st = ledger_head(store_shelf(txn), partition, &h);
    store_abort(txn);
    if (st != ST_OK)
        return st;
    *last = h.last;
    *oldest = (struct tape_pos){h.last.generation, h.oldest};
    return ST_OK;
}

static enum status trim_chunk(struct tape *t, uint32_t partition, struct tape_pos upto)
{
    struct store_txn *txn;
    ST_TRY(store_begin(t->store, STORE_READ_WRITE, &txn));
    enum status st = ledger_trim(store_shelf(txn), partition, upto, TRIM_CHUNK);
    if (st != ST_OK && st != ST_AGAIN) {
        store_abort(txn);
        return st;
    }
    ST_TRY(store_commit(txn));
    return st;
}

static enum status trim(struct tape *t, uint32_t partition, struct tape_pos upto)
{
    if (partition >= t->partitions)
        return ST_RANGE;
    enum status st = ST_AGAIN;
    while (st == ST_AGAIN)
        st = trim_chunk(t, partition, upto);
    return st;
}

static int fd(struct tape *t)
{
    (void)t;
    return -1;
}

static enum status step(struct tape *t, uint64_t now_ns)
{
    (void)t;
    (void)now_ns;
    return ST_OK;
}

const struct tape_driver tape_embedded = {.name = "embedded",
                                          .open = open_tape,
                                          .close = close_tape,
                                          .durability = durability,
                                          .append = append,
                                          .read = read_tape,
                                          .head = head,
                                          .trim = trim,
                                          .fd = fd,
                                          .step = step};
