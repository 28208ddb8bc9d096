// The store and the embedded tape on a real disk: the contract, restarts, kills, and a
// disk that is full.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/store/store.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <lmdb.h>

#include "common/base/cursor.h"
#include "controller/log/keys.h"
#include "controller/log/progress.h"
#include "controller/store/embedded.h"
#include "tests/unit/controller/log/contract.h"

#define MAP_BYTES (UINT64_C(1) << 30)

struct disk {
    char folder[64];
    struct store *store;
    struct store_txn *txn;
};

static struct shelf *begin(void *self)
{
    struct disk *d = self;
    assert_int_equal(store_begin(d->store, STORE_READ_WRITE, &d->txn), ST_OK);
    return store_shelf(d->txn);
}

static enum status commit(void *self)
{
    return store_commit(((struct disk *)self)->txn);
}

static void undo(void *self)
{
    store_abort(((struct disk *)self)->txn);
}

static void open_store(struct disk *d)
{
    struct store_options o = {.folder = d->folder, .map_bytes = MAP_BYTES};
    assert_int_equal(store_open(&o, &d->store), ST_OK);
}

static struct tape *open_tape(void *self, const struct tape_fold *fold)
{
    struct disk *d = self;
    struct tape_options o = {.fold = fold, .store = d->store, .partitions = 1};
    struct tape *t;
    assert_int_equal(tape_embedded.open(&o, &t), ST_OK);
    return t;
}

static struct tape *reopen_tape(void *self, struct tape *old,
                                const struct tape_fold *fold)
{
    struct disk *d = self;
    tape_embedded.close(old);
    store_close(d->store);
    open_store(d);
    return open_tape(self, fold);
}

static struct disk the_disk;
static struct driver the_driver;

static int setup(void **state)
{
    the_disk = (struct disk){.folder = "/tmp/kedge-store-XXXXXX"};
    if (!mkdtemp(the_disk.folder))
        return -1;
    open_store(&the_disk);
    the_driver = (struct driver){.self = &the_disk,
                                 .begin = begin,
                                 .commit = commit,
                                 .abort = undo,
                                 .tape = &tape_embedded,
                                 .open = open_tape,
                                 .reopen = reopen_tape};
    *state = &the_driver;
    return 0;
}

static void remove_store(const char *folder)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/data.mdb", folder);
    (void)unlink(path);
    (void)snprintf(path, sizeof path, "%s/lock.mdb", folder);
    (void)unlink(path);
    (void)rmdir(folder);
}

static int teardown(void **state)
{
    (void)state;
    store_close(the_disk.store);
    remove_store(the_disk.folder);
    return 0;
}

static void what_was_committed_is_there_after_a_restart(void **state)
{
    struct driver *d = *state;
    struct shelf *s = begin(d->self);
    put(s, "k", "v");
    assert_int_equal(commit(d->self), ST_OK);
    store_close(the_disk.store);
    open_store(&the_disk);
    s = begin(d->self);
    expect(s, "k", "v");
    undo(d->self);
}

static void a_reader_sees_one_moment_and_may_not_write(void **state)
{
    struct driver *d = *state;
    struct shelf *s = begin(d->self);
    put(s, "k", "old");
    assert_int_equal(commit(d->self), ST_OK);
    struct store_txn *reader;
    assert_int_equal(store_begin(the_disk.store, STORE_READ_ONLY, &reader), ST_OK);
    s = begin(d->self);
    put(s, "k", "new");
    assert_int_equal(commit(d->self), ST_OK);
    struct shelf *r = store_shelf(reader);
    expect(r, "k", "old");
    assert_int_equal(r->put(r->self, SHELF_EVENT, bytes_of("k"), bytes_of("x")),
                     ST_DENIED);
    assert_int_equal(r->del(r->self, SHELF_EVENT, bytes_of("k")), ST_DENIED);
    expect(r, "k", "old");
    store_abort(reader);
    s = begin(d->self);
    expect(s, "k", "new");
    undo(d->self);
}

static void read_only_needs_a_store(void **state)
{
    (void)state;
    struct store_options o = {.folder = "/tmp/kedge-no-store",
                              .access = STORE_READ_ONLY};
    struct store *s;
    assert_int_equal(store_open(&o, &s), ST_NOTFOUND);
}

