// SPDX-License-Identifier: Apache-2.0
#include "agent/intake/rows.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "agent/intake/decoder.h"
#include "agent/intake/flat.h"
#include "agent/intake/lexer.h"
#include "agent/intake/stamp.h"
#include "agent/intake/word.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "proto/reader.h"

enum member {
    MEMBER_MODEL,
    MEMBER_VERSION,
    MEMBER_ID,
    MEMBER_TS,
    MEMBER_FEATURES,
    MEMBER_PREDICTION,
    MEMBER_LABEL,
    MEMBER_UNKNOWN,
    MEMBER_COUNT
};

static const char *const member_names[MEMBER_UNKNOWN] = {
    "model", "version", "id", "ts", "features", "prediction", "label",
};

struct rows {
    struct lexer lexer;
    struct flat flat;
    struct word given; // the model of the door, may be empty
    struct word model;
    struct word version;
    struct word id;
    struct word written; // the time, as it stands there
    uint64_t t;
    bool has_time;
    bool has_content; // features, a prediction or a label was there
    uint32_t unknown;
    enum member member;
    uint32_t level; // of the token under way, in the line
    uint32_t depth; // inside an unknown member, or of "features"
    bool in_value;  // of a feature, the prediction or the label
};

static enum member member_of(struct span key)
{
    for (enum member m = 0; m < MEMBER_UNKNOWN; m++)
        if (span_is(key, member_names[m]))
            return m;
    return MEMBER_UNKNOWN;
}

static enum status take_word(struct rows *r, enum token token, struct span text)
{
    if (token == TOKEN_NULL)
        return ST_OK;
    if (token != TOKEN_STRING && !(token == TOKEN_NUMBER && r->member == MEMBER_ID))
        return ST_CORRUPT;
    struct word *to = r->member == MEMBER_MODEL     ? &r->model
                      : r->member == MEMBER_VERSION ? &r->version
                                                    : &r->id;
    return word_set(to, text);
}

static enum status take_time(struct rows *r, enum token token, struct span text,
                             double number)
{
    if (token == TOKEN_NULL)
        return ST_OK;
    if (token != TOKEN_STRING && token != TOKEN_NUMBER)
        return ST_CORRUPT;
    ST_TRY(stamp_of(token, text, number, &r->t));
    r->has_time = true;
    return word_set(&r->written, text);
}

// A member at the top of "features", or the whole of "prediction" or "label".
static enum status take_flat(struct rows *r, enum token token, struct span text,
                             double number)
{
    bool done;
    enum status st = flat_token(&r->flat, token, text, number, &done);
    r->in_value = !done;
    return st;
}

static enum status take_features(struct rows *r, enum token token, struct span text,
                                 double number)
{
    if (r->in_value)
        return take_flat(r, token, text, number);
    if (r->depth == 0) {
        r->depth = token == TOKEN_OBJECT;
        return token == TOKEN_OBJECT || token == TOKEN_NULL ? ST_OK : ST_CORRUPT;
    }
    if (token == TOKEN_OBJECT_END) {
        r->depth = 0;
        return ST_OK;
    }
    r->in_value = true;
    flat_begin(&r->flat, text, SIDE_INPUT);
    return ST_OK;
}

// How deep a token leads.
static int step_of(enum token token)
{
    if (token == TOKEN_OBJECT || token == TOKEN_ARRAY)
        return 1;
    return token == TOKEN_OBJECT_END || token == TOKEN_ARRAY_END ? -1 : 0;
}

static enum status take_member(struct rows *r, enum token token, struct span text,
                               double number)
{
    switch (r->member) {
    case MEMBER_MODEL:
    case MEMBER_VERSION:
    case MEMBER_ID:
        return take_word(r, token, text);
    case MEMBER_TS:
        return take_time(r, token, text, number);
    case MEMBER_FEATURES:
        return take_features(r, token, text, number);
    case MEMBER_PREDICTION:
    case MEMBER_LABEL:
        return take_flat(r, token, text, number);
    default:
        r->depth = (uint32_t)((int)r->depth + step_of(token));
        return ST_OK;
    }
}

