// Recorded: short read transactions, one after the other; a walk goes on where the last
// one ended.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/recorded.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "controller/cli/cli.h"
#include "controller/cli/render.h"
#include "controller/cli/talk.h"
#include "controller/fold/panel.h"
#include "controller/log/blob.h"
#include "controller/log/keys.h"
#include "controller/log/names.h"
#include "controller/log/records.h"
#include "controller/store/store.h"

#define POOL_BYTES (8u << 20)
#define NAME_BYTES 1024u
#define OUT_MAX (64u << 20)

struct recorded {
    struct settings settings;
    bool has_settings;
    struct store *store;
    uint8_t *memory;
    struct pool pool;
    struct panel panel;
    struct drift_feature feature[JUDGED_FEATURES_MAX];
};

const struct option_row recorded_options[RECORDED_OPTIONS] = {
    {"dir", 0, VALUE_TEXT, NULL, "folder of the controller; else the one of kedge.conf",
     NULL, "DIR"},
    {"config", 0, VALUE_TEXT, NULL, "kedge.conf; else $KEDGE_CONFIG", NULL, "FILE"},
    {"output", 'o', VALUE_TEXT, NULL, "table, json, csv or name", "table|json|csv|name",
     "FORM"},
};

bool recorded_folder(const struct command_line *line, char out[PATH_MAX])
{
    const char *text = command_text(line, "dir");
    bool is_file = !text;
    if (is_file)
        text = command_text(line, "config");
    if (!text)
        text = getenv("KEDGE_CONFIG");
    if (!text || !text[0] || strlen(text) >= PATH_MAX)
        return false;
    strcpy(out, text);
    char *slash = is_file ? strrchr(out, '/') : NULL;
    if (is_file && !slash)
        strcpy(out, ".");
    else if (slash)
        *slash = '\0';
    return true;
}

enum status recorded_open(const char *folder, struct recorded **out, struct buf *why)
{
    char path[PATH_MAX];
    struct recorded *r = MEM_NEW(struct recorded);
    if (!r)
        return ST_NOMEM;
    enum status st = settings_open(folder, &r->settings, why);
    r->has_settings = st == ST_OK;
    r->memory = mem_zero(1, POOL_BYTES);
    if (st == ST_OK && !r->memory)
        st = ST_NOMEM;
    if (st == ST_OK)
        st = settings_path(&r->settings, "store", path);
    if (st == ST_OK) {
        struct store_options o = {.folder = path, .access = STORE_READ_ONLY};
        pool_init(&r->pool, r->memory, POOL_BYTES);
        st = store_open(&o, &r->store);
    }
    if (st != ST_OK) {
        recorded_close(r);
        return st;
    }
    *out = r;
    return ST_OK;
}

void recorded_close(struct recorded *r)
{
    if (!r)
        return;
    store_close(r->store);
    if (r->has_settings)
        settings_close(&r->settings);
    panel_fini(&r->panel);
    mem_free(r->memory);
    mem_free(r);
}

const struct settings *recorded_settings(const struct recorded *r)
{
    return &r->settings;
}

struct store *recorded_store(const struct recorded *r)
{
    return r->store;
}

// --- A verb

static int print(const struct command_line *line, const struct buf *json,
                 const struct render_view *view)
{
    struct buf out;
    buf_init(&out, OUT_MAX);
    enum status st = render_answer(buf_span(json), talk_form(line), view, &out);
    if (st == ST_OK)
        (void)fwrite(out.data, 1, out.size, stdout);
    else
        talk_complain("the answer cannot be shown: %s", status_text(st));
    buf_fini(&out);
    return st == ST_OK ? CLI_FINE : CLI_PARTIAL;
}

static int exit_of(enum status st)
{
    return st == ST_OK         ? CLI_FINE
           : st == ST_RANGE    ? CLI_USAGE
           : st == ST_NOTFOUND ? CLI_NOT_FOUND
                               : CLI_UNREACHABLE;
}

int recorded_show(const struct command_line *line, recorded_answer *answer, void *self,
                  const struct render_view *view)
{
    char folder[PATH_MAX];
    struct buf json, why;
    if (!recorded_folder(line, folder)) {
        talk_complain("this reads a controller's store: name its folder by --dir");
        return CLI_USAGE;
    }
    buf_init(&json, OUT_MAX);
    buf_init(&why, 4096);
    enum status st = answer(self, line, folder, &json, &why);
    if (st != ST_OK)
        talk_complain("%s", why.size ? buf_cstr(&why) : status_text(st));
    int code = st == ST_OK ? print(line, &json, view) : exit_of(st);
    buf_fini(&json);
    buf_fini(&why);
    return code;
}

