// Lexer: the tokens of RFC 8259 and three more, however the bytes are cut.
//
// SPDX-License-Identifier: Apache-2.0
#include "agent/intake/lexer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <json-c/json.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/hash.h"
#include "common/base/mem.h"

// Tokens written one behind the other: { } [ ] k:key s:text n:number t f 0
static enum status write_token(void *self, enum token token, struct span text,
                               double number)
{
    struct buf *out = self;
    switch (token) {
    case TOKEN_OBJECT:
        buf_put_text(out, "{");
        break;
    case TOKEN_OBJECT_END:
        buf_put_text(out, "}");
        break;
    case TOKEN_ARRAY:
        buf_put_text(out, "[");
        break;
    case TOKEN_ARRAY_END:
        buf_put_text(out, "]");
        break;
    case TOKEN_KEY:
        buf_printf(out, "k:%.*s;", (int)text.size, text.data);
        break;
    case TOKEN_STRING:
        buf_printf(out, "s%zu:", text.size);
        buf_put_span(out, text);
        break;
    case TOKEN_NUMBER:
        buf_printf(out, "n:%.17g;", number);
        break;
    case TOKEN_TRUE:
        buf_put_text(out, "t");
        break;
    case TOKEN_FALSE:
        buf_put_text(out, "f");
        break;
    case TOKEN_NULL:
        buf_put_text(out, "0");
        break;
    }
    return ST_OK;
}

// The tokens of a text fed in two pieces; NULL when it was refused.
static char *tokens_cut(struct span text, size_t cut)
{
    struct lexer x;
    struct buf out;
    size_t used = 0;
    buf_init(&out, 1 << 22);
    lexer_init(&x, write_token, &out);
    lexer_reset(&x);
    enum status st = lexer_feed(&x, span_of(text.data, cut), &used);
    if (st == ST_OK && used == cut)
        st = lexer_feed(&x, span_of(text.data + cut, text.size - cut), &used);
    if (st == ST_OK)
        st = lexer_end(&x);
    char *copy = st == ST_OK ? mem_text(buf_span(&out)) : NULL;
    lexer_fini(&x);
    buf_fini(&out);
    return copy;
}

static void assert_tokens(const char *text, const char *wanted)
{
    struct span s = span_text(text);
    for (size_t cut = 0; cut <= s.size; cut++) {
        char *found = tokens_cut(s, cut);
        assert_non_null(found);
        assert_string_equal(found, wanted);
        mem_free(found);
    }
}

static void reads_each_form(void **state)
{
    (void)state;
    assert_tokens("{}", "{}");
    assert_tokens(" [ ] ", "[]");
    assert_tokens("{\"a\":1,\"b\":[true,false,null],\"c\":{\"d\":\"x\"}}",
                  "{k:a;n:1;k:b;[tf0]k:c;{k:d;s1:x}}");
    assert_tokens("[0,-0,1.5,-2e-3,1E+2,123456789012345678]",
                  "[n:0;n:-0;n:1.5;n:-0.002;n:100;n:1.2345678901234568e+17;]");
    assert_tokens("[NaN,Infinity,-Infinity]", "[n:nan;n:inf;n:-inf;]");
    assert_tokens("12", "n:12;");
    assert_tokens("\"\"", "s0:");
}

static void resolves_escapes(void **state)
{
    (void)state;
    assert_tokens("\"a\\n\\t\\\"\\\\\\/\\b\\f\\r\"", "s9:a\n\t\"\\/\b\f\r");
    assert_tokens("\"\\u0041\\u00e9\\u20AC\"", "s6:A\xC3\xA9\xE2\x82\xAC");
    assert_tokens("\"\\ud83d\\ude00!\"", "s5:\xF0\x9F\x98\x80!");
    // Half a pair: U+FFFD in its place.
    assert_tokens("\"\\ud83dx\"", "s4:\xEF\xBF\xBDx");
    assert_tokens("\"\\ud83d\"", "s3:\xEF\xBF\xBD");
    assert_tokens("\"\\ude00\\n\"", "s4:\xEF\xBF\xBD\n");
    assert_tokens("\"\\ud83d\\ud83d\\ude00\"", "s7:\xEF\xBF\xBD\xF0\x9F\x98\x80");
    assert_tokens("{\"k\\u0065y\":1}", "{k:key;n:1;}");
}

