// Unix: lines over a socket, in pieces, from many clients, too long, and broken.
//
// SPDX-License-Identifier: Apache-2.0
#include "agent/intake/unix.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/file.h"
#include "common/base/mem.h"
#include "said.h"

#define NOW UINT64_C(1700000000000000000)
#define ROW "{\"model\":\"m\",\"ts\":1,\"features\":{\"a\":1}}\n"
#define ROW_SAID "m/ # @1000 i:a=1\n"

struct stage {
    char folder[64];
    char path[128];
    struct said said;
    struct observation_sink sink;
    struct unix_door *door;
};

static int open_stage(void **state)
{
    struct stage *s = MEM_NEW(struct stage);
    strcpy(s->folder, "/tmp/kedge-unix-XXXXXX");
    assert_non_null(mkdtemp(s->folder));
    snprintf(s->path, sizeof s->path, "%s/agent.sock", s->folder);
    said_init(&s->said, &s->sink);
    const struct unix_settings settings = {.path = s->path, .mode = 0600};
    assert_int_equal(unix_open(&settings, &s->sink, &s->door), ST_OK);
    *state = s;
    return 0;
}

static int close_stage(void **state)
{
    struct stage *s = *state;
    unix_close(s->door);
    buf_fini(&s->said.text);
    unlink(s->path);
    rmdir(s->folder);
    mem_free(s);
    return 0;
}

static int connect_to(const struct stage *s)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, s->path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

// Sends all, letting the door read whenever the pipe is full.
static void send_all(struct stage *s, int fd, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, bytes, size);
        if (n > 0) {
            bytes += n;
            size -= (size_t)n;
        }
        unix_turn(s->door, NOW);
    }
    unix_turn(s->door, NOW);
}

static void assert_said(struct stage *s, const char *wanted)
{
    assert_string_equal(buf_cstr(&s->said.text), wanted);
}

