// Text: numbers, durations, sizes and times as people write them, and back.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_COMMON_BASE_TEXT_H
#define KEDGE_COMMON_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/span.h"
#include "common/base/status.h"

// The whole of `s` must be the number; ST_RANGE otherwise. No blanks, no sign for
// unsigned ones. text_f64 takes what strtod takes in the C locale, but no nan or inf;
// at most 400 bytes.
MUST_USE enum status text_u64(struct span s, uint64_t *out);
MUST_USE enum status text_i64(struct span s, int64_t *out);
MUST_USE enum status text_f64(struct span s, double *out);

// "250ms" "60s" "10m" "2h" "1d" "2w" (a bare number is seconds) -> nanoseconds.
MUST_USE enum status text_duration(struct span s, uint64_t *out_ns);
// "4096" "64KiB" "2MiB" "1GiB" -> bytes.
MUST_USE enum status text_size(struct span s, uint64_t *out_bytes);

// RFC 3339 with zone ("2012-08-15T00:00:00Z", fraction up to 9 digits, +hh:mm), a plain
// date, or Unix seconds with a fraction -> ns since 1970. ST_RANGE outside 1970..2554.
MUST_USE enum status text_time(struct span s, uint64_t *out_ns);

// Room for any time as text: "2012-08-15T00:00:00.123456789Z" and its closing zero.
#define TEXT_TIME_BYTES 32

// Writers append. Times are RFC 3339 in UTC, with milliseconds only where they are not
// 0.
void text_put_time(struct buf *b, uint64_t wall_ns);
void text_time_cstr(uint64_t wall_ns, char out[TEXT_TIME_BYTES]);
void text_put_duration(struct buf *b, uint64_t ns);
void text_put_size(struct buf *b, uint64_t bytes);
void text_put_hex(struct buf *b, struct span bytes);
void text_put_base64url(struct buf *b, struct span bytes); // without padding

// Room for any number as text, and its closing zero.
#define TEXT_NUMBER_BYTES 32

// A number as a category is called: whole ones below 1e15 in plain digits ("10", not
// "1e+01"), others with the fewest digits that read back the same. -0 is "0". Gives
// its bytes.
size_t text_number(double v, char out[TEXT_NUMBER_BYTES]);

// Exactly out_size bytes must come out; ST_CORRUPT otherwise.
MUST_USE enum status text_hex(struct span s, uint8_t *out, size_t out_size);
// Any length up to the limit of `out`; ST_CORRUPT on a foreign character.
MUST_USE enum status text_base64url(struct span s, struct buf *out);

// Well-formed UTF-8 (no overlong forms, no surrogates).
bool text_is_utf8(struct span s);

// Bytes of the well-formed character that `s` begins with: 1..4, or 0 when it begins
// with none.
size_t text_utf8_step(struct span s);

// A name of a model, version, feature, host: 1..128 bytes of [A-Za-z0-9._@/+:-], first
// one alphanumeric, without "..".
bool text_is_name(struct span s);

// Shell-like match of the whole: '*' any run, '?' any byte. No brackets. Linear memory,
// O(n m) time.
bool text_glob(struct span pattern, struct span s);

#endif
