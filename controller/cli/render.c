// SPDX-License-Identifier: Apache-2.0
#include "controller/cli/render.h"

#include <ctype.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

#define COLUMNS_MAX 24u
#define WORD_MAX 64u
#define WIDTH_MAX 56u // of one cell of a table; longer texts are cut, by JSON never

struct column {
    char title[WORD_MAX];
    char path[WORD_MAX];
    char absent[WORD_MAX]; // what stands there when the answer has nothing
};

// Splits "a b.c title=d" into columns.
static size_t parse_columns(const char *text, struct column *column)
{
    size_t n = 0;
    while (*text && n < COLUMNS_MAX) {
        size_t size = strcspn(text, " ");
        const char *equals = memchr(text, '=', size);
        size_t title = equals ? (size_t)(equals - text) : size;
        const char *path = equals ? equals + 1 : text;
        size_t path_size = (size_t)(text + size - path);
        snprintf(column[n].title, WORD_MAX, "%.*s", (int)title, text);
        const char *bar = memchr(path, '|', path_size);
        size_t bare = bar ? (size_t)(bar - path) : path_size;
        snprintf(column[n].path, WORD_MAX, "%.*s", (int)bare, path);
        snprintf(column[n].absent, WORD_MAX, "%.*s",
                 bar ? (int)(path_size - bare - 1) : 1, bar ? bar + 1 : "-");
        n++;
        text += size + (text[size] == ' ');
    }
    return n;
}

static struct json_object *find(struct json_object *o, const char *path)
{
    char word[WORD_MAX];
    while (o && *path) {
        size_t size = strcspn(path, ".");
        snprintf(word, sizeof word, "%.*s", (int)size, path);
        if (json_object_is_type(o, json_type_array))
            o = json_object_array_get_idx(o, (size_t)atoi(word));
        else if (!json_object_is_type(o, json_type_object) ||
                 !json_object_object_get_ex(o, word, &o))
            return NULL;
        path += size + (path[size] == '.');
    }
    return o;
}

// 2012-08-15T00:00:00Z -> 2012-08-15 00:00Z: seconds that are zero say nothing, and
// parts of a second are for JSON.
static bool put_short_time(struct buf *b, const char *text)
{
    size_t n = strlen(text);
    bool has_parts = n > 20 && n <= 30 && text[19] == '.';
    if ((n != 20 && !has_parts) || text[10] != 'T' || text[n - 1] != 'Z' ||
        !isdigit((unsigned char)text[0]))
        return false;
    bool has_seconds = strncmp(text + 17, "00", 2) != 0;
    buf_printf(b, "%.10s %.*sZ", text, has_seconds ? 8 : 5, text + 11);
    return true;
}

static bool is_hex(const char *text)
{
    size_t n = strlen(text);
    return n >= 32 && strspn(text, "0123456789abcdef") == n;
}

// A digest: its beginning is enough to tell it from others; all zero, there is none.
static void put_digest(struct buf *b, const char *text)
{
    if (text[strspn(text, "0")])
        buf_printf(b, "%.12s", text);
    else
        buf_put_text(b, "-");
}

static void put_value(struct buf *b, struct json_object *v)
{
    if (!v) {
        buf_put_text(b, "-");
        return;
    }
    switch (json_object_get_type(v)) {
    case json_type_string: {
        const char *text = json_object_get_string(v);
        if (put_short_time(b, text))
            return;
        if (is_hex(text))
            put_digest(b, text);
        else
            buf_put_text(b, text[0] ? text : "-");
        return;
    }
    case json_type_double:
        buf_printf(b, "%.4g", json_object_get_double(v));
        return;
    case json_type_boolean:
        buf_put_text(b, json_object_get_boolean(v) ? "yes" : "no");
        return;
    case json_type_array:
        for (size_t i = 0; i < json_object_array_length(v); i++) {
            buf_put_text(b, i ? ", " : "");
            put_value(b, json_object_array_get_idx(v, i));
        }
        if (json_object_array_length(v) == 0)
            buf_put_text(b, "-");
        return;
    case json_type_object: {
        bool is_first = true;
        json_object_object_foreach(v, key, item)
        {
            buf_printf(b, "%s%s=", is_first ? "" : " ", key);
            put_value(b, item);
            is_first = false;
        }
        if (is_first)
            buf_put_text(b, "none");
        return;
    }
    default:
        buf_put_text(b, json_object_to_json_string(v));
    }
}

static const char *cell(struct buf *b, struct json_object *row,
                        const struct column *column)
{
    buf_clear(b);
    struct json_object *v = find(row, column->path);
    if (v)
        put_value(b, v);
    else
        buf_put_text(b, column->absent);
    for (size_t i = 0; i < b->size; i++)
        if (b->data[i] == '\n' || b->data[i] == '\t')
            b->data[i] = ' ';
    return buf_cstr(b);
}

