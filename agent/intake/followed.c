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

#include "common/base/clock.h"
#include "common/base/hash.h"

// More neighbours than this are not looked at; the folder is not ours.
#define NEIGHBOURS_MAX 4096

static bool hash_head(int fd, uint32_t size, uint64_t *out)
{
    uint8_t head[FOLLOWED_HEAD_BYTES];
    if (size > sizeof head || pread(fd, head, size, 0) != (ssize_t)size)
        return false;
    uint64_t hash[2];
    hash_murmur3(span_of(head, size), 0, hash);
    *out = hash[0];
    return true;
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
    *out = (struct followed){
        .fd = fd, .id = {.device = (uint64_t)st.st_dev, .inode = (uint64_t)st.st_ino}};
    followed_learn(out, 0);
    return ST_OK;
}

void followed_close(struct followed *f)
{
    if (f->fd >= 0)
        close(f->fd);
    f->fd = -1;
}

void followed_learn(struct followed *f, uint64_t size)
{
    uint32_t head = size < FOLLOWED_HEAD_BYTES ? (uint32_t)size : FOLLOWED_HEAD_BYTES;
    if (head > 0 && head == f->id.head_size)
        return;
    if (hash_head(f->fd, head, &f->id.head_hash))
        f->id.head_size = head;
}

static bool begins_as(int fd, const struct followed_id *id, uint64_t size)
{
    struct stat st;
    uint64_t hash;
    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (uint64_t)st.st_size >= size &&
           hash_head(fd, id->head_size, &hash) && hash == id->head_hash;
}

bool followed_is_same(const struct followed *f, uint64_t size)
{
    return begins_as(f->fd, &f->id, size);
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
        !begins_as(f.fd, s->id, s->size)) {
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
    size_t stem;       // bytes of the path before what a rotation appends
    uint64_t after_ns; // when the finished file was written to last
    uint64_t device;
    uint64_t inode;   // of the finished file
    uint64_t best_ns; // the earliest neighbour behind it
    char best[PATH_MAX];
};

static bool consider(void *self, const char *path)
{
    struct succession *s = self;
    struct stat st;
    size_t size = strlen(path);
    // "log.1", "log-20260302", "log.2026-03-02_14": not "log.bak", which would be read
    // a second time.
    const char *end = path + size - (s->stem < size ? size - s->stem : 0);
    if (strspn(end, "0123456789._T-") != strlen(end) || stat(path, &st) != 0 ||
        !S_ISREG(st.st_mode))
        return false;
    bool is_done = (uint64_t)st.st_ino == s->inode && (uint64_t)st.st_dev == s->device;
    uint64_t ns = written_ns(&st);
    if (is_done || ns <= s->after_ns || ns >= s->best_ns)
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
    struct succession s = {.stem = strlen(path) + (slash ? 0 : 2),
                           .after_ns = written_ns(&st),
                           .device = done->id.device,
                           .inode = done->id.inode,
                           .best_ns = UINT64_MAX};
    struct stat present;
    if (stat(path, &present) == 0)
        s.best_ns = written_ns(&present); // only what was finished before it
    each_neighbour(path, consider, &s);
    return followed_open(s.best[0] ? s.best : path, out);
}
