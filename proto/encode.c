// Encode: walks a table and lets msgpack-c pack each member.
//
// SPDX-License-Identifier: Apache-2.0
#include "proto/codec.h"

#include <math.h>
#include <msgpack.h>

#include "common/base/text.h"

// What one call of message_encode carries along. Bytes go straight to `at` while they
// fit; the buffer learns of them when it must grow, and at the end.
struct encoder {
    msgpack_packer packer;
    struct buf *out;
    uint8_t *at;
    uint8_t *end;      // of the room that `out` has taken and may use
    const char *fault; // innermost field that was refused
};

static void take_room(struct encoder *e)
{
    const struct buf *b = e->out;
    size_t usable = b->capacity < b->limit ? b->capacity : b->limit;
    e->at = b->data ? b->data + b->size : NULL;
    e->end = b->data && !b->failed ? b->data + usable : e->at;
}

static void give_room(struct encoder *e)
{
    if (e->at)
        e->out->size = (size_t)(e->at - e->out->data);
}

static int append(void *keep, const char *data, size_t size)
{
    struct encoder *e = keep;
    if (size > (size_t)(e->end - e->at)) {
        give_room(e);
        buf_put(e->out, data, size);
        take_room(e);
    } else if (size == 1) {
        *e->at++ = (uint8_t)*data; // heads of one byte are every second piece
    } else if (size) {
        memcpy(e->at, data, size);
        e->at += size;
    }
    return 0;
}

// Members are read by memcpy: the table knows where they are, not what they are called.
static uint64_t number_at(const struct field *f, const void *in)
{
    const uint8_t *at = (const uint8_t *)in + f->offset;
    switch (f->type) {
    case FIELD_BOOL:
    case FIELD_U8:
        return *at;
    case FIELD_U16: {
        uint16_t v;
        memcpy(&v, at, sizeof v);
        return v;
    }
    case FIELD_U32: {
        uint32_t v;
        memcpy(&v, at, sizeof v);
        return v;
    }
    default: {
        uint64_t v; // of I64 and F64: its bits
        memcpy(&v, at, sizeof v);
        return v;
    }
    }
}

static struct span span_at(const struct field *f, const void *in)
{
    struct span s;
    memcpy(&s, (const uint8_t *)in + f->offset, sizeof s);
    return s;
}

static uint32_t count_at(const struct field *f, const void *in)
{
    uint32_t count;
    memcpy(&count, (const uint8_t *)in + f->count, sizeof count);
    return count;
}

static const void *items_at(const struct field *f, const void *in)
{
    const void *items;
    memcpy(&items, (const uint8_t *)in + f->offset, sizeof items);
    return items;
}

static bool is_zero(const uint8_t *bytes, size_t size)
{
    uint8_t any = 0;
    for (size_t i = 0; i < size; i++)
        any |= bytes[i];
    return any == 0;
}

static bool is_present(const struct message *m, const void *in);

// Whether an optional member has something to say.
static bool has_value(const struct field *f, const void *in)
{
    switch (f->type) {
    case FIELD_VERSION:
        return true;
    case FIELD_ID:
        return !is_zero((const uint8_t *)in + f->offset, f->max);
    case FIELD_TEXT:
    case FIELD_NAME:
    case FIELD_BYTES:
        return span_at(f, in).size > 0;
    case FIELD_STRUCT:
        return is_present(f->of, (const uint8_t *)in + f->offset);
    case FIELD_LIST:
    case FIELD_SORTED:
    case FIELD_U64S:
    case FIELD_TEXTS:
    case FIELD_BLOBS:
    case FIELD_PAIRS:
    case FIELD_TALLY:
        return count_at(f, in) > 0;
    default:
        return number_at(f, in) != 0;
    }
}

static bool is_present(const struct message *m, const void *in)
{
    for (uint32_t i = 0; i < m->fields; i++)
        if (m->field[i].type != FIELD_VERSION && has_value(&m->field[i], in))
            return true;
    return false;
}

static enum status put_message(struct encoder *e, const struct message *m,
                               const void *in);

static enum status put_text(struct encoder *e, struct span s, uint64_t max)
{
    if (s.size > max || !text_is_utf8(s))
        return ST_RANGE;
    msgpack_pack_str(&e->packer, s.size);
    msgpack_pack_str_body(&e->packer, s.data, s.size);
    return ST_OK;
}

static void put_bytes(struct encoder *e, struct span s)
{
    msgpack_pack_bin(&e->packer, s.size);
    msgpack_pack_bin_body(&e->packer, s.data, s.size);
}

