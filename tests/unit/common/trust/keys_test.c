// Keys: files that only their owner may read, and the sentence that helps to mend them.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/trust/keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/file.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/trust/sign.h"

struct home {
    char root[64];
    char folder[96];
    char key[128];
    char pub[128];
};

static int make_home(void **state)
{
    struct home *h = MEM_NEW(struct home);
    snprintf(h->root, sizeof h->root, "/tmp/kedge-keys-XXXXXX");
    if (!mkdtemp(h->root))
        return -1;
    snprintf(h->folder, sizeof h->folder, "%s/keys", h->root);
    snprintf(h->key, sizeof h->key, "%s/order.key", h->folder);
    snprintf(h->pub, sizeof h->pub, "%s/order.pub", h->folder);
    *state = h;
    return 0;
}

static int drop_home(void **state)
{
    struct home *h = *state;
    unlink(h->key);
    unlink(h->pub);
    rmdir(h->folder);
    rmdir(h->root);
    mem_free(h);
    return 0;
}

static unsigned mode_of(const char *path)
{
    struct stat info;
    assert_int_equal(lstat(path, &info), 0);
    return info.st_mode & 07777;
}

static void written_keys_come_back_and_modes_are_tight(void **state)
{
    struct home *h = *state;
    struct key_pair k, back;
    uint8_t pub[32];
    assert_int_equal(keys_make(KEY_SIGN, &k), ST_OK);
    assert_int_equal(keys_write(h->folder, "order", &k), ST_OK);
    assert_int_equal(mode_of(h->folder), 0700);
    assert_int_equal(mode_of(h->key), 0400);
    assert_int_equal(mode_of(h->pub), 0644);
    assert_int_equal(keys_read(h->folder, "order", KEY_SIGN, &back, NULL), ST_OK);
    assert_memory_equal(back.secret, k.secret, 32);
    assert_memory_equal(back.pub, k.pub, 32);
    assert_int_equal(keys_read_public(h->folder, "order", KEY_SIGN, pub), ST_OK);
    assert_memory_equal(pub, k.pub, 32);
}

static void a_key_is_never_overwritten(void **state)
{
    struct home *h = *state;
    struct key_pair k, other, back;
    assert_int_equal(keys_make(KEY_CURVE, &k), ST_OK);
    assert_int_equal(keys_make(KEY_CURVE, &other), ST_OK);
    assert_int_equal(keys_write(h->folder, "order", &k), ST_OK);
    assert_int_equal(keys_write(h->folder, "order", &other), ST_EXISTS);
    assert_int_equal(keys_read(h->folder, "order", KEY_CURVE, &back, NULL), ST_OK);
    assert_memory_equal(back.secret, k.secret, 32);
}

static void purposes_do_not_mix(void **state)
{
    struct home *h = *state;
    struct key_pair k, back;
    uint8_t pub[32];
    assert_int_equal(keys_make(KEY_SIGN, &k), ST_OK);
    assert_int_equal(keys_write(h->folder, "order", &k), ST_OK);
    assert_int_equal(keys_read(h->folder, "order", KEY_CURVE, &back, NULL), ST_CORRUPT);
    assert_int_equal(keys_read_public(h->folder, "order", KEY_CURVE, pub), ST_CORRUPT);
}

static void loose_modes_are_refused_with_the_command_that_mends(void **state)
{
    struct home *h = *state;
    struct key_pair k, back;
    struct buf hint;
    buf_init(&hint, 1024);
    assert_int_equal(keys_make(KEY_SIGN, &k), ST_OK);
    assert_int_equal(keys_write(h->folder, "order", &k), ST_OK);
    assert_int_equal(chmod(h->key, 0440), 0);
    assert_int_equal(keys_read(h->folder, "order", KEY_SIGN, &back, &hint), ST_DENIED);
    char want[256];
    snprintf(want, sizeof want, "chmod 0400 %s", h->key);
    assert_non_null(strstr(buf_cstr(&hint), want));
    assert_int_equal(chmod(h->key, 0400), 0);
    assert_int_equal(chmod(h->folder, 0711), 0);
    buf_clear(&hint);
    assert_int_equal(keys_read(h->folder, "order", KEY_SIGN, &back, &hint), ST_DENIED);
    snprintf(want, sizeof want, "chmod 0700 %s", h->folder);
    assert_non_null(strstr(buf_cstr(&hint), want));
    assert_int_equal(chmod(h->folder, 0700), 0);
    assert_int_equal(keys_read(h->folder, "order", KEY_SIGN, &back, &hint), ST_OK);
    buf_fini(&hint);
}

