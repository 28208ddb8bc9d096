// Codec: one table with a field of every type, whole, hostile, and short of memory.
//
// SPDX-License-Identifier: Apache-2.0
#include "proto/codec.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "common/base/text.h"

struct part {
    struct span name;
    uint32_t weight;
};
static const struct field part_fields[] = {
    {"name", FIELD_NAME, FIELD_MUST, FIELD_AT(struct part, name), .max = 16},
    {"weight", FIELD_U32, FIELD_MAY, FIELD_AT(struct part, weight), .max = 1000},
};
static const struct message part_message = {
    .type = "part",
    .shape = MESSAGE_ROW,
    .size = sizeof(struct part),
    .fields = 2,
    .field = part_fields,
};

struct place {
    uint64_t gen;
    uint64_t seq;
};
static const struct field place_fields[] = {
    {"gen", FIELD_U64, FIELD_MUST, FIELD_AT(struct place, gen)},
    {"seq", FIELD_U64, FIELD_MUST, FIELD_AT(struct place, seq)},
};
static const struct message place_message = {
    .type = "place",
    .size = sizeof(struct place),
    .fields = 2,
    .field = place_fields,
};

struct whole {
    bool flag;
    uint8_t small;
    uint16_t middle;
    uint32_t large;
    uint64_t huge;
    int64_t delta;
    double exact;
    double any;
    uint8_t id[4];
    uint8_t maybe_id[4];
    struct span text;
    struct span name;
    struct span bytes;
    struct place place;
    const struct part *part;
    uint32_t parts;
    const uint64_t *number;
    uint32_t numbers;
    const struct span *word;
    uint32_t words;
    const struct span *blob;
    uint32_t blobs;
    const struct pair *pair;
    uint32_t pairs;
    const struct tally *tally;
    uint32_t tallies;
};
#define AT(member) FIELD_AT(struct whole, member)
#define LIST(member, length) FIELD_LIST_AT(struct whole, member, length)
static const struct field whole_fields[] = {
    {"v", FIELD_VERSION, FIELD_MUST, .max = 1},
    {"flag", FIELD_BOOL, FIELD_MAY, AT(flag)},
    {"small", FIELD_U8, FIELD_MUST, AT(small), .max = 200},
    {"middle", FIELD_U16, FIELD_MAY, AT(middle)},
    {"large", FIELD_U32, FIELD_MAY, AT(large)},
    {"huge", FIELD_U64, FIELD_MAY, AT(huge)},
    {"delta", FIELD_I64, FIELD_MAY, AT(delta)},
    {"exact", FIELD_F64, FIELD_MAY, AT(exact)},
    {"any", FIELD_F64_ANY, FIELD_MAY, AT(any)},
    {"id", FIELD_ID, FIELD_MUST, AT(id), .max = 4},
    {"maybe", FIELD_ID, FIELD_NIL, AT(maybe_id), .max = 4},
    {"text", FIELD_TEXT, FIELD_MAY, AT(text), .max = 8},
    {"name", FIELD_NAME, FIELD_NIL, AT(name), .max = 8},
    {"bytes", FIELD_BYTES, FIELD_MAY, AT(bytes), .max = 8},
    {"place", FIELD_STRUCT, FIELD_MAY, AT(place), .of = &place_message},
    {"parts", FIELD_SORTED, FIELD_MAY, LIST(part, parts), .max = 4,
     .of = &part_message},
    {"numbers", FIELD_U64S, FIELD_MAY, LIST(number, numbers), .max = 4},
    {"words", FIELD_TEXTS, FIELD_MAY, LIST(word, words), .max = 4},
    {"blobs", FIELD_BLOBS, FIELD_MAY, LIST(blob, blobs), .max = 2},
    {"pairs", FIELD_PAIRS, FIELD_MAY, LIST(pair, pairs), .max = 4},
    {"tally", FIELD_TALLY, FIELD_MAY, LIST(tally, tallies), .max = 4},
};
static const struct message whole_message = {
    .type = "whole",
    .size = sizeof(struct whole),
    .fields = sizeof whole_fields / sizeof whole_fields[0],
    .field = whole_fields,
};

static _Alignas(8) uint8_t memory[4096];

static struct pool pool_of(size_t size)
{
    struct pool p;
    pool_init(&p, memory, size);
    return p;
}

