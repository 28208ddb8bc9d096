// File: whole reads, replacement without a gap, and secrets that are kept.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/base/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"

// Each test runs in a new folder of its own.
static int enter(void **state)
{
    char *folder = strdup("/tmp/kedge-file-XXXXXX");
    *state = folder;
    return folder && mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int leave(void **state)
{
    char command[PATH_MAX];
    snprintf(command, sizeof command, "rm -rf %s", (char *)*state);
    int rc = chdir("/") == 0 ? system(command) : -1;
    free(*state);
    return rc;
}

static void expect_content(const char *path, const char *content)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    assert_int_equal(file_read(path, &b), ST_OK);
    assert_string_equal(buf_cstr(&b), content);
    buf_fini(&b);
}

static mode_t mode_of(const char *path)
{
    struct stat s;
    assert_int_equal(stat(path, &s), 0);
    return s.st_mode & 07777;
}

static void replaces_and_reads(void **state)
{
    (void)state;
    umask(077);
    assert_int_equal(file_replace("a", span_text("one"), FILE_PUBLIC), ST_OK);
    expect_content("a", "one");
    assert_int_equal(mode_of("a"), 0644);
    assert_int_equal(file_replace("a", span_text(""), FILE_SECRET), ST_OK);
    expect_content("a", "");
    assert_int_equal(mode_of("a"), 0400);
    umask(022);
    assert_int_equal(file_replace("a", span_text("two"), FILE_PRIVATE), ST_OK);
    expect_content("a", "two");
    assert_int_equal(access("a.tmp", F_OK), -1);
}

static void a_temporary_left_by_a_crash_is_no_obstacle(void **state)
{
    (void)state;
    assert_int_equal(symlink("elsewhere", "a.tmp"), 0);
    assert_int_equal(file_replace("a", span_text("new"), FILE_PUBLIC), ST_OK);
    expect_content("a", "new");
    assert_int_equal(access("elsewhere", F_OK), -1);
}

static void creates_only_what_is_not_there(void **state)
{
    (void)state;
    assert_int_equal(file_create("a", span_text("one"), FILE_PRIVATE), ST_OK);
    assert_int_equal(file_create("a", span_text("two"), FILE_PRIVATE), ST_EXISTS);
    expect_content("a", "one");
    assert_int_equal(symlink("nowhere", "b"), 0);
    assert_int_equal(file_create("b", span_text("x"), FILE_PRIVATE), ST_EXISTS);
    assert_int_equal(access("a.tmp", F_OK), -1);
}

static void reading_keeps_to_the_limit(void **state)
{
    (void)state;
    char big[40000];
    memset(big, 'x', sizeof big);
    assert_int_equal(file_replace("a", span_of(big, sizeof big), FILE_PUBLIC), ST_OK);
    struct buf b;
    buf_init(&b, sizeof big);
    assert_int_equal(file_read("a", &b), ST_OK);
    assert_int_equal(b.size, sizeof big);
    buf_fini(&b);
    buf_init(&b, sizeof big - 1);
    assert_int_equal(file_read("a", &b), ST_FULL);
    buf_fini(&b);
}

static void says_why_it_cannot_read(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 100);
    assert_int_equal(file_read("none", &b), ST_NOTFOUND);
    assert_int_equal(file_read(".", &b), ST_IO);
    assert_int_equal(errno, EISDIR);
    assert_int_equal(file_replace("none/a", span_text("x"), FILE_PUBLIC), ST_NOTFOUND);
    assert_int_equal(b.size, 0);
    buf_fini(&b);
}

