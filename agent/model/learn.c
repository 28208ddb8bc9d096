// SPDX-License-Identifier: Apache-2.0
#include "agent/model/learn.h"

#include <math.h>
#include <string.h>

#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/base/text.h"

#define LEARN_VERSION 1
#define MEMORY_BYTES (SCHEMA_MEMORY_BITS / 8)

// Beyond so many categories a new one is nothing to tell: with 256 of 4,096 bits set
// one in 16 new ones is taken for known.
#define CATEGORIES_TOLD_MAX 256

// A column is an id when so large a share of at least so many values are different.
#define ID_SHARE 0.95
#define ID_VALUES_MIN 500

// --- Values

static uint64_t hash_of(const struct schema *s, const struct datum *d)
{
    switch (d->kind) {
    case DATUM_CATEGORY:
        return hash_sip(s->key, d->text);
    case DATUM_NUMBER:
        return hash_sip(s->key, span_of(&d->number, sizeof d->number));
    default:
        return 0;
    }
}

static bool has_bit(const uint8_t *memory, uint64_t hash)
{
    uint32_t bit = (uint32_t)(hash % SCHEMA_MEMORY_BITS);
    return memory[bit / 8] >> bit % 8 & 1;
}

static void remember(struct schema_feature *f, uint64_t hash)
{
    uint32_t bit = (uint32_t)(hash % SCHEMA_MEMORY_BITS);
    if (!f->memory)
        f->memory = mem_zero(MEMORY_BYTES, 1);
    if (f->memory)
        f->memory[bit / 8] |= (uint8_t)(1 << bit % 8);
}

void learn_value(struct schema *s, uint32_t slot, const struct datum *d)
{
    struct schema_feature *f = &s->feature[slot];
    f->named++;
    if (d->kind == DATUM_MISSING)
        return;
    uint64_t hash = hash_of(s, d);
    f->kinds |= (uint8_t)(1 << d->kind);
    f->is_varied = f->is_varied || (f->valid > 0 && hash != f->last);
    f->run = f->valid > 0 && hash == f->last ? f->run + 1 : 1;
    f->run_longest = f->run > f->run_longest ? f->run : f->run_longest;
    f->last = hash;
    f->valid++;
    if (d->kind == DATUM_CATEGORY)
        remember(f, hash);
}

// --- Freezing

static uint32_t bits_set(const uint8_t *memory)
{
    uint32_t n = 0;
    for (uint32_t i = 0; memory && i < MEMORY_BYTES; i++)
        n += (uint32_t)__builtin_popcount(memory[i]);
    return n;
}

// Linear counting (Whang et al., 1990): within 2 % for a thousand values.
static double categories_of(const struct schema_feature *f)
{
    double free = SCHEMA_MEMORY_BITS - bits_set(f->memory);
    return free > 0 ? -SCHEMA_MEMORY_BITS * log(free / SCHEMA_MEMORY_BITS) : INFINITY;
}

static bool is_id(const struct schema_feature *f)
{
    return f->role == FEATURE_INPUT && f->kind == FEATURE_CATEGORICAL && f->memory &&
           !f->is_revealed && f->valid >= ID_VALUES_MIN &&
           categories_of(f) > ID_SHARE * f->valid;
}

static void leave_out(struct schema *s, uint32_t slot, struct span version, uint64_t at,
                      struct changes *changes)
{
    struct schema_feature *f = &s->feature[slot];
    struct change c = {.kind = CHANGE_LEFT_OUT, .at = at};
    f->is_left_out = true;
    memcpy(c.version, version.data,
           version.size < FIELD_NAME_MAX ? version.size : FIELD_NAME_MAX);
    memcpy(c.column, f->name, f->size);
    changes_note(changes, &c);
}

void learn_freeze(struct schema *s)
{
    s->is_frozen = true;
    s->learned = SCHEMA_LEARN_ROWS;
    for (uint32_t i = 0; i < s->features; i++) {
        struct schema_feature *f = &s->feature[i];
        f->is_member = true;
        f->named = f->valid = SCHEMA_LEARN_ROWS;
        f->kinds = 1 << DATUM_NUMBER;
        if (f->kind == FEATURE_CATEGORICAL)
            f->kinds |= 1 << DATUM_CATEGORY;
    }
}

bool learn_row(struct schema *s, bool in_order, struct span version, uint64_t at,
               struct changes *changes)
{
    s->is_unordered = s->is_unordered || !in_order;
    if (++s->learned < SCHEMA_LEARN_ROWS)
        return false;
    s->is_frozen = true;
    for (uint32_t i = 0; i < s->features; i++) {
        struct schema_feature *f = &s->feature[i];
        f->is_member = f->named > 0;
        if (f->is_member && is_id(f))
            leave_out(s, i, version, at, changes);
        // An id's memory is full of people; it has served.
        if (f->is_left_out) {
            mem_free(f->memory);
            f->memory = NULL;
        }
    }
    return true;
}

void learn_again(struct schema *s)
{
    s->is_frozen = s->is_unordered = false;
    s->learned = 0;
    for (uint32_t i = 0; i < s->features; i++) {
        struct schema_feature *f = &s->feature[i];
        mem_free(f->memory);
        f->memory = NULL;
        f->is_member = f->is_left_out = f->is_varied = false;
        f->kinds = 0;
        f->named = f->valid = f->run = f->run_longest = 0;
    }
}

// --- What follows from it

static double share_of(const struct schema *s, uint32_t part)
{
    return s->learned ? (double)part / s->learned : 0;
}

