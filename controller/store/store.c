// Store: the environment, its named tables, transactions, and what failures mean.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/store/store.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "common/base/file.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/clock.h"
#include "common/base/span.h"
#include "controller/store/inner.h"
#include "controller/store/migrate.h"

static const char *const table_names[SHELF_COUNT] = {
    [SHELF_META] = "meta",          [SHELF_LOG] = "log",
    [SHELF_WINDOW] = "window",      [SHELF_STATE] = "state",
    [SHELF_CATALOG] = "catalog",    [SHELF_AGENT] = "agent",
    [SHELF_ALERT] = "alert",        [SHELF_PLAN] = "plan",
    [SHELF_EVENT] = "event",        [SHELF_AUDIT] = "audit",
    [SHELF_COMPONENT] = "component"};

// Their keys grow at the end: appending fills pages that random inserts leave half
// empty.
static const bool table_grows[SHELF_COUNT] = {[SHELF_LOG] = true, [SHELF_EVENT] = true};

#define LEAST_MAP_BYTES (UINT64_C(4) << 30)
#define ROOM_COMMITS 3u // see make_room

// What LMDB's answer means to us. A short write on a full disk is EIO in its words.
enum status store_status_of(int rc)
{
    switch (rc) {
    case MDB_SUCCESS:
        return ST_OK;
    case MDB_NOTFOUND:
        return ST_NOTFOUND;
    case MDB_MAP_FULL:
    case MDB_TXN_FULL:
    case MDB_READERS_FULL:
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return ST_FULL;
    case ENOMEM:
        return ST_NOMEM;
    case ENOENT:
        return ST_NOTFOUND;
    case MDB_BAD_VALSIZE:
        return ST_RANGE;
    case EACCES:
        return ST_DENIED;
    case MDB_VERSION_MISMATCH:
        return ST_VERSION;
    case MDB_CORRUPTED:
    case MDB_INVALID:
    case MDB_PAGE_NOTFOUND:
        return ST_CORRUPT;
    default:
        return ST_IO;
    }
}

enum status store_tell(const struct store *s, const char *what, int rc)
{
    log_line(LOG_ERROR, "store failed", "what=%s folder=%s why=%s", what, s->folder,
             mdb_strerror(rc));
    return store_status_of(rc);
}

static MDB_val val_of(struct span s)
{
    return (MDB_val){.mv_size = s.size, .mv_data = (void *)(uintptr_t)s.data};
}

static struct span span_of_val(MDB_val v)
{
    return span_of(v.mv_data, v.mv_size);
}

// The failures that leave the transaction unusable.
static enum status note(struct store_txn *t, int rc)
{
    enum status st = store_status_of(rc);
    if (st != ST_OK && st != ST_NOTFOUND && st != ST_RANGE)
        t->broken = st;
    return st;
}

static enum status check(const struct store_txn *t, enum shelf_table table,
                         struct span key)
{
    if (t->broken != ST_OK)
        return t->broken;
    if ((unsigned)table >= SHELF_COUNT || key.size == 0 || key.size > SHELF_KEY_MAX)
        return ST_RANGE;
    return ST_OK;
}

static enum status txn_get(void *self, enum shelf_table table, struct span key,
                           struct span *value)
{
    struct store_txn *t = self;
    ST_TRY(check(t, table, key));
    MDB_val k = val_of(key), v;
    ST_TRY(note(t, mdb_get(t->txn, t->store->table[table], &k, &v)));
    *value = span_of_val(v);
    return ST_OK;
}

static enum status txn_put(void *self, enum shelf_table table, struct span key,
                           struct span value)
{
    struct store_txn *t = self;
    ST_TRY(check(t, table, key));
    if (t->access == STORE_READ_ONLY)
        return ST_DENIED;
    if (value.size > SHELF_VALUE_MAX)
        return ST_RANGE;
    MDB_val k = val_of(key), v = val_of(value);
    MDB_dbi dbi = t->store->table[table];
    if (table_grows[table]) {
        int rc = mdb_put(t->txn, dbi, &k, &v, MDB_APPEND);
        if (rc != MDB_KEYEXIST)
            return note(t, rc);
    }
    return note(t, mdb_put(t->txn, dbi, &k, &v, 0));
}

