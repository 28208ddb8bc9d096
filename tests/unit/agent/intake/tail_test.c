// Tail: a file that grows, turns over, shrinks and vanishes: no line lost, none
// doubled.
//
// SPDX-License-Identifier: Apache-2.0
#include "agent/intake/tail.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/hash.h"
#include "common/base/mem.h"
#include "said.h"

struct stage {
    char folder[64];
    char path[128];
    struct said said;
    struct observation_sink sink;
    struct tail_settings settings;
    struct tail *tail;
    struct buf mark;  // as of the last commit,
    size_t said_size; // and what had been said by then
    uint64_t settled;
    uint64_t commit_every; // settles
    uint64_t now;
    uint64_t written; // lines
};

// The mark is committed where the agent does it: together with what was made of the
// lines before it, now and then when a line is settled.
static void settle(void *self)
{
    struct stage *s = self;
    if (++s->settled % s->commit_every != 0)
        return;
    buf_clear(&s->mark);
    tail_mark(s->tail, &s->mark);
    s->said_size = s->said.text.size;
}

static void row(void *self, const struct observation *o)
{
    said_row(&((struct stage *)self)->said, o);
}

static void drop(void *self, struct span model, enum drop_reason why, uint64_t rows)
{
    said_drop(&((struct stage *)self)->said, model, why, rows);
}

static int open_stage(void **state)
{
    struct stage *s = MEM_NEW(struct stage);
    strcpy(s->folder, "/tmp/kedge-tail-XXXXXX");
    assert_non_null(mkdtemp(s->folder));
    snprintf(s->path, sizeof s->path, "%s/log", s->folder);
    said_init(&s->said, &s->sink);
    s->sink = (struct observation_sink){s, row, drop, settle};
    s->now = UINT64_C(1700000000000000000);
    s->commit_every = 1;
    s->settings = (struct tail_settings){
        .name = "t", .path = s->path, .format = TAIL_ROWS, .mapping = {.model = "m"}};
    buf_init(&s->mark, TAIL_MARK_MAX);
    assert_int_equal(tail_open(&s->settings, &s->sink, &s->tail), ST_OK);
    *state = s;
    return 0;
}

static int close_stage(void **state)
{
    struct stage *s = *state;
    char command[128];
    tail_close(s->tail);
    buf_fini(&s->said.text);
    buf_fini(&s->mark);
    snprintf(command, sizeof command, "rm -r '%s'", s->folder);
    assert_int_equal(system(command), 0);
    mem_free(s);
    return 0;
}

// The agent was killed: what it knows, and what was made of the lines, is as of the
// last commit.
static void restart(struct stage *s)
{
    s->said.text.size = s->said_size;
    tail_close(s->tail);
    assert_int_equal(tail_open(&s->settings, &s->sink, &s->tail), ST_OK);
    if (s->mark.size > 0)
        assert_int_equal(tail_resume(s->tail, buf_span(&s->mark)), ST_OK);
}

