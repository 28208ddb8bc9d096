// SPDX-License-Identifier: Apache-2.0
#include "agent/intake/flat.h"

#include <math.h>
#include <stdio.h>

#include "common/base/mem.h"

#define TEXTS_BYTES_MAX (OBSERVATION_VALUES_MAX * FLAT_CATEGORY_BYTES)
#define NAMES_BYTES_MAX (OBSERVATION_VALUES_MAX * OBSERVATION_NAME_MAX)
#define DATA_FIRST 32

enum status flat_init(struct flat *f, uint32_t data_max)
{
    *f = (struct flat){.data_max = data_max};
    buf_init(&f->names, NAMES_BYTES_MAX);
    buf_init(&f->texts, TEXTS_BYTES_MAX);
    return ST_OK;
}

void flat_fini(struct flat *f)
{
    mem_free(f->datum);
    mem_free(f->name_at);
    mem_free(f->text_at);
    buf_fini(&f->names);
    buf_fini(&f->texts);
}

void flat_clear(struct flat *f)
{
    f->data = 0;
    buf_clear(&f->names);
    buf_clear(&f->texts);
    f->is_open = false;
}

// --- Single values

static enum status grow(struct flat *f)
{
    static const uint32_t most = OBSERVATION_VALUES_MAX;
    uint32_t room = f->data ? f->data * 2 : DATA_FIRST;
    room = room > most ? most : room;
    struct datum *datum = mem_resize(f->datum, room, sizeof *datum);
    if (datum)
        f->datum = datum;
    uint32_t *name_at = mem_resize(f->name_at, room, sizeof *name_at);
    if (name_at)
        f->name_at = name_at;
    uint32_t *text_at = mem_resize(f->text_at, room, sizeof *text_at);
    if (text_at)
        f->text_at = text_at;
    if (!datum || !name_at || !text_at)
        return ST_NOMEM;
    f->room = room;
    return ST_OK;
}

static enum status add(struct flat *f, struct span name, const struct datum *d)
{
    if (f->data == f->data_max)
        return ST_FULL;
    if (f->data == f->room)
        ST_TRY(grow(f));
    if (name.size > OBSERVATION_NAME_MAX)
        name.size = OBSERVATION_NAME_MAX;
    f->name_at[f->data] = (uint32_t)f->names.size;
    buf_put_span(&f->names, name);
    f->text_at[f->data] = (uint32_t)f->texts.size;
    if (d->kind == DATUM_CATEGORY)
        buf_put_span(&f->texts, d->text);
    struct datum *to = &f->datum[f->data];
    *to = *d;
    to->name.size = name.size;
    if (f->names.failed != ST_OK || f->texts.failed != ST_OK)
        return f->names.failed != ST_OK ? f->names.failed : f->texts.failed;
    f->data++;
    return ST_OK;
}

enum status flat_figures(struct flat *f, struct span name, enum observation_side side,
                         const struct datum *d)
{
    struct datum copy = *d;
    copy.side = side;
    return add(f, name, &copy);
}

enum status flat_number(struct flat *f, struct span name, enum observation_side side,
                        double v)
{
    struct datum d = {.side = side, .kind = DATUM_NUMBER, .number = v};
    if (isnan(v))
        d.kind = DATUM_MISSING;
    return add(f, name, &d);
}

enum status flat_missing(struct flat *f, struct span name, enum observation_side side)
{
    return flat_number(f, name, side, NAN);
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

struct text_figures flat_figures_of(struct span text)
{
    struct text_figures t = {0};
    bool in_word = false;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        t.chars += (c & 0xC0) != 0x80;
        t.non_ascii += c >= 0xC0;
        t.digits += c >= '0' && c <= '9';
        t.words += !is_blank(c) && !in_word;
        in_word = !is_blank(c);
    }
    return t;
}

static bool is_category(struct span v)
{
    if (v.size > FLAT_CATEGORY_BYTES)
        return false;
    uint32_t blanks = 0;
    for (size_t i = 0; i < v.size; i++)
        blanks += is_blank(v.data[i]);
    return blanks <= FLAT_CATEGORY_BLANKS;
}

enum status flat_text(struct flat *f, struct span name, enum observation_side side,
                      struct span v)
{
    struct datum d = {.side = side, .kind = DATUM_CATEGORY, .text = v};
    if (!is_category(v)) {
        d.kind = DATUM_TEXT;
        d.figures = flat_figures_of(v);
    }
    return add(f, name, &d);
}

// --- Nested values

static struct span path_of(const struct flat *f)
{
    return span_of(f->path, f->path_size);
}

// Appends ".part" to the path behind `from`, cut where the name is full.
static void path_put(struct flat *f, uint32_t from, const void *part, size_t size)
{
    uint32_t at = from;
    bool is_joined = f->is_stem && f->depth == 1;
    if (at > 0 && at < sizeof f->path && !is_joined)
        f->path[at++] = '.';
    if (size > sizeof f->path - at)
        size = sizeof f->path - at;
    if (size > 0)
        memcpy(f->path + at, part, size);
    f->path_size = at + (uint32_t)size;
}

static void path_put_index(struct flat *f, uint32_t from, uint32_t index)
{
    char text[12];
    int n = 0;
    do
        text[sizeof text - 1 - n++] = (char)('0' + index % 10);
    while ((index /= 10) > 0);
    path_put(f, from, text + sizeof text - n, (size_t)n);
}

void flat_begin_items(struct flat *f, struct span stem, enum observation_side side)
{
    flat_begin(f, stem, side);
    f->is_stem = true;
}

