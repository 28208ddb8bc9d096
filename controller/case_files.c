// Case files: which files belong to a recorded incident, and their texts.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/case_files.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/file.h"

#define BESIDE_MAX 4096 // files looked at in the folder of a case

static enum status read_one(const char *path, struct buf *b, struct span *out,
                            char *why)
{
    enum status st = file_read(path, b);
    if (st != ST_OK)
        (void)snprintf(why, CASE_WHY, "%.180s: %s", path, status_text(st));
    else
        *out = buf_span(b);
    return st;
}

static bool ends_in(const char *text, const char *tail)
{
    size_t n = strlen(text), m = strlen(tail);
    return n >= m && strcmp(text + n - m, tail) == 0;
}

// The folder of a path, "." when it has none.
static void folder_of(const char *path, char out[PATH_MAX])
{
    const char *slash = strrchr(path, '/');
    size_t n = slash ? (size_t)(slash - path) : 1;
    (void)snprintf(out, PATH_MAX, "%.*s", (int)(n ? n : 1), slash ? path : ".");
}

// --- Beside the case

struct beside {
    char folder[PATH_MAX];
    char stem[256]; // of the case's file, cut shorter while nothing fits
    struct case_names *out;
};

static bool is_there(const char *folder, const char *name)
{
    char path[PATH_MAX];
    return file_join(folder, name, path, sizeof path) == ST_OK &&
           access(path, R_OK) == 0;
}

static void note(char out[512], const char *folder, const char *name)
{
    (void)snprintf(out, 512, "%.240s/%.240s", folder, name);
}

static bool try_whole(struct beside *b, const char *signals, const char *lineage,
                      const char *events)
{
    if (!is_there(b->folder, signals))
        return false;
    note(b->out->signals[b->out->signal_files++], b->folder, signals);
    if (!b->out->lineage[0] && is_there(b->folder, lineage))
        note(b->out->lineage, b->folder, lineage);
    if (!b->out->events[0] && is_there(b->folder, events))
        note(b->out->events, b->folder, events);
    return true;
}

// Does a .csv hold signals of its own, which no other case in the folder names?
static bool is_loose(const struct beside *b, const char *name)
{
    char twin[300];
    if (!ends_in(name, ".csv") || strlen(name) > 255 ||
        strncmp(name, b->stem, strlen(b->stem)) != 0)
        return false;
    (void)snprintf(twin, sizeof twin, "%.*s.json", (int)strlen(name) - 4, name);
    return !ends_in(name, "-lineage.csv") && !ends_in(name, "-events.csv") &&
           !ends_in(name, "-baseline.csv") && !is_there(b->folder, twin);
}

// The only loose file whose name begins as the case's does; false when there are more.
static bool find_loose(const struct beside *b, char out[256])
{
    DIR *d = opendir(b->folder);
    int found = 0;
    for (int i = 0; d && i < BESIDE_MAX; i++) {
        const struct dirent *e = readdir(d);
        if (!e)
            break;
        if (is_loose(b, e->d_name)) {
            (void)snprintf(out, 256, "%s", e->d_name);
            found++;
        }
    }
    if (d)
        (void)closedir(d);
    return found == 1;
}

static bool note_part(const struct beside *b, const char *part, char out[512])
{
    char name[300];
    (void)snprintf(name, sizeof name, "%s-%s.csv", b->stem, part);
    if (out[0] || !is_there(b->folder, name))
        return false;
    note(out, b->folder, name);
    return true;
}

// Shortens "ps-low-train-0" to "ps-low-train".
static bool shorten(struct beside *b)
{
    char *dash = strrchr(b->stem, '-');
    if (!dash || dash == b->stem)
        return false;
    *dash = '\0';
    return true;
}

static void look_beside(const char *question, struct case_names *out)
{
    struct beside b = {.out = out};
    char own[300], loose[256], baseline[512] = "";
    const char *slash = strrchr(question, '/');
    folder_of(question, b.folder);
    (void)snprintf(b.stem, sizeof b.stem, "%.250s", slash ? slash + 1 : question);
    if (ends_in(b.stem, ".json"))
        b.stem[strlen(b.stem) - 5] = '\0';
    (void)snprintf(own, sizeof own, "%s.csv", b.stem);
    bool has_signals = is_there(b.folder, own);
    do {
        (void)note_part(&b, "baseline", baseline);
        (void)note_part(&b, "lineage", out->lineage);
        (void)note_part(&b, "events", out->events);
        if (!has_signals && !out->signal_files && find_loose(&b, loose))
            note(out->signals[out->signal_files++], b.folder, loose);
    } while (shorten(&b));
    if (!has_signals)
        return;
    if (baseline[0])
        memcpy(out->signals[out->signal_files++], baseline, sizeof baseline);
    note(out->signals[out->signal_files++], b.folder, own);
}