static void hands_on_each_line(void **state)
{
    struct stage *s = *state;
    int fd = connect_to(s);
    send_all(s, fd, ROW ROW, strlen(ROW ROW));
    assert_said(s, ROW_SAID ROW_SAID);
    assert_int_equal(s->said.settled, 2);
    close(fd);
    unix_turn(s->door, NOW);
    assert_int_equal(unix_stats(s->door).clients, 0);
    struct stat st;
    assert_int_equal(stat(s->path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
}

static void joins_a_line_sent_byte_by_byte(void **state)
{
    struct stage *s = *state;
    int fd = connect_to(s);
    for (size_t i = 0; i < strlen(ROW); i++)
        send_all(s, fd, ROW + i, 1);
    assert_said(s, ROW_SAID);
    close(fd);
}

static void keeps_clients_apart(void **state)
{
    struct stage *s = *state;
    int a = connect_to(s), b = connect_to(s);
    send_all(s, a, ROW, 10);
    send_all(s, b, ROW, strlen(ROW));
    send_all(s, a, ROW + 10, strlen(ROW) - 10);
    assert_said(s, ROW_SAID ROW_SAID);
    close(a);
    close(b);
}

static void takes_a_last_line_without_a_newline(void **state)
{
    struct stage *s = *state;
    int fd = connect_to(s);
    send_all(s, fd, ROW, strlen(ROW) - 1);
    assert_said(s, "");
    close(fd);
    unix_turn(s->door, NOW);
    assert_said(s, ROW_SAID);
    fd = connect_to(s);
    send_all(s, fd, ROW, 20);
    close(fd);
    unix_turn(s->door, NOW);
    assert_said(s, ROW_SAID "drop malformed m\n");
}

static void charges_a_bad_line_to_its_model(void **state)
{
    struct stage *s = *state;
    int fd = connect_to(s);
    const char *text =
        "nonsense\n" ROW "nonsense\n\n\r\n{\"model\":\"z\",\"label\":}\n" ROW;
    send_all(s, fd, text, strlen(text));
    assert_said(s, "drop malformed \n" ROW_SAID "drop malformed m\n"
                   "drop malformed z\n" ROW_SAID);
    close(fd);
}

static void passes_over_a_line_that_is_too_long(void **state)
{
    struct stage *s = *state;
    int fd = connect_to(s);
    size_t size = 10u << 20;
    char *much = mem_zero(size, 1);
    memset(much, 'x', size);
    much[size - 1] = '\n';
    send_all(s, fd, ROW, strlen(ROW));
    send_all(s, fd, much, size);
    send_all(s, fd, ROW, strlen(ROW));
    assert_said(s, ROW_SAID "drop oversize m\n" ROW_SAID);
    assert_int_equal(unix_stats(s->door).oversize, 1);
    mem_free(much);
    close(fd);
}

static void bounds_the_memory_of_all_clients(void **state)
{
    struct stage *s = *state;
    size_t size = 1000000;
    char *much = mem_zero(size, 1);
    memset(much, ' ', size);
    int fd[24];
    for (int i = 0; i < 24; i++) {
        fd[i] = connect_to(s);
        send_all(s, fd[i], much, size);
    }
    for (int i = 0; i < 24; i++)
        send_all(s, fd[i], ROW, strlen(ROW));
    assert_int_equal(s->said.rows + s->said.dropped[DROP_OVERSIZE], 24);
    assert_int_equal(s->said.rows, 16);
    for (int i = 0; i < 24; i++)
        close(fd[i]);
    mem_free(much);
}

static void refuses_one_client_too_many(void **state)
{
    struct stage *s = *state;
    int fd[UNIX_CLIENTS_MAX + 1];
    for (int i = 0; i <= UNIX_CLIENTS_MAX; i++) {
        fd[i] = connect_to(s);
        unix_turn(s->door, NOW);
    }
    assert_int_equal(unix_stats(s->door).clients, UNIX_CLIENTS_MAX);
    assert_int_equal(unix_stats(s->door).refused, 1);
    for (int i = 0; i <= UNIX_CLIENTS_MAX; i++)
        close(fd[i]);
    unix_turn(s->door, NOW);
    while (unix_stats(s->door).clients > 0)
        unix_turn(s->door, NOW);
    fd[0] = connect_to(s);
    send_all(s, fd[0], ROW, strlen(ROW));
    assert_said(s, ROW_SAID);
    close(fd[0]);
}

static void refuses_a_client_when_descriptors_run_out(void **state)
{
    struct stage *s = *state;
    int fd = connect_to(s);
    struct rlimit before, limit;
    getrlimit(RLIMIT_NOFILE, &before);
    limit = (struct rlimit){(rlim_t)fd + 1, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_false(unix_turn(s->door, NOW));
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(unix_stats(s->door).refused, 1);
    close(fd);
    fd = connect_to(s);
    send_all(s, fd, ROW, strlen(ROW));
    assert_said(s, ROW_SAID);
    close(fd);
}

static void replaces_a_stale_socket_but_nothing_else(void **state)
{
    struct stage *s = *state;
    const struct unix_settings settings = {.path = s->path, .mode = 0600};
    struct unix_door *other;
    // A live agent has it.
    assert_int_equal(unix_open(&settings, &s->sink, &other), ST_EXISTS);
    assert_int_equal(access(s->path, F_OK), 0);
    unix_close(s->door);
    // One that was killed left it.
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, s->path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    close(fd);
    assert_int_equal(unix_open(&settings, &s->sink, &s->door), ST_OK);
    unix_close(s->door);
    s->door = NULL;
    // A file is somebody's.
    assert_int_equal(file_create(s->path, span_text("x"), FILE_PRIVATE), ST_OK);
    assert_int_equal(unix_open(&settings, &s->sink, &s->door), ST_EXISTS);
    assert_int_equal(access(s->path, F_OK), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_stage, close_stage)
    const struct CMUnitTest tests[] = {
        TEST(hands_on_each_line),
        TEST(joins_a_line_sent_byte_by_byte),
        TEST(keeps_clients_apart),
        TEST(takes_a_last_line_without_a_newline),
        TEST(charges_a_bad_line_to_its_model),
        TEST(passes_over_a_line_that_is_too_long),
        TEST(bounds_the_memory_of_all_clients),
        TEST(refuses_one_client_too_many),
        TEST(refuses_a_client_when_descriptors_run_out),
        TEST(replaces_a_stale_socket_but_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
