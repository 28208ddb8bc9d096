// SPDX-License-Identifier: Apache-2.0
#include "agent/act/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/file.h"
#include "common/base/hash.h"
#include "common/base/mem.h"

#define HEADER_BYTES 9 // size, crc, kind
#define NAME_BYTES 16
#define RECORD_MAX (HEADER_BYTES + JOURNAL_BODY_MAX)

static const char magic[16] = "kedge journal 1\n";

struct journal {
    char path[PATH_MAX];
    int fd;
    uint64_t size;
    bool is_broken; // its end could not be restored after a failed write
    uint8_t name[NAME_BYTES];
};

enum status journal_parse(struct span bytes, struct journal_record *record,
                          size_t *took)
{
    if (bytes.size == 0)
        return ST_EMPTY;
    if (bytes.size < HEADER_BYTES)
        return ST_CORRUPT;
    uint32_t size = load_le32(bytes.data);
    if (size < 1 || size > 1 + JOURNAL_BODY_MAX || size + 8 > bytes.size)
        return ST_CORRUPT;
    struct span sealed = span_of(bytes.data + 8, size);
    uint8_t kind = sealed.data[0];
    if (hash_crc32c(0, sealed) != load_le32(bytes.data + 4) || kind < JOURNAL_HEAD ||
        kind >= JOURNAL_KINDS)
        return ST_CORRUPT;
    record->kind = kind;
    record->body = span_of(sealed.data + 1, sealed.size - 1);
    *took = size + 8;
    return ST_OK;
}

static enum status read_at(int fd, uint8_t *data, size_t size, uint64_t at, size_t *got)
{
    *got = 0;
    while (*got < size) {
        ssize_t n = pread(fd, data + *got, size - *got, (off_t)(at + *got));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return ST_IO;
        if (n == 0)
            break;
        *got += (size_t)n;
    }
    return ST_OK;
}

static enum status check_head(struct journal *j, const struct journal_record *record)
{
    if (record->kind != JOURNAL_HEAD ||
        record->body.size != sizeof magic + NAME_BYTES ||
        memcmp(record->body.data, magic, sizeof magic) != 0)
        return ST_VERSION;
    memcpy(j->name, record->body.data + sizeof magic, NAME_BYTES);
    return ST_OK;
}

// Shows every whole record; j->size becomes the place of the first bad one. A bad
// record that says it ends before the file does was not torn by a crash: something
// broke it.
static enum status replay(struct journal *j, uint64_t file_bytes, journal_visit *visit,
                          void *self, struct journal_report *report)
{
    static _Thread_local uint8_t block[RECORD_MAX];
    while (j->size < file_bytes) {
        size_t got, took;
        ST_TRY(read_at(j->fd, block, sizeof block, j->size, &got));
        struct journal_record record = {.at = j->size};
        if (journal_parse(span_of(block, got), &record, &took) != ST_OK) {
            uint32_t claim = got >= 4 ? load_le32(block) : 0;
            report->is_damaged = j->size + claim + 8 < file_bytes && claim > 0;
            return ST_OK;
        }
        if (j->size == 0)
            ST_TRY(check_head(j, &record));
        else
            ST_TRY(visit(self, &record));
        j->size += took;
        report->records++;
    }
    return ST_OK;
}

// Keeps the bad end for people, as far as the disk has room; it is cut off all the
// same.
static bool keep_end(const struct journal *j, uint64_t file_bytes)
{
    char aside[PATH_MAX];
    if (snprintf(aside, sizeof aside, "%s.cut", j->path) >= (int)sizeof aside)
        return false;
    struct buf end;
    buf_init(&end, 1u << 20);
    uint64_t left = file_bytes - j->size;
    uint8_t *room = buf_reserve(&end, left < (1u << 20) ? (size_t)left : (1u << 20));
    size_t got = 0;
    enum status st = room ? read_at(j->fd, room, end.size, j->size, &got) : end.failed;
    if (st == ST_OK)
        st = file_replace(aside, span_of(end.data, got), FILE_PRIVATE);
    buf_fini(&end);
    return st == ST_OK;
}

static enum status write_head(struct journal *j)
{
    uint8_t body[sizeof magic + NAME_BYTES];
    memcpy(body, magic, sizeof magic);
    memcpy(body + sizeof magic, j->name, NAME_BYTES);
    ST_TRY(journal_append(j, JOURNAL_HEAD, span_of(body, sizeof body), NULL));
    return file_sync_folder_of(j->path);
}

static enum status open_file(struct journal *j, const char *path, int flags)
{
    if (snprintf(j->path, sizeof j->path, "%s", path) >= (int)sizeof j->path)
        return ST_RANGE;
    j->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | flags, 0600);
    if (j->fd < 0)
        return ST_IO;
    // Not flock: a child that was just forked would hold that on, after this one died.
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    return fcntl(j->fd, F_SETLK, &whole) == 0 ? ST_OK : ST_CONFLICT;
}

