// SPDX-License-Identifier: Apache-2.0
#include "agent/intake/followed.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zlib.h>

#include "common/base/clock.h"
#include "common/base/hash.h"

// More neighbours than this are not looked at; the folder is not ours.
#define NEIGHBOURS_MAX 4096

static bool ends_packed(const char *path)
{
    size_t size = strlen(path);
    return size > 3 && strcmp(path + size - 3, ".gz") == 0;
}

int64_t followed_read(struct followed *f, uint8_t *out, size_t size, uint64_t offset)
{
    if (!f->packed)
        return pread(f->fd, out, size, (off_t)offset);
    if (offset != f->packed_at && gzseek(f->packed, (z_off_t)offset, SEEK_SET) < 0)
        return 0;
    int n = gzread(f->packed, out, (unsigned)size);
    f->packed_at = offset + (n > 0 ? (uint64_t)n : 0);
    return n > 0 ? n : 0;
}

static bool hash_head(struct followed *f, uint32_t size, uint64_t *out)
{
    uint8_t head[FOLLOWED_HEAD_BYTES];
    if (size > sizeof head || followed_read(f, head, size, 0) != (int64_t)size)
        return false;
    uint64_t hash[2];
    hash_murmur3(span_of(head, size), 0, hash);
    *out = hash[0];
    return true;
}

static enum status open_packed(struct followed *f)
{
    int fd = dup(f->fd);
    f->packed = fd >= 0 ? gzdopen(fd, "rb") : NULL;
    if (f->packed)
        return ST_OK;
    if (fd >= 0)
        close(fd);
    return ST_NOMEM;
}

enum status followed_open(const char *path, struct followed *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return errno == ENOENT ? ST_NOTFOUND : ST_IO;
    struct stat st;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        return ST_IO;
    }
    struct followed f = {
        .fd = fd, .id = {.device = (uint64_t)st.st_dev, .inode = (uint64_t)st.st_ino}};
    enum status packed = ends_packed(path) ? open_packed(&f) : ST_OK;
    if (packed != ST_OK) {
        close(fd);
        return packed;
    }
    followed_learn(&f, 0);
    *out = f;
    return ST_OK;
}

void followed_close(struct followed *f)
{
    if (f->packed)
        gzclose(f->packed);
    if (f->fd >= 0)
        close(f->fd);
    f->packed = NULL;
    f->fd = -1;
}

void followed_learn(struct followed *f, uint64_t size)
{
    uint32_t head = size < FOLLOWED_HEAD_BYTES ? (uint32_t)size : FOLLOWED_HEAD_BYTES;
    if (head > 0 && head == f->id.head_size)
        return;
    if (hash_head(f, head, &f->id.head_hash))
        f->id.head_size = head;
}

static bool has_bytes(struct followed *f, uint64_t size)
{
    struct stat st;
    uint8_t last;
    if (f->packed)
        return size == 0 || followed_read(f, &last, 1, size - 1) == 1;
    return fstat(f->fd, &st) == 0 && (uint64_t)st.st_size >= size;
}

static bool begins_as(struct followed *f, const struct followed_id *id, uint64_t size)
{
    uint64_t hash;
    return hash_head(f, id->head_size, &hash) && hash == id->head_hash &&
           has_bytes(f, size);
}

bool followed_is_same(struct followed *f, uint64_t size)
{
    return f->packed || begins_as(f, &f->id, size);
}

bool followed_is_away(const struct followed *f, const char *path)
{
    struct stat st;
    return stat(path, &st) != 0 || (uint64_t)st.st_dev != f->id.device ||
           (uint64_t)st.st_ino != f->id.inode;
}

// --- Neighbours

// Calls `look` with the path of each neighbour of `path`, until it says true.
typedef bool look_fn(void *self, const char *path);

static bool each_neighbour(const char *path, look_fn *look, void *self)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t size = slash ? (size_t)(slash - path) : 1;
    if (size >= sizeof folder)
        return false;
    memcpy(folder, slash ? path : ".", size);
    folder[size] = 0;
    if (slash == path)
        strcpy(folder, "/");
    DIR *dir = opendir(folder);
    if (!dir)
        return false;
    const char *name = slash ? slash + 1 : path;
    size_t name_size = strlen(name);
    bool found = false;
    const struct dirent *entry;
    for (int i = 0; !found && i < NEIGHBOURS_MAX && (entry = readdir(dir)); i++) {
        const char *end = entry->d_name + name_size;
        if (strncmp(entry->d_name, name, name_size) != 0 ||
            (*end != '.' && *end != '-'))
            continue;
        char full[PATH_MAX];
        int n = snprintf(full, sizeof full, "%s/%s", folder, entry->d_name);
        found = n > 0 && (size_t)n < sizeof full && look(self, full);
    }
    closedir(dir);
    return found;
}

