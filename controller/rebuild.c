// Rebuild: a copy of the store, a fold in memory, and a walk over both.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/rebuild.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/file.h"
#include "common/base/text.h"
#include "common/setup/command.h"
#include "controller/log/memory.h"
#include "controller/rooms.h"
#include "controller/settings.h"
#include "controller/store/embedded.h"
#include "controller/store/store.h"

#define MEMORY_BYTES (UINT64_C(64) << 30)
#define DIFFERENCES_TOLD 20u

struct check {
    struct settings settings;
    char copy[PATH_MAX];
    struct store *store;     // of the copy
    const char *from_backup; // begin there; NULL: from nothing
    struct tape_pos begin;
    struct tape *from, *to;
    struct memory *memory;
    struct rooms rooms;
    struct rebuild_report report;
    struct buf *told;
    enum status st;
};

// --- Opening

static enum status copy_store(struct check *c)
{
    char folder[PATH_MAX];
    struct store *s;
    ST_TRY(settings_path(&c->settings, "store", folder));
    ST_TRY(settings_path(&c->settings, "run/rebuild-XXXXXX", c->copy));
    struct store_options o = {.folder = folder, .access = STORE_READ_ONLY};
    ST_TRY(store_open(&o, &s));
    enum status st = mkdtemp(c->copy) ? ST_OK : ST_IO;
    if (st == ST_OK)
        st = store_copy_to(s, c->copy, STORE_COPY_COMPACT);
    store_close(s);
    return st;
}

static void remove_copy(struct check *c)
{
    static const char *const files[] = {"data.mdb", "lock.mdb"};
    char path[PATH_MAX];
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        if (file_join(c->copy, files[i], path, sizeof path) == ST_OK)
            (void)unlink(path);
    }
    (void)rmdir(c->copy);
}

static enum status open_both(struct check *c)
{
    struct store_options so = {.folder = c->copy, .access = STORE_READ_ONLY};
    ST_TRY(store_open(&so, &c->store));
    struct tape_options from = {.store = c->store, .partitions = 1};
    ST_TRY(tape_embedded.open(&from, &c->from));
    ST_TRY(memory_open(MEMORY_BYTES, &c->memory));
    ST_TRY(rooms_open(&c->rooms, &c->settings.file, NULL));
    struct tape_options to = {
        .fold = &c->rooms.tape_fold, .memory = c->memory, .partitions = 1};
    return tape_memory.open(&to, &c->to);
}

static void close_both(struct check *c)
{
    if (c->to)
        tape_memory.close(c->to);
    if (c->from)
        tape_embedded.close(c->from);
    rooms_close(&c->rooms);
    memory_close(c->memory);
    store_close(c->store);
}

// --- Folding

static void note(void *keep, enum status st, struct tape_pos last)
{
    (void)last;
    ((struct check *)keep)->st = st;
}

static enum status fold_again(void *keep, const struct tape_entry *e)
{
    struct check *c = keep;
    struct tape_append a = {
        .expect = TAPE_ANY, .generation = e->pos.generation, .entry = e, .entries = 1};
    ST_TRY(tape_memory.append(c->to, &a, note, c));
    c->report.entries += c->st == ST_OK;
    return c->st;
}

static enum status fold_all(struct check *c)
{
    struct tape_reader reader = {.keep = c, .entry = fold_again};
    return tape_embedded.read(c->from, 0, c->begin, &reader);
}

// --- Beginning at a backup

static enum status load_table(struct check *c, enum shelf_table table,
                              struct shelf *from)
{
    struct shelf *to = memory_shelf(c->memory);
    uint8_t at[SHELF_KEY_MAX + 1] = {0};
    size_t size = 1;
    struct span key, value;
    enum status st;
    while ((st = from->seek(from->self, table, span_of(at, size), &key, &value)) ==
           ST_OK) {
        ST_TRY(to->put(to->self, table, key, value));
        memcpy(at, key.data, key.size);
        at[key.size] = 0;
        size = key.size + 1;
    }
    return st == ST_NOTFOUND ? ST_OK : st;
}

static enum status load_all(struct check *c, struct store *backup)
{
    struct store_txn *t;
    ST_TRY(store_begin(backup, STORE_READ_ONLY, &t));
    enum status st = ST_OK;
    memory_begin(c->memory);
    for (unsigned i = 0; i < SHELF_COUNT && st == ST_OK; i++)
        st = load_table(c, (enum shelf_table)i, store_shelf(t));
    store_abort(t);
    if (st == ST_OK)
        return memory_commit(c->memory);
    memory_abort(c->memory);
    return st;
}

// Its state is taken as it is; the log behind it must lead to the state of today.
static enum status load_backup(struct check *c)
{
    char folder[PATH_MAX];
    struct tape_pos oldest;
    struct store *backup;
    c->begin = (struct tape_pos){1, 0};
    if (!c->from_backup)
        return ST_OK;
    ST_TRY(file_join(c->from_backup, "store", folder, sizeof folder));
    struct store_options o = {.folder = folder, .access = STORE_READ_ONLY};
    ST_TRY(store_open(&o, &backup));
    enum status st = load_all(c, backup);
    store_close(backup);
    ST_TRY(st);
    return tape_memory.head(c->to, 0, &c->begin, &oldest);
}

