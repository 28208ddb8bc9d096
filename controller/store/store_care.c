// Store, care: how full it is, who reads, and copies of it.
//
// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "controller/store/inner.h"

enum status store_measure(struct store *s, struct store_size *out)
{
    struct store_txn *t;
    ST_TRY(store_begin(s, STORE_READ_ONLY, &t));
    struct store_size z = {.map_bytes = s->map_bytes};
    MDB_envinfo info;
    MDB_stat stat;
    int rc = mdb_env_info(s->env, &info);
    for (unsigned i = 0; i < SHELF_COUNT && rc == MDB_SUCCESS; i++) {
        rc = mdb_stat(t->txn, s->table[i], &stat);
        z.entries[i] = stat.ms_entries;
        z.used_bytes +=
            stat.ms_psize * (uint64_t)(stat.ms_branch_pages + stat.ms_leaf_pages +
                                       stat.ms_overflow_pages);
    }
    store_abort(t);
    if (rc != MDB_SUCCESS)
        return store_tell(s, "measure", rc);
    z.file_bytes = (uint64_t)(info.me_last_pgno + 1) * stat.ms_psize;
    struct statvfs v;
    if (statvfs(s->folder, &v) == 0) {
        z.disk_free_bytes = (uint64_t)v.f_bavail * v.f_frsize;
        z.disk_bytes = (uint64_t)v.f_blocks * v.f_frsize;
    }
    *out = z;
    return ST_OK;
}

int store_clear_readers(struct store *s)
{
    int dead = 0;
    if (s->env)
        (void)mdb_reader_check(s->env, &dead);
    return dead;
}

// One line of mdb_reader_list: "pid thread txnid", or "-" for an idle place.
static int watch_line(const char *line, void *keep)
{
    struct store *s = keep;
    unsigned long pid, txn;
    if (sscanf(line, " %lu %*s %lu", &pid, &txn) == 2 && txn < s->oldest.txn) {
        s->oldest.txn = txn;
        s->oldest.pid = pid;
    }
    return 0;
}

uint32_t store_watch(struct store *s, uint64_t now_ns)
{
    struct store_oldest before = s->oldest;
    MDB_envinfo info;
    (void)store_clear_readers(s);
    if (!s->env || mdb_env_info(s->env, &info) != MDB_SUCCESS)
        return 0;
    s->oldest = (struct store_oldest){.txn = info.me_last_txnid};
    (void)mdb_reader_list(s->env, watch_line, s);
    bool is_same = s->oldest.pid != 0 && s->oldest.pid == before.pid &&
                   s->oldest.txn == before.txn;
    s->oldest.since_ns = is_same ? before.since_ns : now_ns;
    s->oldest.is_told = is_same && before.is_told;
    if (!is_same || now_ns - s->oldest.since_ns < STORE_READ_TOLD_NS)
        return 0;
    if (!s->oldest.is_told)
        log_line(LOG_WARN, "a reader pins an old state: the store's file grows",
                 "pid=%lu age_s=%llu commits=%lu", s->oldest.pid,
                 (unsigned long long)((now_ns - s->oldest.since_ns) / NS_PER_S),
                 (unsigned long)info.me_last_txnid - s->oldest.txn);
    s->oldest.is_told = true;
    return 1;
}

static enum status sync_file(const char *file)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    bool is_synced = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        (void)close(fd);
    return is_synced ? file_sync_folder_of(file) : ST_IO;
}

enum status store_copy_to(struct store *s, const char *folder, enum store_copy how)
{
    if (!s->env)
        return ST_IO;
    char file[PATH_MAX];
    ST_TRY(file_join(folder, "data.mdb", file, sizeof file));
    ST_TRY(file_make_folder(folder, 0700));
    if (access(file, F_OK) == 0)
        return ST_EXISTS;
    int rc =
        mdb_env_copy2(s->env, folder, how == STORE_COPY_COMPACT ? MDB_CP_COMPACT : 0);
    if (rc != MDB_SUCCESS) {
        (void)unlink(file);
        return store_tell(s, "copy", rc);
    }
    return sync_file(file);
}
