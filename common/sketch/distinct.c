// Distinct: hashing, registers and unions.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/sketch/distinct.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/sketch/distinct_inner.h"

#if defined(__x86_64__)
#include <emmintrin.h>
#endif

#define HASH_SEED                                                                      \
    9001 // what all DataSketches share, so that their unions mean something

static unsigned lg_table_for(uint32_t coupons)
{
    unsigned lg = 4;
    while (((UINT32_C(3) << lg) / 4) < coupons)
        lg++;
    return lg;
}

static uint32_t *table_of(unsigned lg)
{
    return mem_zero((size_t)1 << lg, sizeof(uint32_t));
}

enum status distinct_make(unsigned lg_k, uint32_t coupons, struct distinct **out)
{
    struct distinct *d = MEM_NEW(struct distinct);
    if (!d)
        return ST_NOMEM;
    d->lg_k = d->lg_k_opened = lg_k;
    d->has_registers = coupons == 0;
    d->lg_table = lg_table_for(coupons);
    if (coupons)
        d->table = table_of(d->lg_table);
    else
        d->reg = mem_zero((size_t)1 << lg_k, 1);
    if (!d->table && !d->reg) {
        distinct_close(d);
        return ST_NOMEM;
    }
    *out = d;
    return ST_OK;
}

enum status distinct_open(unsigned lg_k, struct distinct **out)
{
    if (lg_k < DISTINCT_LG_K_MIN || lg_k > DISTINCT_LG_K_MAX)
        return ST_RANGE;
    struct distinct *d;
    ST_TRY(distinct_make(lg_k, coupons_max(lg_k), &d));
    enum status st = distinct_prepare(d);
    if (st != ST_OK) {
        distinct_close(d);
        return st;
    }
    *out = d;
    return ST_OK;
}

void distinct_close(struct distinct *d)
{
    if (!d)
        return;
    mem_free(d->table);
    mem_free(d->reg);
    mem_free(d);
}

void distinct_reset(struct distinct *d)
{
    if (d->table)
        memset(d->table, 0, sizeof *d->table << d->lg_table);
    d->coupons = 0;
    d->has_registers = d->table == NULL;
    if (d->has_registers)
        memset(d->reg, 0, (size_t)1 << d->lg_k_opened);
    d->lg_k = d->lg_k_opened;
    d->is_unordered = false;
    d->hip = 0;
    d->inverse[0] = (double)(UINT32_C(1) << d->lg_k);
    d->inverse[1] = 0;
}

static bool is_prepared(const struct distinct *d)
{
    if (!d->reg)
        return false;
    return d->has_registers ||
           (d->table && d->lg_table >= lg_table_for(coupons_max(d->lg_k)));
}

// The slot of the coupon, or the free one where it would go.
static uint32_t *slot_of(const struct distinct *d, uint32_t coupon)
{
    uint32_t mask = (UINT32_C(1) << d->lg_table) - 1;
    uint32_t at = coupon_place(coupon) * UINT32_C(0x9e3779b1) >> (32 - d->lg_table);
    while (d->table[at] && d->table[at] != coupon)
        at = (at + 1) & mask;
    return &d->table[at];
}

bool distinct_put_coupon(struct distinct *d, uint32_t coupon)
{
    uint32_t *slot = slot_of(d, coupon);
    if (*slot)
        return false;
    *slot = coupon;
    d->coupons++;
    return true;
}

enum status distinct_prepare(struct distinct *d)
{
    if (is_prepared(d))
        return ST_OK;
    struct distinct larger = *d;
    larger.lg_table = lg_table_for(coupons_max(d->lg_k));
    larger.table = d->has_registers ? NULL : table_of(larger.lg_table);
    larger.reg = d->reg ? d->reg : mem_zero((size_t)1 << d->lg_k_opened, 1);
    if ((!d->has_registers && !larger.table) || !larger.reg) {
        mem_free(larger.table);
        if (larger.reg != d->reg)
            mem_free(larger.reg);
        return ST_NOMEM;
    }
    larger.coupons = 0;
    for (uint32_t i = 0; d->table && i < UINT32_C(1) << d->lg_table; i++)
        if (d->table[i])
            distinct_put_coupon(&larger, d->table[i]);
    mem_free(d->table);
    *d = larger;
    return ST_OK;
}

static void raise_register(struct distinct *d, uint8_t *reg, uint8_t value)
{
    uint8_t old = *reg;
    *reg = value;
    if (d->is_unordered)
        return;
    d->hip += (double)(UINT32_C(1) << d->lg_k) / (d->inverse[0] + d->inverse[1]);
    d->inverse[old >= 32] -= distinct_inverse(old);
    d->inverse[value >= 32] += distinct_inverse(value);
}

// Soon nearly every value finds its register high enough.
static inline void put_register(struct distinct *d, uint32_t coupon)
{
    uint8_t *reg = &d->reg[coupon & ((UINT32_C(1) << d->lg_k) - 1)];
    if (coupon_value(coupon) > *reg)
        raise_register(d, reg, coupon_value(coupon));
}

// Goes over to registers; the coupons stay in their table, of no more use.
static void spend_coupons(struct distinct *d)
{
    double estimate = distinct_estimate(d);
    d->has_registers = true;
    d->inverse[0] = (double)(UINT32_C(1) << d->lg_k);
    d->inverse[1] = 0;
    memset(d->reg, 0, (size_t)1 << d->lg_k);
    for (uint32_t i = 0; i < UINT32_C(1) << d->lg_table; i++)
        if (d->table[i])
            put_register(d, d->table[i]);
    d->hip = estimate;
}