static void a_copy_is_consistent_and_never_overwrites(void **state)
{
    struct driver *d = *state;
    struct shelf *s = begin(d->self);
    put(s, "k", "v");
    assert_int_equal(commit(d->self), ST_OK);
    char to[] = "/tmp/kedge-copy-XXXXXX";
    assert_non_null(mkdtemp(to));
    assert_int_equal(store_copy_to(the_disk.store, to, STORE_COPY_COMPACT), ST_OK);
    assert_int_equal(store_copy_to(the_disk.store, to, STORE_COPY_PLAIN), ST_EXISTS);
    struct store_options o = {.folder = to, .access = STORE_READ_ONLY};
    struct store *copy;
    struct store_txn *t;
    assert_int_equal(store_open(&o, &copy), ST_OK);
    assert_int_equal(store_begin(copy, STORE_READ_ONLY, &t), ST_OK);
    expect(store_shelf(t), "k", "v");
    store_abort(t);
    assert_int_equal(store_begin(copy, STORE_READ_WRITE, &t), ST_DENIED);
    store_close(copy);
    remove_store(to);
}

// --- Full

static enum status fill(struct store *store, uint32_t from, uint32_t n)
{
    static uint8_t value[60000];
    struct store_txn *t;
    ST_TRY(store_begin(store, STORE_READ_WRITE, &t));
    struct shelf *s = store_shelf(t);
    for (uint32_t i = from; i < from + n; i++) {
        struct shelf_key k = shelf_key_of('w');
        shelf_key_be32(&k, i);
        enum status st = shelf_put(s, SHELF_WINDOW, &k, span_of(value, sizeof value));
        if (st != ST_OK) {
            store_abort(t);
            return st;
        }
    }
    return store_commit(t);
}

static uint64_t count_windows(struct store *store)
{
    struct store_size z;
    assert_int_equal(store_measure(store, &z), ST_OK);
    return z.entries[SHELF_WINDOW];
}

static enum status empty(struct store *store)
{
    struct store_txn *t;
    ST_TRY(store_begin(store, STORE_READ_WRITE, &t));
    struct shelf_key prefix = shelf_key_of('w');
    struct shelf_walk w;
    shelf_walk_init(&w, store_shelf(t), SHELF_WINDOW, &prefix);
    while (shelf_walk_next(&w, NULL, NULL) == ST_OK)
        assert_int_equal(shelf_del(store_shelf(t), SHELF_WINDOW, &w.at), ST_OK);
    return store_commit(t);
}

// Fills until it refuses; then everything from before is there, and deleting makes
// room.
static void stands_being_full(struct store *store)
{
    uint32_t n = 0;
    enum status st;
    while ((st = fill(store, n, 8)) == ST_OK)
        n += 8;
    assert_true(st == ST_FULL || st == ST_IO);
    assert_true(n >= 8);
    assert_int_equal(count_windows(store), n);
    st = fill(store, n, 8);
    assert_true(st == ST_FULL || st == ST_IO); // and it goes on saying so
    assert_int_equal(count_windows(store), n);
    // Deleting works, and makes room for the very next one.
    assert_int_equal(empty(store), ST_OK);
    assert_int_equal(fill(store, 0, 8), ST_OK);
    assert_int_equal(count_windows(store), 8);
}

static void a_full_map_loses_nothing(void **state)
{
    (void)state;
    store_close(the_disk.store);
    struct store_options o = {.folder = the_disk.folder, .map_bytes = 4u << 20};
    assert_int_equal(store_open(&o, &the_disk.store), ST_OK);
    stands_being_full(the_disk.store);
}

// In a child, since the limit cannot be lifted again for good and is the process's.
static void a_full_disk_loses_nothing(void **state)
{
    (void)state;
    store_close(the_disk.store);
    the_disk.store = NULL;
    pid_t child = fork();
    if (child == 0) {
        (void)signal(SIGXFSZ, SIG_IGN);
        struct rlimit small = {6u << 20, RLIM_INFINITY};
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
        struct store_options o = {.folder = the_disk.folder, .map_bytes = MAP_BYTES};
        assert_int_equal(store_open(&o, &the_disk.store), ST_OK);
        stands_being_full(the_disk.store);
        // The limit is lifted: it recovers alone.
        uint32_t n = 8;
        while (fill(the_disk.store, n, 8) == ST_OK)
            n += 8;
        small.rlim_cur = RLIM_INFINITY;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
        assert_int_equal(fill(the_disk.store, n, 8), ST_OK);
        assert_int_equal(count_windows(the_disk.store), n + 8);
        store_close(the_disk.store);
        _exit(0);
    }
    int how;
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFEXITED(how) && WEXITSTATUS(how) == 0);
}

// --- Killed

