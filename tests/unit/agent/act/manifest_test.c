// Manifest: a version is what its list says, down to the last byte, or it is refused.
//
// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/agent/act/stand.h"

#include "agent/act/manifest.h"

static int open_version(const struct stand *s, const char *version)
{
    char path[STAND_PATH], name[64];
    (void)snprintf(name, sizeof name, "srv/versions/%s", version);
    stand_path(s, name, path);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static void takes_a_version_that_is_whole(void **state)
{
    struct stand *s = *state;
    uint8_t a[32], b[32];
    char why[160];
    int fd = open_version(s, "v1");
    assert_int_equal(manifest_digest(fd, a), ST_OK);
    assert_int_equal(manifest_verify(fd, b, why, sizeof why), ST_OK);
    assert_memory_equal(a, b, 32);
    close(fd);
}

struct damage {
    const char *file, *text;
    enum status st;
    const char *why;
};

#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"

static const struct damage damages[] = {
    {"model.json", "model v1 \n", ST_CORRUPT, "model.json differs"},
    {"MANIFEST", "", ST_CORRUPT, "line 1"},
    {"MANIFEST", "hello\n", ST_CORRUPT, "line 1"},
    {"MANIFEST", ZEROS "  nothing.json\n", ST_CORRUPT, "nothing.json cannot be read"},
    {"MANIFEST", ZEROS "  ../v2/model.json\n", ST_CORRUPT, "line 1"},
    {"MANIFEST", ZEROS "  /etc/passwd\n", ST_CORRUPT, "line 1"},
    {"MANIFEST", ZEROS " model.json\n", ST_CORRUPT, "line 1"},
    {"MANIFEST", ZEROS "  .\n", ST_CORRUPT, ". cannot be read"},
};

static void refuses_one_that_is_not(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
        void *fresh;
        (void)stand_setup(&fresh);
        struct stand *s = fresh;
        char name[64], why[160] = "";
        uint8_t digest[32];
        (void)snprintf(name, sizeof name, "srv/versions/v1/%s", damages[i].file);
        stand_write(s, name, damages[i].text, 0644);
        int fd = open_version(s, "v1");
        enum status st = manifest_verify(fd, digest, why, sizeof why);
        close(fd);
        if (st != damages[i].st || !strstr(why, damages[i].why))
            fail_msg("%zu: %s: %s", i, status_name(st), why);
        (void)stand_teardown(&fresh);
    }
}

static void does_not_follow_a_link_out_of_the_folder(void **state)
{
    struct stand *s = *state;
    char path[STAND_PATH], why[160];
    uint8_t digest[32];
    stand_path(s, "srv/versions/v1/model.json", path);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("../v2/model.json", path), 0);
    int fd = open_version(s, "v1");
    assert_int_equal(manifest_verify(fd, digest, why, sizeof why), ST_CORRUPT);
    assert_int_equal(manifest_open_beneath(fd, "../v2", O_RDONLY), -1);
    assert_int_equal(manifest_open_beneath(fd, "/etc", O_RDONLY), -1);
    close(fd);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, stand_setup, stand_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(takes_a_version_that_is_whole),
        cmocka_unit_test(refuses_one_that_is_not),
        TEST(does_not_follow_a_link_out_of_the_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