static enum status txn_del(void *self, enum shelf_table table, struct span key)
{
    struct store_txn *t = self;
    ST_TRY(check(t, table, key));
    if (t->access == STORE_READ_ONLY)
        return ST_DENIED;
    MDB_val k = val_of(key);
    return note(t, mdb_del(t->txn, t->store->table[table], &k, NULL));
}

static enum status cursor_of(struct store_txn *t, enum shelf_table table,
                             struct span from, MDB_cursor **out)
{
    // A walk asks for what comes behind the longest key: one byte more than a key has.
    if (from.size == SHELF_KEY_MAX + 1)
        from.size--;
    ST_TRY(check(t, table, from));
    if (!t->cursor[table])
        ST_TRY(note(
            t, mdb_cursor_open(t->txn, t->store->table[table], &t->cursor[table])));
    *out = t->cursor[table];
    return ST_OK;
}

static enum status txn_seek(void *self, enum shelf_table table, struct span from,
                            struct span *key, struct span *value)
{
    struct store_txn *t = self;
    MDB_cursor *c;
    ST_TRY(cursor_of(t, table, from, &c));
    MDB_val k = val_of(from), v;
    ST_TRY(note(t, mdb_cursor_get(c, &k, &v, MDB_SET_RANGE)));
    *key = span_of_val(k);
    *value = span_of_val(v);
    return ST_OK;
}

static enum status txn_seek_down(void *self, enum shelf_table table, struct span from,
                                 struct span *key, struct span *value)
{
    struct store_txn *t = self;
    MDB_cursor *c;
    ST_TRY(cursor_of(t, table, from, &c));
    MDB_val k = val_of(from), v;
    int rc = mdb_cursor_get(c, &k, &v, MDB_SET_RANGE);
    if (rc == MDB_NOTFOUND)
        rc = mdb_cursor_get(c, &k, &v, MDB_LAST);
    else if (rc == MDB_SUCCESS && !span_equal(span_of_val(k), from))
        rc = mdb_cursor_get(c, &k, &v, MDB_PREV);
    ST_TRY(note(t, rc));
    *key = span_of_val(k);
    *value = span_of_val(v);
    return ST_OK;
}

// --- Opening

static int open_tables(struct store *s)
{
    MDB_txn *txn;
    bool is_writer = s->access == STORE_READ_WRITE;
    int rc = mdb_txn_begin(s->env, NULL, is_writer ? 0 : MDB_RDONLY, &txn);
    if (rc != MDB_SUCCESS)
        return rc;
    for (unsigned i = 0; i < SHELF_COUNT; i++) {
        rc =
            mdb_dbi_open(txn, table_names[i], is_writer ? MDB_CREATE : 0, &s->table[i]);
        if (rc != MDB_SUCCESS) {
            mdb_txn_abort(txn);
            return rc;
        }
    }
    rc = mdb_dbi_open(txn, "store", is_writer ? MDB_CREATE : 0, &s->own);
    if (rc != MDB_SUCCESS) {
        mdb_txn_abort(txn);
        return rc;
    }
    return mdb_txn_commit(txn);
}

static int open_with_map(struct store *s)
{
    int rc = mdb_env_create(&s->env);
    if (rc != MDB_SUCCESS)
        return rc;
    // NOTLS: a reading transaction belongs to itself, not to its thread. No WRITEMAP: a
    // full disk would be SIGBUS, and a wild pointer would write into the store.
    unsigned flags = MDB_NOTLS | (s->access == STORE_READ_ONLY ? MDB_RDONLY : 0);
    if ((rc = mdb_env_set_maxdbs(s->env, SHELF_COUNT + 1)) == MDB_SUCCESS &&
        (rc = mdb_env_set_maxreaders(s->env, STORE_READERS)) == MDB_SUCCESS &&
        (rc = mdb_env_set_mapsize(s->env, s->map_bytes)) == MDB_SUCCESS)
        rc = mdb_env_open(s->env, s->folder, flags, 0600);
    if (rc != MDB_SUCCESS) {
        mdb_env_close(s->env);
        s->env = NULL;
    }
    return rc;
}

