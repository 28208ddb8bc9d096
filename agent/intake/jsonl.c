// Reads JSON objects whose members a mapping names by JSON Pointers (RFC 6901). The
// contract stands in decoder.h.
//
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "agent/intake/decoder.h"
#include "agent/intake/flat.h"
#include "agent/intake/lexer.h"
#include "agent/intake/stamp.h"
#include "agent/intake/word.h"
#include "common/base/mem.h"
#include "common/base/table.h"

#define PATH_BYTES_MAX 1024

enum target_kind {
    TARGET_WAY, // a target lies behind it
    TARGET_TIME,
    TARGET_ID,
    TARGET_VERSION,
    TARGET_FLAT,
};

struct target {
    enum target_kind kind;
    enum observation_side side;
    const char *name; // given, or NULL
};

struct level {
    uint32_t path; // bytes that lead here
    uint32_t next; // place, in an array
    bool is_array;
};

struct jsonl {
    const struct mapping *mapping;
    struct table *targets; // by pointer
    struct lexer lexer;
    struct flat flat;
    bool takes_all; // no inputs are named: all other members at the top are inputs
    // The line under way.
    char path[PATH_BYTES_MAX];
    uint32_t path_size;
    bool is_cut; // the path is longer than any target's
    struct level level[OBSERVATION_DEPTH_MAX + 1];
    uint32_t depth;
    uint32_t skipping; // containers to be left
    bool in_flat;
    struct word id;
    struct word version;
    struct word written; // the time, as it stands there
    uint64_t t;
    bool has_time;
};

// --- Targets

static enum status put_target(struct jsonl *j, struct span path, struct target t)
{
    if (table_get(j->targets, path))
        return ST_OK; // the first word counts
    struct target *copy = MEM_NEW(struct target);
    if (!copy)
        return ST_NOMEM;
    *copy = t;
    enum status st = table_put(j->targets, path, copy);
    if (st != ST_OK)
        mem_free(copy);
    return st;
}

static enum status add_target(struct jsonl *j, const char *path, enum target_kind kind,
                              enum observation_side side, const char *name)
{
    if (!path)
        return ST_OK;
    if (path[0] != '/' || strlen(path) >= PATH_BYTES_MAX)
        return ST_RANGE;
    ST_TRY(put_target(j, span_text(path), (struct target){kind, side, name}));
    for (const char *p = path + 1; *p; p++)
        if (*p == '/')
            ST_TRY(put_target(j, span_of(path, (size_t)(p - path)),
                              (struct target){.kind = TARGET_WAY}));
    return ST_OK;
}

static enum status add_columns(struct jsonl *j, const struct mapping_column *c,
                               uint32_t n, enum observation_side side)
{
    for (uint32_t i = 0; i < n; i++)
        ST_TRY(add_target(j, c[i].path, TARGET_FLAT, side, c[i].name));
    return ST_OK;
}

static enum status add_all(struct jsonl *j)
{
    const struct mapping *m = j->mapping;
    ST_TRY(add_target(j, m->time, TARGET_TIME, SIDE_INPUT, NULL));
    ST_TRY(add_target(j, m->id, TARGET_ID, SIDE_INPUT, NULL));
    ST_TRY(add_target(j, m->version_column, TARGET_VERSION, SIDE_INPUT, NULL));
    ST_TRY(add_columns(j, m->labels, m->n_labels, SIDE_LABEL));
    ST_TRY(add_columns(j, m->outputs, m->n_outputs, SIDE_OUTPUT));
    ST_TRY(add_columns(j, m->inputs, m->n_inputs, SIDE_INPUT));
    // A file of labels alone has no inputs.
    j->takes_all = m->n_inputs == 0 && m->n_labels == 0;
    return ST_OK;
}

// --- Paths

static void path_put(struct jsonl *j, char c)
{
    if (j->path_size < sizeof j->path)
        j->path[j->path_size++] = c;
    else
        j->is_cut = true;
}

static void path_key(struct jsonl *j, struct span key)
{
    j->path_size = j->level[j->depth].path;
    j->is_cut = false;
    path_put(j, '/');
    for (size_t i = 0; i < key.size; i++) {
        char c = (char)key.data[i];
        if (c == '~' || c == '/') {
            path_put(j, '~');
            c = c == '~' ? '0' : '1';
        }
        path_put(j, c);
    }
}

static void path_index(struct jsonl *j, uint32_t index)
{
    char digits[12];
    int n = 0;
    do
        digits[n++] = (char)('0' + index % 10);
    while ((index /= 10) > 0);
    j->path_size = j->level[j->depth].path;
    j->is_cut = false;
    path_put(j, '/');
    while (n > 0)
        path_put(j, digits[--n]);
}

// What the value at the path is called when nobody says otherwise: the last key.
static struct span last_key(const struct jsonl *j)
{
    uint32_t at = j->path_size;
    while (at > 0 && j->path[at - 1] != '/')
        at--;
    return span_of(j->path + at, j->path_size - at);
}

// --- Values

static bool is_container(enum token token)
{
    return token == TOKEN_OBJECT || token == TOKEN_ARRAY;
}

