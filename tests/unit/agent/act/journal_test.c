// Journal: what was promised to be there is there, whatever happened to the file.
//
// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/agent/act/stand.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <signal.h>

#include "agent/act/journal.h"

struct seen {
    int records;
    int by_kind[JOURNAL_KINDS];
    char last[64];
};

static enum status see(void *self, const struct journal_record *r)
{
    struct seen *seen = self;
    seen->records++;
    seen->by_kind[r->kind]++;
    stand_copy(seen->last, sizeof seen->last, r->body);
    return ST_OK;
}

static struct journal *open_at(const struct stand *s, struct seen *seen,
                               struct journal_report *report)
{
    char path[STAND_PATH];
    struct journal *j = NULL;
    stand_path(s, "j", path);
    *seen = (struct seen){0};
    assert_int_equal(journal_open(path, see, seen, report, &j), ST_OK);
    return j;
}

static uint64_t append(struct journal *j, const char *text)
{
    uint64_t at;
    assert_int_equal(journal_append(j, JOURNAL_DONE, span_text(text), &at), ST_OK);
    return at;
}

static void shows_again_what_was_appended_in_order(void **state)
{
    struct stand *s = *state;
    struct seen seen;
    struct journal_report report;
    struct journal *j = open_at(s, &seen, &report);
    assert_true(report.is_new);
    assert_int_equal(seen.records, 0);
    uint8_t name[16];
    memcpy(name, journal_name(j), 16);
    uint64_t first = append(j, "one");
    (void)append(j, "");
    (void)append(j, "three");
    struct buf out;
    buf_init(&out, 100);
    assert_int_equal(journal_read(j, first, &out), ST_OK);
    assert_true(span_is(buf_span(&out), "one"));
    buf_fini(&out);
    journal_close(j);
    j = open_at(s, &seen, &report);
    assert_false(report.is_new);
    assert_int_equal(seen.records, 3);
    assert_int_equal(seen.by_kind[JOURNAL_DONE], 3);
    assert_string_equal(seen.last, "three");
    assert_memory_equal(name, journal_name(j), 16);
    journal_close(j);
}

static void cuts_a_torn_record_at_every_byte_and_loses_no_other(void **state)
{
    struct stand *s = *state;
    struct seen seen;
    struct journal_report report;
    char path[STAND_PATH], cut[STAND_PATH + 8];
    stand_path(s, "j", path);
    struct journal *j = open_at(s, &seen, &report);
    (void)append(j, "one");
    (void)append(j, "two");
    uint64_t whole = journal_bytes(j);
    (void)append(j, "the torn one");
    uint64_t all = journal_bytes(j);
    journal_close(j);
    struct buf bytes;
    buf_init(&bytes, 4096);
    assert_int_equal(file_read(path, &bytes), ST_OK);
    for (uint64_t size = whole + 1; size < all; size++) {
        assert_int_equal(file_replace(path, span_of(bytes.data, size), FILE_PRIVATE),
                         ST_OK);
        j = open_at(s, &seen, &report);
        assert_int_equal(seen.records, 2);
        assert_int_equal(report.cut, size - whole);
        assert_false(report.is_damaged);
        assert_int_equal(journal_bytes(j), whole);
        (void)append(j, "after");
        journal_close(j);
        j = open_at(s, &seen, &report);
        assert_string_equal(seen.last, "after");
        assert_int_equal(report.cut, 0);
        journal_close(j);
    }
    (void)snprintf(cut, sizeof cut, "%s.cut", path);
    assert_int_equal(access(cut, R_OK), 0); // kept for people
    buf_fini(&bytes);
}

static void says_so_when_something_broke_it_in_the_middle(void **state)
{
    struct stand *s = *state;
    struct seen seen;
    struct journal_report report;
    char path[STAND_PATH];
    stand_path(s, "j", path);
    struct journal *j = open_at(s, &seen, &report);
    (void)append(j, "one");
    uint64_t at = append(j, "two");
    (void)append(j, "three");
    journal_close(j);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, "X", 1, (off_t)at + 10), 1);
    close(fd);
    j = open_at(s, &seen, &report);
    assert_true(report.is_damaged);
    assert_int_equal(seen.records, 1);
    journal_close(j);
}

