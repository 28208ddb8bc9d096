// SPDX-License-Identifier: Apache-2.0
#include "controller/care.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "common/base/file.h"
#include "common/base/text.h"
#include "common/setup/command.h"
#include "common/sketch/profile.h"
#include "controller/backup_move.h"
#include "controller/hold.h"
#include "controller/log/blob.h"
#include "controller/log/keys.h"
#include "controller/log/ledger.h"

#define ROWS_AT_ONCE 256u // in one read transaction: no long reader
#define DAMAGE_TOLD 20u

struct check {
    struct store *store;
    struct profile *profile;
    struct care_report *r;
    struct buf *told;
};

static void tell(struct check *c, enum shelf_table table, struct span key,
                 const char *what)
{
    if (c->r->damaged++ >= DAMAGE_TOLD)
        return;
    buf_printf(c->told, "table %u: %s: ", (unsigned)table, what);
    text_put_hex(c->told, key);
    buf_put_text(c->told, "\n");
}

// --- Windows

static enum status check_features(struct check *c, const struct blob *b)
{
    struct span before = {0};
    for (uint32_t i = 0; i < b->features; i++) {
        struct blob_feature f;
        ST_TRY(blob_feature(b, i, &f));
        if (i > 0 && span_compare(before, f.name) >= 0)
            return ST_CORRUPT;
        before = f.name;
        ST_TRY(profile_decode(c->profile, f.profile));
    }
    return ST_OK;
}

static enum status check_blob(struct check *c, struct shelf *s, struct span value)
{
    struct blob b;
    struct span there;
    ST_TRY(blob_read(value, &b));
    if (b.kind != BLOB_SAME)
        return check_features(c, &b);
    enum status st = s->get(s->self, SHELF_WINDOW, b.payload, &there);
    c->r->stale += st == ST_NOTFOUND;
    return st == ST_NOTFOUND ? ST_OK : st;
}

static enum status check_row(struct check *c, struct shelf *s, enum shelf_table table,
                             struct span key, struct span value)
{
    c->r->entries[table]++;
    c->r->bytes[table] += key.size + value.size;
    if (table != SHELF_WINDOW)
        return ST_OK;
    enum status st = check_blob(c, s, value);
    if (st == ST_CORRUPT || st == ST_VERSION || st == ST_UNSUPPORTED)
        tell(c, table, key, "a window cannot be read");
    else if (st != ST_OK)
        return st;
    return ST_OK;
}

// --- Tables, a piece at a time

struct place {
    uint8_t bytes[SHELF_KEY_MAX + 1];
    size_t size;
};

static enum status check_piece(struct check *c, enum shelf_table table,
                               struct place *at)
{
    struct store_txn *t;
    ST_TRY(store_begin(c->store, STORE_READ_ONLY, &t));
    struct shelf *s = store_shelf(t);
    enum status st = ST_OK;
    for (uint32_t i = 0; i < ROWS_AT_ONCE && st == ST_OK; i++) {
        struct span key, value;
        st = s->seek(s->self, table, span_of(at->bytes, at->size), &key, &value);
        if (st != ST_OK)
            break;
        memcpy(at->bytes, key.data, key.size);
        at->bytes[key.size] = 0;
        at->size = key.size + 1;
        st = check_row(c, s, table, key, value);
    }
    store_abort(t);
    return st;
}

static enum status check_table(struct check *c, enum shelf_table table)
{
    struct place at = {.size = 1};
    enum status st = ST_OK;
    while (st == ST_OK)
        st = check_piece(c, table, &at);
    return st == ST_NOTFOUND ? ST_OK : st;
}

// --- The log: no gap, and every entry can be read or has expired

static enum status ignore(void *keep, const struct tape_entry *e)
{
    (void)keep;
    (void)e;
    return ST_OK;
}

static enum status check_log_piece(struct check *c, uint64_t *seq, uint64_t last)
{
    struct tape_reader none = {.entry = ignore};
    struct store_txn *t;
    ST_TRY(store_begin(c->store, STORE_READ_ONLY, &t));
    enum status st = ST_OK;
    for (uint32_t i = 0; i < ROWS_AT_ONCE && *seq < last && st == ST_OK; i++) {
        struct tape_pos after = {.seq = *seq};
        st = ledger_read(store_shelf(t), 0, &after, &none, 1);
        ++*seq;
        if (st == ST_NOTFOUND) { // or trimmed meanwhile, which is as well
            c->r->expired++;
            st = ST_OK;
        }
    }
    store_abort(t);
    if (st != ST_CORRUPT)
        return st;
    uint8_t key[12] = {0};
    store_be64(key + 4, *seq);
    tell(c, SHELF_LOG, span_of(key, sizeof key), "an entry cannot be read");
    return ST_OK;
}

static enum status check_log(struct check *c)
{
    struct store_txn *t;
    struct ledger_head h;
    ST_TRY(store_begin(c->store, STORE_READ_ONLY, &t));
    enum status st = ledger_head(store_shelf(t), 0, &h);
    store_abort(t);
    ST_TRY(st);
    c->r->log_first = h.oldest;
    c->r->log_last = h.last.seq;
    for (uint64_t seq = h.oldest - 1; seq < h.last.seq;)
        ST_TRY(check_log_piece(c, &seq, h.last.seq));
    return ST_OK;
}

