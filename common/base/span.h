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

// Little- and big-endian integers and IEEE doubles, at any alignment. The caller has
// checked that the bytes are there.
uint16_t load_le16(const uint8_t *p);
uint32_t load_le32(const uint8_t *p);
uint64_t load_le64(const uint8_t *p);
float load_le_f32(const uint8_t *p);
double load_le_f64(const uint8_t *p);
void store_le16(uint8_t *p, uint16_t v);
void store_le32(uint8_t *p, uint32_t v);
void store_le64(uint8_t *p, uint64_t v);
void store_le_f32(uint8_t *p, float v);
void store_le_f64(uint8_t *p, double v);
uint32_t load_be32(const uint8_t *p);
uint64_t load_be64(const uint8_t *p);
void store_be32(uint8_t *p, uint32_t v);
void store_be64(uint8_t *p, uint64_t v);

#endif