// A struct with everything in it; what it points to is static.
static struct whole full(void)
{
    static struct part part[2];
    static const uint64_t number[2] = {1, UINT64_MAX};
    static struct span word[2], blob[1];
    static struct pair pair[2];
    static struct tally tally[2];
    part[0] = (struct part){span_text("a"), 7};
    part[1] = (struct part){span_text("b"), 0};
    word[0] = span_text("x");
    word[1] = span_text("");
    blob[0] = span_text("0123456789abcdef0123456789abcdef");
    pair[0] = (struct pair){span_text("k"), span_text("v")};
    pair[1] = (struct pair){span_text("kk"), span_text("")};
    tally[0] = (struct tally){span_text("late"), 3};
    tally[1] = (struct tally){span_text("nan"), 0};
    return (struct whole){
        .flag = true,
        .small = 200,
        .middle = 65535,
        .large = UINT32_MAX,
        .huge = UINT64_MAX,
        .delta = -5,
        .exact = 0.1,
        .any = -INFINITY,
        .id = {1, 2, 3, 4},
        .maybe_id = {9},
        .text = span_text("\xc3\xa4"),
        .name = span_text("m/1"),
        .bytes = span_of("\0\xff", 2),
        .place = {1, 2},
        .part = part,
        .parts = 2,
        .number = number,
        .numbers = 2,
        .word = word,
        .words = 2,
        .blob = blob,
        .blobs = 1,
        .pair = pair,
        .pairs = 2,
        .tally = tally,
        .tallies = 2,
    };
}

static struct whole least(void)
{
    return (struct whole){.small = 1, .id = {1}};
}

static void encode(const struct whole *w, struct buf *b)
{
    const char *fault = NULL;
    enum status st = message_encode(&whole_message, w, b, &fault);
    assert_int_equal(st, ST_OK);
    assert_null(fault);
}

static enum status decode_hex(const char *hex, struct whole *out, struct pool *p)
{
    static uint8_t bytes[1024];
    size_t size = strlen(hex) / 2;
    assert_true(size <= sizeof bytes);
    assert_int_equal(text_hex(span_text(hex), bytes, size), ST_OK);
    return message_decode(&whole_message, span_of(bytes, size), p, out);
}

static void everything_comes_back(void **state)
{
    (void)state;
    struct whole in = full(), out;
    struct buf first, again;
    buf_init(&first, 4096);
    buf_init(&again, 4096);
    encode(&in, &first);
    struct pool p = pool_of(sizeof memory);
    assert_int_equal(message_decode(&whole_message, buf_span(&first), &p, &out), ST_OK);
    assert_true(out.flag && out.delta == -5 && isinf(out.any) && out.exact == 0.1);
    assert_true(out.parts == 2 && span_is(out.part[1].name, "b"));
    assert_true(out.number[1] == UINT64_MAX && span_is(out.pair[1].key, "kk"));
    assert_int_equal(tally_get(out.tally, out.tallies, "late"), 3);
    assert_int_equal(tally_get(out.tally, out.tallies, "none"), 0);
    assert_true(span_is(pairs_get(out.pair, out.pairs, "k"), "v"));
    encode(&out, &again);
    assert_true(span_equal(buf_span(&first), buf_span(&again)));
    // Lent, not copied: texts lie in the frame, lists in the pool.
    assert_true(out.text.data > first.data && out.text.data < first.data + first.size);
    assert_true((const uint8_t *)out.part >= memory &&
                (const uint8_t *)out.part < memory + sizeof memory);
    buf_fini(&first);
    buf_fini(&again);
}

// {"v":1,"small":1,"id":01000000,"maybe":nil,"name":nil}
#define LEAST "85a17601a5736d616c6c01a26964c40401000000a56d61796265c0a46e616d65c0"

static void what_is_absent_is_left_out_or_nil(void **state)
{
    (void)state;
    struct whole in = least(), out;
    struct buf b;
    uint8_t want[sizeof LEAST / 2];
    buf_init(&b, 4096);
    encode(&in, &b);
    assert_int_equal(text_hex(span_text(LEAST), want, sizeof LEAST / 2), ST_OK);
    assert_int_equal(b.size, sizeof LEAST / 2);
    assert_memory_equal(b.data, want, b.size);
    struct pool p = pool_of(0);
    memset(&out, 0xff, sizeof out);
    assert_int_equal(message_decode(&whole_message, buf_span(&b), &p, &out), ST_OK);
    assert_int_equal(out.parts + out.words + out.pairs + out.tallies, 0);
    assert_int_equal(out.text.size + out.name.size + out.bytes.size, 0);
    assert_false(out.flag);
    buf_fini(&b);
}