static enum status load(struct journal *j, const char *path, journal_visit *visit,
                        void *self, struct journal_report *report)
{
    ST_TRY(open_file(j, path, 0));
    struct stat info;
    if (fstat(j->fd, &info) != 0)
        return ST_IO;
    uint64_t file_bytes = (uint64_t)info.st_size;
    ST_TRY(replay(j, file_bytes, visit, self, report));
    if (j->size < file_bytes) {
        report->cut = file_bytes - j->size;
        report->is_kept = keep_end(j, file_bytes);
        if (ftruncate(j->fd, (off_t)j->size) != 0 || fsync(j->fd) != 0)
            return ST_IO;
    }
    if (j->size > 0)
        return ST_OK;
    report->is_new = true;
    random_os_bytes(j->name, NAME_BYTES);
    return write_head(j);
}

enum status journal_open(const char *path, journal_visit *visit, void *self,
                         struct journal_report *report, struct journal **out)
{
    struct journal *j = MEM_NEW(struct journal);
    if (!j)
        return ST_NOMEM;
    j->fd = -1;
    *report = (struct journal_report){0};
    enum status st = load(j, path, visit, self, report);
    if (st != ST_OK) {
        journal_close(j);
        return st;
    }
    *out = j;
    return ST_OK;
}

void journal_close(struct journal *j)
{
    if (!j)
        return;
    if (j->fd >= 0)
        close(j->fd);
    mem_free(j);
}

const uint8_t *journal_name(const struct journal *j)
{
    return j->name;
}

uint64_t journal_bytes(const struct journal *j)
{
    return j->size;
}

static enum status write_at(int fd, const uint8_t *data, size_t size, uint64_t at)
{
    while (size > 0) {
        ssize_t n = pwrite(fd, data, size, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 && (errno == ENOSPC || errno == EDQUOT) ? ST_FULL : ST_IO;
        data += n;
        size -= (size_t)n;
        at += (uint64_t)n;
    }
    return ST_OK;
}

enum status journal_append(struct journal *j, enum journal_kind kind, struct span body,
                           uint64_t *at)
{
    if (body.size > JOURNAL_BODY_MAX)
        return ST_RANGE;
    if (j->is_broken)
        return ST_IO;
    if (j->size + HEADER_BYTES + body.size > JOURNAL_BYTES_MAX)
        return ST_FULL;
    static _Thread_local uint8_t block[RECORD_MAX];
    uint32_t size = (uint32_t)body.size + 1;
    store_le32(block, size);
    block[8] = (uint8_t)kind;
    if (body.size > 0)
        memcpy(block + HEADER_BYTES, body.data, body.size);
    store_le32(block + 4, hash_crc32c(0, span_of(block + 8, size)));

    enum status st = write_at(j->fd, block, size + 8, j->size);
    if (st == ST_OK && fdatasync(j->fd) != 0)
        st = ST_IO;
    if (st != ST_OK) {
        // After a failed fsync the kernel may have dropped the pages: only a file that
        // is shorter again, durably, is known.
        j->is_broken = ftruncate(j->fd, (off_t)j->size) != 0 || fsync(j->fd) != 0;
        return st;
    }
    if (at)
        *at = j->size;
    j->size += size + 8;
    return ST_OK;
}

enum status journal_read(struct journal *j, uint64_t at, struct buf *out)
{
    static _Thread_local uint8_t block[RECORD_MAX];
    size_t got, took;
    struct journal_record record;
    ST_TRY(read_at(j->fd, block, sizeof block, at, &got));
    if (journal_parse(span_of(block, got), &record, &took) != ST_OK)
        return ST_CORRUPT;
    buf_put_span(out, record.body);
    return out->failed;
}

enum status journal_rewrite(struct journal *j, journal_fill *fill, void *self)
{
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s.new", j->path) >= (int)sizeof path)
        return ST_RANGE;
    struct journal fresh = {.fd = -1};
    memcpy(fresh.name, j->name, NAME_BYTES);
    enum status st = open_file(&fresh, path, O_TRUNC);
    if (st == ST_OK)
        st = write_head(&fresh);
    if (st == ST_OK)
        st = fill(self, &fresh);
    if (st == ST_OK && rename(path, j->path) != 0)
        st = ST_IO;
    if (st != ST_OK) {
        if (fresh.fd >= 0) {
            close(fresh.fd);
            (void)unlink(path);
        }
        return st;
    }
    close(j->fd);
    j->fd = fresh.fd;
    j->size = fresh.size;
    j->is_broken = file_sync_folder_of(j->path) != ST_OK;
    return ST_OK;
}
