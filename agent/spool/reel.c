// SPDX-License-Identifier: Apache-2.0
#include "agent/spool/reel.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/file.h"
#include "common/base/hash.h"
#include "common/base/mem.h"

#define HEADER_BYTES 16
#define RECORD_BYTES 12 // before its payload
#define RECORD_MARK 0x4a4b4544u
#define SEGMENTS_MAX 262144

static const uint8_t segment_header[HEADER_BYTES] = "KEDGEREL\1";

struct segment {
    uint64_t number;
    uint64_t size;
};

struct reel {
    char folder[PATH_MAX];
    int lock;
    int head;                // the newest segment, open for writing; -1: none yet
    struct segment *segment; // ascending
    uint32_t segments;
    uint32_t room;
    bool is_dirty; // something was written since the last sync
    struct reel_stats stats;
};

// --- Files

static void path_of(const struct reel *j, uint64_t number, char out[PATH_MAX])
{
    char name[32];
    snprintf(name, sizeof name, "%016" PRIx64 ".seg", number);
    if (file_join(j->folder, name, out, PATH_MAX) != ST_OK)
        out[0] = 0;
}

static enum status add_segment(struct reel *j, struct segment s)
{
    if (j->segments == SEGMENTS_MAX)
        return ST_FULL;
    if (j->segments == j->room) {
        uint32_t room = j->room ? j->room * 2 : 16;
        struct segment *grown = mem_resize(j->segment, room, sizeof *grown);
        if (!grown)
            return ST_NOMEM;
        j->segment = grown;
        j->room = room;
    }
    j->segment[j->segments++] = s;
    j->stats.bytes += s.size;
    return ST_OK;
}

static struct segment *newest(struct reel *j)
{
    return j->segments ? &j->segment[j->segments - 1] : NULL;
}

