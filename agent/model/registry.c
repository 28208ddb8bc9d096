// SPDX-License-Identifier: Apache-2.0
#include "agent/model/registry.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "agent/model/learn.h"
#include "agent/model/model.h"
#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/hash.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/table.h"

#define SAVE_EVERY_NS (5 * NS_PER_S)
#define STRAY_EVERY_NS (600 * NS_PER_S)
#define RETRY_NS (1 * NS_PER_S)
#define REFERENCE_FILE_MAX (16u << 20)
#define LABEL_WAIT_DEFAULT_NS (24 * 3600 * NS_PER_S)
#define LABEL_CAPACITY_DEFAULT 65536

// What the sink of one kind of door is called with.
struct origin {
    struct registry *registry;
    enum row_origin origin;
};

struct registry {
    char *folder;
    struct registry_hooks hooks;
    struct table *models; // by name
    struct account_page *page;
    struct origin origin[ORIGIN_COUNT];
    struct account stray; // of no model of this host,
    uint64_t stray_told;  // and what the controller has been told of it
    uint64_t stray_ns;    // when
    uint64_t now_ns;
    uint64_t retry_ns;  // after a full spool: not before
    bool is_due;        // a model has something to seal
    struct model *last; // that a row was for
    // Models with rows of streams that the page does not know yet.
    struct model *touched[ACCOUNT_TAKEN_MAX];
    uint32_t touches;
};

static void close_model(void *value)
{
    model_close(value);
}

enum status registry_open(const char *folder, const struct registry_hooks *hooks,
                          struct registry **out)
{
    char path[PATH_MAX];
    ST_TRY(file_make_folder(folder, 0700));
    ST_TRY(file_join(folder, "rows", path, sizeof path));
    struct registry *r = MEM_NEW(struct registry);
    if (!r)
        return ST_NOMEM;
    r->hooks = *hooks;
    for (uint32_t i = 0; i < ORIGIN_COUNT; i++)
        r->origin[i] = (struct origin){r, (enum row_origin)i};
    r->folder = mem_text(span_text(folder));
    enum status st = r->folder ? ST_OK : ST_NOMEM;
    if (st == ST_OK)
        st = table_open(REGISTRY_MODELS_MAX, &r->models);
    // Without the page rows are counted all the same; what a kill takes is not.
    if (st == ST_OK && account_page_open(path, &r->page) != ST_OK)
        log_line(LOG_WARN, "no place for the page of rows", "path=%s", path);
    if (st != ST_OK) {
        registry_close(r);
        return st;
    }
    *out = r;
    return ST_OK;
}

void registry_close(struct registry *r)
{
    if (!r)
        return;
    table_close(r->models, close_model);
    account_page_close(r->page);
    mem_free(r->folder);
    mem_free(r);
}

void registry_state_key(struct span model, struct buf *out)
{
    buf_put_text(out, "model/");
    buf_put_span(out, model);
}

// --- Files

// A model's name may hold a slash, so its files are called by a hash of it.
static enum status path_of(const struct registry *r, struct span model,
                           const char *what, char out[PATH_MAX])
{
    uint64_t hash[2];
    char name[64];
    hash_murmur3(model, 0, hash);
    snprintf(name, sizeof name, "%016" PRIx64 ".%s", hash[0], what);
    return file_join(r->folder, name, out, PATH_MAX);
}

static enum status save_references(const struct registry *r, const struct model *m)
{
    char path[PATH_MAX];
    struct buf bytes;
    ST_TRY(path_of(r, m->name, "references", path));
    buf_init(&bytes, REFERENCE_FILE_MAX);
    for (uint32_t i = 0; i < m->yardsticks.n; i++) {
        struct span body = yardstick_body(m->yardsticks.item[i]);
        buf_put_le32(&bytes, (uint32_t)body.size);
        buf_put_span(&bytes, body);
    }
    enum status st = bytes.failed;
    if (st == ST_OK)
        st = file_replace(path, buf_span(&bytes), FILE_PRIVATE);
    buf_fini(&bytes);
    return st;
}

static enum status load_references(const struct registry *r, struct model *m)
{
    char path[PATH_MAX];
    struct buf bytes;
    ST_TRY(path_of(r, m->name, "references", path));
    buf_init(&bytes, REFERENCE_FILE_MAX);
    enum status st = file_read(path, &bytes);
    struct cursor c = {buf_span(&bytes)};
    while (st == ST_OK && c.left.size > 0) {
        uint32_t size;
        struct span body;
        st = cursor_le32(&c, &size);
        if (st == ST_OK)
            st = cursor_bytes(&c, size, &body);
        if (st == ST_OK)
            st = model_take_reference(m, body);
    }
    buf_fini(&bytes);
    return st == ST_NOTFOUND ? ST_OK : st;
}