double learn_named(const struct schema *s, uint32_t slot, uint64_t rows)
{
    return share_of(s, s->feature[slot].named) * (double)rows;
}

double learn_valid(const struct schema *s, uint32_t slot, uint64_t rows)
{
    return share_of(s, s->feature[slot].valid) * (double)rows;
}

bool learn_is_new(const struct schema *s, uint32_t slot, struct span category)
{
    const struct schema_feature *f = &s->feature[slot];
    if (!s->is_frozen || !f->memory)
        return false;
    return !has_bit(f->memory, hash_sip(s->key, category)) &&
           bits_set(f->memory) <= CATEGORIES_TOLD_MAX;
}

// --- Kept

static void save_feature(const struct schema_feature *f, struct buf *out)
{
    uint8_t flags = (uint8_t)(f->is_member | f->is_left_out << 1 | f->is_varied << 2 |
                              (f->memory != NULL) << 3);
    buf_put_u8(out, f->role);
    buf_put_u8(out, f->kind);
    buf_put_u8(out, f->given_size);
    buf_put(out, f->given, f->given_size);
    buf_put_u8(out, flags);
    buf_put_u8(out, f->kinds);
    buf_put_varint(out, f->named);
    buf_put_varint(out, f->valid);
    buf_put_varint(out, f->run_longest);
    if (f->memory)
        buf_put(out, f->memory, MEMORY_BYTES);
}

void learn_save(const struct schema *s, struct buf *out)
{
    buf_put_u8(out, LEARN_VERSION);
    buf_put_u8(out, (uint8_t)(s->is_frozen | s->is_unordered << 1));
    buf_put_le32(out, s->learned);
    buf_put(out, s->key, sizeof s->key);
    buf_put_le32(out, s->features);
    for (uint32_t i = 0; i < s->features; i++)
        save_feature(&s->feature[i], out);
}

static enum status load_counts(struct cursor *from, struct schema_feature *f)
{
    uint64_t count[3];
    for (int i = 0; i < 3; i++) {
        ST_TRY(cursor_varint(from, &count[i]));
        if (count[i] > UINT32_MAX)
            return ST_CORRUPT;
    }
    f->named = (uint32_t)count[0];
    f->valid = (uint32_t)count[1];
    f->run_longest = (uint32_t)count[2];
    return ST_OK;
}

static enum status load_memory(struct cursor *from, struct schema_feature *f)
{
    struct span memory;
    ST_TRY(cursor_bytes(from, MEMORY_BYTES, &memory));
    mem_free(f->memory);
    f->memory = mem_copy(memory);
    return f->memory ? ST_OK : ST_NOMEM;
}

static enum status load_feature(struct cursor *from, struct schema *s)
{
    uint8_t role, kind, given_size, flags, kinds;
    uint32_t slot;
    struct span given;
    ST_TRY(cursor_u8(from, &role));
    ST_TRY(cursor_u8(from, &kind));
    ST_TRY(cursor_u8(from, &given_size));
    ST_TRY(cursor_bytes(from, given_size, &given));
    ST_TRY(cursor_u8(from, &flags));
    ST_TRY(cursor_u8(from, &kinds));
    if (role >= FEATURE_ROLES || kind >= FEATURE_KINDS || given_size > FIELD_NAME_MAX)
        return ST_CORRUPT;
    ST_TRY(schema_add(s, given, role, kind, &slot));
    struct schema_feature *f = &s->feature[slot];
    f->is_member = flags & 1;
    f->is_left_out = flags >> 1 & 1;
    f->is_varied = flags >> 2 & 1;
    f->kinds = kinds;
    ST_TRY(load_counts(from, f));
    return flags >> 3 & 1 ? load_memory(from, f) : ST_OK;
}

enum status learn_load(struct cursor *from, struct schema *out)
{
    uint8_t version, flags;
    uint32_t features;
    struct span key;
    ST_TRY(cursor_u8(from, &version));
    if (version != LEARN_VERSION)
        return ST_VERSION;
    ST_TRY(cursor_u8(from, &flags));
    ST_TRY(cursor_le32(from, &out->learned));
    ST_TRY(cursor_bytes(from, sizeof out->key, &key));
    ST_TRY(cursor_le32(from, &features));
    if (features > WINDOW_FEATURES_MAX)
        return ST_CORRUPT;
    memcpy(out->key, key.data, sizeof out->key);
    out->is_frozen = flags & 1;
    out->is_unordered = flags >> 1 & 1;
    for (uint32_t i = 0; i < features; i++)
        ST_TRY(load_feature(from, out));
    return ST_OK;
}

void learn_status(const struct schema *s, struct json *out)
{
    static const char *const roles[FEATURE_ROLES] = {"input", "output", "label",
                                                     "signal"};
    json_key_cstr(out, "state", s->is_frozen ? "frozen" : "learning");
    json_key_u64(out, "learned_rows", s->learned);
    json_key(out, "columns");
    json_array(out);
    for (uint32_t i = 0; i < s->features; i++) {
        const struct schema_feature *f = &s->feature[i];
        if (!schema_is_open(s, i))
            continue;
        json_object(out);
        json_key_text(out, "name", schema_name(s, i));
        json_key_cstr(out, "side", roles[f->role]);
        json_key_cstr(out, "kind",
                      f->kind == FEATURE_CATEGORICAL ? "category" : "number");
        if (f->is_left_out)
            json_key_bool(out, "left_out", true);
        if (f->is_revealed)
            json_key_bool(out, "revealed", true);
        json_object_end(out);
    }
    json_array_end(out);
}