static void a_link_in_the_place_of_a_key_is_refused(void **state)
{
    struct home *h = *state;
    struct key_pair k, back;
    char moved[160];
    struct buf hint;
    buf_init(&hint, 1024);
    snprintf(moved, sizeof moved, "%s/elsewhere", h->root);
    assert_int_equal(keys_make(KEY_SIGN, &k), ST_OK);
    assert_int_equal(keys_write(h->folder, "order", &k), ST_OK);
    assert_int_equal(rename(h->key, moved), 0);
    assert_int_equal(symlink(moved, h->key), 0);
    assert_int_equal(keys_read(h->folder, "order", KEY_SIGN, &back, &hint), ST_DENIED);
    assert_non_null(strstr(buf_cstr(&hint), "symbolic link"));
    unlink(moved);
    buf_fini(&hint);
}

static void a_missing_or_mangled_key_is_named_as_such(void **state)
{
    struct home *h = *state;
    struct key_pair back;
    assert_int_equal(keys_read(h->folder, "order", KEY_SIGN, &back, NULL), ST_NOTFOUND);
    assert_int_equal(file_make_folder(h->folder, 0700), ST_OK);
    const char *const lines[] = {
        "",
        "kedge-sign-secret1 ",
        "kedge-sign-secret1 tooshort",
        "kedge-sign-secret1 0000000000000000000000000000000000000000x",
        "kedge-sign-secret1 000000000000000000000000000000000000000~",
        "kedge-sign-secret1 %nSc0%nSc0%nSc0%nSc0%nSc0%nSc0%nSc0%nSc1", // 2^32 and more
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        assert_int_equal(file_create(h->key, span_text(lines[i]), FILE_SECRET), ST_OK);
        assert_int_equal(keys_read(h->folder, "order", KEY_SIGN, &back, NULL),
                         ST_CORRUPT);
        assert_int_equal(unlink(h->key), 0);
    }
}

// ZeroMQ RFC 32: these 8 bytes are "HelloWorld".
static void z85_is_that_of_zeromq(void **state)
{
    (void)state;
    uint8_t key[32], back[32];
    char text[KEY_Z85_CHARS + 1];
    const uint8_t hello[8] = {0x86, 0x4f, 0xd2, 0x6f, 0xb5, 0x59, 0xf7, 0x5b};
    for (size_t i = 0; i < 4; i++)
        memcpy(key + 8 * i, hello, 8);
    keys_to_z85(key, text);
    assert_string_equal(text, "HelloWorldHelloWorldHelloWorldHelloWorld");
    assert_int_equal(keys_of_z85(span_text(text), back), ST_OK);
    assert_memory_equal(key, back, 32);
}

static void assert_pair(const uint8_t secret[32], const uint8_t want[32])
{
    uint8_t pub[32];
    assert_int_equal(keys_public(KEY_CURVE, secret, pub), ST_OK);
    assert_memory_equal(pub, want, 32);
}

// RFC 7748, 6.1 (Alice), and the example pair of zmq_curve(7): CURVE is X25519.
static void curve_keys_are_x25519(void **state)
{
    (void)state;
    uint8_t secret[32], want[32];
    const char *alice =
        "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a";
    const char *alice_pub =
        "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a";
    assert_int_equal(text_hex(span_text(alice), secret, 32), ST_OK);
    assert_int_equal(text_hex(span_text(alice_pub), want, 32), ST_OK);
    assert_pair(secret, want);
    const char *server = "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6";
    const char *server_pub = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7";
    assert_int_equal(keys_of_z85(span_text(server), secret), ST_OK);
    assert_int_equal(keys_of_z85(span_text(server_pub), want), ST_OK);
    assert_pair(secret, want);
}

static void every_allocation_may_fail(void **state)
{
    struct home *h = *state;
    struct key_pair k, back;
    assert_int_equal(keys_make(KEY_SIGN, &k), ST_OK);
    for (uint64_t n = 1;; n++) {
        unlink(h->key);
        mem_fail_from(n);
        enum status st = keys_write(h->folder, "order", &k);
        mem_fail_from(0);
        if (st == ST_OK)
            break;
        assert_int_equal(st, ST_NOMEM);
    }
    for (uint64_t n = 1;; n++) {
        mem_fail_from(n);
        enum status st = keys_read(h->folder, "order", KEY_SIGN, &back, NULL);
        mem_fail_from(0);
        if (st == ST_OK)
            break;
        assert_int_equal(st, ST_NOMEM);
    }
    assert_memory_equal(back.secret, k.secret, 32);
}

#define WITH_HOME(test) cmocka_unit_test_setup_teardown(test, make_home, drop_home)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_HOME(written_keys_come_back_and_modes_are_tight),
        WITH_HOME(a_key_is_never_overwritten),
        WITH_HOME(purposes_do_not_mix),
        WITH_HOME(loose_modes_are_refused_with_the_command_that_mends),
        WITH_HOME(a_link_in_the_place_of_a_key_is_refused),
        WITH_HOME(a_missing_or_mangled_key_is_named_as_such),
        WITH_HOME(every_allocation_may_fail),
        cmocka_unit_test(z85_is_that_of_zeromq),
        cmocka_unit_test(curve_keys_are_x25519),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
