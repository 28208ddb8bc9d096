// SPDX-License-Identifier: Apache-2.0
#include "controller/backup_move.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/file.h"

#define COPY_AT_ONCE (16u << 20)

static enum status status_of_errno(void)
{
    return errno == ENOENT                      ? ST_NOTFOUND
           : errno == EEXIST                    ? ST_EXISTS
           : errno == ENOSPC || errno == EDQUOT ? ST_FULL
                                                : ST_IO;
}

static enum status copy_bytes(int in, int out, off_t left)
{
    while (left > 0) {
        size_t n = left < COPY_AT_ONCE ? (size_t)left : COPY_AT_ONCE;
        ssize_t done = sendfile(out, in, NULL, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return done == 0 ? ST_IO : status_of_errno();
        left -= done;
    }
    return fsync(out) == 0 ? ST_OK : status_of_errno();
}

enum status move_copy_file(const char *from, const char *to, const char *name)
{
    char source[PATH_MAX], target[PATH_MAX];
    struct stat s;
    ST_TRY(file_join(from, name, source, sizeof source));
    ST_TRY(file_join(to, name, target, sizeof target));
    int in = open(source, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (in < 0)
        return status_of_errno();
    int out = -1;
    enum status st = fstat(in, &s) == 0 && S_ISREG(s.st_mode) ? ST_OK : ST_IO;
    if (st == ST_OK) {
        out = open(target, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, s.st_mode & 0777);
        st = out < 0 ? status_of_errno() : copy_bytes(in, out, s.st_size);
    }
    (void)close(in);
    if (out >= 0 && close(out) != 0 && st == ST_OK)
        st = ST_IO;
    return st == ST_OK ? file_sync_folder_of(target) : st;
}

static enum status copy_folder(const char *from, const char *to, const char *name)
{
    char source[PATH_MAX], target[PATH_MAX];
    ST_TRY(file_join(from, name, source, sizeof source));
    ST_TRY(file_join(to, name, target, sizeof target));
    DIR *d = opendir(source);
    if (!d)
        return status_of_errno();
    enum status st = file_make_folder(target, 0700);
    for (struct dirent *e; st == ST_OK && (e = readdir(d));) {
        if (e->d_name[0] != '.')
            st = move_copy_file(source, target, e->d_name);
    }
    (void)closedir(d);
    return st;
}

enum status move_copy_keys(const char *from, const char *to)
{
    static const char *const folders[] = {"keys", "operators"};
    // The configuration last: without it there is no controller.
    static const char *const files[] = {"keyring", "kedge.conf", "controller.conf"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        ST_TRY(copy_folder(from, to, folders[i]));
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        ST_TRY(move_copy_file(from, to, files[i]));
    return ST_OK;
}

static enum status rename_to(const char *from, const char *to)
{
    return rename(from, to) == 0 ? file_sync_folder_of(to) : status_of_errno();
}

enum status move_swap(const char *fresh, const char *there, char *aside, size_t size)
{
    aside[0] = '\0';
    if (access(there, F_OK) != 0)
        return rename_to(fresh, there);
    int n =
        snprintf(aside, size, "%s.before-%" PRIu64, there, clock_wall_ns() / NS_PER_S);
    if (n < 0 || (size_t)n >= size)
        return ST_RANGE;
    // Never is there a moment without a store, which would be taken for a new fleet.
    if (renameat2(AT_FDCWD, fresh, AT_FDCWD, there, RENAME_EXCHANGE) == 0) {
        ST_TRY(file_sync_folder_of(there));
        return rename_to(fresh, aside);
    }
    if (errno != EINVAL && errno != ENOSYS)
        return status_of_errno();
    ST_TRY(rename_to(there, aside));
    return rename_to(fresh, there);
}

void move_remove(const char *folder)
{
    DIR *d = opendir(folder);
    for (struct dirent *e; d && (e = readdir(d));) {
        char path[PATH_MAX];
        bool is_self = strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0;
        if (is_self || file_join(folder, e->d_name, path, sizeof path) != ST_OK)
            continue;
        if (unlink(path) != 0 && errno == EISDIR)
            move_remove(path);
    }
    if (d)
        (void)closedir(d);
    (void)rmdir(folder);
}