// The map takes address space, no memory; where even that is limited, a smaller one
// does.
static int open_env(struct store *s)
{
    int rc = open_with_map(s);
    while (rc == ENOMEM && s->map_bytes > LEAST_MAP_BYTES) {
        s->map_bytes /= 4;
        rc = open_with_map(s);
    }
    if (rc != MDB_SUCCESS)
        return rc;
    int dead = 0;
    (void)mdb_reader_check(s->env, &dead);
    rc = open_tables(s);
    if (rc != MDB_SUCCESS) {
        mdb_env_close(s->env);
        s->env = NULL;
    }
    return rc;
}

// LMDB locks itself for good when the write of a root page fails. What is on disk is
// the last good state; the environment must be opened anew to use it.
static enum status reopen(struct store *s)
{
    assert(s->open == 0);
    if (s->env)
        mdb_env_close(s->env);
    s->env = NULL;
    int rc = open_env(s);
    if (rc != MDB_SUCCESS)
        return store_tell(s, "open again", rc);
    s->must_reopen = false;
    log_line(LOG_INFO, "store opened again", "folder=%s", s->folder);
    return ST_OK;
}

// A key and a big-endian number in the store's own table.
static int put_own(struct store *s, MDB_txn *txn, const char *key, uint32_t number)
{
    uint8_t bytes[4];
    store_be32(bytes, number);
    MDB_val k = val_of(span_text(key)), v = val_of(span_of(bytes, sizeof bytes));
    return mdb_put(txn, s->own, &k, &v, 0);
}

static enum status set_schema(struct store *s, struct store_txn *t)
{
    int rc = put_own(s, t->txn, "schema", STORE_SCHEMA);
    if (rc == MDB_SUCCESS)
        return store_commit(t);
    store_abort(t);
    return store_tell(s, "schema", rc);
}

// An older one is brought up to date, all of it or nothing; a newer one is refused, and
// nothing in it is touched.
static enum status raise_schema(struct store *s, struct store_txn *t, uint32_t from)
{
    enum status st = from > STORE_SCHEMA            ? ST_VERSION
                     : s->access == STORE_READ_ONLY ? ST_VERSION
                                                    : migrate(&t->shelf, from);
    if (st == ST_OK) {
        log_line(LOG_INFO, "the store was brought up to date", "from=%u to=%u", from,
                 STORE_SCHEMA);
        return set_schema(s, t);
    }
    log_line(LOG_ERROR, "the store's format does not fit this program",
             "folder=%s schema=%u ours=%u", s->folder, from, STORE_SCHEMA);
    store_abort(t);
    return st;
}

static enum status check_schema(struct store *s)
{
    struct store_txn *t;
    ST_TRY(store_begin(s, s->access, &t));
    MDB_val k = val_of(span_text("schema")), v;
    int rc = mdb_get(t->txn, s->own, &k, &v);
    if (rc == MDB_NOTFOUND && s->access == STORE_READ_WRITE)
        return set_schema(s, t);
    enum status st = rc != MDB_SUCCESS ? store_tell(s, "schema", rc) : ST_OK;
    if (st == ST_OK && v.mv_size != 4)
        st = ST_CORRUPT;
    uint32_t schema = st == ST_OK ? load_be32(v.mv_data) : 0;
    if (st == ST_OK && schema != STORE_SCHEMA)
        return raise_schema(s, t, schema);
    store_abort(t);
    return st;
}

enum status store_open(const struct store_options *o, struct store **out)
{
    struct store *s = MEM_NEW(struct store);
    if (!s)
        return ST_NOMEM;
    s->map_bytes = o->map_bytes ? o->map_bytes : STORE_MAP_BYTES;
    s->access = o->access;
    enum status st = ST_RANGE;
    if (strlen(o->folder) < sizeof s->folder) {
        strcpy(s->folder, o->folder);
        st = s->access == STORE_READ_WRITE ? file_make_folder(s->folder, 0700) : ST_OK;
    }
    if (st == ST_OK) {
        int rc = open_env(s);
        if (rc != MDB_SUCCESS)
            st = store_tell(s, "open", rc);
    }
    if (st == ST_OK)
        st = check_schema(s);
    if (st != ST_OK) {
        store_close(s);
        return st;
    }
    *out = s;
    return ST_OK;
}

void store_close(struct store *s)
{
    if (!s)
        return;
    assert(s->open == 0);
    if (s->env)
        mdb_env_close(s->env);
    mem_free(s);
}

