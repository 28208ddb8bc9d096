// Json: writes JSON as it goes, without building a tree. Parsing is json-c's work.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_COMMON_BASE_JSON_H
#define KEDGE_COMMON_BASE_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/span.h"

#define JSON_DEPTH_MAX 16

// Commas and colons are placed by the writer. Doubles are written with the fewest
// digits that read back to the same bits; NaN and infinity become null. Bytes that are
// no UTF-8 become U+FFFD.
struct json {
    struct buf *out; // keeps
    unsigned depth;
    bool has_item[JSON_DEPTH_MAX + 1];
    bool after_key;
};

void json_init(struct json *j, struct buf *out);
void json_object(struct json *j);
void json_object_end(struct json *j);
void json_array(struct json *j);
void json_array_end(struct json *j);
void json_key(struct json *j, const char *key);
void json_text(struct json *j, struct span text);
void json_cstr(struct json *j, const char *text); // NULL writes null
void json_u64(struct json *j, uint64_t v);
void json_i64(struct json *j, int64_t v);
void json_f64(struct json *j, double v);
void json_bool(struct json *j, bool v);
void json_null(struct json *j);
void json_hex(struct json *j, struct span bytes);
void json_time(struct json *j, uint64_t wall_ns); // RFC 3339 text; 0 writes null
void json_raw(struct json *j, struct span json);  // one complete value, not checked

// A key and its value at once.
void json_key_text(struct json *j, const char *key, struct span text);
void json_key_cstr(struct json *j, const char *key, const char *text);
void json_key_u64(struct json *j, const char *key, uint64_t v);
void json_key_i64(struct json *j, const char *key, int64_t v);
void json_key_f64(struct json *j, const char *key, double v);
void json_key_bool(struct json *j, const char *key, bool v);
void json_key_hex(struct json *j, const char *key, struct span bytes);
void json_key_time(struct json *j, const char *key, uint64_t wall_ns);

#endif
