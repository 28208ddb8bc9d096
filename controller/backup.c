// SPDX-License-Identifier: Apache-2.0
#include "controller/backup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/text.h"
#include "common/setup/command.h"
#include "common/trust/digest.h"
#include "controller/backup_move.h"
#include "controller/hold.h"
#include "controller/log/entry.h"
#include "controller/log/keys.h"
#include "controller/log/ledger.h"
#include "controller/rooms.h"
#include "controller/settings.h"
#include "controller/store/embedded.h"

#define NOTE_BYTES_MAX 4096u

// --- What a backup says of itself

struct note {
    uint8_t fleet[16], digest[DIGEST_BYTES];
    struct ledger_head head;
    uint64_t bytes, taken_ns;
};

static enum status read_store(const char *folder, struct note *n)
{
    struct store_options o = {.folder = folder, .access = STORE_READ_ONLY};
    struct store *store;
    struct store_txn *t;
    struct shelf_key key = key_meta("fleet");
    struct span v;
    ST_TRY(store_open(&o, &store));
    enum status st = store_begin(store, STORE_READ_ONLY, &t);
    if (st == ST_OK) {
        st = ledger_head(store_shelf(t), 0, &n->head);
        if (st == ST_OK)
            st = shelf_get(store_shelf(t), SHELF_META, &key, &v);
        if (st == ST_OK && v.size != sizeof n->fleet)
            st = ST_CORRUPT;
        if (st == ST_OK)
            memcpy(n->fleet, v.data, sizeof n->fleet);
        store_abort(t);
    }
    store_close(store);
    return st;
}

static enum status write_note(const char *backup, struct note *n)
{
    char path[PATH_MAX];
    struct stat s;
    struct buf b;
    ST_TRY(file_join(backup, "store", path, sizeof path));
    ST_TRY(read_store(path, n));
    ST_TRY(file_join(backup, "store/data.mdb", path, sizeof path));
    ST_TRY(digest_of_file(path, n->digest));
    if (stat(path, &s) != 0)
        return ST_IO;
    n->bytes = (uint64_t)s.st_size;
    buf_init(&b, NOTE_BYTES_MAX);
    buf_put_text(&b, "# A backup of a Kedge controller; put it back with: kedge ctl "
                     "restore BACKUP DIR\nfleet = ");
    text_put_hex(&b, span_of(n->fleet, sizeof n->fleet));
    buf_put_text(&b, "\ntaken = ");
    text_put_time(&b, n->taken_ns);
    buf_printf(&b, "\nentries = %" PRIu64 "\ngeneration = %" PRIu64 "\nsha256 = ",
               n->head.last.seq, n->head.last.generation);
    text_put_hex(&b, span_of(n->digest, sizeof n->digest));
    buf_put_text(&b, "\n");
    enum status st = b.failed;
    if (st == ST_OK)
        st = file_join(backup, "backup", path, sizeof path);
    if (st == ST_OK)
        st = file_create(path, buf_span(&b), FILE_PRIVATE);
    buf_fini(&b);
    return st;
}

// The digest that the note claims.
static enum status read_note(const char *backup, uint8_t digest[DIGEST_BYTES])
{
    static const char word[] = "\nsha256 = ";
    char path[PATH_MAX];
    struct buf b;
    ST_TRY(file_join(backup, "backup", path, sizeof path));
    buf_init(&b, NOTE_BYTES_MAX);
    enum status st = file_read(path, &b);
    const char *at = st == ST_OK ? strstr(buf_cstr(&b), word) : NULL;
    if (st == ST_OK)
        st = at && strlen(at) >= sizeof word - 1 + 2 * DIGEST_BYTES
                 ? text_hex(
                       span_of((const uint8_t *)at + sizeof word - 1, 2 * DIGEST_BYTES),
                       digest, DIGEST_BYTES)
                 : ST_CORRUPT;
    buf_fini(&b);
    return st;
}

static enum status check_note(const char *backup)
{
    char path[PATH_MAX];
    uint8_t claimed[DIGEST_BYTES], found[DIGEST_BYTES];
    ST_TRY(read_note(backup, claimed));
    ST_TRY(file_join(backup, "store/data.mdb", path, sizeof path));
    ST_TRY(digest_of_file(path, found));
    return memcmp(claimed, found, sizeof found) == 0 ? ST_OK : ST_CORRUPT;
}

// --- Making one