// --- Walking in pieces

// Called with the walk at a key; the value is lent for the call. ST_CLOSED ends the
// walk.
typedef enum status each_key(struct recorded *r, const struct shelf_walk *w,
                             struct span value, void *with);

// One transaction's worth. ST_EMPTY: there is no more.
static enum status walk_piece(struct recorded *r, struct shelf_walk *w, each_key *each,
                              void *with)
{
    struct store_txn *t;
    struct span value;
    ST_TRY(store_begin(r->store, STORE_READ_ONLY, &t));
    w->shelf = store_shelf(t);
    enum status st = ST_OK;
    for (uint32_t n = 0; n < RECORDED_CHUNK && st == ST_OK; n++) {
        st = shelf_walk_next(w, NULL, &value);
        pool_clear(&r->pool);
        if (st == ST_OK)
            st = each(r, w, value, with);
    }
    store_abort(t);
    return st;
}

static enum status walk_all(struct recorded *r, enum shelf_table table,
                            const struct shelf_key *prefix, each_key *each, void *with)
{
    struct shelf_walk w;
    enum status st;
    shelf_walk_init(&w, NULL, table, prefix);
    if (prefix->size == 0)
        w.at = (struct shelf_key){.size = 1};
    do
        st = walk_piece(r, &w, each, with);
    while (st == ST_OK);
    return st == ST_EMPTY || st == ST_CLOSED ? ST_OK : st;
}

// --- Versions

static void copy_name(const struct buf *from, char out[RECORDED_NAME_MAX + 1])
{
    size_t size = from->size < RECORDED_NAME_MAX ? from->size : RECORDED_NAME_MAX;
    if (size)
        memcpy(out, from->data, size);
    out[size] = '\0';
}

static enum status read_names(struct shelf *s, struct recorded_version *v)
{
    struct buf name;
    buf_init(&name, NAME_BYTES);
    enum status st = names_of_model(s, v->model_no, &name);
    if (st == ST_OK) {
        copy_name(&name, v->model);
        buf_clear(&name);
        st = names_of_version(s, v->model_no, v->version_no, &name);
    }
    if (st == ST_OK)
        copy_name(&name, v->version);
    buf_fini(&name);
    return st;
}

static enum status read_version(struct recorded *r, struct shelf_walk *w,
                                struct recorded_version *v)
{
    struct span value;
    struct record_baseline record;
    ST_TRY(shelf_walk_next(w, NULL, &value));
    if (w->at.size != 1 + 4 + 4)
        return ST_CORRUPT;
    *v = (struct recorded_version){.model_no = load_be32(w->at.bytes + 1),
                                   .version_no = load_be32(w->at.bytes + 5)};
    pool_clear(&r->pool);
    ST_TRY(records_read(value, &record_baseline_message, &r->pool, &record));
    v->sealed_ns = record.created;
    ST_TRY(read_names(w->shelf, v));
    return baseline_decode(record.sealed, &v->baseline);
}

// `each` may take long and reads by itself, so no transaction is open meanwhile.
enum status recorded_versions(struct recorded *r, recorded_each_version *each,
                              void *self)
{
    struct shelf_key prefix = key_baselines();
    struct shelf_walk w;
    enum status st = ST_OK;
    shelf_walk_init(&w, NULL, SHELF_CATALOG, &prefix);
    while (st == ST_OK) {
        struct recorded_version v;
        struct store_txn *t;
        ST_TRY(store_begin(r->store, STORE_READ_ONLY, &t));
        w.shelf = store_shelf(t);
        st = read_version(r, &w, &v);
        store_abort(t);
        if (st != ST_OK)
            break;
        st = each(self, &v);
        baseline_close(v.baseline);
    }
    return st == ST_EMPTY || st == ST_CLOSED ? ST_OK : st;
}

// --- Windows

struct window_walk {
    uint64_t from_ns, to_ns;
    recorded_each_window *each;
    void *self;
};

