// Topk: counting with purges: when the table is full, the median weight is taken from
// all.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/sketch/topk.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/sketch/topk_inner.h"

#define HEX_DIGITS 16
#define ODD_A UINT64_C(0x9e3779b97f4a7c15)
#define ODD_B UINT64_C(0xd6e8feb86659fd93)

// A value on its way into the table is its key and its text, which is empty when the
// key is the hash itself. (As one struct they would go through memory in two sizes, and
// wait there for longer than all the rest takes.)
static const struct span no_text = {NULL, 0};

static bool is_hash_text(struct span text, uint64_t *hash)
{
    if (text.size != HEX_DIGITS)
        return false;
    uint64_t v = 0;
    for (size_t i = 0; i < HEX_DIGITS; i++) {
        uint8_t c = text.data[i];
        bool is_digit = c >= '0' && c <= '9', is_letter = c >= 'a' && c <= 'f';
        if (!is_digit && !is_letter)
            return false;
        v = v << 4 | (uint64_t)(is_digit ? c - '0' : c - 'a' + 10);
    }
    *hash = v;
    return true;
}

// 1 to 8 bytes as one word, in loads that may overlap; different for different bytes.
static inline uint64_t word_of(const uint8_t *p, size_t n)
{
    if (n >= 4)
        return (uint64_t)load_le32(p) << 32 | load_le32(p + n - 4);
    return (uint64_t)p[0] << 16 | (uint64_t)p[n / 2] << 8 | p[n - 1];
}

// Words of eight bytes, each multiplied into the state. With a secret seed nobody can
// prepare texts that meet in one slot; it is no digest.
static uint64_t key_of_text(uint64_t seed, struct span text)
{
    uint64_t h = seed ^ text.size * ODD_A;
    const uint8_t *p = text.data;
    size_t n = text.size;
    for (; n > 8; n -= 8, p += 8) {
        h = (h ^ load_le64(p)) * ODD_B;
        h ^= h >> 32;
    }
    h = (h ^ (n ? word_of(p, n) : 0)) * ODD_B;
    h = (h ^ h >> 29) * ODD_A;
    return h ^ h >> 32;
}

// Makes a text that is a hash into one.
static uint64_t key_of(const struct topk *t, struct span *text)
{
    uint64_t hash;
    if (!is_hash_text(*text, &hash))
        return key_of_text(t->seed, *text);
    *text = no_text;
    return hash;
}

static struct span cut(struct span text)
{
    if (text.size <= TOPK_TEXT_MAX)
        return text;
    size_t size = TOPK_TEXT_MAX;
    while (size > 0 && (text.data[size] & 0xc0) == 0x80) // not inside a character
        size--;
    return span_of(text.data, size);
}

struct span topk_text(const struct topk *t, const struct topk_slot *s)
{
    return s->size ? span_of(t->texts.data + s->text + 1, s->size) : span_of(NULL, 0);
}

static inline uint32_t home_of(const struct topk *t, uint64_t key)
{
    return (uint32_t)(key * ODD_A >> (64 - t->lg_slots));
}

static inline bool is_same_text(const struct topk *t, const struct topk_slot *s,
                                struct span text)
{
    const uint8_t *kept = t->texts.data + s->text + 1;
    if (s->size != text.size)
        return false;
    return text.size <= 8 ? word_of(kept, text.size) == word_of(text.data, text.size)
                          : memcmp(kept, text.data, text.size) == 0;
}

// The slot of the value, or the free one where it would go.
static inline struct topk_slot *find(const struct topk *t, uint64_t key,
                                     struct span text)
{
    uint32_t mask = (UINT32_C(1) << t->lg_slots) - 1;
    for (uint32_t at = home_of(t, key);; at = (at + 1) & mask) {
        struct topk_slot *s = &t->slot[at];
        if (s->weight == 0)
            return s;
        if (s->key != key)
            continue;
        if (text.size == 0 ? s->size == 0 : is_same_text(t, s, text))
            return s;
    }
}

static size_t texts_limit(unsigned lg_max)
{
    return (size_t)2 * topk_active_max(lg_max) * (TOPK_TEXT_MAX + 1);
}

// Slots for so many values; up to 15/16 full in a parsed summary, which is only read.
static unsigned lg_slots_for(uint32_t values)
{
    unsigned lg = TOPK_LG_LEAST;
    while ((UINT32_C(15) << lg) / 16 < values)
        lg++;
    return lg;
}

enum status topk_make(unsigned lg_max, uint32_t values, size_t text_bytes,
                      struct topk **out)
{
    struct topk *t = MEM_NEW(struct topk);
    if (!t)
        return ST_NOMEM;
    t->lg_max = lg_max;
    t->lg_slots = lg_slots_for(values);
    t->seed = hash_secret();
    buf_init(&t->texts, texts_limit(lg_max));
    t->slot = mem_zero((size_t)1 << t->lg_slots, sizeof *t->slot);
    if (!t->slot || (text_bytes && !buf_reserve(&t->texts, text_bytes))) {
        topk_close(t);
        return ST_NOMEM;
    }
    buf_clear(&t->texts);
    *out = t;
    return ST_OK;
}