static void put(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static void put_row(struct stage *s, const char *path)
{
    char text[128];
    snprintf(text, sizeof text, "{\"ts\":%llu,\"features\":{\"a\":1}}\n",
             (unsigned long long)s->written++);
    put(path, text);
}

static void turn(struct stage *s)
{
    while (tail_turn(s->tail, 7, s->now))
        continue;
}

// Long enough for a rotated file to be given up.
static void wait_turn(struct stage *s)
{
    turn(s);
    s->now += 2 * NS_PER_S;
    turn(s);
}

static void move(const struct stage *s, const char *from, const char *to)
{
    char a[160], b[160];
    snprintf(a, sizeof a, "%s%s", s->path, from);
    snprintf(b, sizeof b, "%s%s", s->path, to);
    assert_int_equal(rename(a, b), 0);
}

// Every row that was written, once each, in order.
static void assert_all(struct stage *s)
{
    struct buf wanted;
    buf_init(&wanted, 16 << 20);
    for (uint64_t i = 0; i < s->written; i++)
        buf_printf(&wanted, "m/ # @%llu i:a=1\n", (unsigned long long)i * 1000);
    assert_string_equal(buf_cstr(&s->said.text), buf_cstr(&wanted));
    buf_fini(&wanted);
}

static void follows_a_growing_file(void **state)
{
    struct stage *s = *state;
    turn(s); // it is not there yet
    for (int i = 0; i < 20; i++) {
        put_row(s, s->path);
        if (i % 3 == 0)
            turn(s);
    }
    turn(s);
    assert_all(s);
    assert_int_equal(tail_stats(s->tail).lines, 20);
}

static void waits_for_the_end_of_a_line(void **state)
{
    struct stage *s = *state;
    const char *text = "{\"ts\":0,\"features\":{\"a\":1}}\n";
    for (size_t i = 0; i < strlen(text); i++) {
        char one[2] = {text[i], 0};
        assert_int_equal(s->said.rows, 0);
        put(s->path, one);
        turn(s);
    }
    s->written = 1;
    assert_all(s);
}

static void reads_a_rotated_file_to_its_end(void **state)
{
    struct stage *s = *state;
    put_row(s, s->path);
    turn(s);
    put_row(s, s->path);
    move(s, "", ".1");
    turn(s);
    char old[160];
    snprintf(old, sizeof old, "%s.1", s->path);
    put_row(s, old); // the writer still has it open
    turn(s);
    put_row(s, s->path);
    wait_turn(s);
    assert_all(s);
    assert_int_equal(tail_stats(s->tail).rotations, 1);
}

static void reads_each_of_several_rotations(void **state)
{
    struct stage *s = *state;
    put_row(s, s->path);
    turn(s);
    put_row(s, s->path);
    move(s, "", ".1");
    usleep(20000); // the order of rotated files is that of their last writing
    put_row(s, s->path);
    move(s, ".1", ".2");
    move(s, "", ".1");
    usleep(20000);
    put_row(s, s->path);
    wait_turn(s);
    wait_turn(s);
    assert_all(s);
    assert_int_equal(tail_stats(s->tail).rotations, 2);
}

static void joins_a_line_cut_by_a_rotation(void **state)
{
    struct stage *s = *state;
    put_row(s, s->path);
    put(s->path, "{\"ts\":1,\"fea");
    turn(s);
    move(s, "", "-20260301");
    put(s->path, "tures\":{\"a\":1}}\n");
    s->written++;
    put_row(s, s->path);
    wait_turn(s);
    assert_all(s);
}

static void a_cut_line_without_an_end_costs_itself_alone(void **state)
{
    struct stage *s = *state;
    put_row(s, s->path);
    put(s->path, "{\"ts\":1,\"fea");
    turn(s);
    move(s, "", ".1");
    put_row(s, s->path);
    wait_turn(s);
    assert_int_equal(s->said.rows, 2);
    assert_int_equal(s->said.dropped[DROP_MALFORMED], 1);
}

static void begins_anew_after_a_truncation(void **state)
{
    struct stage *s = *state;
    put_row(s, s->path);
    put_row(s, s->path);
    turn(s);
    assert_int_equal(truncate(s->path, 0), 0);
    turn(s);
    put_row(s, s->path);
    turn(s);
    assert_all(s);
    assert_int_equal(tail_stats(s->tail).truncations, 1);
}

static void copy(const struct stage *s)
{
    char command[400];
    snprintf(command, sizeof command, "cp '%s' '%s.1'", s->path, s->path);
    assert_int_equal(system(command), 0);
}

static void finds_the_rest_of_a_truncated_file_in_its_copy(void **state)
{
    struct stage *s = *state;
    for (int i = 0; i < 20; i++)
        put_row(s, s->path);
    turn(s);
    put_row(s, s->path);
    put_row(s, s->path);
    copy(s);
    assert_int_equal(truncate(s->path, 0), 0);
    put_row(s, s->path);
    wait_turn(s);
    assert_all(s);
}

// The new content is longer than the old was: only the beginning tells.
static void sees_a_truncation_that_has_grown_over(void **state)
{
    struct stage *s = *state;
    put_row(s, s->path);
    turn(s);
    assert_int_equal(truncate(s->path, 0), 0);
    for (int i = 0; i < 50; i++)
        put_row(s, s->path);
    turn(s);
    assert_all(s);
}

static void follows_a_file_that_was_made_anew(void **state)
{
    struct stage *s = *state;
    put_row(s, s->path);
    turn(s);
    put_row(s, s->path);
    assert_int_equal(unlink(s->path), 0);
    turn(s);
    put_row(s, s->path);
    wait_turn(s);
    assert_all(s);
}

static void goes_on_at_its_mark(void **state)
{
    struct stage *s = *state;
    s->commit_every = 3;
    for (int i = 0; i < 10; i++) {
        put_row(s, s->path);
        put_row(s, s->path);
        turn(s);
        restart(s);
    }
    turn(s);
    assert_all(s);
}

static void finds_its_file_again_after_a_rotation_while_it_was_away(void **state)
{
    struct stage *s = *state;
    put_row(s, s->path);
    turn(s);
    tail_close(s->tail);
    put_row(s, s->path);
    move(s, "", ".1");
    usleep(20000);
    put_row(s, s->path);
    move(s, ".1", ".2");
    move(s, "", ".1");
    usleep(20000);
    put_row(s, s->path);
    assert_int_equal(tail_open(&s->settings, &s->sink, &s->tail), ST_OK);
    assert_int_equal(tail_resume(s->tail, buf_span(&s->mark)), ST_OK);
    wait_turn(s);
    wait_turn(s);
    assert_all(s);
}

static void pack(const struct stage *s, const char *end)
{
    char command[300];
    snprintf(command, sizeof command, "gzip '%s%s'", s->path, end);
    assert_int_equal(system(command), 0);
}

// Two rotations while the agent was away, and both files packed since.
static void reads_on_in_packed_files(void **state)
{
    struct stage *s = *state;
    for (int i = 0; i < 30; i++)
        put_row(s, s->path);
    turn(s);
    tail_close(s->tail);
    put_row(s, s->path);
    move(s, "", ".2");
    usleep(20000);
    for (int i = 0; i < 30; i++)
        put_row(s, s->path);
    move(s, "", ".1");
    usleep(20000);
    pack(s, ".2");
    pack(s, ".1");
    put_row(s, s->path);
    assert_int_equal(tail_open(&s->settings, &s->sink, &s->tail), ST_OK);
    assert_int_equal(tail_resume(s->tail, buf_span(&s->mark)), ST_OK);
    tail_turn(s->tail, 3, s->now);
    tail_close(s->tail); // and a mark within a packed file
    assert_int_equal(tail_open(&s->settings, &s->sink, &s->tail), ST_OK);
    assert_int_equal(tail_resume(s->tail, buf_span(&s->mark)), ST_OK);
    for (int i = 0; i < 3; i++)
        wait_turn(s);
    assert_all(s);
    assert_int_equal(tail_stats(s->tail).lost_files, 0);
}

// The file is packed just after it was read to its end: it is not read again.
static void does_not_take_a_packed_copy_for_the_next_file(void **state)
{
    struct stage *s = *state;
    for (int i = 0; i < 30; i++)
        put_row(s, s->path);
    turn(s);
    move(s, "", ".1");
    usleep(20000);
    char command[300];
    snprintf(command, sizeof command, "gzip -c '%s.1' > '%s.1.gz'", s->path, s->path);
    assert_int_equal(system(command), 0);
    usleep(20000);
    put_row(s, s->path);
    wait_turn(s);
    assert_all(s);
}

static void says_when_its_file_is_gone(void **state)
{
    struct stage *s = *state;
    put_row(s, s->path);
    turn(s);
    assert_int_equal(unlink(s->path), 0);
    restart(s);
    put_row(s, s->path);
    put_row(s, s->path);
    turn(s);
    assert_all(s);
    assert_int_equal(tail_stats(s->tail).lost_files, 1);
}

static void a_mark_holds_while_a_cut_line_waits(void **state)
{
    struct stage *s = *state;
    put_row(s, s->path);
    put(s->path, "{\"ts\":1,\"fea");
    turn(s);
    move(s, "", ".1");
    put(s->path, "tures\":");
    wait_turn(s);
    settle(s);
    restart(s);
    put(s->path, "{\"a\":1}}\n");
    s->written++;
    put_row(s, s->path);
    wait_turn(s);
    assert_all(s);
}

static void refuses_a_broken_mark(void **state)
{
    struct stage *s = *state;
    put_row(s, s->path);
    turn(s);
    for (size_t size = 0; size < s->mark.size; size++)
        assert_int_equal(tail_resume(s->tail, span_of(s->mark.data, size)), ST_CORRUPT);
    buf_put_u8(&s->mark, 0);
    assert_int_equal(tail_resume(s->tail, buf_span(&s->mark)), ST_CORRUPT);
}

static void passes_over_a_line_that_is_too_long(void **state)
{
    struct stage *s = *state;
    put_row(s, s->path);
    size_t size = 3u << 20;
    char *much = mem_zero(size + 1, 1);
    memset(much, 'x', size);
    put(s->path, much);
    turn(s);
    put(s->path, much);
    put(s->path, "\n");
    mem_free(much);
    put_row(s, s->path);
    turn(s);
    assert_int_equal(s->said.rows, 2);
    assert_int_equal(s->said.dropped[DROP_OVERSIZE], 1);
    assert_int_equal(tail_stats(s->tail).oversize, 1);
}

static void takes_a_line_of_the_largest_size(void **state)
{
    struct stage *s = *state;
    put_row(s, s->path);
    char *line = mem_zero(OBSERVATION_LINE_MAX + 2, 1);
    int n = sprintf(line, "{\"ts\":1,\"features\":{\"a\":1}}");
    memset(line + n, ' ', OBSERVATION_LINE_MAX - (size_t)n);
    line[OBSERVATION_LINE_MAX] = '\n';
    put(s->path, line);
    mem_free(line);
    s->written++;
    put_row(s, s->path);
    turn(s);
    assert_all(s);
}

static void begins_at_the_end_when_asked(void **state)
{
    struct stage *s = *state;
    tail_close(s->tail);
    put(s->path, "old\nold\nhal");
    s->settings.from_end = true;
    assert_int_equal(tail_open(&s->settings, &s->sink, &s->tail), ST_OK);
    turn(s);
    put(s->path, "f\n");
    put_row(s, s->path);
    turn(s);
    assert_int_equal(s->said.rows, 1);
    assert_int_equal(s->said.dropped[DROP_MALFORMED], 1);
}

// A writer and a rotator do what they like, the agent is killed now and then.
static void loses_and_doubles_nothing_whatever_happens(void **state)
{
    struct stage *s = *state;
    struct random r = {2026};
    s->commit_every = 5;
    for (int step = 0; step < 1500; step++) {
        uint64_t pick = random_u64(&r) % 12;
        if (pick < 6)
            put_row(s, s->path);
        else if (pick < 9)
            turn(s);
        else if (pick == 9)
            restart(s);
        else if (pick == 10 && access(s->path, F_OK) == 0) {
            char to[160];
            snprintf(to, sizeof to, "%s.%d", s->path, step);
            usleep(11000); // so that no two have one time of writing
            assert_int_equal(rename(s->path, to), 0);
        } else {
            s->now += 2 * NS_PER_S;
        }
    }
    put_row(s, s->path);
    for (int i = 0; i < 200; i++)
        wait_turn(s);
    assert_all(s);
    assert_int_equal(tail_stats(s->tail).lost_files, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_stage, close_stage)
    const struct CMUnitTest tests[] = {
        TEST(follows_a_growing_file),
        TEST(waits_for_the_end_of_a_line),
        TEST(reads_a_rotated_file_to_its_end),
        TEST(reads_each_of_several_rotations),
        TEST(joins_a_line_cut_by_a_rotation),
        TEST(a_cut_line_without_an_end_costs_itself_alone),
        TEST(begins_anew_after_a_truncation),
        TEST(finds_the_rest_of_a_truncated_file_in_its_copy),
        TEST(sees_a_truncation_that_has_grown_over),
        TEST(follows_a_file_that_was_made_anew),
        TEST(goes_on_at_its_mark),
        TEST(finds_its_file_again_after_a_rotation_while_it_was_away),
        TEST(reads_on_in_packed_files),
        TEST(does_not_take_a_packed_copy_for_the_next_file),
        TEST(says_when_its_file_is_gone),
        TEST(a_mark_holds_while_a_cut_line_waits),
        TEST(refuses_a_broken_mark),
        TEST(passes_over_a_line_that_is_too_long),
        TEST(takes_a_line_of_the_largest_size),
        TEST(begins_at_the_end_when_asked),
        TEST(loses_and_doubles_nothing_whatever_happens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