// Bytes that begin a character, so that columns of UTF-8 line up.
static size_t width_of(const char *text)
{
    size_t n = 0;
    for (; *text; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

static void put_padded(struct buf *out, const char *text, size_t width, bool is_last)
{
    size_t shown = 0;
    const char *p = text;
    // What is cut must show it: a number without its last digit is another number.
    bool is_cut = !is_last && width_of(text) > width;
    size_t room = is_last ? SIZE_MAX : width - is_cut;
    for (; *p && (shown < room || ((unsigned char)*p & 0xc0) == 0x80); p++) {
        if (((unsigned char)*p & 0xc0) != 0x80)
            shown++;
        buf_put(out, p, 1);
    }
    if (is_cut) {
        buf_put_text(out, "\u2026");
        shown++;
    }
    if (is_last)
        return;
    for (; shown < width; shown++)
        buf_put_u8(out, ' ');
    buf_put_text(out, "  ");
}

static void put_upper(struct buf *out, const char *text, size_t width, bool is_last)
{
    char upper[WORD_MAX];
    size_t i = 0;
    for (; text[i] && i < WORD_MAX - 1; i++)
        upper[i] = text[i] == '_' ? ' ' : (char)toupper((unsigned char)text[i]);
    upper[i] = '\0';
    put_padded(out, upper, width, is_last);
}

static void put_table(struct buf *out, struct json_object *array,
                      const struct column *column, size_t columns, struct buf *scratch)
{
    size_t width[COLUMNS_MAX], rows = json_object_array_length(array);
    for (size_t i = 0; i < columns; i++) {
        width[i] = strlen(column[i].title);
        for (size_t r = 0; r < rows; r++) {
            struct json_object *row = json_object_array_get_idx(array, r);
            size_t w = width_of(cell(scratch, row, &column[i]));
            width[i] = w > width[i] ? w : width[i];
        }
        width[i] = width[i] > WIDTH_MAX ? WIDTH_MAX : width[i];
    }
    for (size_t i = 0; i < columns; i++)
        put_upper(out, column[i].title, width[i], i + 1 == columns);
    buf_put_u8(out, '\n');
    for (size_t r = 0; r < rows; r++) {
        struct json_object *row = json_object_array_get_idx(array, r);
        for (size_t i = 0; i < columns; i++)
            put_padded(out, cell(scratch, row, &column[i]), width[i], i + 1 == columns);
        buf_put_u8(out, '\n');
    }
}

static void put_csv_cell(struct buf *out, const char *text)
{
    if (!strpbrk(text, ",\"\n")) {
        buf_put_text(out, text);
        return;
    }
    buf_put_u8(out, '"');
    for (; *text; text++) {
        if (*text == '"')
            buf_put_u8(out, '"');
        buf_put(out, text, 1);
    }
    buf_put_u8(out, '"');
}

// -o name: as other commands take it, nothing cut.
static void put_whole(struct buf *out, struct json_object *o, const char *path)
{
    struct json_object *v = find(o, path);
    buf_printf(out, "%s\n", v ? json_object_get_string(v) : "");
}

static void put_csv(struct buf *out, struct json_object *array,
                    const struct column *column, size_t columns)
{
    for (size_t i = 0; i < columns; i++)
        buf_printf(out, "%s%s", i ? "," : "", column[i].title);
    buf_put_u8(out, '\n');
    for (size_t r = 0; r < json_object_array_length(array); r++) {
        struct json_object *row = json_object_array_get_idx(array, r);
        for (size_t i = 0; i < columns; i++) {
            struct json_object *v = find(row, column[i].path);
            buf_put_text(out, i ? "," : "");
            if (v && json_object_is_type(v, json_type_string))
                put_csv_cell(out, json_object_get_string(v));
            else if (v)
                put_csv_cell(out,
                             json_object_to_json_string_ext(v, JSON_C_TO_STRING_PLAIN));
        }
        buf_put_u8(out, '\n');
    }
}

// Of an answer without lists: its facts as one row, or the first of them as its name.
static void put_plain_facts(struct buf *out, struct json_object *o, const char *facts,
                            enum render_form form)
{
    struct column column[COLUMNS_MAX];
    size_t n = parse_columns(facts, column);
    if (form == RENDER_NAME && n > 0)
        put_whole(out, o, column[0].path);
    if (form != RENDER_CSV)
        return;
    struct json_object *one = json_object_new_array();
    if (one && json_object_array_add(one, json_object_get(o)) == 0)
        put_csv(out, one, column, n);
    json_object_put(one);
}

static void put_facts(struct buf *out, struct json_object *o, const char *facts,
                      struct buf *scratch)
{
    struct column column[COLUMNS_MAX];
    size_t n = parse_columns(facts, column), width = 0;
    for (size_t i = 0; i < n; i++)
        if (strlen(column[i].title) > width)
            width = strlen(column[i].title);
    for (size_t i = 0; i < n; i++) {
        char title[WORD_MAX];
        memcpy(title, column[i].title, sizeof title);
        for (char *p = title; *p; p++)
            *p = *p == '_' ? ' ' : *p;
        put_padded(out, title, width, false);
        struct json_object *v = find(o, column[i].path);
        const char *text = v ? json_object_get_string(v) : "";
        // Alone on its line there is room for a whole digest, to compare it with one.
        buf_put_text(out, is_hex(text) ? text : cell(scratch, o, &column[i]));
        buf_put_u8(out, '\n');
    }
}

// The list itself, or of "plans.*.timeline" the lists of all plans as one. The caller
// puts it.
static struct json_object *list_of(struct json_object *o, const char *member)
{
    const char *star = strstr(member, ".*.");
    if (!star)
        return json_object_get(find(o, member));
    char outer[WORD_MAX];
    snprintf(outer, sizeof outer, "%.*s", (int)(star - member), member);
    struct json_object *array = find(o, outer), *all = json_object_new_array();
    size_t n = json_object_is_type(array, json_type_array)
                   ? json_object_array_length(array)
                   : 0;
    for (size_t i = 0; all && i < n; i++) {
        struct json_object *one = find(json_object_array_get_idx(array, i), star + 3);
        if (!json_object_is_type(one, json_type_array))
            continue;
        for (size_t k = 0; k < json_object_array_length(one); k++)
            json_object_array_add(all,
                                  json_object_get(json_object_array_get_idx(one, k)));
    }
    return all;
}

static void put_list(struct buf *out, struct json_object *array, enum render_form form,
                     const struct render_list *list, struct buf *scratch)
{
    struct column column[COLUMNS_MAX];
    size_t columns = parse_columns(list->columns, column);
    if (form == RENDER_NAME) {
        for (size_t r = 0; r < json_object_array_length(array); r++)
            put_whole(out, json_object_array_get_idx(array, r), column[0].path);
        return;
    }
    if (form == RENDER_CSV) {
        put_csv(out, array, column, columns);
        return;
    }
    const char *title = list->title ? list->title : list->member;
    if (json_object_array_length(array) == 0) {
        buf_printf(out, "%s%s: none\n", out->size ? "\n" : "", title);
        return;
    }
    if (out->size)
        buf_put_u8(out, '\n');
    if (list->title)
        buf_printf(out, "%s\n", title);
    put_table(out, array, column, columns, scratch);
}

// A table shows all lists, the other forms the first one.
static void put_lists(struct buf *out, struct json_object *o, enum render_form form,
                      const struct render_view *view, struct buf *scratch)
{
    for (size_t i = 0; i < view->lists; i++) {
        struct json_object *array = list_of(o, view->list[i].member);
        bool is_list = json_object_is_type(array, json_type_array);
        if (is_list)
            put_list(out, array, form, &view->list[i], scratch);
        json_object_put(array);
        if (is_list && form != RENDER_TABLE)
            return;
    }
}

enum status render_answer(struct span json, enum render_form form,
                          const struct render_view *view, struct buf *out)
{
    if (form == RENDER_JSON) {
        buf_put_span(out, json);
        buf_put_u8(out, '\n');
        return out->failed;
    }
    struct json_tokener *tokener = json_tokener_new_ex(32);
    if (!tokener)
        return ST_NOMEM;
    struct json_object *o =
        json_tokener_parse_ex(tokener, (const char *)json.data, (int)json.size);
    bool is_object = o && json_object_is_type(o, json_type_object);
    struct buf scratch;
    buf_init(&scratch, 1u << 20);
    struct json_object *raw = is_object && view->raw ? find(o, view->raw) : NULL;
    if (raw && form == RENDER_TABLE) {
        buf_put_text(out, json_object_get_string(raw));
        if (out->size && out->data[out->size - 1] != (uint8_t)10)
            buf_put_u8(out, 10);
    } else if (is_object) {
        if (form == RENDER_TABLE)
            put_facts(out, o, view->facts, &scratch);
        if (form != RENDER_TABLE && view->lists == 0)
            put_plain_facts(out, o, view->facts, form);
        put_lists(out, o, form, view, &scratch);
    }
    buf_fini(&scratch);
    json_object_put(o);
    json_tokener_free(tokener);
    return is_object ? out->failed : ST_CORRUPT;
}