static enum status put_span(struct encoder *e, const struct field *f, struct span s)
{
    if (s.size > f->max)
        return ST_RANGE;
    if (f->type == FIELD_BYTES) {
        put_bytes(e, s);
        return ST_OK;
    }
    // A name is ASCII, so it needs no second look.
    bool is_fit = f->type == FIELD_NAME ? text_is_name(s) : s.size && text_is_utf8(s);
    if (!is_fit)
        return ST_RANGE;
    msgpack_pack_str(&e->packer, s.size);
    msgpack_pack_str_body(&e->packer, s.data, s.size);
    return ST_OK;
}

static enum status put_number(struct encoder *e, const struct field *f, uint64_t v)
{
    if (f->max && v > f->max)
        return ST_RANGE;
    msgpack_pack_uint64(&e->packer, v);
    return ST_OK;
}

static enum status put_f64(struct encoder *e, const struct field *f, uint64_t bits)
{
    double v;
    memcpy(&v, &bits, sizeof v);
    if (f->type == FIELD_F64 && !isfinite(v))
        return ST_RANGE;
    msgpack_pack_double(&e->packer, v);
    return ST_OK;
}

// Items of a sorted list begin with a text, a name or an id.
static int compare_items(const struct field *first, const void *a, const void *b)
{
    if (first->type == FIELD_ID)
        return memcmp((const uint8_t *)a + first->offset,
                      (const uint8_t *)b + first->offset, first->max);
    return span_compare(span_at(first, a), span_at(first, b));
}

static enum status put_items(struct encoder *e, const struct field *f, const void *in)
{
    const uint8_t *item = items_at(f, in);
    uint32_t count = count_at(f, in);
    const struct message *of = f->of;
    msgpack_pack_array(&e->packer, count);
    for (uint32_t i = 0; i < count; i++, item += of->size) {
        if (f->type == FIELD_SORTED && i &&
            compare_items(of->field, item - of->size, item) >= 0)
            return ST_RANGE;
        ST_TRY(put_message(e, of, item));
    }
    return ST_OK;
}

static enum status put_pairs(struct encoder *e, const struct field *f, const void *in)
{
    const struct pair *pair = items_at(f, in);
    uint32_t count = count_at(f, in);
    msgpack_pack_map(&e->packer, count);
    for (uint32_t i = 0; i < count; i++) {
        if (i && span_compare(pair[i - 1].key, pair[i].key) >= 0)
            return ST_RANGE;
        ST_TRY(put_text(e, pair[i].key, FIELD_ITEM_MAX));
        ST_TRY(put_text(e, pair[i].value, FIELD_ITEM_MAX));
    }
    return ST_OK;
}

static enum status put_tally(struct encoder *e, const struct field *f, const void *in)
{
    const struct tally *tally = items_at(f, in);
    uint32_t count = count_at(f, in);
    msgpack_pack_map(&e->packer, count);
    for (uint32_t i = 0; i < count; i++) {
        if (i && span_compare(tally[i - 1].key, tally[i].key) >= 0)
            return ST_RANGE;
        ST_TRY(put_text(e, tally[i].key, FIELD_ITEM_MAX));
        msgpack_pack_uint64(&e->packer, tally[i].count);
    }
    return ST_OK;
}

static enum status put_plain_list(struct encoder *e, const struct field *f,
                                  const void *in)
{
    const void *items = items_at(f, in);
    uint32_t count = count_at(f, in);
    msgpack_pack_array(&e->packer, count);
    for (uint32_t i = 0; i < count; i++) {
        if (f->type == FIELD_U64S) {
            msgpack_pack_uint64(&e->packer, ((const uint64_t *)items)[i]);
            continue;
        }
        struct span s = ((const struct span *)items)[i];
        if (f->type == FIELD_TEXTS)
            ST_TRY(put_text(e, s, FIELD_ITEM_MAX));
        else if (s.size == FIELD_BLOB_BYTES)
            put_bytes(e, s);
        else
            return ST_RANGE;
    }
    return ST_OK;
}

static enum status put_list(struct encoder *e, const struct field *f, const void *in)
{
    if (count_at(f, in) > f->max)
        return ST_RANGE;
    switch (f->type) {
    case FIELD_PAIRS:
        return put_pairs(e, f, in);
    case FIELD_TALLY:
        return put_tally(e, f, in);
    case FIELD_LIST:
    case FIELD_SORTED:
        return put_items(e, f, in);
    default:
        return put_plain_list(e, f, in);
    }
}

