// Tables: every table of the wire and the store fits its struct, and every message that
// it allows goes out and comes back.
//
// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/base/hash.h"
#include "common/base/mem.h"
#include "proto/messages/catalog.h"

#define ROUNDS 60
#define ARENA_BYTES (4u * 1024u * 1024u)
#define DEEPEST 4

typedef void visit_fn(const struct message *m, void *keep);

static void visit(const struct message *m, visit_fn *fn, void *keep)
{
    fn(m, keep);
    for (uint32_t i = 0; i < m->fields; i++)
        if (m->field[i].of)
            visit(m->field[i].of, fn, keep);
}

static void visit_all(visit_fn *fn, void *keep)
{
    size_t count;
    const struct message *const *m = wire_messages(&count);
    for (size_t i = 0; i < count; i++)
        visit(m[i], fn, keep);
    m = record_messages(&count);
    for (size_t i = 0; i < count; i++)
        visit(m[i], fn, keep);
}

static uint32_t width_of(const struct field *f)
{
    switch (f->type) {
    case FIELD_VERSION:
        return 0;
    case FIELD_BOOL:
    case FIELD_U8:
        return 1;
    case FIELD_U16:
        return 2;
    case FIELD_U32:
        return 4;
    case FIELD_ID:
        return (uint32_t)f->max;
    case FIELD_TEXT:
    case FIELD_NAME:
    case FIELD_BYTES:
        return sizeof(struct span);
    case FIELD_STRUCT:
        return f->of->size;
    default:
        return 8; // numbers of 8 bytes, and pointers
    }
}

static bool is_list(const struct field *f)
{
    return f->type >= FIELD_LIST;
}

static bool must_have_max(const struct field *f)
{
    return is_list(f) || f->type == FIELD_ID || f->type == FIELD_TEXT ||
           f->type == FIELD_NAME || f->type == FIELD_BYTES || f->type == FIELD_VERSION;
}

static void check_field(const struct message *m, const struct field *f)
{
    bool is_good =
        f->width == width_of(f) && f->offset + f->width <= m->size &&
        (!must_have_max(f) || f->max > 0) &&
        (f->of != NULL) == (f->type == FIELD_STRUCT || f->type == FIELD_LIST ||
                            f->type == FIELD_SORTED);
    if (is_list(f))
        is_good &= f->count != f->offset && f->count + sizeof(uint32_t) <= m->size;
    if (f->type == FIELD_SORTED) {
        enum field_type first = f->of->field[0].type;
        is_good &= first == FIELD_NAME || first == FIELD_TEXT || first == FIELD_ID;
    }
    if (f->type == FIELD_NAME)
        is_good &= f->max <= FIELD_NAME_MAX;
    if (!is_good)
        print_error("%s.%s does not fit its struct\n", m->type, f->name);
    assert_true(is_good);
}

static void check_table(const struct message *m, void *keep)
{
    (void)keep;
    assert_true(m->fields > 0 && m->fields <= MESSAGE_FIELDS_MAX);
    assert_non_null(m->note);
    for (uint32_t i = 0; i < m->fields; i++) {
        check_field(m, &m->field[i]);
        for (uint32_t j = 0; j < i; j++) {
            assert_string_not_equal(m->field[i].name, m->field[j].name);
            if (m->field[i].width && m->field[j].width)
                assert_int_not_equal(m->field[i].offset, m->field[j].offset);
        }
    }
}

static void every_table_fits_its_struct(void **state)
{
    (void)state;
    visit_all(check_table, NULL);
}

static void the_usual_pool_holds_any_message_of_the_wire(void **state)
{
    (void)state;
    size_t count;
    const struct message *const *m = wire_messages(&count);
    for (size_t i = 0; i < count; i++)
        assert_true(message_pool_max(m[i]) <= MESSAGE_POOL_BYTES);
}

// ---- random messages

struct maker {
    struct random random;
    struct pool arena;
};

static uint64_t below(struct maker *k, uint64_t n)
{
    return random_u64(&k->random) % n;
}