static enum status open_labels(const struct registry *r, struct model *m)
{
    char path[PATH_MAX];
    const struct model_settings *s = &m->settings;
    if (s->performance == PERFORMANCE_NONE)
        return ST_OK;
    ST_TRY(path_of(r, m->name, "labels", path));
    return labels_open(
        path, s->label_capacity ? s->label_capacity : LABEL_CAPACITY_DEFAULT,
        s->label_wait_ns ? s->label_wait_ns : LABEL_WAIT_DEFAULT_NS, &m->labels);
}

// --- Models

enum status registry_add(struct registry *r, const struct model_settings *s,
                         struct span state, uint64_t now_ns, struct span *mark)
{
    struct model *m;
    struct span kept = {0};
    ST_TRY(model_open(s, &m));
    if (open_labels(r, m) != ST_OK)
        log_line(LOG_WARN, "no place for the ids that wait for labels", "model=%s",
                 s->name);
    enum status st = table_put(r->models, m->name, m);
    if (st != ST_OK) {
        model_close(m);
        return st;
    }
    if (load_references(r, m) != ST_OK)
        log_line(LOG_WARN, "the kept references cannot be read", "model=%s", s->name);
    if (r->page)
        m->streamed_page = account_page_slot(r->page, m->name);
    st = model_restore(m, state, &kept);
    m->saved_ns = now_ns;
    m->is_dirty = true;
    if (mark)
        *mark = kept;
    return state.size > 0 && st != ST_OK ? ST_CORRUPT : ST_OK;
}

static struct model *find(struct registry *r, struct span name)
{
    if (!r->last || !span_equal(r->last->name, name))
        r->last = table_get(r->models, name);
    return r->last;
}

enum status registry_serve(struct registry *r, struct span model, struct span version)
{
    struct model *m = find(r, model);
    if (!m)
        return ST_NOTFOUND;
    struct model_version *v = model_version(m, version);
    if (!v)
        return ST_FULL;
    m->served = v->name;
    m->is_dirty = true;
    return ST_OK;
}

enum status registry_accept(struct registry *r, struct span model)
{
    struct model *m = find(r, model);
    if (!m)
        return ST_NOTFOUND;
    model_accept(m);
    return ST_OK;
}

enum status registry_reference(struct registry *r, struct span body)
{
    struct yardstick *y;
    ST_TRY(yardstick_open(body, &y));
    struct model *m = find(r, yardstick_model(y));
    yardstick_drop(y);
    if (!m)
        return ST_NOTFOUND;
    ST_TRY(model_take_reference(m, body));
    return save_references(r, m);
}

// --- Rows

// What a kill would take is counted in the page that survives it.
static void write_streamed(struct registry *r)
{
    if (r->page)
        account_page_forget(r->page);
    for (uint32_t i = 0; i < r->touches; i++)
        if (r->touched[i]->streamed_page)
            *r->touched[i]->streamed_page = r->touched[i]->streamed;
    r->touches = 0;
}

static void count_streamed(struct registry *r, struct model *m, uint64_t rows)
{
    m->streamed += rows;
    for (uint32_t i = 0; i < r->touches; i++)
        if (r->touched[i] == m)
            return;
    if (r->touches == ACCOUNT_TAKEN_MAX)
        write_streamed(r);
    r->touched[r->touches++] = m;
}

static bool is_due(void *self)
{
    const struct origin *from = self;
    return from->registry->is_due || from->registry->touches == ACCOUNT_TAKEN_MAX;
}

static void take_mark(void *self, const struct source_mark *mark)
{
    const struct origin *from = self;
    struct registry *r = from->registry;
    uint64_t *slot[ACCOUNT_TAKEN_MAX];
    uint64_t value[ACCOUNT_TAKEN_MAX];
    if (!r->page)
        return;
    for (uint32_t i = 0; i < r->touches; i++) {
        slot[i] = r->touched[i]->streamed_page;
        value[i] = r->touched[i]->streamed;
    }
    account_page_take(r->page, mark, slot, value, r->touches);
    r->touches = 0;
}