// --- All sources of names

// Names in a manifest or a case are meant from the folder of that file.
static void move_into(const char *base, struct case_names *n)
{
    char folder[PATH_MAX], old[512];
    folder_of(base, folder);
    char *each[CASE_SIGNAL_FILES + 2] = {n->lineage, n->events};
    for (uint32_t i = 0; i < n->signal_files; i++)
        each[i + 2] = n->signals[i];
    for (uint32_t i = 0; i < n->signal_files + 2; i++) {
        if (!each[i][0] || each[i][0] == '/')
            continue;
        memcpy(old, each[i], sizeof old);
        note(each[i], folder, old);
    }
}

static enum status listed(const struct case_request *q, struct case_names *out,
                          char *why)
{
    struct buf b;
    struct span text;
    buf_init(&b, CASE_TEXT_MAX);
    enum status st = read_one(q->manifest, &b, &text, why);
    if (st == ST_OK) {
        st = case_names_listed(text, q->question, out);
        if (st != ST_OK)
            (void)snprintf(why, CASE_WHY, "%.150s: %s", q->manifest,
                           st == ST_NOTFOUND ? "does not list this case"
                                             : "no list of cases");
    }
    buf_fini(&b);
    move_into(q->manifest, out);
    return st;
}

static enum status names_of(const struct case_request *q, struct span question,
                            struct case_names *out, char *why)
{
    *out = (struct case_names){0};
    if (q->signal_files)
        return ST_OK; // all is said on the command line
    if (q->manifest)
        return listed(q, out, why);
    if (case_names_own(question, out) != ST_OK)
        *out = (struct case_names){0}; // the reader of the case says what is wrong
    move_into(q->question, out);
    if (out->signal_files)
        return ST_OK;
    struct beside b = {.out = out};
    folder_of(q->question, b.folder);
    if (ends_in(q->question, "case.json") &&
        try_whole(&b, "signals.csv", "lineage.csv", "events.csv"))
        return ST_OK;
    look_beside(q->question, out);
    return ST_OK;
}

static enum status read_all(const struct case_request *q, const struct case_names *n,
                            struct case_files *out, char *why)
{
    uint32_t count = q->signal_files ? q->signal_files : n->signal_files;
    const char *lineage = q->lineage ? q->lineage : n->lineage;
    const char *events = q->events ? q->events : n->events;
    if (count == 0) {
        (void)snprintf(why, CASE_WHY, "no signals: say --signals FILE");
        return ST_NOTFOUND;
    }
    for (uint32_t i = 0; i < count; i++) {
        const char *path = q->signal_files ? q->signals[i] : n->signals[i];
        ST_TRY(read_one(path, &out->signals[i], &out->texts.signals[i], why));
        out->texts.signal_files++;
    }
    if (lineage[0])
        ST_TRY(read_one(lineage, &out->lineage, &out->texts.lineage, why));
    if (events[0])
        ST_TRY(read_one(events, &out->events, &out->texts.events, why));
    return ST_OK;
}

enum status case_files_read(const struct case_request *q, struct case_files *out,
                            char *why)
{
    struct case_names names;
    *out = (struct case_files){.texts = {.signal_files = 0}};
    buf_init(&out->question, CASE_TEXT_MAX);
    buf_init(&out->lineage, CASE_TEXT_MAX);
    buf_init(&out->events, CASE_TEXT_MAX);
    for (uint32_t i = 0; i < CASE_SIGNAL_FILES; i++)
        buf_init(&out->signals[i], CASE_TEXT_MAX);
    enum status st = read_one(q->question, &out->question, &out->texts.question, why);
    if (st == ST_OK)
        st = names_of(q, out->texts.question, &names, why);
    if (st == ST_OK)
        st = read_all(q, &names, out, why);
    if (st != ST_OK)
        case_files_fini(out);
    return st;
}

void case_files_fini(struct case_files *f)
{
    buf_fini(&f->question);
    buf_fini(&f->lineage);
    buf_fini(&f->events);
    for (uint32_t i = 0; i < CASE_SIGNAL_FILES; i++)
        buf_fini(&f->signals[i]);
}