static void a_secret_is_ours_alone(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 100);
    assert_int_equal(file_replace("s", span_text("key"), FILE_SECRET), ST_OK);
    assert_int_equal(file_read_secret("s", &b), ST_OK);
    assert_string_equal(buf_cstr(&b), "key");
    static const mode_t open_modes[] = {0640, 0604, 0610, 0601, 0620, 0602};
    for (size_t i = 0; i < sizeof open_modes / sizeof *open_modes; i++) {
        assert_int_equal(chmod("s", open_modes[i]), 0);
        assert_int_equal(file_read_secret("s", &b), ST_DENIED);
    }
    assert_int_equal(chmod("s", 0600), 0);
    assert_int_equal(symlink("s", "link"), 0);
    assert_int_equal(file_read_secret("link", &b), ST_DENIED);
    assert_int_equal(mkfifo("fifo", 0600), 0);
    assert_int_equal(file_read_secret("fifo", &b), ST_DENIED);
    assert_int_equal(file_read_secret("none", &b), ST_NOTFOUND);
    if (geteuid() == 0 && chown("s", 12345, 0) == 0)
        assert_int_equal(file_read_secret("s", &b), ST_DENIED);
    buf_fini(&b);
}

static void makes_folders_with_their_parents(void **state)
{
    (void)state;
    assert_int_equal(file_make_folder("a/b//c", 0700), ST_OK);
    assert_int_equal(mode_of("a/b/c"), 0700);
    assert_int_equal(mode_of("a"), 0755);
    assert_int_equal(file_make_folder("a/b/c", 0700), ST_OK);
    assert_int_equal(file_replace("f", span_text("x"), FILE_PUBLIC), ST_OK);
    assert_int_equal(file_make_folder("f", 0700), ST_IO);
    assert_int_equal(errno, ENOTDIR);
    assert_int_equal(file_make_folder("", 0700), ST_RANGE);
}

static void a_full_disk_is_said(void **state)
{
    (void)state;
    int fd = open("/dev/full", O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(file_write_all(fd, span_text("x")), ST_FULL);
    assert_int_equal(file_write_all(fd, span_text("")), ST_OK);
    close(fd);
    assert_int_equal(file_write_all(-1, span_text("x")), ST_IO);
}

static void joins_with_one_slash(void **state)
{
    (void)state;
    char out[16];
    assert_int_equal(file_join("a", "b", out, sizeof out), ST_OK);
    assert_string_equal(out, "a/b");
    assert_int_equal(file_join("a/", "b", out, sizeof out), ST_OK);
    assert_string_equal(out, "a/b");
    assert_int_equal(file_join("", "b", out, sizeof out), ST_OK);
    assert_string_equal(out, "b");
    assert_int_equal(file_join("/", "b", out, sizeof out), ST_OK);
    assert_string_equal(out, "/b");
    assert_int_equal(file_join("1234567", "1234567", out, sizeof out), ST_OK);
    assert_int_equal(file_join("12345678", "1234567", out, sizeof out), ST_RANGE);
}

static void out_of_memory_is_said(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 100);
    assert_int_equal(file_replace("a", span_text("x"), FILE_PUBLIC), ST_OK);
    mem_fail_from(1);
    assert_int_equal(file_read("a", &b), ST_NOMEM);
    mem_fail_from(0);
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(replaces_and_reads, enter, leave),
        cmocka_unit_test_setup_teardown(a_temporary_left_by_a_crash_is_no_obstacle,
                                        enter, leave),
        cmocka_unit_test_setup_teardown(creates_only_what_is_not_there, enter, leave),
        cmocka_unit_test_setup_teardown(reading_keeps_to_the_limit, enter, leave),
        cmocka_unit_test_setup_teardown(says_why_it_cannot_read, enter, leave),
        cmocka_unit_test_setup_teardown(a_secret_is_ours_alone, enter, leave),
        cmocka_unit_test_setup_teardown(makes_folders_with_their_parents, enter, leave),
        cmocka_unit_test_setup_teardown(a_full_disk_is_said, enter, leave),
        cmocka_unit_test_setup_teardown(joins_with_one_slash, enter, leave),
        cmocka_unit_test_setup_teardown(out_of_memory_is_said, enter, leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