static void refuses_what_is_no_json(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",          "{",         "}",       "[1,]",       "{\"a\":}",
        "{\"a\" 1}", "{,}",       "[,1]",    "{\"a\":1,}", "[1 2]",
        "01",        "1.",        ".5",      "+1",         "1e",
        "--1",       "-",         "nan",     "inf",        "tru",
        "True",      "'a'",       "\"a",     "\"\\x\"",    "\"\\u12g4\"",
        "[1}",       "{\"a\":1]", "\"\n\"",  "\"\x80\"",   "\"\xC0\xAF\"",
        "{1:2}",     "[\"a\":1]", "1 2",     "{}x",        "\"\xED\xA0\x80\"",
        "-Infinit",  "[0x10]",    "\"\\u\"", "{\"a\"}",    ":",
        ",",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct lexer x;
        struct buf out;
        buf_init(&out, 4096);
        lexer_init(&x, write_token, &out);
        if (lexer_whole(&x, span_text(bad[i])) != ST_CORRUPT)
            fail_msg("taken: %s", bad[i]);
        lexer_fini(&x);
        buf_fini(&out);
    }
}

static enum status whole(struct span text)
{
    struct lexer x;
    struct buf out;
    buf_init(&out, 16u << 20);
    lexer_init(&x, write_token, &out);
    enum status st = lexer_whole(&x, text);
    lexer_fini(&x);
    buf_fini(&out);
    return st;
}

static void holds_its_limits(void **state)
{
    (void)state;
    char deep[2 * OBSERVATION_DEPTH_MAX + 2];
    memset(deep, '[', OBSERVATION_DEPTH_MAX);
    memset(deep + OBSERVATION_DEPTH_MAX, ']', OBSERVATION_DEPTH_MAX);
    assert_int_equal(whole(span_of(deep, 2 * OBSERVATION_DEPTH_MAX)), ST_OK);
    memset(deep, '[', OBSERVATION_DEPTH_MAX + 1);
    memset(deep + OBSERVATION_DEPTH_MAX + 1, ']', OBSERVATION_DEPTH_MAX + 1);
    assert_int_equal(whole(span_of(deep, sizeof deep)), ST_FULL);

    size_t size = OBSERVATION_STRING_MAX + 3;
    char *text = mem_zero(size, 1);
    memset(text, 'x', size);
    text[0] = text[size - 2] = '"';
    assert_int_equal(whole(span_of(text, size - 1)), ST_OK);
    text[size - 2] = 'x';
    text[size - 1] = '"';
    assert_int_equal(whole(span_of(text, size)), ST_FULL);
    mem_free(text);

    char digits[600];
    memset(digits, '1', sizeof digits);
    assert_int_equal(whole(span_of(digits, sizeof digits)), ST_FULL);
}

// strtod is the judge: the quick way must give the same bits.
static void reads_numbers_to_the_bit(void **state)
{
    (void)state;
    struct random r = {7};
    for (int i = 0; i < 200000; i++) {
        char text[64];
        uint64_t bits = random_u64(&r);
        if (i % 3 == 0) {
            double v;
            memcpy(&v, &bits, sizeof v);
            if (!isfinite(v))
                continue;
            snprintf(text, sizeof text, "%.17g", v);
        } else if (i % 3 == 1) {
            snprintf(text, sizeof text, "%.*f", (int)(bits % 12),
                     (double)(int64_t)(bits >> 20) / 1e6);
        } else {
            snprintf(text, sizeof text, "%llue%d", (unsigned long long)(bits % 100000),
                     (int)(bits >> 40) % 30);
        }
        struct buf wanted;
        buf_init(&wanted, 128);
        buf_printf(&wanted, "n:%.17g;", strtod(text, NULL));
        char *found = tokens_cut(span_text(text), 0);
        assert_non_null(found);
        assert_string_equal(found, buf_cstr(&wanted));
        mem_free(found);
        buf_fini(&wanted);
    }
}

// --- json-c, as a second opinion

static void write_object(struct json_object *o, struct buf *out);

static void write_members(struct json_object *o, struct buf *out)
{
    buf_put_text(out, "{");
    json_object_object_foreach(o, key, value)
    {
        buf_printf(out, "k:%s;", key);
        write_object(value, out);
    }
    buf_put_text(out, "}");
}