static enum status fill(const char *folder, const char *part, enum store_copy how,
                        enum backup_keys keys, struct note *n)
{
    char from[PATH_MAX], to[PATH_MAX];
    struct store *store;
    ST_TRY(file_make_folder(part, 0700));
    ST_TRY(file_join(folder, "store", from, sizeof from));
    ST_TRY(file_join(part, "store", to, sizeof to));
    struct store_options o = {.folder = from, .access = STORE_READ_ONLY};
    ST_TRY(store_open(&o, &store));
    n->taken_ns = clock_wall_ns();
    enum status st = store_copy_to(store, to, how);
    store_close(store);
    ST_TRY(st);
    if (keys == BACKUP_WITH_KEYS)
        ST_TRY(move_copy_keys(folder, part));
    return write_note(part, n);
}

enum status backup_make(const char *folder, const char *to, enum store_copy how,
                        enum backup_keys keys, struct backup_report *out,
                        struct buf *told)
{
    char part[PATH_MAX];
    struct note n = {0};
    int size = snprintf(part, sizeof part, "%s.part", to);
    if (size < 0 || (size_t)size >= sizeof part)
        return ST_RANGE;
    if (access(to, F_OK) == 0 || access(part, F_OK) == 0) {
        buf_printf(told, "%s: it is there already\n", access(to, F_OK) ? part : to);
        return ST_EXISTS;
    }
    enum status st = fill(folder, part, how, keys, &n);
    if (st == ST_OK)
        st = rename(part, to) == 0 ? file_sync_folder_of(to) : ST_IO;
    if (st != ST_OK) {
        buf_printf(told, "%s: %s\n", to, status_text(st));
        move_remove(part);
        return st;
    }
    *out = (struct backup_report){
        .bytes = n.bytes, .seq = n.head.last.seq, .generation = n.head.last.generation};
    return ST_OK;
}

// --- Putting it back

struct restoring {
    const char *from, *folder;
    struct settings settings;
    char fresh[PATH_MAX]; // the store that is being made
    struct backup_report *out;
    struct buf *told;
    enum status st;
};

static void note_outcome(void *keep, enum status st, struct tape_pos last)
{
    struct restoring *r = keep;
    r->st = st;
    r->out->seq = last.seq;
    r->out->generation = last.generation;
}

// The first entry of the new life. Its generation is the time in seconds: above that of
// every life before, whichever backup it came from.
static enum status append_restored(struct restoring *r, struct store *store,
                                   struct rooms *rooms, uint64_t generation)
{
    struct tape_options o = {
        .fold = &rooms->tape_fold, .store = store, .partitions = 1};
    struct entry_command c = {.verb = span_text("fleet.restored"),
                              .actor = span_text("system"),
                              .role = span_text("system")};
    uint64_t now = clock_wall_ns();
    struct tape *tape;
    struct buf body;
    ST_TRY(tape_embedded.open(&o, &tape));
    buf_init(&body, 4096);
    entry_put_command(&body, &c);
    uint64_t by_time = now / NS_PER_S;
    struct tape_entry e = {.kind = TAPE_COMMAND, .at_ns = now, .body = buf_span(&body)};
    struct tape_append a = {.expect = TAPE_ANY,
                            .generation =
                                by_time > generation ? by_time : generation + 1,
                            .entry = &e,
                            .entries = 1};
    r->st = ST_UNKNOWN;
    enum status st = tape_embedded.append(tape, &a, note_outcome, r);
    buf_fini(&body);
    tape_embedded.close(tape);
    return st == ST_OK ? r->st : st;
}

static enum status begin_life(struct restoring *r, uint64_t generation)
{
    struct store_options o = {.folder = r->fresh};
    struct effects *effects = NULL;
    struct rooms rooms = {0};
    struct store *store;
    ST_TRY(store_open(&o, &store));
    enum status st = effects_open(&effects);
    if (st == ST_OK)
        st = rooms_open(&rooms, &r->settings.file, effects);
    if (st == ST_OK)
        st = append_restored(r, store, &rooms, generation);
    rooms_close(&rooms);
    effects_close(effects);
    store_close(store);
    return st;
}

static enum status prepare(struct restoring *r, struct note *n)
{
    char from[PATH_MAX];
    ST_TRY(file_join(r->from, "store", from, sizeof from));
    ST_TRY(settings_path(&r->settings, "store.restoring", r->fresh));
    move_remove(r->fresh); // of a try that was cut short
    ST_TRY(file_make_folder(r->fresh, 0700));
    ST_TRY(move_copy_file(from, r->fresh, "data.mdb"));
    ST_TRY(read_store(r->fresh, n));
    if (memcmp(n->fleet, r->settings.fleet, sizeof n->fleet) != 0) {
        buf_printf(r->told, "%s: it is of another fleet than %s\n", r->from, r->folder);
        return ST_CONFLICT;
    }
    return begin_life(r, n->head.last.generation);
}