static enum status check_all(struct check *c)
{
    struct profile_options o = {.kind = PROFILE_NUMERIC, .width = GRID_F64};
    ST_TRY(profile_open(&o, NULL, &c->profile));
    enum status st = ST_OK;
    for (unsigned i = 0; i < SHELF_COUNT && st == ST_OK; i++)
        st = check_table(c, (enum shelf_table)i);
    if (st == ST_OK)
        st = check_log(c);
    if (st == ST_OK)
        st = store_measure(c->store, &c->r->size);
    profile_close(c->profile);
    return st;
}

enum status care_check(const char *folder, struct care_report *out, struct buf *told)
{
    char path[PATH_MAX];
    struct check c = {.r = out, .told = told};
    *out = (struct care_report){0};
    ST_TRY(file_join(folder, "store", path, sizeof path));
    struct store_options o = {.folder = path, .access = STORE_READ_ONLY};
    enum status st = store_open(&o, &c.store);
    if (st == ST_OK)
        st = check_all(&c);
    store_close(c.store);
    if (st != ST_OK)
        buf_printf(told, "%s: %s\n", path, status_text(st));
    return st;
}

// --- Compacting

static enum status file_bytes(const char *folder, uint64_t *out)
{
    struct store_options o = {.folder = folder, .access = STORE_READ_ONLY};
    struct store *store;
    struct store_size z;
    ST_TRY(store_open(&o, &store));
    enum status st = store_measure(store, &z);
    store_close(store);
    *out = st == ST_OK ? z.file_bytes : 0;
    return st;
}

static enum status copy_compact(const char *there, const char *fresh)
{
    struct store_options o = {.folder = there, .access = STORE_READ_ONLY};
    struct store *store;
    ST_TRY(store_open(&o, &store));
    enum status st = store_copy_to(store, fresh, STORE_COPY_COMPACT);
    store_close(store);
    return st;
}

static enum status compact_held(const char *folder, uint64_t *before, uint64_t *after)
{
    char there[PATH_MAX], fresh[PATH_MAX], aside[PATH_MAX];
    ST_TRY(file_join(folder, "store", there, sizeof there));
    ST_TRY(file_join(folder, "store.compact", fresh, sizeof fresh));
    move_remove(fresh); // of a try that was cut short
    enum status st = file_bytes(there, before);
    if (st == ST_OK)
        st = copy_compact(there, fresh);
    if (st == ST_OK)
        st = file_bytes(fresh, after);
    if (st == ST_OK)
        st = move_swap(fresh, there, aside, sizeof aside);
    if (st != ST_OK) {
        move_remove(fresh);
        return st;
    }
    move_remove(aside); // every byte of it stands in the new one
    return ST_OK;
}

enum status care_compact(const char *folder, uint64_t *before, uint64_t *after,
                         struct buf *told)
{
    int hold = -1;
    enum status st = hold_open(folder, &hold);
    if (st == ST_OK)
        st = compact_held(folder, before, after);
    hold_close(hold);
    if (st == ST_CONFLICT)
        buf_printf(told, "%s: its controller runs; stop it first\n", folder);
    else if (st != ST_OK)
        buf_printf(told, "%s: %s\n", folder, status_text(st));
    return st;
}

// --- The verbs

static int run_check(void *program, const struct command_line *line)
{
    static const char *const names[SHELF_COUNT] = {
        "meta",   "log",   "windows", "state", "catalog",   "agents",
        "alerts", "plans", "events",  "audit", "components"};
    (void)program;
    struct care_report r;
    struct buf told;
    buf_init(&told, 65536);
    enum status st = care_check(command_operand(line, 0), &r, &told);
    (void)fputs(buf_cstr(&told), stderr);
    buf_fini(&told);
    if (st != ST_OK)
        return 1;
    for (unsigned i = 0; i < SHELF_COUNT; i++)
        (void)printf("%-11s %10" PRIu64 " entries %14" PRIu64 " bytes\n", names[i],
                     r.entries[i], r.bytes[i]);
    (void)printf("log %" PRIu64 "..%" PRIu64 ", %" PRIu64
                 " expired with their windows\nfile %" PRIu64 " bytes, %" PRIu64
                 " of them in use\n%s: %" PRIu64 " values cannot be read\n",
                 r.log_first, r.log_last, r.expired, r.size.file_bytes,
                 r.size.used_bytes, r.damaged ? "DAMAGED" : "fine", r.damaged);
    return r.damaged ? 1 : 0;
}

static int run_compact(void *program, const struct command_line *line)
{
    (void)program;
    uint64_t before, after;
    struct buf told;
    buf_init(&told, 8192);
    enum status st = care_compact(command_operand(line, 0), &before, &after, &told);
    (void)fputs(buf_cstr(&told), stderr);
    buf_fini(&told);
    if (st != ST_OK)
        return st == ST_CONFLICT ? 6 : 1;
    (void)printf("%s: %" PRIu64 " bytes before, %" PRIu64 " now\n",
                 command_operand(line, 0), before, after);
    return 0;
}

static int run_one(const char *program, const char *purpose,
                   int (*run)(void *, const struct command_line *), int argc,
                   char **argv)
{
    const struct verb_row verb = {"", "DIR", purpose, run, NULL, 0, NULL};
    const struct command command = {
        .program = program, .purpose = purpose, .verb = &verb, .verbs = 1};
    return command_main(&command, NULL, argc, argv);
}

int check_main(int argc, char **argv)
{
    return run_one("kedge ctl check",
                   "Reads every byte of the store of DIR, a controller or a backup.",
                   run_check, argc, argv);
}

int compact_main(int argc, char **argv)
{
    return run_one("kedge ctl compact",
                   "Writes the store of the stopped controller in DIR without holes.",
                   run_compact, argc, argv);
}
