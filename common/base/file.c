// File: reading within a limit, replacing without a moment of half a file.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_BYTES 16384

// Closes without losing the errno of what went wrong before.
static void close_quietly(int fd)
{
    int kept = errno;
    close(fd);
    errno = kept;
}

static enum status read_all(int fd, struct buf *out)
{
    for (;;) {
        uint8_t chunk[READ_BYTES];
        ssize_t got = read(fd, chunk, sizeof chunk);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return ST_IO;
        if (got == 0)
            return out->failed;
        buf_put(out, chunk, (size_t)got);
        if (out->failed)
            return out->failed;
    }
}

static enum status status_of_open(void)
{
    switch (errno) {
    case ENOENT:
    case ENOTDIR:
        return ST_NOTFOUND;
    case ELOOP:
        return ST_DENIED;
    case EEXIST:
        return ST_EXISTS;
    case ENOSPC:
    case EDQUOT:
        return ST_FULL;
    default:
        return ST_IO;
    }
}

enum status file_read(const char *path, struct buf *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ELOOP ? ST_IO : status_of_open();
    enum status st = read_all(fd, out);
    close_quietly(fd);
    return st;
}

enum status file_read_secret(const char *path, struct buf *out)
{
    // O_NONBLOCK, or a fifo laid in our way would hold us for ever.
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return status_of_open();
    struct stat s;
    enum status st;
    if (fstat(fd, &s) != 0)
        st = ST_IO;
    else if (!S_ISREG(s.st_mode) || s.st_uid != geteuid() || (s.st_mode & 077) != 0)
        st = ST_DENIED;
    else
        st = read_all(fd, out);
    close_quietly(fd);
    return st;
}

enum status file_write_all(int fd, struct span bytes)
{
    while (bytes.size) {
        ssize_t put = write(fd, bytes.data, bytes.size);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return errno == ENOSPC || errno == EDQUOT ? ST_FULL : ST_IO;
        bytes.data += put;
        bytes.size -= (size_t)put;
    }
    return ST_OK;
}

enum status file_sync_folder_of(const char *path)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t size = slash ? (size_t)(slash - path) : 0;
    if (size >= sizeof folder)
        return ST_RANGE;
    if (!slash) {
        strcpy(folder, ".");
    } else if (size == 0) {
        strcpy(folder, "/");
    } else {
        memcpy(folder, path, size);
        folder[size] = '\0';
    }
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return ST_IO;
    enum status st = fsync(fd) == 0 ? ST_OK : ST_IO;
    close_quietly(fd);
    return st;
}

// Writes a new file `path` with exactly this mode, and syncs it.
static enum status write_new(const char *path, struct span bytes, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return status_of_open();
    enum status st = file_write_all(fd, bytes);
    if (st == ST_OK && (fchmod(fd, mode) != 0 || fsync(fd) != 0))
        st = errno == ENOSPC || errno == EDQUOT ? ST_FULL : ST_IO;
    if (close(fd) != 0 && st == ST_OK)
        st = ST_IO;
    return st;
}

// The name of the temporary beside `path`.
static enum status temporary_of(const char *path, char out[PATH_MAX])
{
    int n = snprintf(out, PATH_MAX, "%s.tmp", path);
    return n > 0 && n < PATH_MAX ? ST_OK : ST_RANGE;
}

static enum status write_temporary(const char *temporary, struct span bytes,
                                   enum file_secrecy secrecy)
{
    unlink(temporary); // one that a crash left behind
    enum status st = write_new(temporary, bytes, (mode_t)secrecy);
    if (st != ST_OK) {
        int kept = errno;
        unlink(temporary);
        errno = kept;
    }
    return st;
}

enum status file_replace(const char *path, struct span bytes, enum file_secrecy secrecy)
{
    char temporary[PATH_MAX];
    ST_TRY(temporary_of(path, temporary));
    ST_TRY(write_temporary(temporary, bytes, secrecy));
    if (rename(temporary, path) != 0) {
        int kept = errno;
        unlink(temporary);
        errno = kept;
        return ST_IO;
    }
    return file_sync_folder_of(path);
}

enum status file_create(const char *path, struct span bytes, enum file_secrecy secrecy)
{
    char temporary[PATH_MAX];
    ST_TRY(temporary_of(path, temporary));
    ST_TRY(write_temporary(temporary, bytes, secrecy));
    // Unlike rename, link refuses to replace, so the name appears whole or not at all.
    enum status st = link(temporary, path) == 0 ? ST_OK
                     : errno == EEXIST          ? ST_EXISTS
                                                : ST_IO;
    int kept = errno;
    unlink(temporary);
    errno = kept;
    return st == ST_OK ? file_sync_folder_of(path) : st;
}

static enum status make_one(const char *path, mode_t mode)
{
    if (mkdir(path, mode) == 0)
        return ST_OK;
    struct stat s;
    if (errno != EEXIST)
        return errno == ENOSPC || errno == EDQUOT ? ST_FULL : ST_IO;
    if (stat(path, &s) == 0 && S_ISDIR(s.st_mode))
        return ST_OK;
    errno = ENOTDIR;
    return ST_IO;
}

enum status file_make_folder(const char *path, unsigned mode)
{
    char part[PATH_MAX];
    size_t size = strlen(path);
    if (size == 0 || size >= sizeof part)
        return ST_RANGE;
    memcpy(part, path, size + 1);
    for (char *p = part + 1; *p; p++) {
        if (*p != '/')
            continue;
        *p = '\0';
        ST_TRY(make_one(part, 0755));
        *p = '/';
    }
    return make_one(part, (mode_t)mode);
}

enum status file_join(const char *folder, const char *name, char *out, size_t out_size)
{
    size_t size = strlen(folder);
    const char *between = size > 0 && folder[size - 1] != '/' ? "/" : "";
    int n = snprintf(out, out_size, "%s%s%s", folder, between, name);
    return n >= 0 && (size_t)n < out_size ? ST_OK : ST_RANGE;
}