static enum status restore_held(struct restoring *r)
{
    struct note n = {0};
    char store[PATH_MAX];
    enum status st = prepare(r, &n);
    if (st == ST_OK)
        st = settings_path(&r->settings, "store", store);
    if (st == ST_OK)
        st = move_swap(r->fresh, store, r->out->aside, sizeof r->out->aside);
    if (st != ST_OK)
        move_remove(r->fresh);
    return st;
}

static enum status restore_into(struct restoring *r)
{
    int hold = -1;
    ST_TRY(settings_open(r->folder, &r->settings, r->told));
    enum status st = hold_open(r->folder, &hold);
    if (st == ST_CONFLICT)
        buf_printf(r->told, "%s: its controller runs; stop it first\n", r->folder);
    if (st == ST_OK)
        st = restore_held(r);
    hold_close(hold);
    settings_close(&r->settings);
    return st;
}

enum status backup_restore(const char *from, const char *folder,
                           struct backup_report *out, struct buf *told)
{
    struct restoring r = {.from = from, .folder = folder, .out = out, .told = told};
    char conf[PATH_MAX];
    *out = (struct backup_report){0};
    enum status st = check_note(from);
    if (st == ST_OK)
        st = file_join(folder, "controller.conf", conf, sizeof conf);
    if (st == ST_OK && access(conf, F_OK) != 0) {
        st = file_make_folder(folder, 0700);
        if (st == ST_OK)
            st = move_copy_keys(from, folder);
    }
    if (st == ST_OK)
        st = restore_into(&r);
    if (st != ST_OK && told->size == 0)
        buf_printf(told, "%s: %s\n", from,
                   st == ST_CORRUPT ? "not a backup, or not what was backed up"
                                    : status_text(st));
    return st;
}

// --- The verbs

static int run_backup(void *program, const struct command_line *line)
{
    (void)program;
    struct backup_report r;
    struct buf told;
    buf_init(&told, 8192);
    uint64_t began = clock_mono_ns();
    enum status st = backup_make(
        command_operand(line, 0), command_operand(line, 1),
        command_flag(line, "compact") ? STORE_COPY_COMPACT : STORE_COPY_PLAIN,
        command_flag(line, "with-keys") ? BACKUP_WITH_KEYS : BACKUP_WITHOUT_KEYS, &r,
        &told);
    (void)fputs(buf_cstr(&told), stderr);
    buf_fini(&told);
    if (st != ST_OK)
        return st == ST_EXISTS ? 6 : 1;
    (void)printf("%s: %" PRIu64 " bytes, the log up to entry %" PRIu64 ", in %.1f s\n",
                 command_operand(line, 1), r.bytes, r.seq,
                 (double)(clock_mono_ns() - began) * 1e-9);
    return 0;
}

static int run_restore(void *program, const struct command_line *line)
{
    (void)program;
    struct backup_report r;
    struct buf told;
    const char *folder = command_operand(line, 1);
    buf_init(&told, 8192);
    enum status st = backup_restore(command_operand(line, 0), folder, &r, &told);
    (void)fputs(buf_cstr(&told), stderr);
    buf_fini(&told);
    if (st != ST_OK)
        return st == ST_CONFLICT ? 6 : 1;
    (void)printf("%s: restored up to entry %" PRIu64 "; generation %" PRIu64 "\n",
                 folder, r.seq - 1, r.generation);
    if (r.aside[0])
        (void)printf("the store that was there lies in %s\n", r.aside);
    (void)printf("plans that were under way are ended, and automation is stopped.\n"
                 "look first:  kedge fleet status; kedge rollback status\n"
                 "then:        kedge rollback resume\n");
    return 0;
}

int backup_main(int argc, char **argv)
{
    static const struct option_row options[] = {
        {"compact", 0, VALUE_FLAG, NULL, "leave free pages out: smaller, and slower",
         NULL, NULL},
        {"with-keys", 0, VALUE_FLAG, NULL,
         "the configuration and all secret keys too: guard it as you guard them", NULL,
         NULL}};
    static const struct verb_row verb = {
        "",
        "DIR TO",
        "Copies the store of the controller in DIR to the new folder TO.",
        run_backup,
        options,
        2,
        NULL};
    static const struct command command = {.program = "kedge ctl backup",
                                           .purpose =
                                               "A backup, while the controller works.",
                                           .verb = &verb,
                                           .verbs = 1};
    return command_main(&command, NULL, argc, argv);
}

int restore_main(int argc, char **argv)
{
    static const struct verb_row verb = {
        "",          "BACKUP DIR", "Puts BACKUP in place of the store of DIR.",
        run_restore, NULL,         0,
        NULL};
    static const struct command command = {
        .program = "kedge ctl restore",
        .purpose = "Goes back to a backup. No order that was given since, or was under "
                   "way, is ever sent again.",
        .verb = &verb,
        .verbs = 1};
    return command_main(&command, NULL, argc, argv);
}