static enum status show(struct recorded *r, const struct window *window,
                        const struct window_walk *walk)
{
    ST_TRY(panel_fill(&r->panel, window));
    for (uint32_t i = 0; i < r->panel.features; i++) {
        const struct judged_feature *f = &r->panel.feature[i];
        r->feature[i] = (struct drift_feature){
            .name = f->name, .role = f->role, .kind = f->kind, .profile = f->profile};
    }
    const struct drift_window w = {.start = window->start,
                                   .end = window->end,
                                   .features = r->panel.features,
                                   .feature = r->feature};
    return walk->each(walk->self, &w);
}

static enum status take_window(struct recorded *r, const struct shelf_walk *w,
                               struct span value, void *with)
{
    const struct window_walk *walk = with;
    struct blob blob;
    struct span message;
    struct window window;
    ST_TRY(blob_read(value, &blob));
    if (blob.kind == BLOB_SAME) {
        enum status st = blob_get(w->shelf, &w->at, &blob);
        if (st == ST_NOTFOUND) // the report itself has expired
            return ST_OK;
        ST_TRY(st);
    }
    if (blob.end <= walk->from_ns)
        return ST_OK;
    if (blob.end > walk->to_ns)
        return ST_CLOSED;
    ST_TRY(blob_message(&blob, &message));
    ST_TRY(message_decode(&window_message, message, &r->pool, &window));
    return window.features ? show(r, &window, walk) : ST_OK;
}

enum status recorded_windows(struct recorded *r, const struct recorded_version *v,
                             uint64_t from_ns, uint64_t to_ns,
                             recorded_each_window *each, void *self)
{
    struct store_txn *t;
    uint32_t series;
    ST_TRY(store_begin(r->store, STORE_READ_ONLY, &t));
    enum status st =
        names_series(store_shelf(t), v->model_no, v->version_no, NULL, &series);
    store_abort(t);
    if (st == ST_NOTFOUND) // it never reported anything
        return ST_OK;
    ST_TRY(st);
    struct shelf_key prefix = key_window_series(series, KEY_RAW);
    struct window_walk with = {from_ns, to_ns, each, self};
    return walk_all(r, SHELF_WINDOW, &prefix, take_window, &with);
}

// --- Alerts and events

struct record_walk {
    recorded_each_alert *alert;
    recorded_each_event *event;
    void *self;
};

static enum status take_alert(struct recorded *r, const struct shelf_walk *w,
                              struct span value, void *with)
{
    const struct record_walk *walk = with;
    struct record_alert a;
    (void)w;
    ST_TRY(records_read(value, &record_alert_message, &r->pool, &a));
    return walk->alert(walk->self, &a);
}

enum status recorded_alerts(struct recorded *r, recorded_each_alert *each, void *self)
{
    struct shelf_key prefix = key_alerts();
    struct record_walk with = {.alert = each, .self = self};
    return walk_all(r, SHELF_ALERT, &prefix, take_alert, &with);
}

static enum status take_event(struct recorded *r, const struct shelf_walk *w,
                              struct span value, void *with)
{
    const struct record_walk *walk = with;
    struct record_event e;
    (void)w;
    ST_TRY(records_read(value, &record_event_message, &r->pool, &e));
    return walk->event(walk->self, &e);
}

enum status recorded_events(struct recorded *r, recorded_each_event *each, void *self)
{
    struct shelf_key prefix = {.size = 0};
    struct record_walk with = {.event = each, .self = self};
    return walk_all(r, SHELF_EVENT, &prefix, take_event, &with);
}

static enum status read_end(struct shelf *s, const struct recorded_version *v,
                            uint64_t *out)
{
    uint32_t series;
    struct span key, value;
    struct blob blob;
    enum status st = names_series(s, v->model_no, v->version_no, NULL, &series);
    if (st != ST_OK)
        return st;
    struct shelf_key prefix = key_window_series(series, KEY_RAW);
    ST_TRY(shelf_last(s, SHELF_WINDOW, &prefix, &key, &value));
    ST_TRY(blob_read(value, &blob));
    *out = blob.end;
    return ST_OK;
}

enum status recorded_end(struct recorded *r, const struct recorded_version *v,
                         uint64_t *out)
{
    struct store_txn *t;
    *out = 0;
    ST_TRY(store_begin(r->store, STORE_READ_ONLY, &t));
    enum status st = read_end(store_shelf(t), v, out);
    store_abort(t);
    return st == ST_NOTFOUND ? ST_OK : st;
}