void flat_begin(struct flat *f, struct span name, enum observation_side side)
{
    f->is_stem = false;
    f->side = side;
    f->depth = 0;
    f->is_open = true;
    f->in_vector = false;
    f->is_b64 = false;
    path_put(f, 0, name.data, name.size);
}

static void vector_put(struct flat *f, struct datum *d, double v)
{
    d->vector.dim++;
    if (!isfinite(v))
        return;
    f->vector_finite++;
    f->vector_sum += v;
    f->vector_squares += v * v;
    d->vector.min = fmin(d->vector.min, v);
    d->vector.max = fmax(d->vector.max, v);
}

static void truncate_to(struct flat *f, uint32_t data)
{
    if (data == f->data)
        return;
    f->names.size = f->name_at[data];
    f->texts.size = f->text_at[data];
    f->data = data;
}

// The array turned out to be a vector: its first numbers, which were taken for
// features, become one datum.
static enum status become_vector(struct flat *f, struct flat_level *l)
{
    struct datum d = {.side = f->side, .kind = DATUM_VECTOR};
    d.vector.min = HUGE_VAL;
    d.vector.max = -HUGE_VAL;
    f->vector_sum = f->vector_squares = 0;
    f->vector_finite = 0;
    for (uint32_t i = l->base; i < f->data; i++)
        vector_put(f, &d, f->datum[i].kind == DATUM_NUMBER ? f->datum[i].number : NAN);
    truncate_to(f, l->base);
    f->in_vector = true;
    return add(f, span_of(f->path, l->name), &d);
}

static void end_vector(struct flat *f)
{
    struct datum *d = &f->datum[f->data - 1];
    double n = f->vector_finite > 0 ? (double)f->vector_finite : 1;
    d->vector.norm = sqrt(f->vector_squares);
    d->vector.mean = f->vector_sum / n;
    if (f->vector_finite == 0)
        d->vector.min = d->vector.max = 0;
    f->in_vector = false;
}

static bool is_numeric(enum token token)
{
    return token == TOKEN_NUMBER || token == TOKEN_TRUE || token == TOKEN_FALSE ||
           token == TOKEN_NULL;
}

// Decoded length of base64 text, padding allowed.
static double base64_size(struct span text)
{
    size_t n = text.size;
    while (n > 0 && text.data[n - 1] == '=')
        n--;
    return (double)(n * 3 / 4);
}

static enum status take_leaf(struct flat *f, enum token token, struct span text,
                             double number)
{
    if (token == TOKEN_NULL)
        return flat_missing(f, path_of(f), f->side);
    if (token != TOKEN_STRING)
        return flat_number(f, path_of(f), f->side, number);
    if (!f->is_b64)
        return flat_text(f, path_of(f), f->side, text);
    struct datum d = {.kind = DATUM_BYTES, .bytes = (uint64_t)base64_size(text)};
    return flat_figures(f, span_of(f->path, f->level[f->depth].name), f->side, &d);
}

static enum status take_value(struct flat *f, enum token token, struct span text,
                              double number)
{
    struct flat_level *l = &f->level[f->depth];
    if (f->depth > 0 && l->is_array) {
        if (f->in_vector) {
            if (is_numeric(token))
                vector_put(f, &f->datum[f->data - 1],
                           token == TOKEN_NULL ? NAN : number);
            return ST_OK;
        }
        l->only_numbers = l->only_numbers && is_numeric(token);
        if (l->only_numbers && l->next == FLAT_VECTOR_MIN - 1) {
            ST_TRY(become_vector(f, l));
            vector_put(f, &f->datum[f->data - 1], token == TOKEN_NULL ? NAN : number);
            return ST_OK;
        }
        path_put_index(f, l->name, l->next++);
    }
    return take_leaf(f, token, text, number);
}

static enum status enter(struct flat *f, bool is_array)
{
    struct flat_level *l = &f->level[f->depth];
    if (f->depth > 0 && l->is_array) {
        if (f->in_vector)
            end_vector(f);
        l->only_numbers = false;
        path_put_index(f, l->name, l->next++);
    }
    if (f->depth == OBSERVATION_DEPTH_MAX)
        return ST_FULL;
    f->level[++f->depth] = (struct flat_level){.name = f->path_size,
                                               .base = f->data,
                                               .is_array = is_array,
                                               .only_numbers = true};
    return ST_OK;
}

static void leave(struct flat *f)
{
    if (f->in_vector)
        end_vector(f);
    f->depth--;
}

enum status flat_token(struct flat *f, enum token token, struct span text,
                       double number, bool *done)
{
    enum status st = ST_OK;
    if (token == TOKEN_KEY) {
        path_put(f, f->level[f->depth].name, text.data, text.size);
        f->is_b64 = span_is(text, "b64");
    } else if (token == TOKEN_OBJECT || token == TOKEN_ARRAY) {
        f->is_b64 = false;
        st = enter(f, token == TOKEN_ARRAY);
    } else if (token == TOKEN_OBJECT_END || token == TOKEN_ARRAY_END) {
        f->is_b64 = false;
        leave(f);
    } else {
        st = take_value(f, token, text, number);
        f->is_b64 = false;
    }
    *done = f->depth == 0;
    return st;
}

const struct datum *flat_row(struct flat *f, uint32_t *n)
{
    for (uint32_t i = 0; i < f->data; i++) {
        struct datum *d = &f->datum[i];
        d->name.data = f->names.data + f->name_at[i];
        if (d->kind == DATUM_CATEGORY)
            d->text.data = f->texts.data + f->text_at[i];
    }
    *n = f->data;
    return f->datum;
}
