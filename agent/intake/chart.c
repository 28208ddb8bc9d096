// SPDX-License-Identifier: Apache-2.0
#include "agent/intake/chart.h"

#include <string.h>

#include <json-c/json.h>

#include "common/base/buf.h"
#include "common/base/mem.h"

#define CHART_DEPTH_MAX 8

void chart_init(struct chart *c)
{
    *c = (struct chart){0};
}

void chart_fini(struct chart *c)
{
    for (uint32_t i = 0; i < c->texts; i++)
        mem_free(c->text[i]);
    mem_free(c->text);
    for (int i = 0; i < 3; i++)
        mem_free(c->column[i]);
    *c = (struct chart){0};
}

const char *chart_keep(struct chart *c, struct span text)
{
    char **grown = mem_resize(c->text, c->texts + 1, sizeof(char *));
    if (!grown)
        return NULL;
    c->text = grown;
    char *copy = mem_text(text);
    if (copy)
        c->text[c->texts++] = copy;
    return copy;
}

// --- Columns

static enum status add_column(struct chart *c, int which, struct span path,
                              struct span name)
{
    struct mapping *m = &c->mapping;
    uint32_t *n = which == 0 ? &m->n_inputs : which == 1 ? &m->n_outputs : &m->n_labels;
    if (*n == MAPPING_COLUMNS_MAX)
        return ST_FULL;
    struct mapping_column *grown = mem_resize(c->column[which], *n + 1, sizeof *grown);
    if (!grown)
        return ST_NOMEM;
    c->column[which] = grown;
    grown[*n] = (struct mapping_column){chart_keep(c, path), NULL};
    if (name.size > 0)
        grown[*n].name = chart_keep(c, name);
    if (!grown[*n].path || (name.size > 0 && !grown[*n].name))
        return ST_NOMEM;
    ++*n;
    m->inputs = c->column[0];
    m->outputs = c->column[1];
    m->labels = c->column[2];
    return ST_OK;
}

enum status chart_add(struct chart *c, int which, const char *text)
{
    const char *equals = strchr(text, '=');
    size_t size = equals ? (size_t)(equals - text) : strlen(text);
    return add_column(c, which, span_of(text, size),
                      span_text(equals ? equals + 1 : NULL));
}

// --- JSON

static struct span text_of(struct json_object *o)
{
    return span_of(json_object_get_string(o), (size_t)json_object_get_string_len(o));
}

static enum status parse(struct span json, struct json_object **out)
{
    struct json_tokener *t = json_tokener_new_ex(CHART_DEPTH_MAX);
    if (!t || json.size > INT32_MAX)
        return ST_NOMEM;
    json_tokener_set_flags(t, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    *out = json_tokener_parse_ex(t, (const char *)json.data, (int)json.size);
    enum json_tokener_error why = json_tokener_get_error(t);
    json_tokener_free(t);
    if (why == json_tokener_success && json_object_is_type(*out, json_type_object))
        return ST_OK;
    json_object_put(*out);
    *out = NULL;
    return ST_CORRUPT;
}

static enum status read_columns(struct chart *c, int which, struct json_object *o)
{
    if (json_object_is_type(o, json_type_array)) {
        for (size_t i = 0; i < json_object_array_length(o); i++) {
            struct json_object *item = json_object_array_get_idx(o, i);
            if (!json_object_is_type(item, json_type_string))
                return ST_CORRUPT;
            ST_TRY(add_column(c, which, text_of(item), (struct span){0}));
        }
        return ST_OK;
    }
    if (!json_object_is_type(o, json_type_object))
        return ST_CORRUPT;
    json_object_object_foreach(o, name, path)
    {
        if (!json_object_is_type(path, json_type_string))
            return ST_CORRUPT;
        ST_TRY(add_column(c, which, text_of(path), span_text(name)));
    }
    return ST_OK;
}

static enum status read_member(struct chart *c, const char *key, struct json_object *o)
{
    static const struct {
        const char *key;
        size_t offset;
    } texts[] = {
        {"model", offsetof(struct mapping, model)},
        {"version", offsetof(struct mapping, version)},
        {"version_column", offsetof(struct mapping, version_column)},
        {"time", offsetof(struct mapping, time)},
        {"id", offsetof(struct mapping, id)},
        {"prefix", offsetof(struct mapping, prefix)},
    };
    static const char *const lists[] = {"inputs", "outputs", "label"};
    for (int i = 0; i < 3; i++)
        if (strcmp(key, lists[i]) == 0)
            return read_columns(c, i, o);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (strcmp(key, texts[i].key) != 0)
            continue;
        if (!json_object_is_type(o, json_type_string))
            return ST_CORRUPT;
        const char *text = chart_keep(c, text_of(o));
        memcpy((uint8_t *)&c->mapping + texts[i].offset, &text, sizeof text);
        return text ? ST_OK : ST_NOMEM;
    }
    return ST_CORRUPT;
}

enum status chart_read(struct chart *c, struct span json)
{
    struct json_object *o;
    enum status st = parse(json, &o);
    if (st != ST_OK)
        return st;
    json_object_object_foreach(o, key, value)
    {
        st = read_member(c, key, value);
        if (st != ST_OK)
            break;
    }
    json_object_put(o);
    return st;
}

// --- BentoML

// "/" and "~" of a name, as a pointer wants them.
static enum status add_bento(struct chart *c, struct json_object *o)
{
    struct json_object *name = json_object_object_get(o, "name");
    struct json_object *role = json_object_object_get(o, "role");
    if (!json_object_is_type(name, json_type_string) ||
        !json_object_is_type(role, json_type_string))
        return ST_CORRUPT;
    struct span plain = text_of(name), kind = text_of(role);
    int which = span_is(kind, "prediction") ? 1 : span_is(kind, "target") ? 2 : 0;
    struct buf path;
    buf_init(&path, 2 * plain.size + 1);
    buf_put_u8(&path, '/');
    for (size_t i = 0; i < plain.size; i++) {
        if (plain.data[i] == '~' || plain.data[i] == '/')
            buf_put_text(&path, plain.data[i] == '~' ? "~0" : "~1");
        else
            buf_put_u8(&path, plain.data[i]);
    }
    enum status st = path.failed;
    if (st == ST_OK)
        st = add_column(c, which, buf_span(&path), plain);
    buf_fini(&path);
    return st;
}

enum status chart_read_bento(struct chart *c, struct span json)
{
    struct json_object *o;
    enum status st = parse(json, &o);
    if (st != ST_OK)
        return st;
    struct json_object *columns = json_object_object_get(o, "columns");
    if (!json_object_is_type(columns, json_type_array))
        st = ST_CORRUPT;
    for (size_t i = 0; st == ST_OK && i < json_object_array_length(columns); i++)
        st = add_bento(c, json_object_array_get_idx(columns, i));
    json_object_put(o);
    c->mapping.time = "/timestamp";
    c->mapping.id = "/request_id";
    return st;
}