// Appends for ever, and tells the parent each sequence that was acknowledged.
static void append_until_killed(const char *folder, int tell)
{
    struct counting c = {.home = HOME_SHELF};
    struct tape_fold fold = counting_fold(&c);
    struct tape_options o = {
        .fold = &fold, .folder = folder, .map_bytes = MAP_BYTES, .partitions = 1};
    struct tape *t;
    if (tape_embedded.open(&o, &t) != ST_OK)
        _exit(1);
    for (;;) {
        struct tape_entry e[7];
        for (int i = 0; i < 7; i++)
            e[i] = (struct tape_entry){
                .kind = TAPE_TICK, .at_ns = 7, .body = bytes_of("b")};
        struct tape_append a = {
            .expect = TAPE_ANY, .entry = e, .entries = 1 + rand() % 7};
        struct heard h = {0};
        if (tape_embedded.append(t, &a, hear, &h) != ST_OK || h.st != ST_OK)
            _exit(2);
        if (write(tell, &h.last.seq, sizeof h.last.seq) != sizeof h.last.seq)
            _exit(3);
    }
}

static uint64_t run_and_kill(const char *folder, unsigned microseconds)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        (void)close(ends[0]);
        append_until_killed(folder, ends[1]);
    }
    (void)close(ends[1]);
    (void)usleep(microseconds);
    assert_int_equal(kill(child, SIGKILL), 0);
    int how;
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFSIGNALED(how));
    uint64_t seq, last = 0;
    while (read(ends[0], &seq, sizeof seq) == sizeof seq)
        last = seq;
    (void)close(ends[0]);
    return last;
}

static void no_acknowledged_entry_is_lost_or_torn_by_a_kill(void **state)
{
    struct driver *d = *state;
    store_close(the_disk.store);
    the_disk.store = NULL;
    uint64_t acked = 0;
    struct random r = {11};
    for (int round = 0; round < 40; round++) {
        uint64_t last =
            run_and_kill(the_disk.folder, 3000 + (unsigned)(random_u64(&r) % 30000));
        if (last > acked)
            acked = last;
        open_store(&the_disk);
        struct tape *t = open_tape(d->self, NULL);
        struct tape_pos head, oldest;
        assert_int_equal(tape_embedded.head(t, 0, &head, &oldest), ST_OK);
        assert_true(head.seq >= acked);
        struct reading all = read_from(d, t, 0);
        assert_int_equal(all.n, head.seq);
        assert_int_equal(all.bytes, head.seq);
        struct store_size z;
        assert_int_equal(store_measure(the_disk.store, &z), ST_OK);
        assert_int_equal(z.entries[SHELF_WINDOW], head.seq); // the fold went with it
        tape_embedded.close(t);
        store_close(the_disk.store);
        the_disk.store = NULL;
    }
    assert_true(acked > 0);
}

static void an_embedded_tape_is_durable(void **state)
{
    struct driver *d = *state;
    struct tape *t = d->open(d->self, NULL);
    struct tape_durability how;
    assert_int_equal(tape_embedded.durability(t, &how), ST_OK);
    assert_true(how.is_synced);
    assert_int_equal(how.copies, 1);
    assert_int_equal(tape_embedded.fd(t), -1);
    assert_int_equal(tape_embedded.step(t, 0), ST_OK);
    tape_embedded.close(t);
    struct tape_options o = {.store = the_disk.store, .partitions = 0};
    assert_int_equal(tape_embedded.open(&o, &t), ST_RANGE);
}

// --- Formats of other times

