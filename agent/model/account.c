// SPDX-License-Identifier: Apache-2.0
#include "agent/model/account.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/hash.h"
#include "common/base/mem.h"

#define ACCOUNT_VERSION 1
#define PAGE_MAGIC UINT64_C(0x3245474150474b01)

uint64_t account_dropped(const struct account *a)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < DROP_REASONS; i++)
        sum += a->dropped[i];
    return sum;
}

void account_encode(const struct account *a, struct buf *out)
{
    buf_put_u8(out, ACCOUNT_VERSION);
    buf_put_u8(out, DROP_REASONS);
    for (uint32_t i = 0; i < DROP_REASONS; i++)
        buf_put_varint(out, a->dropped[i]);
    const uint64_t figure[] = {
        a->observed,   a->merged, a->late,          a->future,          a->unknown,
        a->type_error, a->labels, a->labels_joined, a->labels_unjoined, a->labels_bad};
    for (size_t i = 0; i < sizeof figure / sizeof *figure; i++)
        buf_put_varint(out, figure[i]);
}

enum status account_decode(struct cursor *from, struct account *out)
{
    struct account a = {0};
    uint8_t version, reasons;
    ST_TRY(cursor_u8(from, &version));
    ST_TRY(cursor_u8(from, &reasons));
    if (version != ACCOUNT_VERSION || reasons > DROP_REASONS)
        return ST_VERSION;
    for (uint32_t i = 0; i < reasons; i++)
        ST_TRY(cursor_varint(from, &a.dropped[i]));
    uint64_t *const figure[] = {
        &a.observed,   &a.merged, &a.late,          &a.future,          &a.unknown,
        &a.type_error, &a.labels, &a.labels_joined, &a.labels_unjoined, &a.labels_bad};
    for (size_t i = 0; i < sizeof figure / sizeof *figure; i++)
        ST_TRY(cursor_varint(from, figure[i]));
    *out = a;
    return ST_OK;
}

// --- The shared page

struct page_slot {
    uint64_t model; // hash of its name, never 0; 0 = free
    uint64_t rows;
};

// What is about to be written to the slots. `is_whole` is set last and cleared first,
// so that one store decides; from then on the slots are only a copy.
struct page_intent {
    _Atomic uint32_t is_whole;
    uint32_t n;
    struct {
        uint32_t slot;
        uint64_t rows;
    } row[ACCOUNT_TAKEN_MAX];
    struct source_mark mark;
};

struct page_file {
    uint64_t magic;
    struct page_intent intent;
    struct page_slot slot[ACCOUNT_SLOTS];
};

struct account_page {
    struct page_file *file;
};

static enum status map_file(const char *path, struct page_file **out)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return ST_IO;
    // The blocks are taken now: a full disk must not be met by a write to the page.
    void *map = MAP_FAILED;
    if (posix_fallocate(fd, 0, sizeof(struct page_file)) == 0)
        map = mmap(NULL, sizeof(struct page_file), PROT_READ | PROT_WRITE, MAP_SHARED,
                   fd, 0);
    close(fd);
    if (map == MAP_FAILED)
        return ST_IO;
    *out = map;
    return ST_OK;
}

static void carry_out(struct page_file *f)
{
    const struct page_intent *i = &f->intent;
    if (!atomic_load_explicit(&i->is_whole, memory_order_acquire))
        return;
    for (uint32_t k = 0; k < i->n && k < ACCOUNT_TAKEN_MAX; k++)
        if (i->row[k].slot < ACCOUNT_SLOTS)
            f->slot[i->row[k].slot].rows = i->row[k].rows;
}

enum status account_page_open(const char *path, struct account_page **out)
{
    struct account_page *p = MEM_NEW(struct account_page);
    if (!p)
        return ST_NOMEM;
    enum status st = map_file(path, &p->file);
    if (st != ST_OK) {
        mem_free(p);
        return st;
    }
    if (p->file->magic != PAGE_MAGIC)
        *p->file = (struct page_file){.magic = PAGE_MAGIC};
    carry_out(p->file);
    *out = p;
    return ST_OK;
}

void account_page_close(struct account_page *p)
{
    if (!p)
        return;
    munmap(p->file, sizeof *p->file);
    mem_free(p);
}

uint64_t *account_page_slot(struct account_page *p, struct span model)
{
    uint64_t hash[2];
    hash_murmur3(model, 0, hash);
    hash[0] |= 1;
    for (uint32_t i = 0; i < ACCOUNT_SLOTS; i++) {
        struct page_slot *slot = &p->file->slot[(hash[0] + i) % ACCOUNT_SLOTS];
        if (slot->model == 0)
            *slot = (struct page_slot){.model = hash[0]};
        if (slot->model == hash[0])
            return &slot->rows;
    }
    return NULL;
}

static uint32_t number_of(const struct account_page *p, const uint64_t *rows)
{
    ptrdiff_t bytes = (const char *)rows - (const char *)p->file->slot;
    return (uint32_t)((size_t)bytes / sizeof(struct page_slot));
}

void account_page_take(struct account_page *p, const struct source_mark *mark,
                       uint64_t *const *slot, const uint64_t *value, uint32_t n)
{
    struct page_intent *i = &p->file->intent;
    atomic_store_explicit(&i->is_whole, 0, memory_order_release);
    atomic_thread_fence(memory_order_seq_cst);
    i->n = 0;
    for (uint32_t k = 0; k < n && k < ACCOUNT_TAKEN_MAX; k++) {
        if (!slot[k])
            continue;
        i->row[i->n].slot = number_of(p, slot[k]);
        i->row[i->n++].rows = value[k];
    }
    i->mark = *mark;
    atomic_store_explicit(&i->is_whole, 1, memory_order_release);
    atomic_thread_fence(memory_order_seq_cst);
    carry_out(p->file);
}

void account_page_forget(struct account_page *p)
{
    atomic_store_explicit(&p->file->intent.is_whole, 0, memory_order_release);
}

bool account_page_mark(const struct account_page *p, const uint64_t source[2],
                       struct source_mark *out)
{
    const struct page_intent *i = &p->file->intent;
    if (!atomic_load_explicit(&i->is_whole, memory_order_acquire) ||
        i->mark.source[0] != source[0] || i->mark.source[1] != source[1] ||
        i->mark.tolds > SOURCE_TOLD_MAX)
        return false;
    *out = i->mark;
    return true;
}
