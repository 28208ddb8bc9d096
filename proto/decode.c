// Decode: walks a table along hostile bytes. It copies numbers and ids, and lends the
// rest.
//
// SPDX-License-Identifier: Apache-2.0
#include "proto/codec.h"

#include <assert.h>
#include <math.h>

#include "common/base/text.h"
#include "proto/reader.h"

// What one call of message_decode carries along.
struct decoder {
    struct reader reader;
    struct pool *pool;
    const char *fault; // innermost field that was refused
};

static enum status take_message(struct decoder *d, const struct message *m, void *out);

static enum status take_number(struct decoder *d, const struct field *f, uint8_t *at)
{
    static const uint64_t most[] = {
        [FIELD_U8] = UINT8_MAX,
        [FIELD_U16] = UINT16_MAX,
        [FIELD_U32] = UINT32_MAX,
        [FIELD_U64] = UINT64_MAX,
    };
    uint64_t v = 0;
    ST_TRY(reader_u64(&d->reader, &v));
    if (v > (f->max ? f->max : most[f->type]))
        return ST_RANGE;
    switch (f->type) {
    case FIELD_U8:
        *at = (uint8_t)v;
        break;
    case FIELD_U16:
        memcpy(at, &(uint16_t){(uint16_t)v}, sizeof(uint16_t));
        break;
    case FIELD_U32:
        memcpy(at, &(uint32_t){(uint32_t)v}, sizeof(uint32_t));
        break;
    default:
        memcpy(at, &v, sizeof v);
    }
    return ST_OK;
}

static enum status take_f64(struct decoder *d, const struct field *f, uint8_t *at)
{
    double v = 0;
    ST_TRY(reader_f64(&d->reader, &v));
    if (f->type == FIELD_F64 && !isfinite(v))
        return ST_RANGE;
    memcpy(at, &v, sizeof v);
    return ST_OK;
}

static enum status take_span(struct decoder *d, const struct field *f, uint8_t *at)
{
    struct span s = {0};
    bool is_fit = true;
    if (f->type == FIELD_BYTES) {
        ST_TRY(reader_bytes(&d->reader, &s));
    } else if (f->type == FIELD_NAME) {
        // A name is ASCII, so it needs no check of its UTF-8.
        ST_TRY(reader_raw_text(&d->reader, &s));
        is_fit = text_is_name(s) || (s.size == 0 && f->need != FIELD_MUST);
    } else {
        ST_TRY(reader_text(&d->reader, &s));
        is_fit = s.size > 0 || f->need != FIELD_MUST;
    }
    if (!is_fit || s.size > f->max)
        return ST_RANGE;
    memcpy(at, &s, sizeof s);
    return ST_OK;
}

static enum status take_id(struct decoder *d, const struct field *f, uint8_t *at)
{
    struct span s = {0};
    ST_TRY(reader_bytes(&d->reader, &s));
    if (s.size != f->max)
        return ST_RANGE;
    memcpy(at, s.data, s.size);
    return ST_OK;
}

// A list begins: room for its items, and its length noted in *out.
static enum status take_room(struct decoder *d, const struct field *f, uint8_t *out,
                             uint32_t count, size_t size, void **items)
{
    if (count > f->max)
        return ST_RANGE;
    *items = NULL;
    if (count) {
        *items = d->pool ? pool_take(d->pool, count, size) : NULL;
        if (!*items)
            return ST_FULL;
    }
    memcpy(out + f->offset, items, sizeof *items);
    memcpy(out + f->count, &count, sizeof count);
    return ST_OK;
}

// Items of a sorted list begin with a text, a name or an id.
static int compare_items(const struct field *first, const uint8_t *a, const uint8_t *b)
{
    if (first->type == FIELD_ID)
        return memcmp(a + first->offset, b + first->offset, first->max);
    struct span left, right;
    memcpy(&left, a + first->offset, sizeof left);
    memcpy(&right, b + first->offset, sizeof right);
    return span_compare(left, right);
}

static enum status take_items(struct decoder *d, const struct field *f, uint8_t *out)
{
    const struct message *of = f->of;
    uint32_t count = 0;
    void *items;
    ST_TRY(reader_array(&d->reader, &count));
    ST_TRY(take_room(d, f, out, count, of->size, &items));
    uint8_t *item = items;
    for (uint32_t i = 0; i < count; i++, item += of->size) {
        ST_TRY(take_message(d, of, item));
        if (f->type == FIELD_SORTED && i &&
            compare_items(of->field, item - of->size, item) >= 0)
            return ST_CORRUPT;
    }
    reader_leave(&d->reader);
    return ST_OK;
}

static enum status take_item_text(struct decoder *d, struct span *out)
{
    ST_TRY(reader_text(&d->reader, out));
    return out->size <= FIELD_ITEM_MAX ? ST_OK : ST_RANGE;
}