static void refuses_what_is_no_journal_and_a_second_owner(void **state)
{
    struct stand *s = *state;
    struct seen seen;
    struct journal_report report;
    struct journal *j = NULL;
    char path[STAND_PATH];
    stand_path(s, "other", path);
    uint8_t record[] = {2, 0, 0, 0, 0, 0, 0, 0, JOURNAL_DONE, 'x'};
    store_le32(record + 4, hash_crc32c(0, span_of(record + 8, 2)));
    assert_int_equal(file_create(path, span_of(record, sizeof record), FILE_PRIVATE),
                     ST_OK);
    assert_int_equal(journal_open(path, see, &seen, &report, &j), ST_VERSION);
    j = open_at(s, &seen, &report);
    pid_t child = fork();
    if (child == 0) {
        struct journal *second = NULL;
        stand_path(s, "j", path);
        _exit(journal_open(path, see, &seen, &report, &second) == ST_CONFLICT ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    journal_close(j);
}

static void is_as_before_after_a_write_that_failed(void **state)
{
    struct stand *s = *state;
    struct seen seen;
    struct journal_report report;
    struct journal *j = open_at(s, &seen, &report);
    (void)append(j, "one");
    uint64_t size = journal_bytes(j);
    struct rlimit old, tight;
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    for (rlim_t room = 0; room < 12; room++) {
        tight = (struct rlimit){(rlim_t)size + room, old.rlim_max};
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
        enum status st = journal_append(j, JOURNAL_DONE, span_text("too much"), NULL);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
        assert_int_not_equal(st, ST_OK);
        assert_int_equal(journal_bytes(j), size);
    }
    (void)append(j, "two");
    journal_close(j);
    j = open_at(s, &seen, &report);
    assert_int_equal(seen.records, 2);
    assert_int_equal(report.cut, 0);
    journal_close(j);
}

static void bounds_a_record(void **state)
{
    struct stand *s = *state;
    struct seen seen;
    struct journal_report report;
    struct journal *j = open_at(s, &seen, &report);
    uint8_t *big = mem_zero(JOURNAL_BODY_MAX + 1, 1);
    assert_int_equal(
        journal_append(j, JOURNAL_DONE, span_of(big, JOURNAL_BODY_MAX + 1), NULL),
        ST_RANGE);
    uint64_t at;
    assert_int_equal(
        journal_append(j, JOURNAL_DONE, span_of(big, JOURNAL_BODY_MAX), &at), ST_OK);
    struct buf out;
    buf_init(&out, JOURNAL_BODY_MAX);
    assert_int_equal(journal_read(j, at, &out), ST_OK);
    assert_int_equal(out.size, JOURNAL_BODY_MAX);
    assert_int_equal(journal_read(j, at + 1, &out), ST_CORRUPT);
    buf_fini(&out);
    mem_free(big);
    journal_close(j);
}

static enum status fill(void *self, struct journal *fresh)
{
    bool *is_failing = self;
    ST_TRY(journal_append(fresh, JOURNAL_DONE, span_text("kept"), NULL));
    return *is_failing ? ST_IO : ST_OK;
}

static void is_rewritten_as_a_whole_or_not_at_all(void **state)
{
    struct stand *s = *state;
    struct seen seen;
    struct journal_report report;
    struct journal *j = open_at(s, &seen, &report);
    uint8_t name[16];
    memcpy(name, journal_name(j), 16);
    (void)append(j, "one");
    (void)append(j, "two");
    bool is_failing = true;
    assert_int_equal(journal_rewrite(j, fill, &is_failing), ST_IO);
    (void)append(j, "three");
    journal_close(j);
    j = open_at(s, &seen, &report);
    assert_int_equal(seen.records, 3);
    is_failing = false;
    assert_int_equal(journal_rewrite(j, fill, &is_failing), ST_OK);
    (void)append(j, "after");
    journal_close(j);
    j = open_at(s, &seen, &report);
    assert_int_equal(seen.records, 2);
    assert_string_equal(seen.last, "after");
    assert_memory_equal(name, journal_name(j), 16);
    journal_close(j);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, stand_setup, stand_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(shows_again_what_was_appended_in_order),
        TEST(cuts_a_torn_record_at_every_byte_and_loses_no_other),
        TEST(says_so_when_something_broke_it_in_the_middle),
        TEST(refuses_what_is_no_journal_and_a_second_owner),
        TEST(is_as_before_after_a_write_that_failed),
        TEST(bounds_a_record),
        TEST(is_rewritten_as_a_whole_or_not_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