static struct span make_text(struct maker *k, uint64_t max, bool is_name)
{
    static const char letters[] = "abcXYZ019_";
    uint64_t size = 1 + below(k, max < 24 ? max : 24);
    uint8_t *text = pool_take(&k->arena, size, 1);
    assert_non_null(text);
    for (uint64_t i = 0; i < size; i++)
        text[i] = (uint8_t)letters[below(k, is_name && i == 0 ? 9 : 10)];
    return span_of(text, size);
}

static struct span make_bytes(struct maker *k, uint64_t size)
{
    uint8_t *bytes = pool_take(&k->arena, size ? size : 1, 1);
    assert_non_null(bytes);
    for (uint64_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)random_u64(&k->random);
    return span_of(bytes, size);
}

static uint64_t make_number(struct maker *k, const struct field *f)
{
    uint64_t v = random_u64(&k->random) >> below(k, 64);
    uint64_t most = f->width == 8 ? UINT64_MAX : (UINT64_C(1) << 8 * f->width) - 1;
    if (f->max)
        most = f->max;
    return most == UINT64_MAX ? v : v % (most + 1);
}

static void make_message(struct maker *k, const struct message *m, uint8_t *out,
                         uint32_t deep);

// Keys that rise, and differ by a number in front.
static struct span make_key(struct maker *k, uint32_t i)
{
    char *text = pool_take(&k->arena, 16, 1);
    assert_non_null(text);
    snprintf(text, 16, "k%05u%c", i, (char)('a' + (char)below(k, 26)));
    return span_text(text);
}

static void make_list(struct maker *k, const struct field *f, uint8_t *out,
                      uint32_t deep)
{
    uint32_t count = (uint32_t)below(k, (f->max < 4 ? f->max : 4) + 1);
    size_t size = sizeof(struct pair);
    if (f->of)
        size = f->of->size;
    uint8_t *items = count ? pool_take(&k->arena, count, size) : NULL;
    for (uint32_t i = 0; i < count; i++) {
        if (f->type == FIELD_PAIRS)
            ((struct pair *)(void *)items)[i] =
                (struct pair){make_key(k, i), make_text(k, 9, false)};
        else if (f->type == FIELD_TALLY)
            ((struct tally *)(void *)items)[i] =
                (struct tally){make_key(k, i), below(k, 1000)};
        else if (f->type == FIELD_U64S)
            ((uint64_t *)(void *)items)[i] = random_u64(&k->random);
        else if (f->type == FIELD_TEXTS)
            ((struct span *)(void *)items)[i] = make_text(k, 9, false);
        else if (f->type == FIELD_BLOBS)
            ((struct span *)(void *)items)[i] = make_bytes(k, FIELD_BLOB_BYTES);
        else
            make_message(k, f->of, items + i * size, deep + 1);
        if (f->type == FIELD_SORTED && f->of->field[0].type != FIELD_ID) {
            struct span key = make_key(k, i);
            memcpy(items + i * size + f->of->field[0].offset, &key, sizeof key);
        }
    }
    const void *pointer = items;
    memcpy(out + f->offset, &pointer, sizeof pointer);
    memcpy(out + f->count, &count, sizeof count);
}

static void make_field(struct maker *k, const struct field *f, uint8_t *out,
                       uint32_t deep)
{
    uint8_t *at = out + f->offset;
    struct span s = {0};
    uint64_t v;
    double d;
    switch (f->type) {
    case FIELD_VERSION:
        return;
    case FIELD_BOOL:
        *at = (uint8_t)below(k, 2);
        return;
    case FIELD_F64:
    case FIELD_F64_ANY:
        d = random_normal(&k->random);
        memcpy(at, &d, sizeof d);
        return;
    case FIELD_ID:
        s = make_bytes(k, f->max);
        memcpy(at, s.data, s.size);
        return;
    case FIELD_TEXT:
    case FIELD_NAME:
        s = make_text(k, f->max, f->type == FIELD_NAME);
        memcpy(at, &s, sizeof s);
        return;
    case FIELD_BYTES:
        s = make_bytes(k, below(k, f->max < 64 ? f->max : 64));
        memcpy(at, &s, sizeof s);
        return;
    case FIELD_STRUCT:
        make_message(k, f->of, at, deep + 1);
        return;
    default:
        break;
    }
    if (is_list(f)) {
        make_list(k, f, out, deep);
        return;
    }
    v = make_number(k, f);
    memcpy(at, &v, f->width); // little-endian machines only, as the tests' are
}