struct search {
    const struct followed_id *id;
    uint64_t size;
    uint64_t not_inode;
    bool by_inode;
    struct followed *out;
};

static bool try_one(void *self, const char *path)
{
    struct search *s = self;
    struct followed f;
    if (followed_open(path, &f) != ST_OK)
        return false;
    bool is_inode = f.id.inode == s->id->inode && f.id.device == s->id->device;
    if ((s->by_inode && !is_inode) || f.id.inode == s->not_inode ||
        !begins_as(&f, s->id, s->size)) {
        followed_close(&f);
        return false;
    }
    f.id.head_hash = s->id->head_hash;
    f.id.head_size = s->id->head_size;
    *s->out = f;
    return true;
}

enum status followed_find(const char *path, const struct followed_id *id, uint64_t size,
                          uint64_t not_inode, struct followed *out)
{
    struct search s = {
        .id = id, .size = size, .not_inode = not_inode, .by_inode = true, .out = out};
    if (try_one(&s, path) || each_neighbour(path, try_one, &s))
        return ST_OK;
    s.by_inode = false;
    // Without a beginning every file would do; and a copy is told by many bytes alone.
    if (id->head_size > 0 && each_neighbour(path, try_one, &s))
        return ST_OK;
    return ST_NOTFOUND;
}

static uint64_t written_ns(const struct stat *st)
{
    return (uint64_t)st->st_mtim.tv_sec * NS_PER_S + (uint64_t)st->st_mtim.tv_nsec;
}

struct succession {
    const struct followed *done;
    size_t stem;       // bytes of the path before what a rotation appends
    uint64_t after_ns; // when the finished file was written to last
    uint64_t best_ns;  // the earliest neighbour behind it
    char best[PATH_MAX];
};

// "log.1", "log-20260302", "log.2026-03-02_14", "log.2.gz": not "log.bak", which would
// be read a second time.
static bool is_rotated(const char *end)
{
    size_t size = strspn(end, "0123456789._T-");
    return end[size] == 0 ||
           strcmp(end + size - (size > 0 && end[size - 1] == '.'), ".gz") == 0;
}

// The finished file itself, or that file packed.
static bool is_done(const struct succession *s, const char *path, const struct stat *st)
{
    const struct followed_id *id = &s->done->id;
    struct followed f;
    if ((uint64_t)st->st_ino == id->inode && (uint64_t)st->st_dev == id->device)
        return true;
    if (!ends_packed(path) || followed_open(path, &f) != ST_OK)
        return false;
    bool is_same = begins_as(&f, id, 0);
    followed_close(&f);
    return is_same;
}

static bool consider(void *self, const char *path)
{
    struct succession *s = self;
    struct stat st;
    size_t size = strlen(path);
    const char *end = path + size - (s->stem < size ? size - s->stem : 0);
    if (!is_rotated(end) || stat(path, &st) != 0 || !S_ISREG(st.st_mode))
        return false;
    uint64_t ns = written_ns(&st);
    if (ns <= s->after_ns || ns >= s->best_ns || is_done(s, path, &st))
        return false;
    s->best_ns = ns;
    memcpy(s->best, path, size + 1);
    return false;
}

enum status followed_next(const char *path, const struct followed *done,
                          struct followed *out)
{
    struct stat st;
    if (fstat(done->fd, &st) != 0)
        return ST_IO;
    const char *slash = strrchr(path, '/');
    struct succession s = {.done = done,
                           .stem = strlen(path) + (slash ? 0 : 2),
                           .after_ns = written_ns(&st),
                           .best_ns = UINT64_MAX};
    struct stat present;
    if (stat(path, &present) == 0)
        s.best_ns = written_ns(&present); // only what was finished before it
    each_neighbour(path, consider, &s);
    return followed_open(s.best[0] ? s.best : path, out);
}