static void begin_member(struct rows *r, struct span key)
{
    r->member = member_of(key);
    r->depth = 0;
    r->in_value = false;
    r->unknown += r->member == MEMBER_UNKNOWN;
    r->has_content = r->has_content || r->member == MEMBER_FEATURES ||
                     r->member == MEMBER_PREDICTION || r->member == MEMBER_LABEL;
    if (r->member == MEMBER_PREDICTION || r->member == MEMBER_LABEL)
        flat_begin(&r->flat, key, r->member == MEMBER_LABEL ? SIDE_LABEL : SIDE_OUTPUT);
}

static enum status take(void *self, enum token token, struct span text, double number)
{
    struct rows *r = self;
    r->level = (uint32_t)((int)r->level + step_of(token));
    bool is_top = r->level == 1 && r->depth == 0 && !r->in_value;
    if (r->level == 1 && token == TOKEN_OBJECT && r->member == MEMBER_COUNT) {
        r->member = MEMBER_UNKNOWN;
        return ST_OK;
    }
    if (r->member == MEMBER_COUNT)
        return ST_CORRUPT; // a line that is no object
    if (r->level == 0)
        return ST_OK;
    if (is_top && token == TOKEN_KEY) {
        begin_member(r, text);
        return ST_OK;
    }
    return take_member(r, token, text, number);
}

enum status rows_open(const char *model, struct rows **out)
{
    struct rows *r = MEM_NEW(struct rows);
    if (!r)
        return ST_NOMEM;
    lexer_init(&r->lexer, take, r);
    enum status st = flat_init(&r->flat, OBSERVATION_VALUES_MAX);
    if (st == ST_OK)
        st = word_set(&r->given, span_text(model));
    if (st != ST_OK) {
        rows_close(r);
        return st;
    }
    *out = r;
    return ST_OK;
}

void rows_close(struct rows *r)
{
    if (!r)
        return;
    lexer_fini(&r->lexer);
    flat_fini(&r->flat);
    mem_free(r);
}

static void begin_line(struct rows *r)
{
    flat_clear(&r->flat);
    r->model = r->given;
    r->version.size = 0;
    r->id.size = 0;
    r->has_time = false;
    r->has_content = false;
    r->unknown = 0;
    r->member = MEMBER_COUNT;
    r->level = r->depth = 0;
    r->in_value = false;
}

static enum status end_line(struct rows *r, uint64_t now_ns, struct observation *out)
{
    if (!r->has_content || r->model.size == 0)
        return ST_CORRUPT;
    *out = (struct observation){
        .model = word_span(&r->model),
        .version = word_span(&r->version),
        .id = word_span(&r->id),
        .t = r->has_time ? r->t : now_ns,
        .has_time = r->has_time,
        .written = r->has_time ? word_span(&r->written) : (struct span){0},
        .weight = 1,
        .unknown = r->unknown,
    };
    out->value = flat_row(&r->flat, &out->values);
    return ST_OK;
}

enum status rows_read(struct rows *r, struct span line, uint64_t now_ns,
                      struct observation *out)
{
    begin_line(r);
    ST_TRY(lexer_whole(&r->lexer, line));
    return end_line(r, now_ns, out);
}

// --- The same, packed

static enum status take_integer(struct rows *r, struct reader *from)
{
    char digits[24];
    uint64_t v;
    int64_t negative = 0;
    int size;
    struct reader before = *from;
    if (reader_u64(from, &v) == ST_OK) {
        size = snprintf(digits, sizeof digits, "%" PRIu64, v);
    } else {
        *from = before;
        ST_TRY(reader_i64(from, &negative));
        size = snprintf(digits, sizeof digits, "%" PRId64, negative);
    }
    double number = negative < 0 ? (double)negative : (double)v;
    return take(r, TOKEN_NUMBER, span_of(digits, (size_t)size), number);
}

