// The log as a file: what was exported is intact, and nothing of it can be changed.
//
// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/text.h"
#include "common/trust/chain.h"
#include "controller/cli/audit.h"
#include "proto/messages/record.h"

#define LEAVES 11u

// The exported text of LEAVES leaves; `but` is left out (LEAVES: none is).
static void export(struct buf *out, uint32_t but)
{
    struct buf bytes, lines;
    struct chain_walk walk;
    struct chain_hash hash;
    buf_init(&bytes, 4096);
    buf_init(&lines, 1u << 20);
    buf_init(out, 1u << 20);
    chain_walk_init(&walk);
    for (uint64_t i = 0; i < LEAVES; i++) {
        struct record_leaf l = {.number = i,
                                .ts_ms = 1345000000000 + i / 2,
                                .actor = span_text("admin"),
                                .event = span_text("model.add"),
                                .object = span_text("bike"),
                                .detail = span_text("a \"note\"\n\xc3\xa9")};
        buf_clear(&bytes);
        assert_int_equal(message_encode(&record_leaf_message, &l, &bytes, NULL), ST_OK);
        assert_int_equal(chain_leaf(buf_span(&bytes), &hash), ST_OK);
        assert_int_equal(chain_walk_add(&walk, &hash), ST_OK);
        if (i != but)
            assert_int_equal(cli_audit_put_leaf(&lines, buf_span(&bytes)), ST_OK);
    }
    assert_int_equal(chain_walk_root(&walk, &hash), ST_OK);
    assert_int_equal(cli_audit_put_head(out, LEAVES, hash.byte), ST_OK);
    buf_put_span(out, buf_span(&lines));
    buf_fini(&bytes);
    buf_fini(&lines);
}

static enum status check(struct span text, const char *root, struct cli_audit_report *r)
{
    FILE *file = tmpfile();
    assert_non_null(file);
    assert_int_equal(fwrite(text.data, 1, text.size, file), text.size);
    rewind(file);
    enum status st = cli_audit_check(file, root, r);
    fclose(file);
    return st;
}

static void what_was_exported_is_intact(void **state)
{
    (void)state;
    struct buf text;
    struct cli_audit_report r, again;
    export(&text, LEAVES);
    assert_int_equal(check(buf_span(&text), NULL, &r), ST_OK);
    assert_null(r.trouble);
    assert_int_equal(r.leaves, LEAVES);
    assert_int_equal(r.first_bad, UINT64_MAX);
    assert_int_equal(check(buf_span(&text), r.root, &again), ST_OK);
    assert_null(again.trouble);
    r.root[0] = r.root[0] == 'a' ? 'b' : 'a';
    assert_int_equal(check(buf_span(&text), r.root, &again), ST_OK);
    assert_non_null(again.trouble);
    buf_fini(&text);
}

// Every byte: a leaf's number, its words, its bytes, the first line.
static void one_changed_byte_is_noticed(void **state)
{
    (void)state;
    struct buf text;
    struct cli_audit_report r;
    export(&text, LEAVES);
    for (size_t i = 0; i < text.size; i++) {
        uint8_t was = text.data[i];
        text.data[i] = was == '7' ? '8' : '7';
        enum status st = check(buf_span(&text), NULL, &r);
        assert_true(st == ST_UNSUPPORTED || (st == ST_OK && r.trouble));
        text.data[i] = was;
    }
    assert_int_equal(check(buf_span(&text), NULL, &r), ST_OK);
    assert_null(r.trouble);
    buf_fini(&text);
}

static void a_missing_leaf_is_named(void **state)
{
    (void)state;
    struct buf text;
    struct cli_audit_report r;
    for (uint32_t i = 0; i < LEAVES; i++) {
        export(&text, i);
        assert_int_equal(check(buf_span(&text), NULL, &r), ST_OK);
        assert_non_null(r.trouble);
        assert_int_equal(r.first_bad, i);
        buf_fini(&text);
    }
}

static void a_file_cut_anywhere_is_not_whole(void **state)
{
    (void)state;
    struct buf text;
    struct cli_audit_report r;
    export(&text, LEAVES);
    for (size_t size = 0; size < text.size; size++) {
        enum status st = check(span_of(text.data, size), NULL, &r);
        assert_true(st == ST_UNSUPPORTED || (st == ST_OK && r.trouble));
    }
    buf_fini(&text);
}

static void another_file_is_refused(void **state)
{
    (void)state;
    struct cli_audit_report r;
    static const char *const texts[] = {"",
                                        "\n",
                                        "{}\n",
                                        "[]\n",
                                        "null\n",
                                        "{\"format\":\"kedge.audit.v2\"}\n",
                                        "{\"format\":null,\"leaves\":0}\n"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_int_equal(check(span_text(texts[i]), NULL, &r), ST_UNSUPPORTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_exported_is_intact),
        cmocka_unit_test(one_changed_byte_is_noticed),
        cmocka_unit_test(a_missing_leaf_is_named),
        cmocka_unit_test(a_file_cut_anywhere_is_not_whole),
        cmocka_unit_test(another_file_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
