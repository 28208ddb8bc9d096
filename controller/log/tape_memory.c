// The memory driver of the tape: the contract without a disk.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/base/mem.h"
#include "controller/log/ledger.h"
#include "controller/log/memory.h"
#include "controller/log/tape.h"

struct tape {
    struct memory *memory;
    const struct tape_fold *fold;
    uint32_t partitions;
};

static enum status open_tape(const struct tape_options *o, struct tape **out)
{
    if (!o->memory || o->partitions == 0 || o->partitions > TAPE_PARTITIONS_MAX)
        return ST_RANGE;
    struct tape *t = MEM_NEW(struct tape);
    if (!t)
        return ST_NOMEM;
    *t = (struct tape){
        .memory = o->memory, .fold = o->fold, .partitions = o->partitions};
    *out = t;
    return ST_OK;
}

static void close_tape(struct tape *t)
{
    mem_free(t);
}

static enum status durability(struct tape *t, struct tape_durability *out)
{
    (void)t;
    *out = (struct tape_durability){.why_not = "it lies in memory"};
    return ST_OK;
}

static enum status append(struct tape *t, const struct tape_append *a,
                          tape_done_fn *done, void *keep)
{
    ST_TRY(ledger_check(a, t->partitions));
    struct tape_pos last = {0};
    memory_begin(t->memory);
    enum status st = ledger_append(memory_shelf(t->memory), t->fold, a, &last);
    if (st == ST_OK)
        st = memory_commit(t->memory);
    else
        memory_abort(t->memory);
    if (st != ST_OK && t->fold)
        t->fold->dropped(t->fold->self);
    done(keep, st, last);
    return ST_OK;
}

static enum status read_tape(struct tape *t, uint32_t partition, struct tape_pos after,
                             struct tape_reader *each)
{
    if (partition >= t->partitions)
        return ST_RANGE;
    uint32_t limit = each->limit ? each->limit : UINT32_MAX;
    enum status st =
        ledger_read(memory_shelf(t->memory), partition, &after, each, limit);
    return st == ST_EMPTY || st == ST_CLOSED ? ST_OK : st;
}

static enum status head(struct tape *t, uint32_t partition, struct tape_pos *last,
                        struct tape_pos *oldest)
{
    if (partition >= t->partitions)
        return ST_RANGE;
    struct ledger_head h;
    ST_TRY(ledger_head(memory_shelf(t->memory), partition, &h));
    *last = h.last;
    *oldest = (struct tape_pos){h.last.generation, h.oldest};
    return ST_OK;
}

static enum status trim(struct tape *t, uint32_t partition, struct tape_pos upto)
{
    if (partition >= t->partitions)
        return ST_RANGE;
    memory_begin(t->memory);
    enum status st = ledger_trim(memory_shelf(t->memory), partition, upto, UINT32_MAX);
    if (st == ST_OK)
        return memory_commit(t->memory);
    memory_abort(t->memory);
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

const struct tape_driver tape_memory = {.name = "memory",
                                        .open = open_tape,
                                        .close = close_tape,
                                        .durability = durability,
                                        .append = append,
                                        .read = read_tape,
                                        .head = head,
                                        .trim = trim,
                                        .fd = fd,
                                        .step = step};