static enum status take_pairs(struct decoder *d, const struct field *f, uint8_t *out)
{
    uint32_t count = 0;
    void *items;
    ST_TRY(reader_map(&d->reader, &count));
    ST_TRY(take_room(d, f, out, count, sizeof(struct pair), &items));
    struct pair *pair = items;
    for (uint32_t i = 0; i < count; i++) {
        ST_TRY(take_item_text(d, &pair[i].key));
        if (i && span_compare(pair[i - 1].key, pair[i].key) >= 0)
            return ST_CORRUPT;
        ST_TRY(take_item_text(d, &pair[i].value));
    }
    reader_leave(&d->reader);
    return ST_OK;
}

static enum status take_tally(struct decoder *d, const struct field *f, uint8_t *out)
{
    uint32_t count = 0;
    void *items;
    ST_TRY(reader_map(&d->reader, &count));
    ST_TRY(take_room(d, f, out, count, sizeof(struct tally), &items));
    struct tally *tally = items;
    for (uint32_t i = 0; i < count; i++) {
        ST_TRY(take_item_text(d, &tally[i].key));
        if (i && span_compare(tally[i - 1].key, tally[i].key) >= 0)
            return ST_CORRUPT;
        ST_TRY(reader_u64(&d->reader, &tally[i].count));
    }
    reader_leave(&d->reader);
    return ST_OK;
}

static enum status take_plain_list(struct decoder *d, const struct field *f,
                                   uint8_t *out)
{
    uint32_t count = 0;
    void *items;
    size_t size = f->type == FIELD_U64S ? sizeof(uint64_t) : sizeof(struct span);
    ST_TRY(reader_array(&d->reader, &count));
    ST_TRY(take_room(d, f, out, count, size, &items));
    for (uint32_t i = 0; i < count; i++) {
        if (f->type == FIELD_U64S) {
            ST_TRY(reader_u64(&d->reader, (uint64_t *)items + i));
            continue;
        }
        struct span *s = (struct span *)items + i;
        if (f->type == FIELD_TEXTS) {
            ST_TRY(take_item_text(d, s));
            continue;
        }
        ST_TRY(reader_bytes(&d->reader, s));
        if (s->size != FIELD_BLOB_BYTES)
            return ST_RANGE;
    }
    reader_leave(&d->reader);
    return ST_OK;
}

static enum status take_version(struct decoder *d, const struct field *f)
{
    uint64_t v = 0;
    ST_TRY(reader_u64(&d->reader, &v));
    return v == f->max ? ST_OK : ST_VERSION;
}

static enum status take_value(struct decoder *d, const struct field *f, uint8_t *out)
{
    uint8_t *at = out + f->offset;
    switch (f->type) {
    case FIELD_VERSION:
        return take_version(d, f);
    case FIELD_BOOL: {
        bool v = false;
        ST_TRY(reader_bool(&d->reader, &v));
        memcpy(at, &v, sizeof v);
        return ST_OK;
    }
    case FIELD_U8:
    case FIELD_U16:
    case FIELD_U32:
    case FIELD_U64:
        return take_number(d, f, at);
    case FIELD_I64: {
        int64_t v = 0;
        ST_TRY(reader_i64(&d->reader, &v));
        memcpy(at, &v, sizeof v);
        return ST_OK;
    }
    case FIELD_F64:
    case FIELD_F64_ANY:
        return take_f64(d, f, at);
    case FIELD_ID:
        return take_id(d, f, at);
    case FIELD_TEXT:
    case FIELD_NAME:
    case FIELD_BYTES:
        return take_span(d, f, at);
    case FIELD_STRUCT:
        return take_message(d, f->of, at);
    case FIELD_LIST:
    case FIELD_SORTED:
        return take_items(d, f, out);
    case FIELD_PAIRS:
        return take_pairs(d, f, out);
    case FIELD_TALLY:
        return take_tally(d, f, out);
    default:
        return take_plain_list(d, f, out);
    }
}

static enum status take_field(struct decoder *d, const struct field *f, uint8_t *out)
{
    enum status st;
    if (f->need != FIELD_MUST && reader_peek(&d->reader) == READER_NIL)
        st = reader_nil(&d->reader);
    else
        st = take_value(d, f, out);
    if (st != ST_OK && !d->fault)
        d->fault = f->name;
    return st;
}

// Senders write keys in the order of the table, so the next one is the first guess.
static uint32_t find_field(const struct message *m, struct span key, uint32_t guess)
{
    for (uint32_t tried = 0; tried < m->fields; tried++, guess++) {
        if (guess == m->fields)
            guess = 0;
        // A key may hold a zero byte, so its length is compared and not its end.
        if (span_is(key, m->field[guess].name))
            return guess;
    }
    return m->fields;
}

