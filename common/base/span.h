// Span: a borrowed run of bytes, with its length beside it.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_COMMON_BASE_SPAN_H
#define KEDGE_COMMON_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
    const uint8_t *data; // may be NULL when size is 0
    size_t size;         // bytes
};

static inline struct span span_of(const void *data, size_t size)
{
    return (struct span){data, size};
}

// The bytes of a C string without its closing zero. NULL gives an empty span.
static inline struct span span_text(const char *text)
{
    return (struct span){(const uint8_t *)text, text ? strlen(text) : 0};
}

static inline bool span_equal(struct span a, struct span b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

// Byte order first, then length: <0, 0, >0 as memcmp.
int span_compare(struct span a, struct span b);

static inline bool span_is(struct span a, const char *text)
{
    return span_equal(a, span_text(text));
}

// Little- and big-endian integers and IEEE numbers, at any alignment and on any
// machine. The caller has checked that the bytes are there. The little-endian ones
// stand here because sketches are read and written item by item with them; each
// compiles to one move where the machine allows it.
static inline uint16_t load_le16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t load_le32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
           (uint32_t)p[3] << 24;
}

static inline uint64_t load_le64(const uint8_t *p)
{
    return (uint64_t)load_le32(p) | (uint64_t)load_le32(p + 4) << 32;
}

static inline float load_le_f32(const uint8_t *p)
{
    uint32_t bits = load_le32(p);
    float v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

static inline double load_le_f64(const uint8_t *p)
{
    uint64_t bits = load_le64(p);
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

static inline void store_le16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

static inline void store_le32(uint8_t *p, uint32_t v)
{
    store_le16(p, (uint16_t)v);
    store_le16(p + 2, (uint16_t)(v >> 16));
}

static inline void store_le64(uint8_t *p, uint64_t v)
{
    store_le32(p, (uint32_t)v);
    store_le32(p + 4, (uint32_t)(v >> 32));
}

static inline void store_le_f32(uint8_t *p, float v)
{
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    store_le32(p, bits);
}

static inline void store_le_f64(uint8_t *p, double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    store_le64(p, bits);
}

uint32_t load_be32(const uint8_t *p);
uint64_t load_be64(const uint8_t *p);
void store_be32(uint8_t *p, uint32_t v);
void store_be64(uint8_t *p, uint64_t v);

#endif