// Digits are wanted of a time alone; nine behind the point are all that it has.
static enum status take_float(struct rows *r, struct reader *from)
{
    char digits[336];
    double v;
    ST_TRY(reader_f64(from, &v));
    int size = r->level == 1 && r->member == MEMBER_TS
                   ? snprintf(digits, sizeof digits, "%.9f", v)
                   : 0;
    return take(r, TOKEN_NUMBER, span_of(digits, (size_t)size), v);
}

static enum status take_scalar(struct rows *r, struct reader *from)
{
    const struct span none = {0};
    struct span text;
    bool flag;
    switch (reader_peek(from)) {
    case READER_NIL:
        ST_TRY(reader_nil(from));
        return take(r, TOKEN_NULL, none, NAN);
    case READER_BOOL:
        ST_TRY(reader_bool(from, &flag));
        return take(r, flag ? TOKEN_TRUE : TOKEN_FALSE, none, flag);
    case READER_INT:
        return take_integer(r, from);
    case READER_FLOAT:
        return take_float(r, from);
    case READER_TEXT:
        ST_TRY(reader_text(from, &text));
        return take(r, TOKEN_STRING, text, NAN);
    default:
        return ST_CORRUPT;
    }
}

// Bounded by the reader, which enters at most so many containers inside each other.
static enum status take_packed(struct rows *r, struct reader *from)
{
    const struct span none = {0};
    struct span key;
    uint32_t n;
    bool is_map = reader_peek(from) == READER_MAP;
    if (!is_map && reader_peek(from) != READER_ARRAY)
        return take_scalar(r, from);
    ST_TRY(is_map ? reader_map(from, &n) : reader_array(from, &n));
    ST_TRY(take(r, is_map ? TOKEN_OBJECT : TOKEN_ARRAY, none, NAN));
    for (uint32_t i = 0; i < n; i++) {
        if (is_map) {
            ST_TRY(reader_text(from, &key));
            ST_TRY(take(r, TOKEN_KEY, key, NAN));
        }
        ST_TRY(take_packed(r, from));
    }
    reader_leave(from);
    return take(r, is_map ? TOKEN_OBJECT_END : TOKEN_ARRAY_END, none, NAN);
}

enum status rows_unpack(struct rows *r, struct span packet, uint64_t now_ns,
                        struct observation *out)
{
    struct reader from;
    reader_init(&from, packet);
    begin_line(r);
    ST_TRY(take_packed(r, &from));
    ST_TRY(reader_end(&from));
    return end_line(r, now_ns, out);
}

struct span rows_blame(const struct rows *r)
{
    return word_span(&r->model);
}

// --- As the decoder of a file

struct rows_decoder {
    struct rows *rows;
    const struct mapping *mapping;
};

static enum status decode_line(void *self, struct span line, uint64_t now_ns,
                               const struct observation_sink *sink)
{
    struct rows_decoder *d = self;
    struct observation o;
    ST_TRY(rows_read(d->rows, line, now_ns, &o));
    if (o.version.size == 0)
        o.version = span_text(d->mapping->version);
    sink->row(sink->self, &o);
    return ST_OK;
}

static void decode_close(void *self)
{
    struct rows_decoder *d = self;
    rows_close(d->rows);
    mem_free(d);
}

enum status decoder_rows(const struct mapping *m, struct decoder *out)
{
    struct rows_decoder *d = MEM_NEW(struct rows_decoder);
    if (!d)
        return ST_NOMEM;
    d->mapping = m;
    enum status st = rows_open(m->model, &d->rows);
    if (st != ST_OK) {
        mem_free(d);
        return st;
    }
    *out = (struct decoder){.self = d, .line = decode_line, .close = decode_close};
    return ST_OK;
}
