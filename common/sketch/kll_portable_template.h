// Kll portable template: a register of one item, for machines without better.
//
// SPDX-License-Identifier: Apache-2.0

// No ordinary header: a part of kll_lanes_*_plain.c, for kll_lanes_template.h. KEY is
// the signed integer as wide as ITEM.
//
// The register holds the item's key: its bits, those below the sign inverted where the
// sign is set. Keys are ordered as the items are, and compilers choose the smaller of
// two integers without a branch, which they do not with numbers that could be NaN.

#define VEC static inline vec

typedef KEY vec;

static inline KEY key_of(ITEM v)
{
    KEY bits;
    memcpy(&bits, &v, sizeof bits);
    return bits < 0 ? bits ^ KEY_MAX : bits;
}

static inline ITEM item_of(KEY key)
{
    KEY bits = key < 0 ? key ^ KEY_MAX : key;
    ITEM v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

VEC vec_load(const ITEM *p)
{
    return key_of(*p);
}

static inline void vec_store(ITEM *p, vec v)
{
    *p = item_of(v);
}

VEC vec_all(ITEM v)
{
    return key_of(v);
}

VEC vec_min(vec a, vec b)
{
    return a < b ? a : b;
}

VEC vec_max(vec a, vec b)
{
    return a > b ? a : b;
}

VEC vec_plus_zero(vec v)
{
    return v + (v == -1); // the key of -0 is -1
}

VEC vec_or(vec a, vec b)
{
    return a | b;
}

VEC vec_equal(vec a, vec b)
{
    return a == b;
}

VEC vec_unordered(vec a, vec b)
{
    vec most = key_of(ITEM_MAX), least = key_of(-ITEM_MAX);
    return (a > most) | (a < least) | (b > most) | (b < least);
}

static inline bool vec_any(vec v)
{
    return v != 0;
}

VEC vec_coins(uint32_t coins)
{
    return coins & 1;
}

VEC vec_pick(vec zero, vec one, vec coin)
{
    return coin ? one : zero;
}

VEC vec_reverse(vec v)
{
    return v;
}

VEC vec_clean(vec v)
{
    return v;
}

static inline void vec_transpose(vec *r)
{
    (void)r; // one item is its own transpose
}

VEC vec_second(vec a, vec b, uint32_t odd)
{
    return odd ? b : a;
}
