// Shelf: keys built piece by piece, walks, and numbers that count up.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/log/shelf.h"

#include <string.h>

enum status shelf_get(struct shelf *s, enum shelf_table table,
                      const struct shelf_key *key, struct span *value)
{
    return s->get(s->self, table, shelf_key_span(key), value);
}

enum status shelf_put(struct shelf *s, enum shelf_table table,
                      const struct shelf_key *key, struct span value)
{
    return s->put(s->self, table, shelf_key_span(key), value);
}

enum status shelf_del(struct shelf *s, enum shelf_table table,
                      const struct shelf_key *key)
{
    return s->del(s->self, table, shelf_key_span(key));
}

struct shelf_key shelf_key_of(char tag)
{
    struct shelf_key k;
    k.size = 1;
    k.bytes[0] = (uint8_t)tag;
    return k;
}

void shelf_key_bytes(struct shelf_key *k, struct span bytes)
{
    // Size 0 marks a key that outgrew its limit, and it stays so.
    if (k->size == 0 || bytes.size > SHELF_KEY_MAX - k->size) {
        k->size = 0;
        return;
    }
    if (bytes.size > 0)
        memcpy(k->bytes + k->size, bytes.data, bytes.size);
    k->size = (uint16_t)(k->size + bytes.size);
}

void shelf_key_u8(struct shelf_key *k, uint8_t v)
{
    shelf_key_bytes(k, span_of(&v, 1));
}

void shelf_key_be32(struct shelf_key *k, uint32_t v)
{
    uint8_t b[4];
    store_be32(b, v);
    shelf_key_bytes(k, span_of(b, sizeof b));
}

void shelf_key_be64(struct shelf_key *k, uint64_t v)
{
    uint8_t b[8];
    store_be64(b, v);
    shelf_key_bytes(k, span_of(b, sizeof b));
}

struct span shelf_key_span(const struct shelf_key *k)
{
    return span_of(k->bytes, k->size);
}

void shelf_walk_init(struct shelf_walk *w, struct shelf *s, enum shelf_table table,
                     const struct shelf_key *prefix)
{
    w->shelf = s;
    w->table = table;
    w->prefix = prefix->size;
    w->is_begun = false;
    w->at = *prefix;
}

enum status shelf_walk_next(struct shelf_walk *w, struct span *key, struct span *value)
{
    // The successor of a key is that key and a zero byte behind it: hence the spare
    // byte.
    uint8_t from[SHELF_KEY_MAX + 1];
    size_t size = w->at.size;
    memcpy(from, w->at.bytes, size);
    if (w->is_begun)
        from[size++] = 0;

    struct span found, what;
    enum status st =
        w->shelf->seek(w->shelf->self, w->table, span_of(from, size), &found, &what);
    if (st == ST_NOTFOUND)
        return ST_EMPTY;
    if (st != ST_OK)
        return st;
    if (found.size < w->prefix || memcmp(found.data, w->at.bytes, w->prefix) != 0)
        return ST_EMPTY;
    memcpy(w->at.bytes, found.data, found.size);
    w->at.size = (uint16_t)found.size;
    w->is_begun = true;
    if (key)
        *key = shelf_key_span(&w->at);
    if (value)
        *value = what;
    return ST_OK;
}

enum status shelf_last(struct shelf *s, enum shelf_table table,
                       const struct shelf_key *prefix, struct span *key,
                       struct span *value)
{
    uint8_t from[SHELF_KEY_MAX];
    memset(from, 0xff, sizeof from);
    memcpy(from, prefix->bytes, prefix->size);
    struct span found, what;
    ST_TRY(s->seek_down(s->self, table, span_of(from, sizeof from), &found, &what));
    if (found.size < prefix->size ||
        memcmp(found.data, prefix->bytes, prefix->size) != 0)
        return ST_NOTFOUND;
    if (key)
        *key = found;
    if (value)
        *value = what;
    return ST_OK;
}

enum status shelf_next_number(struct shelf *s, const char *name, uint64_t *out)
{
    struct shelf_key k = shelf_key_of('#');
    shelf_key_bytes(&k, span_text(name));
    struct span v;
    uint64_t n = 0;
    enum status st = shelf_get(s, SHELF_META, &k, &v);
    if (st == ST_OK && v.size == 8)
        n = load_be64(v.data);
    else if (st == ST_OK)
        return ST_CORRUPT;
    else if (st != ST_NOTFOUND)
        return st;
    uint8_t b[8];
    store_be64(b, ++n);
    ST_TRY(shelf_put(s, SHELF_META, &k, span_of(b, sizeof b)));
    *out = n;
    return ST_OK;
}