static void put_coupon(struct distinct *d, uint32_t coupon)
{
    assert(is_prepared(d));
    if (*slot_of(d, coupon))
        return;
    if (d->coupons < coupons_max(d->lg_k)) {
        distinct_put_coupon(d, coupon);
        return;
    }
    spend_coupons(d);
    put_register(d, coupon);
}

static inline void put(struct distinct *d, uint32_t coupon)
{
    if (d->has_registers)
        put_register(d, coupon);
    else
        put_coupon(d, coupon);
}

// The two halves of MurmurHash3 x64 128.
struct halves {
    uint64_t low;
    uint64_t high;
};

// The register's value is the zeros before the first one, 62 at most, and 1.
static uint32_t coupon_of(struct halves h)
{
    uint32_t value = (uint32_t)__builtin_clzll(h.high | 3) + 1;
    return value << COUPON_PLACE_BITS | (uint32_t)(h.low & (COUPON_PLACES - 1));
}

static uint64_t mix(uint64_t h)
{
    h = (h ^ h >> 33) * UINT64_C(0xff51afd7ed558ccd);
    h = (h ^ h >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
    return h ^ h >> 33;
}

// Of the eight little-endian bytes of `key`: the general form without its loops.
static struct halves murmur_of_eight(uint64_t key)
{
    uint64_t k = key * UINT64_C(0x87c37b91114253d5);
    k = (k << 31 | k >> 33) * UINT64_C(0x4cf5ad432745937f);
    uint64_t a = (HASH_SEED ^ k) ^ 8, b = HASH_SEED ^ 8;
    a += b;
    b += a;
    a = mix(a);
    b = mix(b);
    return (struct halves){a + b, a + b + b};
}

void distinct_add_u64(struct distinct *d, uint64_t value)
{
    put(d, coupon_of(murmur_of_eight(value)));
}

void distinct_add_f64(struct distinct *d, double value)
{
    uint64_t bits = UINT64_C(0x7ff8000000000000);
    if (!isnan(value)) {
        value += 0.0; // -0.0 becomes 0.0
        memcpy(&bits, &value, sizeof bits);
    }
    distinct_add_u64(d, bits);
}

void distinct_add_text(struct distinct *d, struct span text)
{
    if (text.size == 0)
        return;
    uint64_t hash[2];
    hash_murmur3(text, HASH_SEED, hash);
    put(d, coupon_of((struct halves){hash[0], hash[1]}));
}

// Each of `n` registers, a multiple of 16, becomes the larger of the two.
static void take_larger(uint8_t *to, const uint8_t *from, size_t n)
{
#if defined(__x86_64__)
    for (size_t i = 0; i < n; i += 16) {
        __m128i a = _mm_loadu_si128((const __m128i *)(const void *)(to + i));
        __m128i b = _mm_loadu_si128((const __m128i *)(const void *)(from + i));
        _mm_storeu_si128((__m128i *)(void *)(to + i), _mm_max_epu8(a, b));
    }
#else
    for (size_t i = 0; i < n; i++)
        to[i] = from[i] > to[i] ? from[i] : to[i];
#endif
}

// The register of a place is that of the place's low bits in a smaller summary, so
// folding is taking the larger of those that fall together.
static void fold_into(uint8_t *to, unsigned lg_to, const uint8_t *from,
                      unsigned lg_from)
{
    size_t n = (size_t)1 << lg_to;
    for (size_t begin = 0; begin < (size_t)1 << lg_from; begin += n)
        take_larger(to, from + begin, n);
}

static void lower_lg_k(struct distinct *d, unsigned lg_k)
{
    if (lg_k >= d->lg_k)
        return;
    size_t n = (size_t)1 << lg_k;
    for (size_t begin = n; d->has_registers && begin < (size_t)1 << d->lg_k; begin += n)
        take_larger(d->reg, d->reg + begin, n);
    d->lg_k = lg_k;
}

static void merge_coupons(struct distinct *into, const struct distinct *from)
{
    for (uint32_t i = 0; i < UINT32_C(1) << from->lg_table; i++)
        if (from->table[i])
            put(into, from->table[i]);
}

static void merge_registers(struct distinct *into, const struct distinct *from)
{
    lower_lg_k(into, from->lg_k);
    if (!into->has_registers)
        spend_coupons(into);
    fold_into(into->reg, into->lg_k, from->reg, from->lg_k);
}

enum status distinct_merge(struct distinct *into, const struct distinct *from)
{
    assert(into != from);
    if (distinct_is_empty(from))
        return ST_OK;
    ST_TRY(distinct_prepare(into));
    if (from->has_registers)
        merge_registers(into, from);
    else
        merge_coupons(into, from);
    into->is_unordered = into->has_registers;
    return ST_OK;
}

bool distinct_is_empty(const struct distinct *d)
{
    if (!d->has_registers)
        return d->coupons == 0;
    for (size_t i = 0; i < (size_t)1 << d->lg_k; i++)
        if (d->reg[i])
            return false;
    return true;
}

unsigned distinct_lg_k(const struct distinct *d)
{
    return d->lg_k;
}
