// SPDX-License-Identifier: Apache-2.0
#include "agent/model/labels.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/hash.h"
#include "common/base/mem.h"

#define MAGIC UINT64_C(0x31424c474b01)
#define HEADER_BYTES 8192
#define NAME_BYTES 129
#define PLACES 8 // an id may stand in any of them
#define CAPACITY_MIN 64
#define CAPACITY_MAX (UINT64_C(1) << 26)

// The low byte of a slot: 5 bits of version, 3 bits that say in which life of the agent
// it was joined (0: not yet). What was joined in an earlier life may be joined again:
// if that join was in a window that the kill took, the label comes once more.
#define VERSION_BITS 31u
#define LIFE_SHIFT 5
#define LIVES 7

struct slot {
    uint64_t id; // 56 bits of hash, then the low byte; 0 = free
    float score;
    uint32_t seconds; // since 1970, until 2106
};

struct header {
    uint64_t magic;
    uint64_t capacity;
    uint8_t key[16];
    uint64_t lives;   // how often it was opened
    uint64_t version; // the one to be named next
    char name[LABELS_VERSIONS + 1][NAME_BYTES];
};

struct labels {
    struct header *header;
    struct slot *slot;
    size_t bytes;
    uint64_t horizon_s;
    uint8_t life; // 1..LIVES
    uint32_t last_version;
    struct labels_stats stats;
};

_Static_assert(sizeof(struct slot) == LABELS_ENTRY_BYTES, "16 bytes an id");
_Static_assert(sizeof(struct header) <= HEADER_BYTES, "the header has its pages");

static enum status map_file(const char *path, size_t bytes, bool *is_new, uint8_t **out)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return ST_IO;
    struct stat st;
    void *map = MAP_FAILED;
    bool is_fine = fstat(fd, &st) == 0;
    // Another size is another ring. All blocks are taken at once: a full disk must not
    // be met by a write to the map.
    if (is_fine && (size_t)st.st_size != bytes)
        is_fine = *is_new = ftruncate(fd, 0) == 0;
    bool has_room = is_fine && posix_fallocate(fd, 0, (off_t)bytes) == 0;
    if (has_room)
        map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (map == MAP_FAILED)
        return is_fine && !has_room ? ST_FULL : ST_IO;
    *out = map;
    return ST_OK;
}

static void begin_header(struct header *h, uint64_t capacity)
{
    memset(h, 0, HEADER_BYTES);
    h->capacity = capacity;
    random_os_bytes(h->key, sizeof h->key);
    h->magic = MAGIC;
}

static bool is_sound(const struct header *h, uint64_t capacity)
{
    if (h->magic != MAGIC || h->capacity != capacity || h->version > LABELS_VERSIONS)
        return false;
    for (uint32_t i = 0; i <= LABELS_VERSIONS; i++)
        if (!memchr(h->name[i], 0, NAME_BYTES))
            return false;
    return true;
}

enum status labels_open(const char *path, uint64_t capacity, uint64_t horizon_ns,
                        struct labels **out)
{
    uint64_t rounded = CAPACITY_MIN;
    if (capacity > CAPACITY_MAX)
        return ST_RANGE;
    while (rounded < capacity)
        rounded *= 2;
    struct labels *l = MEM_NEW(struct labels);
    if (!l)
        return ST_NOMEM;
    uint8_t *map;
    bool is_new = false;
    l->bytes = HEADER_BYTES + (size_t)rounded * sizeof(struct slot);
    enum status st = map_file(path, l->bytes, &is_new, &map);
    if (st != ST_OK) {
        mem_free(l);
        return st;
    }
    l->header = (struct header *)(void *)map;
    l->slot = (struct slot *)(void *)(map + HEADER_BYTES);
    if (!is_sound(l->header, rounded)) {
        if (!is_new) // a new file is empty, and its pages need not be met
            memset(l->slot, 0, (size_t)rounded * sizeof *l->slot);
        begin_header(l->header, rounded);
    }
    l->life = (uint8_t)(l->header->lives++ % LIVES + 1);
    l->horizon_s = horizon_ns / NS_PER_S;
    l->stats.capacity = rounded;
    l->stats.horizon_ns = horizon_ns;
    l->stats.bytes = l->bytes;
    *out = l;
    return ST_OK;
}