static bool resume_mark(void *self, const uint64_t source[2], struct source_mark *out)
{
    const struct origin *from = self;
    return from->registry->page && account_page_mark(from->registry->page, source, out);
}

static void take_row(void *self, const struct observation *o)
{
    const struct origin *from = self;
    struct registry *r = from->registry;
    struct model *m = find(r, o->model);
    if (!m) {
        r->stray.observed++;
        r->stray.dropped[DROP_UNKNOWN_MODEL]++;
        return;
    }
    uint64_t before = m->account.observed;
    model_row(m, o, r->now_ns);
    if (from->origin == ORIGIN_STREAM)
        count_streamed(r, m, m->account.observed - before);
    r->is_due = r->is_due || model_is_due(m);
}

static void take_drop(void *self, struct span model, enum drop_reason why,
                      uint64_t rows)
{
    const struct origin *from = self;
    struct registry *r = from->registry;
    struct model *m = model.size > 0 ? find(r, model) : NULL;
    struct account *a = m ? &m->account : &r->stray;
    a->observed += rows;
    a->dropped[why] += rows;
    if (m && from->origin == ORIGIN_STREAM)
        count_streamed(r, m, rows);
    if (m)
        m->is_dirty = true;
}

static void seal_due(struct registry *r)
{
    size_t at = 0;
    void *value;
    if (r->now_ns < r->retry_ns)
        return;
    r->is_due = false;
    while (table_next(r->models, &at, NULL, &value)) {
        struct model *m = value;
        if (!model_is_due(m))
            continue;
        enum status st = model_seal(m, &r->hooks, r->now_ns);
        if (st != ST_OK) {
            r->is_due = true;
            r->retry_ns = r->now_ns + RETRY_NS;
            log_line(LOG_WARN, "a window could not be spooled", "model=%.*s error=%s",
                     (int)m->name.size, m->name.data, status_name(st));
        }
    }
}

static void take_settle(void *self)
{
    const struct origin *from = self;
    write_streamed(from->registry);
    if (from->registry->is_due)
        seal_due(from->registry);
}

void registry_sink(struct registry *r, enum row_origin origin,
                   struct observation_sink *out)
{
    *out = (struct observation_sink){.self = &r->origin[origin],
                                     .row = take_row,
                                     .drop = take_drop,
                                     .settle = take_settle,
                                     .is_due = is_due,
                                     .taken = take_mark,
                                     .resume = resume_mark};
}

void registry_now(struct registry *r, uint64_t now_ns)
{
    r->now_ns = now_ns;
}

// --- Turns

// Rows that name no model of this host have no window to be told in.
static void tell_stray(struct registry *r)
{
    if (r->stray.observed == r->stray_told || r->now_ns < r->stray_ns + STRAY_EVERY_NS)
        return;
    struct buf detail;
    buf_init(&detail, 256);
    buf_printf(&detail, "%" PRIu64 " rows belong to no model of this host:",
               r->stray.observed - r->stray_told);
    for (uint32_t i = 0; i < DROP_REASONS; i++)
        if (r->stray.dropped[i] > 0)
            buf_printf(&detail, " %s=%" PRIu64, drop_reason_name((enum drop_reason)i),
                       r->stray.dropped[i]);
    enum status st = model_notice(&r->hooks, (struct span){0}, r->now_ns,
                                  "rows_unattributed", buf_span(&detail));
    if (st == ST_OK)
        st = r->hooks.commit(r->hooks.self);
    if (st == ST_OK)
        r->stray_told = r->stray.observed;
    else
        r->hooks.abort(r->hooks.self);
    r->stray_ns = r->now_ns;
    buf_fini(&detail);
}

static void save_if_old(struct registry *r, struct model *m, uint64_t now_ns)
{
    bool is_old = now_ns >= m->saved_ns + SAVE_EVERY_NS;
    if (!m->is_dirty || !(is_old || m->lost > 0))
        return;
    if (model_save(m, &r->hooks, now_ns) != ST_OK)
        m->saved_ns = now_ns; // the spool is full: it is tried again later
}

void registry_turn(struct registry *r, uint64_t now_ns, uint64_t *next_ns)
{
    size_t at = 0;
    void *value;
    uint64_t next = now_ns + NS_PER_S;
    r->now_ns = now_ns;
    write_streamed(r);
    while (table_next(r->models, &at, NULL, &value)) {
        struct model *m = value;
        model_follow(m, now_ns);
        r->is_due = r->is_due || model_is_due(m);
    }
    if (r->is_due)
        seal_due(r);
    tell_stray(r);
    for (at = 0; table_next(r->models, &at, NULL, &value);) {
        struct model *m = value;
        save_if_old(r, m, now_ns);
        uint64_t due = model_due_at(m);
        next = due > now_ns && due < next ? due : next;
    }
    if (next_ns)
        *next_ns = next;
}