// --- Comparing

// A place in one of the two; `is_end` behind its last key.
struct place {
    struct shelf *shelf;
    uint8_t from[SHELF_KEY_MAX + 1];
    size_t size;
    struct span key, value;
    bool is_end;
};

static enum status advance(struct place *p, enum shelf_table table)
{
    enum status st = p->shelf->seek(p->shelf->self, table, span_of(p->from, p->size),
                                    &p->key, &p->value);
    p->is_end = st == ST_NOTFOUND;
    if (st != ST_OK)
        return p->is_end ? ST_OK : st;
    memcpy(p->from, p->key.data, p->key.size);
    p->from[p->key.size] = 0;
    p->size = p->key.size + 1;
    return ST_OK;
}

static void tell(struct check *c, enum shelf_table table, const char *what,
                 struct span key)
{
    if (c->report.differences++ >= DIFFERENCES_TOLD)
        return;
    buf_printf(c->told, "table %u: %s: ", (unsigned)table, what);
    text_put_hex(c->told, key);
    buf_put_text(c->told, "\n");
}

static enum status compare_table(struct check *c, enum shelf_table table,
                                 struct shelf *stored)
{
    struct place a = {.shelf = stored, .size = 1};
    struct place b = {.shelf = memory_shelf(c->memory), .size = 1};
    ST_TRY(advance(&a, table));
    ST_TRY(advance(&b, table));
    while (!a.is_end || !b.is_end) {
        int order = a.is_end ? 1 : b.is_end ? -1 : span_compare(a.key, b.key);
        c->report.keys++;
        if (order < 0)
            tell(c, table, "only in the store", a.key);
        else if (order > 0)
            tell(c, table, "only in the rebuilt one", b.key);
        else if (!span_equal(a.value, b.value))
            tell(c, table, "another value", a.key);
        if (order <= 0)
            ST_TRY(advance(&a, table));
        if (order >= 0)
            ST_TRY(advance(&b, table));
    }
    return ST_OK;
}

static enum status compare_all(struct check *c)
{
    enum status st = ST_OK;
    for (unsigned i = 0; i < SHELF_COUNT && st == ST_OK; i++) {
        struct store_txn *t;
        ST_TRY(store_begin(c->store, STORE_READ_ONLY, &t));
        st = compare_table(c, (enum shelf_table)i, store_shelf(t));
        store_abort(t);
    }
    return st;
}

static enum status check_copy(struct check *c)
{
    ST_TRY(open_both(c));
    ST_TRY(load_backup(c));
    ST_TRY(fold_all(c));
    return compare_all(c);
}

enum status rebuild_check(const char *folder, const char *from_backup,
                          struct rebuild_report *out, struct buf *told)
{
    struct check c = {.told = told, .from_backup = from_backup};
    ST_TRY(settings_open(folder, &c.settings, told));
    enum status st = copy_store(&c);
    if (st == ST_OK)
        st = check_copy(&c);
    close_both(&c);
    remove_copy(&c);
    settings_close(&c.settings);
    if (st == ST_NOTFOUND)
        buf_put_text(told, "parts of the log have expired: begin at a backup that is "
                           "younger than they, with --from\n");
    else if (st != ST_OK)
        buf_printf(told, "%s\n", status_text(st));
    *out = c.report;
    return st;
}

// --- The verb

static int run(void *program, const struct command_line *line)
{
    (void)program;
    struct rebuild_report r;
    struct buf told;
    if (!command_flag(line, "check")) {
        (void)fprintf(stderr, "kedge ctl rebuild: --check is all that it does\n");
        return COMMAND_USAGE_EXIT;
    }
    buf_init(&told, 65536);
    enum status st =
        rebuild_check(command_operand(line, 0), command_text(line, "from"), &r, &told);
    (void)fputs(buf_cstr(&told), stderr);
    buf_fini(&told);
    if (st != ST_OK)
        return 1;
    (void)printf("%s: %" PRIu64 " entries folded again, %" PRIu64
                 " keys compared, %" PRIu64 " differ\n",
                 r.differences ? "NOT THE SAME" : "the same", r.entries, r.keys,
                 r.differences);
    return r.differences ? 1 : 0;
}

int rebuild_main(int argc, char **argv)
{
    static const struct option_row options[] = {
        {"check", 0, VALUE_FLAG, NULL, "compare with what is stored, change nothing",
         NULL, NULL},
        {"from", 0, VALUE_TEXT, NULL, "begin at the state of this backup", NULL,
         "BACKUP"}};
    static const struct verb_row verb = {
        "", "DIR", "Folds the log from nothing and compares every byte.", run, options,
        2,  NULL};
    static const struct command command = {
        .program = "kedge ctl rebuild",
        .purpose = "Checks that a controller's state follows from its log.",
        .verb = &verb,
        .verbs = 1};
    return command_main(&command, NULL, argc, argv);
}