// A key that the table does not name: skipped, but not twice, and not when critical.
static enum status pass_stranger(struct decoder *d, struct span key,
                                 struct span *strangers, uint32_t *count)
{
    if (key.size && key.data[0] == '!')
        return ST_UNSUPPORTED;
    if (*count == MESSAGE_STRANGERS_MAX)
        return ST_CORRUPT;
    for (uint32_t i = 0; i < *count; i++)
        if (span_equal(strangers[i], key))
            return ST_CORRUPT;
    strangers[(*count)++] = key;
    return reader_skip(&d->reader);
}

static enum status check_complete(struct decoder *d, const struct message *m,
                                  uint64_t seen)
{
    for (uint32_t i = 0; i < m->fields; i++) {
        if (m->field[i].need == FIELD_MUST && !(seen >> i & 1)) {
            if (!d->fault)
                d->fault = m->field[i].name;
            return ST_CORRUPT;
        }
    }
    return ST_OK;
}

static enum status take_map(struct decoder *d, const struct message *m, uint8_t *out)
{
    struct span strangers[MESSAGE_STRANGERS_MAX];
    uint32_t stranger_count = 0, guess = 0, count = 0;
    uint64_t seen = 0;
    ST_TRY(reader_map(&d->reader, &count));
    for (uint32_t i = 0; i < count; i++) {
        struct span key = {0};
        ST_TRY(reader_text(&d->reader, &key));
        uint32_t at = find_field(m, key, guess);
        if (at == m->fields) {
            ST_TRY(pass_stranger(d, key, strangers, &stranger_count));
            continue;
        }
        if (seen >> at & 1)
            return ST_CORRUPT;
        seen |= UINT64_C(1) << at;
        ST_TRY(take_field(d, &m->field[at], out));
        guess = at + 1;
    }
    reader_leave(&d->reader);
    return check_complete(d, m, seen);
}

// The short forms of what windows are full of; false leaves everything to take_field.
// (tests/bench/codec_bench: a window of 50 features 2.2 -> 1.4 us.)
static inline bool take_quickly(struct reader *r, const struct field *f, uint8_t *out)
{
    size_t left = reader_left(r);
    if (left < 3 || r->objects == 0)
        return false;
    uint8_t first = r->at[0];
    uint8_t *at = out + f->offset;
    struct span s;
    if (f->type == FIELD_U8) {
        if (first >= 0x80 || first > f->max)
            return false;
        *at = first;
        r->at++;
    } else if (f->type == FIELD_NAME) {
        s = span_of(r->at + 1, first & 0x1f);
        if ((first & 0xe0) != 0xa0 || s.size > left - 1 || s.size > f->max ||
            !text_is_name(s))
            return false;
        memcpy(at, &s, sizeof s);
        r->at += 1 + s.size;
    } else if (f->type == FIELD_BYTES && first == 0xc5) {
        s = span_of(r->at + 3, (size_t)r->at[1] << 8 | r->at[2]);
        if (s.size > left - 3 || s.size > f->max)
            return false;
        memcpy(at, &s, sizeof s);
        r->at += 3 + s.size;
    } else {
        return false;
    }
    r->objects--;
    return true;
}

static enum status take_row(struct decoder *d, const struct message *m, uint8_t *out)
{
    uint32_t count = 0;
    ST_TRY(reader_array(&d->reader, &count));
    for (uint32_t i = 0; i < count; i++) {
        if (i >= m->fields)
            ST_TRY(reader_skip(&d->reader));
        else if (!take_quickly(&d->reader, &m->field[i], out))
            ST_TRY(take_field(d, &m->field[i], out));
    }
    reader_leave(&d->reader);
    return count >= m->fields ? ST_OK
                              : check_complete(d, m, (UINT64_C(1) << count) - 1);
}

// `out` is zeroed.
static enum status take_message(struct decoder *d, const struct message *m, void *out)
{
    assert(m->fields <= MESSAGE_FIELDS_MAX);
    return m->shape == MESSAGE_ROW ? take_row(d, m, out) : take_map(d, m, out);
}

static enum status finish(struct decoder *d, enum status st)
{
    if (st == ST_OK)
        st = reader_end(&d->reader);
    if (d->pool)
        d->pool->fault = d->fault;
    return st;
}

enum status message_decode(const struct message *m, struct span body, struct pool *pool,
                           void *out)
{
    struct decoder d = {.pool = pool};
    reader_init(&d.reader, body);
    memset(out, 0, m->size);
    return finish(&d, take_message(&d, m, out));
}

enum status message_decode_list(const struct message *m, struct span body, uint32_t max,
                                struct pool *pool, const void **items, uint32_t *count)
{
    struct list {
        const void *items;
        uint32_t count;
    } list = {0};
    const struct field f = {
        .name = "list",
        .type = FIELD_LIST,
        FIELD_LIST_AT(struct list, items, count),
        .max = max,
        .of = m,
    };
    struct decoder d = {.pool = pool};
    reader_init(&d.reader, body);
    ST_TRY(finish(&d, take_items(&d, &f, (uint8_t *)&list)));
    *items = list.items;
    *count = list.count;
    return ST_OK;
}
