// SPDX-License-Identifier: Apache-2.0
#include "agent/model/schema.h"

#include <string.h>

#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/base/text.h"

#define BUCKETS 2048 // twice WINDOW_FEATURES_MAX and more: half of them stay free

static const char *const role_marks[FEATURE_ROLES] = {"@input", "@output", "@label",
                                                      "@signal"};

void schema_init(struct schema *s)
{
    *s = (struct schema){0};
}

void schema_fini(struct schema *s)
{
    for (uint32_t i = 0; i < s->features; i++)
        mem_free(s->feature[i].memory);
    mem_free(s->feature);
    mem_free(s->bucket);
    *s = (struct schema){0};
}

void schema_reveal(struct schema *s, const char *const *column, uint32_t columns)
{
    s->reveal = column;
    s->reveals = columns;
}

bool schema_is_frozen_for(const struct schema *s, uint8_t role)
{
    return s->is_frozen && (role == FEATURE_INPUT || role == FEATURE_OUTPUT);
}

bool schema_is_open(const struct schema *s, uint32_t slot)
{
    const struct schema_feature *f = &s->feature[slot];
    return f->is_member || !schema_is_frozen_for(s, f->role);
}

struct span schema_name(const struct schema *s, uint32_t slot)
{
    return span_of(s->feature[slot].name, s->feature[slot].size);
}

static uint32_t bucket_of(struct span given, uint8_t role)
{
    uint64_t hash[2];
    hash_murmur3(given, role, hash);
    return (uint32_t)(hash[0] % BUCKETS);
}

static bool is_at(const struct schema *s, uint32_t slot, struct span given,
                  uint8_t role)
{
    const struct schema_feature *f = &s->feature[slot];
    return f->role == role && span_equal(span_of(f->given, f->given_size), given);
}

uint32_t schema_find(const struct schema *s, struct span name, uint8_t role,
                     uint32_t hint)
{
    if (name.size > FIELD_NAME_MAX)
        name.size = FIELD_NAME_MAX;
    if (hint < s->features && is_at(s, hint, name, role))
        return hint;
    if (!s->bucket)
        return UINT32_MAX;
    for (uint32_t b = bucket_of(name, role); s->bucket[b] != 0; b = (b + 1) % BUCKETS)
        if (is_at(s, s->bucket[b] - 1, name, role))
            return s->bucket[b] - 1;
    return UINT32_MAX;
}

// --- Names that a message can carry

static bool is_taken(const struct schema *s, const char *name, size_t size)
{
    for (uint32_t i = 0; i < s->features; i++)
        if (span_equal(schema_name(s, i), span_of(name, size)))
            return true;
    return false;
}

static bool is_name_byte(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           strchr("._@/+:-", c) != NULL;
}

size_t schema_clean(struct span given, char out[FIELD_NAME_MAX + 1])
{
    size_t size = 0;
    for (size_t i = 0; i < given.size && size < FIELD_NAME_MAX; i++) {
        uint8_t c = given.data[i];
        bool is_dot_pair = c == '.' && size > 0 && out[size - 1] == '.';
        out[size++] = (char)(c != 0 && is_name_byte(c) && !is_dot_pair ? c : '_');
    }
    if (size == 0)
        out[size++] = 'f';
    if (!text_is_name(span_of(out, size)))
        out[0] = 'f'; // it began with a sign
    out[size] = 0;
    return size;
}

// Names are unique in a message whatever their role: what comes second bears its role,
// and what only became alike by cleaning a part of its hash.
static size_t name_of(const struct schema *s, struct span given, uint8_t role,
                      char out[FIELD_NAME_MAX + 1])
{
    size_t size = schema_clean(given, out);
    if (!is_taken(s, out, size))
        return size;
    size_t room = FIELD_NAME_MAX - strlen(role_marks[role]);
    size = size < room ? size : room;
    strcpy(out + size, role_marks[role]);
    size = strlen(out);
    if (!is_taken(s, out, size))
        return size;
    static const char digits[] = "0123456789abcdef";
    uint64_t hash[2];
    hash_murmur3(given, 0, hash);
    size = size < FIELD_NAME_MAX - 9 ? size : FIELD_NAME_MAX - 9;
    out[size++] = '-';
    for (int i = 0; i < 8; i++)
        out[size++] = digits[hash[0] >> (4 * i) & 15];
    out[size] = 0;
    return size;
}

// --- Adding

static enum status make_room(struct schema *s)
{
    if (!s->bucket) {
        s->bucket = mem_zero(BUCKETS, sizeof *s->bucket);
        if (!s->bucket)
            return ST_NOMEM;
    }
    if (s->features < s->capacity)
        return ST_OK;
    uint32_t capacity = s->capacity ? s->capacity * 2 : 16;
    struct schema_feature *grown = mem_resize(s->feature, capacity, sizeof *grown);
    if (!grown)
        return ST_NOMEM;
    s->feature = grown;
    s->capacity = capacity;
    return ST_OK;
}

enum status schema_add(struct schema *s, struct span name, uint8_t role, uint8_t kind,
                       uint32_t *slot)
{
    if (name.size > FIELD_NAME_MAX)
        name.size = FIELD_NAME_MAX;
    uint32_t found = schema_find(s, name, role, 0);
    if (found != UINT32_MAX) {
        *slot = found;
        return ST_OK;
    }
    if (s->features == WINDOW_FEATURES_MAX || (s->limit && s->features >= s->limit))
        return ST_FULL;
    ST_TRY(make_room(s));
    struct schema_feature f = {.role = role, .kind = kind};
    f.size = (uint8_t)name_of(s, name, role, f.name);
    if (is_taken(s, f.name, f.size))
        return ST_FULL;
    f.given_size = (uint8_t)name.size;
    memcpy(f.given, name.data, name.size);
    for (uint32_t i = 0; i < s->reveals; i++)
        f.is_revealed = f.is_revealed || span_is(name, s->reveal[i]);
    s->feature[s->features] = f;
    uint32_t b = bucket_of(name, role);
    while (s->bucket[b] != 0)
        b = (b + 1) % BUCKETS;
    s->bucket[b] = s->features + 1;
    *slot = s->features++;
    return ST_OK;
}
