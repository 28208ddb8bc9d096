// SPDX-License-Identifier: Apache-2.0
#include "agent/lane/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

static size_t bytes_of(uint32_t slots)
{
    return LANE_HEAD_BYTES + (size_t)slots * LANE_SLOT_BYTES;
}

// A file that could shrink would kill the agent by SIGBUS, and so would one of huge
// pages that are not there; only shared memory has these seals.
static enum status check_file(int fd, struct stat *out)
{
    struct statfs system;
    int seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0 || (seals & F_SEAL_SHRINK) == 0 || fstat(fd, out) != 0 ||
        !S_ISREG(out->st_mode) || fstatfs(fd, &system) != 0 ||
        system.f_type != TMPFS_MAGIC)
        return ST_DENIED;
    size_t size = (size_t)out->st_size;
    return out->st_size >= 0 && size >= bytes_of(LANE_SLOTS_MIN) &&
                   size <= bytes_of(LANE_SLOTS_MAX)
               ? ST_OK
               : ST_CORRUPT;
}

static enum status check_head(struct tap *r, size_t size)
{
    uint32_t slots = *(volatile uint32_t *)&r->head->slots;
    if (r->head->magic != LANE_MAGIC)
        return ST_CORRUPT;
    if (r->head->version != LANE_VERSION)
        return ST_VERSION;
    if (slots < LANE_SLOTS_MIN || slots > LANE_SLOTS_MAX ||
        (slots & (slots - 1)) != 0 || bytes_of(slots) != size)
        return ST_CORRUPT;
    r->slots = slots;
    r->tail = atomic_load_explicit(&r->head->tail, memory_order_relaxed);
    r->seen = r->tail;
    uint64_t head = atomic_load_explicit(&r->head->head, memory_order_acquire);
    return head - r->tail <= slots ? ST_OK : ST_CORRUPT;
}

enum status tap_open(int fd, uint8_t *scratch, struct tap *out)
{
    struct stat info;
    ST_TRY(check_file(fd, &info));
    size_t size = (size_t)info.st_size;
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED)
        return errno == ENOMEM ? ST_NOMEM : ST_DENIED;
    struct tap r = {
        .head = memory,
        .slot = (const uint8_t *)memory + LANE_HEAD_BYTES,
        .key = {info.st_dev, info.st_ino},
        .scratch = scratch,
    };
    enum status st = check_head(&r, size);
    if (st != ST_OK) {
        munmap(memory, size);
        return st;
    }
    *out = r;
    return ST_OK;
}

void tap_fini(struct tap *r)
{
    if (r->head)
        munmap(r->head, bytes_of(r->slots));
    r->head = NULL;
}

enum status tap_look(struct tap *r)
{
    uint64_t beat = atomic_load_explicit(&r->head->beat, memory_order_relaxed);
    atomic_store_explicit(&r->head->beat, beat + 1, memory_order_relaxed);
    uint64_t head = atomic_load_explicit(&r->head->head, memory_order_acquire);
    if (head - r->tail > r->slots)
        return ST_CORRUPT;
    r->seen = head;
    return ST_OK;
}

static uint64_t slots_of(uint32_t size)
{
    return ((uint64_t)size + LANE_SLOT_BYTES - 1) / LANE_SLOT_BYTES;
}

enum status tap_next(struct tap *r, struct lane_record *head, struct span *rest)
{
    uint64_t ready = r->seen - r->tail;
    if (ready == 0)
        return ST_EMPTY;
    uint64_t place = r->tail & (r->slots - 1);
    const uint8_t *from = r->slot + place * LANE_SLOT_BYTES;
    struct lane_record claim;
    memcpy(&claim, from, sizeof claim);
    uint64_t left = r->slots - place;
    uint64_t need = slots_of(claim.size);
    if (claim.size < sizeof claim || need > left || need > ready ||
        claim.kind >= LANE_KINDS)
        return ST_CORRUPT;
    if (claim.kind == LANE_SKIP) {
        if (need != left || need == ready)
            return ST_CORRUPT; // it stands before a record, and reaches to the end
        tap_pass(r, &claim);
        return tap_next(r, head, rest);
    }
    if (claim.size > LANE_RECORD_MAX)
        return ST_CORRUPT;
    memcpy(r->scratch, from + sizeof claim, claim.size - sizeof claim);
    *head = claim;
    *rest = span_of(r->scratch, claim.size - sizeof claim);
    return ST_OK;
}

void tap_pass(struct tap *r, const struct lane_record *head)
{
    r->tail += slots_of(head->size);
}

// --- What was read and told

#define LOSS_KINDS 3

// The place of a count: the kind of loss, then the model.
static _Atomic uint64_t *loss_at(struct lane_losses *l, uint32_t place)
{
    _Atomic uint64_t *const kind[LOSS_KINDS] = {l->full, l->refused, l->beside};
    return &kind[place / LANE_MODELS_MAX][place % LANE_MODELS_MAX];
}

const struct source_mark *tap_mark(struct tap *r)
{
    memcpy(r->mark.source, r->key, sizeof r->key);
    r->mark.tail = r->tail;
    return &r->mark;
}

void tap_give(struct tap *r)
{
    for (uint32_t i = 0; i < r->mark.tolds; i++)
        atomic_store_explicit(loss_at(&r->head->told, r->mark.told[i].place),
                              r->mark.told[i].value, memory_order_relaxed);
    r->mark.tolds = 0;
    atomic_store_explicit(&r->head->tail, r->tail, memory_order_release);
}

void tap_resume(struct tap *r, const struct source_mark *mark)
{
    uint64_t head = atomic_load_explicit(&r->head->head, memory_order_acquire);
    if (mark->tail - r->tail > r->slots || mark->tail - r->tail > head - r->tail)
        return;
    r->tail = r->seen = mark->tail;
    for (uint32_t i = 0; i < mark->tolds; i++)
        if (mark->told[i].place < LOSS_KINDS * LANE_MODELS_MAX)
            r->mark.told[r->mark.tolds++] = mark->told[i];
    tap_give(r);
}

bool tap_has_losses(struct tap *r)
{
    uint64_t lost = atomic_load_explicit(&r->head->lost, memory_order_acquire);
    bool has = lost != r->lost;
    r->lost = lost;
    return has;
}

// A count that went back, or leapt, is a lie: nothing is told of it.
static uint64_t untold(struct tap *r, uint32_t place)
{
    uint64_t now =
        atomic_load_explicit(loss_at(&r->head->losses, place), memory_order_relaxed);
    uint64_t before =
        atomic_load_explicit(loss_at(&r->head->told, place), memory_order_relaxed);
    if (now == before)
        return 0;
    r->mark.told[r->mark.tolds].place = place;
    r->mark.told[r->mark.tolds++].value = now;
    return now > before && now - before <= UINT32_MAX ? now - before : 0;
}

bool tap_losses(struct tap *r, uint32_t model, struct tap_losses *out)
{
    if (r->mark.tolds + LOSS_KINDS > SOURCE_TOLD_MAX)
        return false;
    out->full = untold(r, model);
    out->refused = untold(r, LANE_MODELS_MAX + model);
    out->beside = untold(r, 2 * LANE_MODELS_MAX + model);
    return true;
}