void registry_strain(struct registry *r, uint32_t longer, bool is_plain)
{
    size_t at = 0;
    void *value;
    while (table_next(r->models, &at, NULL, &value)) {
        struct model *m = value;
        m->longer = longer;
        m->is_plain = is_plain;
    }
}

void registry_pause(struct registry *r, uint64_t now_ns)
{
    size_t at = 0;
    void *value;
    write_streamed(r);
    while (table_next(r->models, &at, NULL, &value)) {
        struct model *m = value;
        if (m->is_dirty && model_save(m, &r->hooks, now_ns) != ST_OK)
            log_line(LOG_ERROR, "the open windows could not be kept", "model=%.*s",
                     (int)m->name.size, m->name.data);
    }
}

// --- Looking

static void view_of(const struct model *m, struct model_view *out)
{
    struct yardstick *y = model_yardstick(m, m->served);
    *out = (struct model_view){.name = m->name,
                               .version = m->served,
                               .watermark = m->watermark,
                               .open_rows = model_open_rows(m),
                               .open_windows = m->panes,
                               .versions = m->versions,
                               .features = m->schema.features,
                               .has_yardstick = y != NULL,
                               .has_key = y != NULL,
                               .account = m->account};
}

bool registry_next(const struct registry *r, size_t *at, struct model_view *out)
{
    void *value;
    if (!table_next(r->models, at, NULL, &value))
        return false;
    view_of(value, out);
    return true;
}

const struct account *registry_unattributed(const struct registry *r)
{
    return &r->stray;
}

static void put_account(struct json *out, const struct account *a)
{
    json_key_u64(out, "observed", a->observed);
    json_key_u64(out, "merged", a->merged);
    json_key_u64(out, "late", a->late);
    json_key(out, "dropped");
    json_object(out);
    for (uint32_t i = 0; i < DROP_REASONS; i++)
        json_key_u64(out, drop_reason_name((enum drop_reason)i), a->dropped[i]);
    json_object_end(out);
    json_key_u64(out, "future", a->future);
    json_key_u64(out, "unknown", a->unknown);
    json_key_u64(out, "type_errors", a->type_error);
}

static void put_labels(struct json *out, const struct model *m)
{
    struct labels_stats s =
        m->labels ? labels_stats(m->labels) : (struct labels_stats){0};
    json_key(out, "labels");
    json_object(out);
    json_key_u64(out, "seen", m->account.labels);
    json_key_u64(out, "joined", m->account.labels_joined);
    json_key_u64(out, "unjoined", m->account.labels_unjoined);
    json_key_u64(out, "bad", m->account.labels_bad);
    json_key_u64(out, "remembered", s.capacity);
    json_key_u64(out, "horizon_s", s.horizon_ns / NS_PER_S);
    json_key_u64(out, "bytes", s.bytes);
    json_key_u64(out, "too_late", s.too_late);
    json_key_u64(out, "displaced", s.displaced);
    json_key_u64(out, "repeated", s.repeated);
    json_object_end(out);
}

static void put_model(struct json *out, const struct model *m)
{
    struct model_view v;
    view_of(m, &v);
    json_object(out);
    json_key_text(out, "model", v.name);
    json_key_text(out, "version", v.version);
    json_key_time(out, "watermark", v.watermark);
    json_key_u64(out, "open_windows", v.open_windows);
    json_key_u64(out, "open_rows", v.open_rows);
    json_key_u64(out, "features", v.features);
    json_key_bool(out, "has_baseline", v.has_yardstick);
    put_account(out, &v.account);
    put_labels(out, m);
    json_key(out, "schema");
    json_object(out);
    learn_status(&m->schema, out);
    changes_status(&m->changes, out);
    json_object_end(out);
    json_object_end(out);
}

void registry_status(const struct registry *r, struct json *out)
{
    size_t at = 0;
    void *value;
    json_object(out);
    json_key(out, "models");
    json_array(out);
    while (table_next(r->models, &at, NULL, &value))
        put_model(out, value);
    json_array_end(out);
    json_key(out, "unattributed");
    json_object(out);
    put_account(out, &r->stray);
    json_object_end(out);
    json_object_end(out);
}