// Another order of keys, longer integers, nil for absent, and strangers: all fine.
static void a_friendly_foreign_encoding_is_understood(void **state)
{
    (void)state;
    struct whole out;
    struct pool p = pool_of(sizeof memory);
    static const char *const good[] = {
        "83a26964c40401000000a17601a5736d616c6c01",
        "83a176cd0001a5736d616c6ccf0000000000000001a26964c50004"
        "01000000",
        "84a17601a5736d616c6c01a26964c40401000000a474657874c0",
        "84a17601a3657874929301c081a17a90a0a5736d616c6c01a26964c40401000000",
        "84a17601a5736d616c6c01a26964c40401000000a56578616374"
        "05",
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        pool_clear(&p);
        assert_int_equal(decode_hex(good[i], &out, &p), ST_OK);
        assert_int_equal(out.small, 1);
    }
}

static const struct {
    const char *why, *hex;
    enum status st;
    const char *fault;
} hostile[] = {
    {"empty", "", ST_CORRUPT, NULL},
    {"no map", "90", ST_CORRUPT, NULL},
    {"nothing in it", "80", ST_CORRUPT, "v"},
    {"a byte too many", LEAST "00", ST_CORRUPT, NULL},
    {"a missing key", "82a17601a5736d616c6c01", ST_CORRUPT, "id"},
    {"nil for what must be", "83a17601a5736d616c6cc0a26964c40401000000", ST_CORRUPT,
     "small"},
    {"the same key twice", "84a17601a5736d616c6c01a5736d616c6c01a26964c40401000000",
     ST_CORRUPT, NULL},
    {"the same stranger twice", "85a17601a17a01a17a01a5736d616c6c01a26964c40401000000",
     ST_CORRUPT, NULL},
    {"a key that is a number",
     "84a17601"
     "0101"
     "a5736d616c6c01a26964c40401000000",
     ST_CORRUPT, NULL},
    {"a key that ends in zero bytes",
     "84a17601a5736d616c6c01a26964c40401000000a56e616d650001", ST_OK, NULL},
    {"another version", "83a17602a5736d616c6c01a26964c40401000000", ST_VERSION, "v"},
    {"a critical stranger", "84a17601a2217801a5736d616c6c01a26964c40401000000",
     ST_UNSUPPORTED, NULL},
    {"a number too large", "83a17601a5736d616c6cccc9a26964c40401000000", ST_RANGE,
     "small"},
    {"a negative number", "83a17601a5736d616c6cffa26964c40401000000", ST_CORRUPT,
     "small"},
    {"a text for a number", "83a17601a5736d616c6ca131a26964c40401000000", ST_CORRUPT,
     "small"},
    {"an id too short", "83a17601a5736d616c6c01a26964c403010000", ST_RANGE, "id"},
    {"NaN where it must be finite",
     "84a17601a5736d616c6c01a26964c40401000000a56578616374cb7ff8000000000000", ST_RANGE,
     "exact"},
    {"no name", "84a17601a5736d616c6c01a26964c40401000000a46e616d65a22e2e", ST_RANGE,
     "name"},
    {"a text too long",
     "84a17601a5736d616c6c01a26964c40401000000a474657874a9616161616161616161", ST_RANGE,
     "text"},
    {"a part without a name",
     "84a17601a5736d616c6c01a26964c40401000000a57061727473"
     "9190",
     ST_CORRUPT, "name"},
    {"parts out of order",
     "84a17601a5736d616c6c01a26964c40401000000a57061727473"
     "9291a16291a161",
     ST_CORRUPT, "parts"},
    {"twin parts",
     "84a17601a5736d616c6c01a26964c40401000000a57061727473"
     "9291a16191a161",
     ST_CORRUPT, "parts"},
    {"too many parts",
     "84a17601a5736d616c6c01a26964c40401000000a57061727473"
     "9591a16191a16291a16391a16491a165",
     ST_RANGE, "parts"},
    {"pairs with one key twice",
     "84a17601a5736d616c6c01a26964c40401000000a57061697273"
     "82a161a0a161a0",
     ST_CORRUPT, "pairs"},
    {"a blob of another size",
     "84a17601a5736d616c6c01a26964c40401000000a5626c6f6273"
     "91c400",
     ST_RANGE, "blobs"},
    {"a claim of 2^31 parts",
     "84a17601a5736d616c6c01a26964c40401000000a57061727473"
     "dd80000000",
     ST_CORRUPT, "parts"},
};