enum status topk_open(unsigned lg_max, struct topk **out)
{
    if (lg_max < TOPK_LG_LEAST || lg_max > TOPK_LG_MOST)
        return ST_RANGE;
    struct topk *t;
    ST_TRY(topk_make(lg_max, 0, 0, &t));
    enum status st = topk_prepare(t);
    if (st != ST_OK) {
        topk_close(t);
        return st;
    }
    *out = t;
    return ST_OK;
}

void topk_close(struct topk *t)
{
    if (!t)
        return;
    buf_fini(&t->texts);
    mem_free(t->slot);
    mem_free(t);
}

void topk_reset(struct topk *t)
{
    memset(t->slot, 0, sizeof *t->slot << t->lg_slots);
    buf_clear(&t->texts);
    t->active = 0;
    t->total = t->offset = 0;
}

// Puts a slot's content back where its key belongs.
static void put_back(struct topk *t, struct topk_slot s)
{
    uint32_t mask = (UINT32_C(1) << t->lg_slots) - 1;
    uint32_t at = home_of(t, s.key);
    while (t->slot[at].weight)
        at = (at + 1) & mask;
    t->slot[at] = s;
}

enum status topk_prepare(struct topk *t)
{
    if (t->lg_slots == t->lg_max)
        return ST_OK;
    struct topk_slot *old = t->slot;
    size_t n = (size_t)1 << t->lg_slots;
    struct topk_slot *slot = mem_zero((size_t)1 << t->lg_max, sizeof *slot);
    if (!slot)
        return ST_NOMEM;
    t->slot = slot;
    t->lg_slots = t->lg_max;
    for (size_t i = 0; i < n; i++)
        if (old[i].weight)
            put_back(t, old[i]);
    mem_free(old);
    return ST_OK;
}

// The k-th smallest of `w`, which it reorders (Hoare's FIND, the middle as pivot).
static uint64_t select_nth(uint64_t *w, size_t n, size_t k)
{
    size_t low = 0, high = n - 1;
    while (low < high) {
        uint64_t pivot = w[low + (high - low) / 2];
        size_t i = low, j = high;
        for (;;) {
            while (w[i] < pivot)
                i++;
            while (w[j] > pivot)
                j--;
            if (i >= j)
                break;
            uint64_t swap = w[i];
            w[i++] = w[j];
            w[j--] = swap;
        }
        if (k <= j)
            high = j;
        else
            low = j + 1;
    }
    return w[k];
}

static uint64_t median_weight(const struct topk *t)
{
    uint64_t weight[TOPK_ACTIVE_MAX + 1];
    size_t n = 0;
    for (size_t i = 0; i < (size_t)1 << t->lg_slots; i++)
        if (t->slot[i].weight)
            weight[n++] = t->slot[i].weight;
    return select_nth(weight, n, n / 2);
}

// Takes the median from every weight, so that half of the values or more go. The median
// depends on the weights alone, not on where the seed put them.
static void purge(struct topk *t)
{
    uint64_t off = median_weight(t);
    uint32_t mask = (UINT32_C(1) << t->lg_slots) - 1, begin = 0;
    while (t->slot[begin].weight)
        begin++;
    // From a free slot on, each value finds its place at or before where it stood: what
    // it passes on the way has been put back already.
    t->active = 0;
    for (uint32_t i = 1; i <= mask; i++) {
        struct topk_slot *at = &t->slot[(begin + i) & mask], s = *at;
        at->weight = 0;
        if (s.weight <= off)
            continue;
        s.weight -= off;
        t->active++;
        put_back(t, s);
    }
    t->offset += off;
}

// Moves the texts that are still in use together.
static void sweep_texts(struct topk *t)
{
    size_t to = 0, step;
    for (size_t at = 0; at < t->texts.size; at += step) {
        uint8_t *entry = t->texts.data + at;
        step = 1 + (size_t)entry[0];
        struct span text = span_of(entry + 1, entry[0]);
        struct topk_slot *s = find(t, key_of_text(t->seed, text), text);
        if (!s->weight || s->text != at)
            continue;
        s->text = (uint32_t)to;
        memmove(t->texts.data + to, entry, step);
        to += step;
    }
    t->texts.size = to;
}

// Room for so many bytes of text more, or for all that the limit allows: more than that
// is never in use at once.
static bool reserve_texts(struct topk *t, size_t size)
{
    size_t before = t->texts.size, most = t->texts.limit - before;
    bool has_room = buf_reserve(&t->texts, size < most ? size : most) != NULL;
    t->texts.size = before;
    t->texts.failed = ST_OK;
    return has_room;
}

// Texts in use fill at most half of the limit, so a sweep always makes room there.
static bool make_text_room(struct topk *t, size_t size)
{
    if (t->texts.size + size > t->texts.limit)
        sweep_texts(t);
    return reserve_texts(t, size);
}