static void write_object(struct json_object *o, struct buf *out)
{
    switch (json_object_get_type(o)) {
    case json_type_object:
        write_members(o, out);
        break;
    case json_type_array:
        buf_put_text(out, "[");
        for (size_t i = 0; i < json_object_array_length(o); i++)
            write_object(json_object_array_get_idx(o, i), out);
        buf_put_text(out, "]");
        break;
    case json_type_string:
        buf_printf(out, "s%d:", json_object_get_string_len(o));
        buf_put(out, json_object_get_string(o), (size_t)json_object_get_string_len(o));
        break;
    case json_type_null:
        buf_put_text(out, "0");
        break;
    case json_type_boolean:
        buf_put_text(out, json_object_get_boolean(o) ? "t" : "f");
        break;
    default:
        buf_printf(out, "n:%.17g;", json_object_get_double(o));
    }
}

static void put_random(struct random *r, struct buf *out, int depth, int *keys)
{
    static const char *const leaf[] = {
        "1", "-2.5", "1e3", "true", "null", "\"x\"", "\"\\u00e9\\n\"", "0.1", "\"\"",
    };
    uint64_t pick = random_u64(r) % (depth > 4 ? 1 : 3);
    if (pick == 0) {
        buf_put_text(out, leaf[random_u64(r) % (sizeof leaf / sizeof *leaf)]);
        return;
    }
    uint64_t n = random_u64(r) % 5;
    buf_put_text(out, pick == 1 ? "[" : "{");
    for (uint64_t i = 0; i < n; i++) {
        if (i > 0)
            buf_put_text(out, " ,\t");
        if (pick == 2)
            buf_printf(out, "\"k%d\" : ", (*keys)++);
        put_random(r, out, depth + 1, keys);
    }
    buf_put_text(out, pick == 1 ? "]" : "}");
}

static void agrees_with_json_c(void **state)
{
    (void)state;
    struct random r = {11};
    for (int i = 0; i < 5000; i++) {
        struct buf text, wanted;
        int keys = 0;
        buf_init(&text, 1 << 20);
        buf_init(&wanted, 1 << 20);
        put_random(&r, &text, 0, &keys);
        struct json_object *o = json_tokener_parse(buf_cstr(&text));
        write_object(o, &wanted);
        json_object_put(o);
        char *found = tokens_cut(buf_span(&text), random_u64(&r) % (text.size + 1));
        assert_non_null(found);
        assert_string_equal(found, buf_cstr(&wanted));
        mem_free(found);
        buf_fini(&text);
        buf_fini(&wanted);
    }
}

static enum status refuse(void *self, enum token token, struct span text, double number)
{
    (void)self, (void)text, (void)number;
    return token == TOKEN_NULL ? ST_FULL : ST_OK;
}

static void passes_on_what_the_taker_answers(void **state)
{
    (void)state;
    struct lexer x;
    lexer_init(&x, refuse, NULL);
    assert_int_equal(lexer_whole(&x, span_text("[1,null,2]")), ST_FULL);
    assert_int_equal(lexer_whole(&x, span_text("[1,2]")), ST_OK);
    lexer_fini(&x);
}

static void survives_each_failing_allocation(void **state)
{
    (void)state;
    const char *text = "{\"a\\n\":\"b\\t\"}";
    mem_fail_from(0);
    for (uint64_t n = 1; n < 10; n++) {
        struct lexer x;
        struct buf out;
        size_t used;
        buf_init(&out, 4096);
        lexer_init(&x, write_token, &out);
        lexer_reset(&x);
        mem_fail_from(n);
        enum status st = lexer_feed(&x, span_text(text), &used);
        mem_fail_from(0);
        assert_true(st == ST_OK || st == ST_NOMEM);
        lexer_fini(&x);
        buf_fini(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_each_form),
        cmocka_unit_test(resolves_escapes),
        cmocka_unit_test(refuses_what_is_no_json),
        cmocka_unit_test(holds_its_limits),
        cmocka_unit_test(reads_numbers_to_the_bit),
        cmocka_unit_test(agrees_with_json_c),
        cmocka_unit_test(passes_on_what_the_taker_answers),
        cmocka_unit_test(survives_each_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