// As a Kedge of that schema would have left it.
static void set_schema(uint32_t schema)
{
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi own;
    uint8_t bytes[4];
    store_be32(bytes, schema);
    MDB_val k = {6, (void *)(uintptr_t) "schema"}, v = {sizeof bytes, bytes};
    store_close(the_disk.store);
    the_disk.store = NULL;
    assert_int_equal(mdb_env_create(&env), 0);
    assert_int_equal(mdb_env_set_maxdbs(env, 32), 0);
    assert_int_equal(mdb_env_set_mapsize(env, MAP_BYTES), 0);
    assert_int_equal(mdb_env_open(env, the_disk.folder, 0, 0600), 0);
    assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
    assert_int_equal(mdb_dbi_open(txn, "store", 0, &own), 0);
    assert_int_equal(mdb_put(txn, own, &k, &v, 0), 0);
    assert_int_equal(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
}

static void an_older_store_is_brought_up_to_date_once(void **state)
{
    struct driver *d = *state;
    uint8_t old[32] = {0}, other[7] = {1};
    store_be64(old, 1234);
    store_be64(old + 24, 5);
    struct shelf *s = begin(d->self);
    struct shelf_key mine = key_judged(7), theirs = key_state('k', 7);
    assert_int_equal(shelf_put(s, SHELF_STATE, &mine, span_of(old, sizeof old)), ST_OK);
    assert_int_equal(shelf_put(s, SHELF_STATE, &theirs, span_of(other, sizeof other)),
                     ST_OK);
    assert_int_equal(commit(d->self), ST_OK);
    set_schema(1);
    struct store_options reading = {
        .folder = the_disk.folder, .map_bytes = MAP_BYTES, .access = STORE_READ_ONLY};
    struct store *none = NULL;
    assert_int_equal(store_open(&reading, &none), ST_VERSION); // it may not change it
    open_store(&the_disk);
    store_close(the_disk.store);
    open_store(&the_disk); // nothing is left to do
    struct progress_model m;
    struct span v;
    s = begin(d->self);
    assert_int_equal(progress_get_model(s, 7, &m), ST_OK);
    assert_int_equal(m.judged_ns, 1234);
    assert_int_equal(m.unmerged, 5);
    assert_int_equal(m.seen_ns, 0);
    assert_int_equal(shelf_get(s, SHELF_STATE, &theirs, &v), ST_OK);
    assert_int_equal(v.size, sizeof other);
    undo(d->self);
}

static void a_newer_store_is_refused_and_left_alone(void **state)
{
    (void)state;
    set_schema(STORE_SCHEMA + 1);
    struct store_options o = {.folder = the_disk.folder, .map_bytes = MAP_BYTES};
    for (int i = 0; i < 2; i++)
        assert_int_equal(store_open(&o, &the_disk.store), ST_VERSION);
    set_schema(STORE_SCHEMA);
    open_store(&the_disk);
}

// --- Readers

static void the_watchdog_names_a_reader_that_stays(void **state)
{
    struct driver *d = *state;
    struct store_txn *reader;
    uint64_t now = 1;
    assert_int_equal(store_begin(the_disk.store, STORE_READ_ONLY, &reader), ST_OK);
    assert_int_equal(store_watch(the_disk.store, now), 0);
    for (int i = 0; i < 3; i++) {
        struct shelf *s = begin(d->self);
        struct shelf_key k = key_meta("x");
        assert_int_equal(shelf_put(s, SHELF_META, &k, span_text("y")), ST_OK);
        assert_int_equal(commit(d->self), ST_OK);
        assert_int_equal(store_watch(the_disk.store, now), 0);
    }
    assert_int_equal(store_watch(the_disk.store, now + STORE_READ_TOLD_NS + 1), 1);
    store_abort(reader);
    assert_int_equal(store_watch(the_disk.store, now + 2 * STORE_READ_TOLD_NS), 0);
}

static void readers_whose_process_died_are_cleared(void **state)
{
    (void)state;
    int ends[2];
    char byte;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        struct store_options o = {.folder = the_disk.folder,
                                  .map_bytes = MAP_BYTES,
                                  .access = STORE_READ_ONLY};
        struct store *s;
        struct store_txn *t;
        bool is_fine =
            store_open(&o, &s) == ST_OK && store_begin(s, STORE_READ_ONLY, &t) == ST_OK;
        is_fine = write(ends[1], is_fine ? "y" : "n", 1) == 1;
        for (;;)
            (void)pause();
    }
    assert_int_equal(read(ends[0], &byte, 1), 1);
    assert_int_equal(byte, 'y');
    assert_int_equal(store_clear_readers(the_disk.store), 0); // it lives
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(store_clear_readers(the_disk.store), 1);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

int main(void)
{
#define ON_DISK(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        CONTRACT_TESTS(setup, teardown),
        ON_DISK(what_was_committed_is_there_after_a_restart),
        ON_DISK(a_reader_sees_one_moment_and_may_not_write),
        cmocka_unit_test(read_only_needs_a_store),
        ON_DISK(a_copy_is_consistent_and_never_overwrites),
        ON_DISK(a_full_map_loses_nothing),
        ON_DISK(a_full_disk_loses_nothing),
        ON_DISK(no_acknowledged_entry_is_lost_or_torn_by_a_kill),
        ON_DISK(an_embedded_tape_is_durable),
        ON_DISK(an_older_store_is_brought_up_to_date_once),
        ON_DISK(a_newer_store_is_refused_and_left_alone),
        ON_DISK(the_watchdog_names_a_reader_that_stays),
        ON_DISK(readers_whose_process_died_are_cleared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