static enum status take_flat(struct jsonl *j, enum token token, struct span text,
                             double number)
{
    bool done;
    enum status st = flat_token(&j->flat, token, text, number, &done);
    j->in_flat = !done;
    return st;
}

static enum status begin_flat(struct jsonl *j, const struct target *t, enum token token,
                              struct span text, double number)
{
    struct span name = t->name ? span_text(t->name) : last_key(j);
    // The members of an object are features by their own names.
    if (!t->name && token == TOKEN_OBJECT)
        name.size = 0;
    flat_begin(&j->flat, name, t->side);
    return take_flat(j, token, text, number);
}

static enum status take_short(enum token token, struct span text, struct word *out)
{
    if (token == TOKEN_NULL)
        return ST_OK;
    return token == TOKEN_STRING || token == TOKEN_NUMBER ? word_set(out, text)
                                                          : ST_CORRUPT;
}

static enum status take_scalar(struct jsonl *j, enum target_kind kind, enum token token,
                               struct span text, double number)
{
    if (kind == TARGET_ID)
        return take_short(token, text, &j->id);
    if (kind == TARGET_VERSION)
        return take_short(token, text, &j->version);
    if (token == TOKEN_NULL)
        return ST_OK;
    ST_TRY(stamp_of(token, text, number, &j->t));
    j->has_time = true;
    return word_set(&j->written, text);
}

static enum status take_value(struct jsonl *j, enum token token, struct span text,
                              double number)
{
    static const struct target any_input = {TARGET_FLAT, SIDE_INPUT, NULL};
    const struct target *t = NULL;
    if (!j->is_cut)
        t = table_get(j->targets, span_of(j->path, j->path_size));
    if (!t && j->takes_all && j->depth == 1) {
        // Here even an object keeps its own name before its members'.
        flat_begin(&j->flat, last_key(j), any_input.side);
        return take_flat(j, token, text, number);
    }
    if (t && t->kind == TARGET_FLAT)
        return begin_flat(j, t, token, text, number);
    if (t && t->kind == TARGET_WAY && is_container(token)) {
        j->level[++j->depth] =
            (struct level){.path = j->path_size, .is_array = token == TOKEN_ARRAY};
        return ST_OK;
    }
    if (!t || t->kind == TARGET_WAY) {
        j->skipping = is_container(token);
        return ST_OK;
    }
    return take_scalar(j, t->kind, token, text, number);
}

static enum status take(void *self, enum token token, struct span text, double number)
{
    struct jsonl *j = self;
    bool is_end = token == TOKEN_OBJECT_END || token == TOKEN_ARRAY_END;
    if (j->in_flat)
        return take_flat(j, token, text, number);
    if (j->skipping > 0) {
        j->skipping += is_container(token);
        j->skipping -= is_end;
        return ST_OK;
    }
    if (j->depth == 0) {
        j->level[++j->depth] = (struct level){0};
        return token == TOKEN_OBJECT ? ST_OK : ST_CORRUPT;
    }
    if (is_end) {
        j->depth--;
        return ST_OK;
    }
    if (token == TOKEN_KEY) {
        path_key(j, text);
        return ST_OK;
    }
    struct level *l = &j->level[j->depth];
    if (l->is_array)
        path_index(j, l->next++);
    return take_value(j, token, text, number);
}

// --- The decoder

static enum status read_line(void *self, struct span line, uint64_t now_ns,
                             const struct observation_sink *sink)
{
    struct jsonl *j = self;
    flat_clear(&j->flat);
    j->depth = j->skipping = 0;
    j->in_flat = j->has_time = false;
    j->id.size = j->version.size = j->written.size = 0;
    ST_TRY(lexer_whole(&j->lexer, line));
    struct observation o = {
        .model = span_text(j->mapping->model),
        .version = word_span(&j->version),
        .id = word_span(&j->id),
        .written = word_span(&j->written),
        .t = j->has_time ? j->t : now_ns,
        .has_time = j->has_time,
        .weight = 1,
    };
    if (o.version.size == 0)
        o.version = span_text(j->mapping->version);
    o.value = flat_row(&j->flat, &o.values);
    if (o.values == 0)
        return ST_CORRUPT;
    sink->row(sink->self, &o);
    return ST_OK;
}

static void close_jsonl(void *self)
{
    struct jsonl *j = self;
    table_close(j->targets, mem_free);
    lexer_fini(&j->lexer);
    flat_fini(&j->flat);
    mem_free(j);
}

enum status decoder_jsonl(const struct mapping *m, struct decoder *out)
{
    struct jsonl *j = MEM_NEW(struct jsonl);
    if (!j)
        return ST_NOMEM;
    j->mapping = m;
    lexer_init(&j->lexer, take, j);
    enum status st = flat_init(&j->flat, OBSERVATION_VALUES_MAX);
    if (st == ST_OK)
        st = table_open(4 * MAPPING_COLUMNS_MAX, &j->targets);
    if (st == ST_OK)
        st = add_all(j);
    if (st != ST_OK) {
        close_jsonl(j);
        return st;
    }
    *out = (struct decoder){.self = j, .line = read_line, .close = close_jsonl};
    return ST_OK;
}