static void hostile_bytes_are_refused_and_the_field_is_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
        struct whole out;
        struct pool p = pool_of(sizeof memory);
        enum status st = decode_hex(hostile[i].hex, &out, &p);
        if (st != hostile[i].st)
            print_error("%s: %s\n", hostile[i].why, status_name(st));
        assert_int_equal(st, hostile[i].st);
        if (hostile[i].fault)
            assert_string_equal(p.fault, hostile[i].fault);
    }
}

static void strangers_have_a_limit(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 4096);
    for (uint32_t more = 0; more < 2; more++) {
        uint32_t strangers = MESSAGE_STRANGERS_MAX + more;
        buf_clear(&b);
        buf_put_u8(&b, 0xde);
        buf_put_u8(&b, 0);
        buf_put_u8(&b, (uint8_t)(3 + strangers));
        for (uint32_t i = 0; i < strangers; i++) {
            buf_put_u8(&b, 0xa2);
            buf_printf(&b, "%02u", i);
            buf_put_u8(&b, 0xc0);
        }
        uint8_t rest[64];
        const char *hex = "a17601a5736d616c6c01a26964c40401000000";
        assert_int_equal(text_hex(span_text(hex), rest, strlen(hex) / 2), ST_OK);
        buf_put(&b, rest, strlen(hex) / 2);
        struct whole out;
        assert_int_equal(message_decode(&whole_message, buf_span(&b), NULL, &out),
                         more ? ST_CORRUPT : ST_OK);
    }
    buf_fini(&b);
}

// Tomorrow's sender appends to a row; yesterday's wrote less.
static void a_row_may_grow_and_end_early(void **state)
{
    (void)state;
    struct whole out;
    struct pool p = pool_of(sizeof memory);
    assert_int_equal(decode_hex("84a17601a5736d616c6c01a26964c40401000000a57061727473"
                                "9191a161",
                                &out, &p),
                     ST_OK);
    assert_int_equal(out.part[0].weight, 0);
    assert_int_equal(decode_hex("84a17601a5736d616c6c01a26964c40401000000a57061727473"
                                "9195a1610792a0c0c2c0",
                                &out, &p),
                     ST_OK);
    assert_int_equal(out.part[0].weight, 7);
}

static void what_would_be_refused_is_not_written(void **state)
{
    (void)state;
    struct buf b;
    const char *fault;
    buf_init(&b, 4096);
    buf_put_u8(&b, 0x2a);
    for (int i = 0; i < 12; i++) {
        struct whole w = full();
        static struct part twin[2];
        static struct pair unsorted[2];
        static struct span word;
        twin[0] = twin[1] = (struct part){span_text("a"), 1};
        unsorted[0].key = span_text("b");
        unsorted[1].key = span_text("a");
        word = span_of("\xff", 1);
        const char *want = NULL;
        switch (i) {
        case 0:
            w.small = 201;
            want = "small";
            break;
        case 1:
            w.exact = NAN;
            want = "exact";
            break;
        case 2:
            w.text = span_text("123456789");
            want = "text";
            break;
        case 3:
            w.text = span_of("\xff", 1);
            want = "text";
            break;
        case 4:
            w.name = span_text("../x");
            want = "name";
            break;
        case 5:
            w.bytes = span_text("123456789");
            want = "bytes";
            break;
        case 6:
            w.part = twin;
            want = "parts";
            break;
        case 7:
            w.parts = 5;
            want = "parts";
            break;
        case 8:
            w.pair = unsorted;
            want = "pairs";
            break;
        case 9:
            twin[0].name = span_text("");
            w.part = twin;
            want = "name";
            break;
        case 10:
            twin[0].weight = 1001;
            w.part = twin;
            want = "weight";
            break;
        default:
            w.word = &word;
            w.words = 1;
            want = "words";
            break;
        }
        assert_int_equal(message_encode(&whole_message, &w, &b, &fault), ST_RANGE);
        assert_string_equal(fault, want);
        assert_int_equal(b.size, 1);
    }
    buf_fini(&b);
}

