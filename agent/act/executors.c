// The folder of executor files: all of them, or an error that names the one at fault.
//
// SPDX-License-Identifier: Apache-2.0
#include "agent/act/executor.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/file.h"
#include "common/base/mem.h"

static bool is_conf(const char *name)
{
    size_t size = strlen(name);
    return name[0] != '.' && size > 5 && strcmp(name + size - 5, ".conf") == 0;
}

static int by_name(const void *a, const void *b)
{
    const struct executor *const *x = a;
    const struct executor *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

enum status executors_open(const char *folder, struct executors *out, char *error,
                           size_t error_size)
{
    struct executors found = {0};
    DIR *dir = opendir(folder);
    if (!dir && errno != ENOENT) {
        (void)snprintf(error, error_size, "%s: %s", folder, strerror(errno));
        return ST_IO;
    }
    enum status st = ST_OK;
    for (struct dirent *entry; dir && st == ST_OK && (entry = readdir(dir));) {
        char path[PATH_MAX];
        if (!is_conf(entry->d_name))
            continue;
        st = file_join(folder, entry->d_name, path, sizeof path);
        if (st == ST_OK && found.count == EXECUTORS_MAX)
            st = ST_FULL;
        if (st != ST_OK)
            (void)snprintf(error, error_size, "%s: %s", folder, status_text(st));
        else
            st = executor_open(path, &found.executor[found.count], error, error_size);
        if (st == ST_OK)
            found.count++;
    }
    if (dir)
        (void)closedir(dir);
    if (st != ST_OK) {
        executors_close(&found);
        return st;
    }
    qsort(found.executor, found.count, sizeof found.executor[0], by_name);
    *out = found;
    return ST_OK;
}

void executors_close(struct executors *e)
{
    for (uint32_t i = 0; i < e->count; i++)
        executor_close(e->executor[i]);
    e->count = 0;
}

const struct executor *executors_find(const struct executors *e, struct span name)
{
    for (uint32_t i = 0; i < e->count; i++)
        if (span_is(name, e->executor[i]->name))
            return e->executor[i];
    return NULL;
}
