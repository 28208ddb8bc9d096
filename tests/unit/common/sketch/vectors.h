// Vectors: reading the golden sketches and their manifest, for tests.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_TESTS_UNIT_COMMON_SKETCH_VECTORS_H
#define KEDGE_TESTS_UNIT_COMMON_SKETCH_VECTORS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <json-c/json.h>

#include "common/base/buf.h"
#include "common/base/file.h"

#define VECTORS_FOLDER "tests/data/hll_fi/"

static inline struct buf vector_bytes(const char *name)
{
    char path[256];
    struct buf out;
    snprintf(path, sizeof path, VECTORS_FOLDER "%s", name);
    buf_init(&out, 1u << 22);
    assert_int_equal(file_read(path, &out), ST_OK);
    return out;
}

static inline struct json_object *vector_get(struct json_object *o, const char *key)
{
    struct json_object *v = NULL;
    return json_object_object_get_ex(o, key, &v) ? v : NULL;
}

static inline const char *vector_text(struct json_object *o, const char *key)
{
    struct json_object *v = vector_get(o, key);
    assert_non_null(v);
    return json_object_get_string(v);
}

static inline double vector_number(struct json_object *o, const char *key)
{
    struct json_object *v = vector_get(o, key);
    assert_non_null(v);
    return json_object_get_double(v);
}

#endif
