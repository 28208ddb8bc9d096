// SPDX-License-Identifier: Apache-2.0
#include "controller/hold.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/file.h>
#include <unistd.h>

#include "common/base/file.h"

enum status hold_open(const char *folder, int *out)
{
    char path[PATH_MAX];
    ST_TRY(file_join(folder, "run", path, sizeof path));
    ST_TRY(file_make_folder(path, 0700));
    ST_TRY(file_join(folder, "run/lock", path, sizeof path));
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return ST_IO;
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        enum status st = errno == EWOULDBLOCK ? ST_CONFLICT : ST_IO;
        (void)close(fd);
        return st;
    }
    *out = fd;
    return ST_OK;
}

void hold_close(int hold)
{
    if (hold >= 0)
        (void)close(hold);
}