static enum status write_at(int fd, const uint8_t *data, size_t size, uint64_t offset)
{
    while (size > 0) {
        ssize_t n = pwrite(fd, data, size, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return errno == ENOSPC || errno == EDQUOT ? ST_FULL : ST_IO;
        data += n;
        size -= (size_t)n;
        offset += (uint64_t)n;
    }
    return ST_OK;
}

static enum status read_at(int fd, uint8_t *data, size_t size, uint64_t offset)
{
    while (size > 0) {
        ssize_t n = pread(fd, data, size, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return ST_IO;
        data += n;
        size -= (size_t)n;
        offset += (uint64_t)n;
    }
    return ST_OK;
}

// Begins a new segment. What stands in the one before is made durable first, so that a
// torn end can only be in the newest.
static enum status begin_segment(struct reel *j)
{
    char path[PATH_MAX];
    uint64_t number = j->segments ? newest(j)->number + 1 : 1;
    ST_TRY(reel_sync(j));
    path_of(j, number, path);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return errno == ENOSPC || errno == EDQUOT ? ST_FULL : ST_IO;
    enum status st = write_at(fd, segment_header, HEADER_BYTES, 0);
    if (st == ST_OK)
        st = file_sync_folder_of(path);
    if (st == ST_OK)
        st = add_segment(j, (struct segment){number, HEADER_BYTES});
    if (st != ST_OK) {
        unlink(path);
        close(fd);
        return st;
    }
    if (j->head >= 0)
        close(j->head);
    j->head = fd;
    j->is_dirty = true;
    return ST_OK;
}

// --- Opening

struct scan {
    enum status (*each)(void *self, struct place at, struct span payload);
    void *self;
};

// The size of the sound record at `at`, with its head; 0 when there is none.
static size_t record_at(struct span file, size_t at)
{
    if (file.size - at < RECORD_BYTES)
        return 0;
    const uint8_t *p = file.data + at;
    uint32_t size = load_le32(p + 4);
    if (load_le32(p) != RECORD_MARK || size == 0 || size > REEL_RECORD_MAX ||
        size > file.size - at - RECORD_BYTES)
        return 0;
    uint32_t crc = hash_crc32c(0, span_of(p + 4, 4));
    if (hash_crc32c(crc, span_of(p + RECORD_BYTES, size)) != load_le32(p + 8))
        return 0;
    return RECORD_BYTES + size;
}

// The next place behind `at` where a sound record stands; the file's size if none does.
static size_t next_record(struct span file, size_t at)
{
    while (++at < file.size)
        if (record_at(file, at) > 0)
            return at;
    return file.size;
}

static enum status scan_bytes(struct reel *j, const struct scan *scan,
                              struct segment *s, struct span file, size_t *sound)
{
    bool has_header = file.size >= HEADER_BYTES &&
                      memcmp(file.data, segment_header, HEADER_BYTES) == 0;
    size_t at = HEADER_BYTES;
    *sound = has_header ? HEADER_BYTES : 0;
    while (at < file.size) {
        size_t size = record_at(file, at);
        if (size > 0) {
            struct place place = {s->number, at + RECORD_BYTES};
            ST_TRY(scan->each(
                scan->self, place,
                span_of(file.data + at + RECORD_BYTES, size - RECORD_BYTES)));
            at += size;
            *sound = at;
            continue;
        }
        at = next_record(file, at);
        j->stats.bad_records += at < file.size;
    }
    return ST_OK;
}

static enum status scan_segment(struct reel *j, const struct scan *scan,
                                struct segment *s, bool is_newest)
{
    char path[PATH_MAX];
    struct buf bytes;
    size_t sound = 0;
    path_of(j, s->number, path);
    buf_init(&bytes,
             REEL_SEGMENT_BYTES + REEL_RECORD_MAX + HEADER_BYTES + RECORD_BYTES);
    enum status st = file_read(path, &bytes);
    if (st == ST_OK)
        st = scan_bytes(j, scan, s, buf_span(&bytes), &sound);
    s->size = bytes.size;
    if (st == ST_OK && is_newest && sound < bytes.size) {
        j->stats.torn_bytes += bytes.size - sound;
        s->size = sound < HEADER_BYTES ? HEADER_BYTES : sound;
    }
    buf_fini(&bytes);
    return st;
}

static int by_number(const void *a, const void *b)
{
    const struct segment *x = a, *y = b;
    return x->number < y->number ? -1 : x->number > y->number;
}

static enum status list_segments(struct reel *j)
{
    DIR *dir = opendir(j->folder);
    if (!dir)
        return ST_IO;
    enum status st = ST_OK;
    const struct dirent *entry;
    while (st == ST_OK && (entry = readdir(dir))) {
        char *end;
        struct segment s = {strtoull(entry->d_name, &end, 16), 0};
        if (end == entry->d_name + 16 && strcmp(end, ".seg") == 0)
            st = add_segment(j, s);
    }
    closedir(dir);
    if (j->segments > 1)
        qsort(j->segment, j->segments, sizeof *j->segment, by_number);
    return st;
}

// Opens the newest segment for writing, without its torn end.
static enum status open_head(struct reel *j)
{
    struct segment *s = newest(j);
    if (!s)
        return ST_OK; // the first commit makes it
    char path[PATH_MAX];
    path_of(j, s->number, path);
    j->head = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (j->head < 0 || ftruncate(j->head, (off_t)s->size) != 0)
        return ST_IO;
    j->is_dirty = true;
    return write_at(j->head, segment_header, HEADER_BYTES, 0);
}

static enum status take_lock(struct reel *j)
{
    char path[PATH_MAX];
    ST_TRY(file_make_folder(j->folder, 0700));
    ST_TRY(file_join(j->folder, "lock", path, sizeof path));
    j->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (j->lock < 0)
        return ST_IO;
    return flock(j->lock, LOCK_EX | LOCK_NB) == 0 ? ST_OK : ST_EXISTS;
}

static enum status load(struct reel *j, const struct scan *scan)
{
    ST_TRY(take_lock(j));
    ST_TRY(list_segments(j));
    for (uint32_t i = 0; i < j->segments; i++) {
        ST_TRY(scan_segment(j, scan, &j->segment[i], i + 1 == j->segments));
        j->stats.bytes += j->segment[i].size;
    }
    return open_head(j);
}

enum status reel_open(const char *folder,
                      enum status (*each)(void *self, struct place at,
                                          struct span payload),
                      void *self, struct reel **out)
{
    struct reel *j = MEM_NEW(struct reel);
    if (!j)
        return ST_NOMEM;
    j->head = j->lock = -1;
    if (strlen(folder) >= sizeof j->folder - 32) {
        mem_free(j);
        return ST_RANGE;
    }
    strcpy(j->folder, folder);
    const struct scan scan = {each, self};
    enum status st = load(j, &scan);
    if (st != ST_OK) {
        reel_close(j);
        return st;
    }
    *out = j;
    return ST_OK;
}

void reel_close(struct reel *j)
{
    if (!j)
        return;
    if (j->head >= 0)
        close(j->head);
    if (j->lock >= 0)
        close(j->lock);
    mem_free(j->segment);
    mem_free(j);
}

// --- Writing and reading

enum status reel_append(struct reel *j, struct span payload, struct place *at)
{
    if (payload.size == 0 || payload.size > REEL_RECORD_MAX)
        return ST_RANGE;
    if (j->head < 0 || newest(j)->size >= REEL_SEGMENT_BYTES) {
        enum status st = begin_segment(j);
        j->stats.disk_full += st == ST_FULL;
        if (st != ST_OK)
            return st;
    }
    struct segment *s = newest(j);
    uint8_t head[RECORD_BYTES];
    store_le32(head, RECORD_MARK);
    store_le32(head + 4, (uint32_t)payload.size);
    uint32_t crc = hash_crc32c(0, span_of(head + 4, 4));
    store_le32(head + 8, hash_crc32c(crc, payload));
    j->is_dirty = true;
    // The payload goes first: a record without its head is no record, so a full disk or
    // a kill in between leaves nothing that could be read.
    enum status st =
        write_at(j->head, payload.data, payload.size, s->size + RECORD_BYTES);
    if (st == ST_OK)
        st = write_at(j->head, head, RECORD_BYTES, s->size);
    if (st != ST_OK) {
        j->stats.disk_full += st == ST_FULL;
        if (ftruncate(j->head, (off_t)s->size) != 0)
            st = ST_IO;
        return st;
    }
    *at = (struct place){s->number, s->size + RECORD_BYTES};
    s->size += RECORD_BYTES + payload.size;
    j->stats.bytes += RECORD_BYTES + payload.size;
    return ST_OK;
}

enum status reel_read(struct reel *j, struct place at, size_t size, struct buf *out)
{
    bool is_head = j->segments > 0 && newest(j)->number == at.segment;
    int fd = j->head;
    if (!is_head) {
        char path[PATH_MAX];
        path_of(j, at.segment, path);
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0)
            return ST_IO;
    }
    size_t before = out->size;
    uint8_t *to = buf_reserve(out, size);
    enum status st = to ? read_at(fd, to, size, at.offset) : out->failed;
    if (st != ST_OK && to)
        out->size = before;
    if (!is_head)
        close(fd);
    return st;
}

enum status reel_sync(struct reel *j)
{
    if (j->head < 0 || !j->is_dirty)
        return ST_OK;
    if (fdatasync(j->head) != 0)
        return ST_IO;
    j->stats.syncs++;
    j->is_dirty = false;
    return ST_OK;
}

uint64_t reel_oldest(const struct reel *j, bool *is_newest, uint64_t *bytes)
{
    *is_newest = j->segments <= 1;
    *bytes = j->segments ? j->segment[0].size : 0;
    return j->segments ? j->segment[0].number : 0;
}

enum status reel_drop_oldest(struct reel *j)
{
    char path[PATH_MAX];
    path_of(j, j->segment[0].number, path);
    if (unlink(path) != 0 && errno != ENOENT)
        return ST_IO;
    j->stats.bytes -= j->segment[0].size;
    j->segments--;
    memmove(j->segment, j->segment + 1, j->segments * sizeof *j->segment);
    return ST_OK;
}

struct reel_stats reel_stats(const struct reel *j)
{
    struct reel_stats stats = j->stats;
    stats.segments = j->segments;
    return stats;
}