void labels_close(struct labels *l)
{
    if (!l)
        return;
    munmap(l->header, l->bytes);
    mem_free(l);
}

struct labels_stats labels_stats(const struct labels *l)
{
    return l->stats;
}

// --- Versions

// The number of a version, 0..LABELS_VERSIONS-1. The oldest name gives way to a new
// one; what was predicted under it is then ascribed to the new one, 31 versions later.
static uint32_t version_number(struct labels *l, struct span version)
{
    struct header *h = l->header;
    if (version.size >= NAME_BYTES)
        version.size = NAME_BYTES - 1;
    if (span_equal(span_text(h->name[l->last_version]), version))
        return l->last_version;
    for (uint32_t i = 0; i < LABELS_VERSIONS; i++)
        if (h->name[i][0] != 0 && span_equal(span_text(h->name[i]), version))
            return l->last_version = i;
    uint32_t number = (uint32_t)(h->version % LABELS_VERSIONS);
    memset(h->name[number], 0, NAME_BYTES);
    if (version.size > 0)
        memcpy(h->name[number], version.data, version.size);
    h->version = (number + 1) % LABELS_VERSIONS;
    return l->last_version = number;
}

// --- Slots

static uint64_t hash_of(const struct labels *l, struct span id)
{
    uint64_t hash = hash_sip(l->header->key, id) & ~UINT64_C(0xFF);
    return hash ? hash : 0x100;
}

static struct slot *bucket_of(struct labels *l, uint64_t hash)
{
    return &l->slot[(hash >> 8) % (l->header->capacity / PLACES) * PLACES];
}

static struct slot *find(struct labels *l, uint64_t hash)
{
    struct slot *bucket = bucket_of(l, hash);
    for (uint32_t i = 0; i < PLACES; i++)
        if ((bucket[i].id & ~UINT64_C(0xFF)) == hash)
            return &bucket[i];
    return NULL;
}

static bool is_over(const struct labels *l, const struct slot *s, uint32_t seconds)
{
    return seconds > s->seconds && seconds - s->seconds > l->horizon_s;
}

// A free place, else the oldest.
static struct slot *place_for(struct labels *l, uint64_t hash, uint32_t seconds)
{
    struct slot *bucket = bucket_of(l, hash);
    struct slot *oldest = bucket;
    for (uint32_t i = 0; i < PLACES; i++) {
        if (bucket[i].id == 0)
            return &bucket[i];
        if (bucket[i].seconds < oldest->seconds)
            oldest = &bucket[i];
    }
    l->stats.displaced += !is_over(l, oldest, seconds);
    return oldest;
}

void labels_note(struct labels *l, struct span id, struct span version, double score,
                 uint64_t t)
{
    uint64_t hash = hash_of(l, id);
    uint32_t seconds = (uint32_t)(t / NS_PER_S);
    uint32_t number = version_number(l, version);
    struct slot *s = find(l, hash);
    if (!s)
        s = place_for(l, hash, seconds);
    // The id goes out first and comes in last: a kill in between leaves a free place
    // and never one id with the score of another.
    __atomic_store_n(&s->id, 0, __ATOMIC_RELEASE);
    s->score = (float)score;
    s->seconds = seconds;
    __atomic_store_n(&s->id, hash | number, __ATOMIC_RELEASE);
    l->stats.noted++;
}

enum status labels_join(struct labels *l, struct span id, uint64_t t,
                        struct labels_match *out)
{
    struct slot *s = find(l, hash_of(l, id));
    if (!s || is_over(l, s, (uint32_t)(t / NS_PER_S))) {
        l->stats.too_late += s != NULL;
        l->stats.missed += s == NULL;
        return ST_NOTFOUND;
    }
    if ((s->id >> LIFE_SHIFT & LIVES) == l->life) {
        l->stats.repeated++;
        return ST_EXISTS;
    }
    s->id = (s->id & ~(uint64_t)(LIVES << LIFE_SHIFT)) | (uint64_t)l->life
                                                             << LIFE_SHIFT;
    *out = (struct labels_match){
        .version = span_text(l->header->name[s->id & VERSION_BITS]),
        .score = (double)s->score,
        .predicted_ns = s->seconds * NS_PER_S,
    };
    l->stats.joined++;
    return ST_OK;
}