static enum status put_value(struct encoder *e, const struct field *f, const void *in)
{
    const uint8_t *at = (const uint8_t *)in + f->offset;
    switch (f->type) {
    case FIELD_VERSION:
        msgpack_pack_uint64(&e->packer, f->max);
        return ST_OK;
    case FIELD_BOOL:
        if (number_at(f, in))
            msgpack_pack_true(&e->packer);
        else
            msgpack_pack_false(&e->packer);
        return ST_OK;
    case FIELD_U8:
    case FIELD_U16:
    case FIELD_U32:
    case FIELD_U64:
        return put_number(e, f, number_at(f, in));
    case FIELD_I64:
        msgpack_pack_int64(&e->packer, (int64_t)number_at(f, in));
        return ST_OK;
    case FIELD_F64:
    case FIELD_F64_ANY:
        return put_f64(e, f, number_at(f, in));
    case FIELD_ID:
        put_bytes(e, span_of(at, f->max));
        return ST_OK;
    case FIELD_TEXT:
    case FIELD_NAME:
    case FIELD_BYTES:
        return put_span(e, f, span_at(f, in));
    case FIELD_STRUCT:
        return put_message(e, f->of, at);
    default:
        return put_list(e, f, in);
    }
}

// The value, or nil, or nothing at all.
static enum status put_field(struct encoder *e, const struct field *f, const void *in,
                             enum message_shape shape)
{
    bool is_absent = f->need != FIELD_MUST && !has_value(f, in);
    if (is_absent && f->need == FIELD_MAY && shape == MESSAGE_MAP)
        return ST_OK;
    if (shape == MESSAGE_MAP) {
        size_t size = strlen(f->name);
        msgpack_pack_str(&e->packer, size);
        msgpack_pack_str_body(&e->packer, f->name, size);
    }
    if (is_absent) {
        msgpack_pack_nil(&e->packer);
        return ST_OK;
    }
    enum status st = put_value(e, f, in);
    if (st != ST_OK && !e->fault)
        e->fault = f->name;
    return st;
}

static bool is_written(const struct field *f, const void *in)
{
    return f->need != FIELD_MAY || has_value(f, in);
}

static uint32_t keys_to_write(const struct message *m, const void *in)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < m->fields; i++)
        count += is_written(&m->field[i], in);
    return count;
}

// A row ends with its last field that says something; what comes before stays in place.
static uint32_t places_to_write(const struct message *m, const void *in)
{
    uint32_t count = m->fields;
    while (count && !is_written(&m->field[count - 1], in))
        count--;
    return count;
}

static enum status put_message(struct encoder *e, const struct message *m,
                               const void *in)
{
    uint32_t walked = m->fields;
    if (m->shape == MESSAGE_ROW) {
        walked = places_to_write(m, in);
        msgpack_pack_array(&e->packer, walked);
    } else {
        msgpack_pack_map(&e->packer, keys_to_write(m, in));
    }
    for (uint32_t i = 0; i < walked; i++)
        ST_TRY(put_field(e, &m->field[i], in, m->shape));
    return e->out->failed;
}

static void encoder_init(struct encoder *e, struct buf *out)
{
    *e = (struct encoder){.out = out};
    take_room(e);
    msgpack_packer_init(&e->packer, e, append);
}

// Ends a call: what was written stays only if all of it was.
static enum status finish(struct encoder *e, enum status st, size_t before,
                          const char **fault)
{
    give_room(e);
    if (st == ST_OK)
        st = e->out->failed;
    if (st != ST_OK)
        e->out->size = before;
    if (fault)
        *fault = e->fault;
    return st;
}

enum status message_encode(const struct message *m, const void *in, struct buf *out,
                           const char **fault)
{
    struct encoder e;
    encoder_init(&e, out);
    size_t before = out->size;
    return finish(&e, put_message(&e, m, in), before, fault);
}

enum status message_encode_list(const struct message *m, const void *items,
                                uint32_t count, struct buf *out, const char **fault)
{
    struct encoder e;
    encoder_init(&e, out);
    size_t before = out->size;
    msgpack_pack_array(&e.packer, count);
    enum status st = ST_OK;
    for (uint32_t i = 0; i < count && st == ST_OK; i++)
        st = put_message(&e, m, (const uint8_t *)items + (size_t)i * m->size);
    return finish(&e, st, before, fault);
}