// Fills a free slot; there is room for the text.
static void put_new(struct topk *t, struct topk_slot *s, uint64_t key, struct span text,
                    uint64_t weight)
{
    *s = (struct topk_slot){key, weight, 0, (uint32_t)text.size};
    t->active++;
    if (text.size == 0)
        return;
    s->text = (uint32_t)t->texts.size;
    buf_put_u8(&t->texts, (uint8_t)text.size);
    buf_put_span(&t->texts, text);
}

enum status topk_put_new(struct topk *t, struct span text, uint64_t weight)
{
    uint64_t key = key_of(t, &text);
    struct topk_slot *s = find(t, key, text);
    if (s->weight)
        return ST_EXISTS;
    put_new(t, s, key, text, weight);
    return ST_OK;
}

// Counts a value for the first time, without the total. On failure nothing changed.
static enum status count_new(struct topk *t, struct topk_slot *s, uint64_t key,
                             struct span text, uint64_t weight)
{
    if (text.size) {
        if (!text_is_utf8(text))
            return ST_RANGE;
        if (!make_text_room(t, text.size + 1))
            return ST_NOMEM;
    }
    put_new(t, s, key, text, weight);
    if (t->active > topk_active_max(t->lg_max))
        purge(t);
    return ST_OK;
}

static inline enum status count(struct topk *t, uint64_t key, struct span text,
                                uint64_t weight)
{
    struct topk_slot *s = find(t, key, text);
    if (s->weight == 0)
        return count_new(t, s, key, text, weight);
    s->weight += weight;
    return ST_OK;
}

void topk_add_hash(struct topk *t, uint64_t hash, uint64_t weight)
{
    assert(t->lg_slots == t->lg_max);
    if (weight && count(t, hash, no_text, weight) == ST_OK)
        t->total += weight;
}

enum status topk_add(struct topk *t, struct span text, uint64_t weight)
{
    assert(t->lg_slots == t->lg_max);
    if (text.size == 0)
        return ST_RANGE;
    if (weight == 0)
        return ST_OK;
    text = cut(text);
    uint64_t key = key_of(t, &text);
    ST_TRY(count(t, key, text, weight));
    t->total += weight;
    return ST_OK;
}

// Adds all of `from`, for whose texts there is room.
static void count_all(struct topk *into, const struct topk *from)
{
    // A purge in the midst makes the order matter, and the table's is the seed's.
    const struct topk_slot *sorted[TOPK_ACTIVE_MAX];
    uint32_t n = topk_sorted(from, sorted);
    for (uint32_t i = 0; i < n; i++) {
        struct span text = topk_text(from, sorted[i]);
        uint64_t key = text.size ? key_of_text(into->seed, text) : sorted[i]->key;
        enum status st = count(into, key, text, sorted[i]->weight);
        assert(st == ST_OK);
        (void)st;
    }
}

enum status topk_merge(struct topk *into, const struct topk *from)
{
    assert(into != from);
    if (into->total + from->total > TOPK_TOTAL_MAX)
        return ST_FULL;
    ST_TRY(topk_prepare(into));
    if (!reserve_texts(into, from->texts.size))
        return ST_NOMEM;
    count_all(into, from);
    into->total += from->total;
    into->offset += from->offset;
    return ST_OK;
}

uint64_t topk_total(const struct topk *t)
{
    return t->total;
}

uint64_t topk_error(const struct topk *t)
{
    return t->offset;
}

uint32_t topk_len(const struct topk *t)
{
    return t->active;
}

unsigned topk_lg_max(const struct topk *t)
{
    return t->lg_max;
}

static struct topk_item item_of(const struct topk *t, const struct topk_slot *s)
{
    return (struct topk_item){
        .text = topk_text(t, s),
        .hash = s->size ? 0 : s->key,
        .lower = s->weight,
        .upper = s->weight + t->offset,
    };
}

struct topk_item topk_get_hash(const struct topk *t, uint64_t hash)
{
    const struct topk_slot *s = find(t, hash, no_text);
    if (s->weight)
        return item_of(t, s);
    return (struct topk_item){.hash = hash, .upper = t->offset};
}

struct topk_item topk_get(const struct topk *t, struct span text)
{
    uint64_t key = key_of(t, &text);
    const struct topk_slot *s = find(t, key, text);
    if (s->weight)
        return item_of(t, s);
    return (struct topk_item){
        .text = text, .hash = text.size ? 0 : key, .upper = t->offset};
}

uint32_t topk_heaviest(const struct topk *t, uint32_t n, struct topk_item *out)
{
    const struct topk_slot *sorted[TOPK_ACTIVE_MAX];
    uint32_t have = topk_sorted(t, sorted);
    n = n < have ? n : have;
    for (uint32_t i = 0; i < n; i++)
        out[i] = item_of(t, sorted[i]);
    return n;
}