static void make_message(struct maker *k, const struct message *m, uint8_t *out,
                         uint32_t deep)
{
    assert_true(deep <= DEEPEST);
    for (uint32_t i = 0; i < m->fields; i++)
        if (m->field[i].need == FIELD_MUST || below(k, 3))
            make_field(k, &m->field[i], out, deep);
}

struct bench {
    struct maker maker;
    uint8_t *in, *out;
    struct pool pool;
    struct buf first, again;
};

static void round_trip(struct bench *b, const struct message *m)
{
    const char *fault = NULL;
    pool_clear(&b->maker.arena);
    pool_clear(&b->pool);
    buf_clear(&b->first);
    buf_clear(&b->again);
    memset(b->in, 0, m->size);
    make_message(&b->maker, m, b->in, 0);
    enum status st = message_encode(m, b->in, &b->first, &fault);
    if (st != ST_OK)
        print_error("%s: %s at %s\n", m->type, status_name(st), fault ? fault : "?");
    assert_int_equal(st, ST_OK);
    assert_int_equal(message_decode(m, buf_span(&b->first), &b->pool, b->out), ST_OK);
    assert_int_equal(message_encode(m, b->out, &b->again, NULL), ST_OK);
    assert_true(span_equal(buf_span(&b->first), buf_span(&b->again)));
}

// No beginning of a message is a message, and no single wrong byte does harm.
static void mangle(struct bench *b, const struct message *m)
{
    struct span whole = buf_span(&b->first);
    for (size_t cut = 0; cut < whole.size; cut++) {
        pool_clear(&b->pool);
        uint8_t *part = mem_copy(span_of(whole.data, cut));
        assert_int_not_equal(message_decode(m, span_of(part, cut), &b->pool, b->out),
                             ST_OK);
        mem_free(part);
    }
    uint8_t *copy = mem_copy(whole);
    for (size_t i = 0; i < whole.size; i++) {
        uint8_t keep = copy[i];
        copy[i] ^= (uint8_t)(1 + below(&b->maker, 255));
        pool_clear(&b->pool);
        buf_clear(&b->again);
        if (message_decode(m, span_of(copy, whole.size), &b->pool, b->out) == ST_OK)
            assert_int_equal(message_encode(m, b->out, &b->again, NULL), ST_OK);
        copy[i] = keep;
    }
    mem_free(copy);
}

static void run_all(struct bench *b, const struct message *const *m, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        b->in = mem_zero(m[i]->size, 1);
        b->out = mem_zero(m[i]->size, 1);
        for (int round = 0; round < ROUNDS; round++) {
            round_trip(b, m[i]);
            if (round < 3)
                mangle(b, m[i]);
        }
        mem_free(b->in);
        mem_free(b->out);
    }
}

static void every_message_goes_out_and_comes_back(void **state)
{
    (void)state;
    struct bench b = {.maker.random.state = 20261122};
    size_t count;
    void *arena = mem_zero(ARENA_BYTES, 1), *pool = mem_zero(ARENA_BYTES, 1);
    pool_init(&b.maker.arena, arena, ARENA_BYTES);
    pool_init(&b.pool, pool, ARENA_BYTES);
    buf_init(&b.first, ARENA_BYTES);
    buf_init(&b.again, ARENA_BYTES);
    const struct message *const *m = wire_messages(&count);
    run_all(&b, m, count);
    m = record_messages(&count);
    run_all(&b, m, count);
    buf_fini(&b.first);
    buf_fini(&b.again);
    mem_free(arena);
    mem_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_table_fits_its_struct),
        cmocka_unit_test(the_usual_pool_holds_any_message_of_the_wire),
        cmocka_unit_test(every_message_goes_out_and_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