// --- Transactions

static int begin(struct store *s, enum store_access access, MDB_txn **out)
{
    return mdb_txn_begin(s->env, NULL, access == STORE_READ_ONLY ? MDB_RDONLY : 0, out);
}

// Pages that a commit freed are used again only behind the commit after it. When the
// store was full, somebody may have deleted since, or deletes now; without these small
// commits the next large one would find no room, for ever.
static void make_room(struct store *s)
{
    MDB_txn *txn;
    s->make_room--;
    if (begin(s, STORE_READ_WRITE, &txn) != MDB_SUCCESS)
        return;
    if (put_own(s, txn, "room", (uint32_t)mdb_txn_id(txn)) != MDB_SUCCESS)
        mdb_txn_abort(txn);
    else if (mdb_txn_commit(txn) != MDB_SUCCESS)
        s->must_reopen = true;
}

enum status store_begin(struct store *s, enum store_access access,
                        struct store_txn **out)
{
    if (access == STORE_READ_WRITE && s->access == STORE_READ_ONLY)
        return ST_DENIED;
    if (s->must_reopen || !s->env) {
        if (s->open > 0)
            return ST_IO; // a reader still looks at the old map
        ST_TRY(reopen(s));
    }
    if (s->make_room > 0 && access == STORE_READ_WRITE) {
        make_room(s);
        if (s->must_reopen)
            ST_TRY(reopen(s));
    }
    struct store_txn *t = MEM_NEW(struct store_txn);
    if (!t)
        return ST_NOMEM;
    int rc = begin(s, access, &t->txn);
    if (rc == MDB_MAP_RESIZED && s->open == 0) {
        (void)mdb_env_set_mapsize(s->env, 0);
        rc = begin(s, access, &t->txn);
    }
    if (rc == MDB_PANIC)
        s->must_reopen = true;
    if (rc != MDB_SUCCESS) {
        mem_free(t);
        return store_tell(s, "begin", rc);
    }
    t->store = s;
    t->access = access;
    t->since_ns = clock_mono_ns();
    t->shelf = (struct shelf){.self = t,
                              .get = txn_get,
                              .put = txn_put,
                              .del = txn_del,
                              .seek = txn_seek,
                              .seek_down = txn_seek_down};
    s->open++;
    *out = t;
    return ST_OK;
}

struct shelf *store_shelf(struct store_txn *t)
{
    return &t->shelf;
}

static void close_cursors(struct store_txn *t)
{
    for (unsigned i = 0; i < SHELF_COUNT; i++) {
        if (t->cursor[i])
            mdb_cursor_close(t->cursor[i]);
        t->cursor[i] = NULL;
    }
}

// A reader that stays too long makes the file grow for good.
static void watch_reader(const struct store_txn *t)
{
    uint64_t age = clock_mono_ns() - t->since_ns;
    if (t->access == STORE_READ_ONLY && age > STORE_READ_NS_MAX)
        log_line(LOG_WARN, "a reader stayed long", "ms=%llu limit_ms=%llu",
                 (unsigned long long)(age / NS_PER_MS),
                 (unsigned long long)(STORE_READ_NS_MAX / NS_PER_MS));
}

void store_abort(struct store_txn *t)
{
    if (!t)
        return;
    close_cursors(t);
    mdb_txn_abort(t->txn);
    if (t->broken == ST_FULL)
        t->store->make_room = ROOM_COMMITS;
    watch_reader(t);
    t->store->open--;
    mem_free(t);
}

enum status store_commit(struct store_txn *t)
{
    struct store *s = t->store;
    enum status st = t->broken;
    if (st != ST_OK || t->access == STORE_READ_ONLY) {
        store_abort(t);
        return st;
    }
    close_cursors(t);
    int rc = mdb_txn_commit(t->txn);
    s->open--;
    mem_free(t);
    if (rc == MDB_SUCCESS)
        return ST_OK;
    s->must_reopen = true;
    s->make_room = ROOM_COMMITS;
    st = store_tell(s, "commit", rc);
    // A full disk shows as a short write, which LMDB calls EIO. Ask the disk itself.
    struct statvfs v;
    if (st == ST_IO && statvfs(s->folder, &v) == 0 && v.f_bavail < 256)
        st = ST_FULL;
    return st;
}
