// Digest: the examples of FIPS 180, streams, files, and comparing.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/trust/digest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "common/base/file.h"
#include "common/base/mem.h"
#include "common/base/text.h"

static void assert_hex(const uint8_t digest[DIGEST_BYTES], const char *hex)
{
    uint8_t want[DIGEST_BYTES];
    assert_int_equal(text_hex(span_text(hex), want, sizeof want), ST_OK);
    assert_memory_equal(digest, want, sizeof want);
}

// FIPS 180-2, appendix B, and the well-known digest of nothing.
static const struct {
    const char *text;
    const char *hex;
} examples[] = {
    {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
};

static void gives_the_published_digests(void **state)
{
    (void)state;
    uint8_t digest[DIGEST_BYTES];
    for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++) {
        assert_int_equal(digest_of(span_text(examples[i].text), digest), ST_OK);
        assert_hex(digest, examples[i].hex);
    }
}

static void a_stream_equals_the_whole_however_it_is_cut(void **state)
{
    (void)state;
    struct span whole = span_text(examples[2].text);
    struct digest *d = NULL;
    uint8_t digest[DIGEST_BYTES];
    assert_int_equal(digest_open(&d), ST_OK);
    for (size_t cut = 0; cut <= whole.size; cut++) {
        struct span head = span_of(whole.data, cut);
        struct span tail = span_of(whole.data + cut, whole.size - cut);
        digest_add(d, head);
        digest_add(d, tail);
        assert_int_equal(digest_take(d, digest), ST_OK);
        assert_hex(digest, examples[2].hex);
        assert_int_equal(digest_of_two(head, tail, digest), ST_OK);
        assert_hex(digest, examples[2].hex);
    }
    digest_close(d);
}

static void reads_a_file_in_pieces(void **state)
{
    (void)state;
    char path[] = "/tmp/kedge-digest-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    struct buf million;
    buf_init(&million, 1000000);
    memset(buf_reserve(&million, 1000000), 'a', 1000000);
    assert_int_equal(file_write_all(fd, buf_span(&million)), ST_OK);
    close(fd);
    uint8_t digest[DIGEST_BYTES];
    assert_int_equal(digest_of_file(path, digest), ST_OK);
    assert_hex(digest,
               "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    unlink(path);
    assert_int_equal(digest_of_file(path, digest), ST_NOTFOUND);
    assert_int_equal(digest_of_file("/tmp", digest), ST_IO);
    buf_fini(&million);
}

static void compares_and_knows_none(void **state)
{
    (void)state;
    uint8_t a[DIGEST_BYTES] = {0}, b[DIGEST_BYTES] = {0};
    assert_true(digest_equal(a, b));
    assert_true(digest_is_none(a));
    for (size_t i = 0; i < DIGEST_BYTES; i++) {
        a[i] = 1;
        assert_false(digest_equal(a, b));
        assert_false(digest_is_none(a));
        a[i] = 0;
    }
}

static void without_memory_it_says_so(void **state)
{
    (void)state;
    uint8_t digest[DIGEST_BYTES];
    struct digest *d = NULL;
    mem_fail_from(1);
    enum status st = digest_open(&d);
    mem_fail_from(0);
    assert_int_equal(st, ST_NOMEM);
    assert_null(d);
    mem_fail_from(1);
    st = digest_of_two(span_text("a"), span_text("b"), digest);
    mem_fail_from(0);
    assert_int_equal(st, ST_NOMEM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_the_published_digests),
        cmocka_unit_test(a_stream_equals_the_whole_however_it_is_cut),
        cmocka_unit_test(reads_a_file_in_pieces),
        cmocka_unit_test(compares_and_knows_none),
        cmocka_unit_test(without_memory_it_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
