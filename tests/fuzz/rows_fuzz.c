// Rows: any line is a row or is refused, and JSON means the same however it is cut.
//
// SPDX-License-Identifier: Apache-2.0
#include <assert.h>
#include <math.h>

#include "agent/intake/rows.h"
#include "agent/intake/lexer.h"
#include "common/base/hash.h"

// A digest of all tokens, with where each began left out.
static enum status digest(void *self, enum token token, struct span text, double number)
{
    uint64_t *sum = self;
    uint64_t hash[2];
    hash_murmur3(text, *sum + token, hash);
    *sum = hash[0] + (number == number ? (uint64_t)token : 7);
    return ST_OK;
}

static enum status lex(struct span s, size_t cut, uint64_t *sum)
{
    struct lexer x;
    size_t used = 0;
    *sum = 0;
    lexer_init(&x, digest, sum);
    lexer_reset(&x);
    enum status st = lexer_feed(&x, span_of(s.data, cut), &used);
    if (st == ST_OK && used == cut)
        st = lexer_feed(&x, span_of(s.data + cut, s.size - cut), &used);
    if (st == ST_OK)
        st = lexer_end(&x);
    lexer_fini(&x);
    return st;
}

static void check_row(const struct observation *o)
{
    assert(o->model.size > 0 && o->values <= OBSERVATION_VALUES_MAX);
    for (uint32_t i = 0; i < o->values; i++) {
        const struct datum *d = &o->value[i];
        assert(d->name.size <= OBSERVATION_NAME_MAX && d->side < SIDE_COUNT);
        assert(d->kind != DATUM_NUMBER || !isnan(d->number));
        assert(d->kind != DATUM_CATEGORY || d->text.size <= OBSERVATION_CATEGORY_MAX);
        assert(d->kind != DATUM_VECTOR || d->vector.dim >= 16);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rows *r;
    struct observation o;
    struct span s = span_of(data, size);
    if (rows_open("m", &r) != ST_OK)
        return 0;
    if (rows_read(r, s, 1, &o) == ST_OK)
        check_row(&o);
    rows_close(r);
    if (size > 0) {
        uint64_t whole, parts;
        size_t cut = (size_t)(data[0] * 131u + data[size - 1]) % size;
        enum status a = lex(s, 0, &whole), b = lex(s, cut, &parts);
        assert(a == b && (a != ST_OK || whole == parts));
    }
    return 0;
}