static void a_full_buffer_keeps_what_it_had(void **state)
{
    (void)state;
    struct whole in = full();
    struct buf whole, b;
    buf_init(&whole, 4096);
    encode(&in, &whole);
    for (size_t limit = 0; limit < whole.size; limit++) {
        buf_init(&b, limit);
        assert_int_equal(message_encode(&whole_message, &in, &b, NULL), ST_FULL);
        assert_int_equal(b.size, 0);
        buf_fini(&b);
    }
    buf_init(&b, whole.size);
    encode(&in, &b);
    buf_fini(&b);
    buf_fini(&whole);
}

static void a_small_pool_is_said_to_be_full(void **state)
{
    (void)state;
    struct whole in = full(), out;
    struct buf b;
    buf_init(&b, 4096);
    encode(&in, &b);
    struct pool p = pool_of(sizeof memory);
    assert_int_equal(message_decode(&whole_message, buf_span(&b), &p, &out), ST_OK);
    size_t need = p.used;
    assert_true(need <= message_pool_max(&whole_message));
    for (size_t size = 0; size < need; size++) {
        p = pool_of(size);
        assert_int_equal(message_decode(&whole_message, buf_span(&b), &p, &out),
                         ST_FULL);
    }
    assert_int_equal(message_decode(&whole_message, buf_span(&b), NULL, &out), ST_FULL);
    buf_fini(&b);
}

static void decoding_allocates_nothing_and_encoding_survives_failure(void **state)
{
    (void)state;
    struct whole in = full(), out;
    struct buf b;
    buf_init(&b, 4096);
    for (uint64_t n = 1;; n++) {
        buf_fini(&b);
        b.failed = ST_OK;
        mem_fail_from(n);
        enum status st = message_encode(&whole_message, &in, &b, NULL);
        mem_fail_from(0);
        if (st == ST_OK)
            break;
        assert_int_equal(st, ST_NOMEM);
        assert_int_equal(b.size, 0);
    }
    struct pool p = pool_of(sizeof memory);
    mem_fail_from(1);
    enum status st = message_decode(&whole_message, buf_span(&b), &p, &out);
    assert_int_equal(mem_fail_from(0), 0);
    assert_int_equal(st, ST_OK);
    buf_fini(&b);
}

static void bare_lists_go_both_ways(void **state)
{
    (void)state;
    const struct place places[3] = {{1, 2}, {3, 4}, {5, 6}};
    const void *items = NULL;
    uint32_t count = 0;
    struct buf b;
    buf_init(&b, 4096);
    assert_int_equal(message_encode_list(&place_message, places, 3, &b, NULL), ST_OK);
    struct pool p = pool_of(sizeof memory);
    assert_int_equal(
        message_decode_list(&place_message, buf_span(&b), 3, &p, &items, &count),
        ST_OK);
    assert_int_equal(count, 3);
    assert_memory_equal(items, places, sizeof places);
    assert_int_equal(
        message_decode_list(&place_message, buf_span(&b), 2, &p, &items, &count),
        ST_RANGE);
    buf_put_u8(&b, 0);
    assert_int_equal(
        message_decode_list(&place_message, buf_span(&b), 3, &p, &items, &count),
        ST_CORRUPT);
    buf_fini(&b);
}

static void keys_are_put_in_order(void **state)
{
    (void)state;
    struct pair pair[3] = {
        {.key = span_text("b")}, {.key = span_text("")}, {.key = span_text("ab")}};
    struct tally tally[2] = {{.key = span_text("z")}, {.key = span_text("y")}};
    pairs_sort(pair, 3);
    tally_sort(tally, 2);
    assert_true(pair[0].key.size == 0 && span_is(pair[1].key, "ab"));
    assert_true(span_is(tally[0].key, "y"));
    pairs_sort(NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_comes_back),
        cmocka_unit_test(what_is_absent_is_left_out_or_nil),
        cmocka_unit_test(a_friendly_foreign_encoding_is_understood),
        cmocka_unit_test(hostile_bytes_are_refused_and_the_field_is_named),
        cmocka_unit_test(strangers_have_a_limit),
        cmocka_unit_test(a_row_may_grow_and_end_early),
        cmocka_unit_test(what_would_be_refused_is_not_written),
        cmocka_unit_test(a_full_buffer_keeps_what_it_had),
        cmocka_unit_test(a_small_pool_is_said_to_be_full),
        cmocka_unit_test(decoding_allocates_nothing_and_encoding_survives_failure),
        cmocka_unit_test(bare_lists_go_both_ways),
        cmocka_unit_test(keys_are_put_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
