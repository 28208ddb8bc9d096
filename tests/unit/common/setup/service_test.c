// Service: signals become events, and systemd hears each notice.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/setup/service.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/mem.h"

// systemd's end of the socket, in the abstract space or at a path.
static int listen_at(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t size = strlen(name);
    memcpy(address.sun_path, name, size);
    if (name[0] == '@')
        address.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, length), 0);
    assert_int_equal(setenv("NOTIFY_SOCKET", name, 1), 0);
    return fd;
}

static const char *heard(int fd)
{
    static char text[1024];
    ssize_t size = recv(fd, text, sizeof text - 1, 0);
    if (size < 0)
        return NULL;
    text[size] = '\0';
    return text;
}

static struct service *service(void)
{
    struct service *s = NULL;
    assert_int_equal(service_open(&s), ST_OK);
    return s;
}

static void signals_become_events(void **state)
{
    (void)state;
    struct service *s = service();
    struct pollfd fd = {.fd = service_fd(s), .events = POLLIN};
    assert_int_equal(poll(&fd, 1, 0), 0);
    assert_int_equal(service_take(s), SERVICE_NOTHING);
    raise(SIGHUP);
    assert_int_equal(poll(&fd, 1, 0), 1);
    assert_int_equal(service_take(s), SERVICE_RELOAD);
    raise(SIGTERM);
    assert_int_equal(service_take(s), SERVICE_STOP);
    raise(SIGINT);
    assert_int_equal(service_take(s), SERVICE_STOP);
    assert_int_equal(service_take(s), SERVICE_NOTHING);
    service_close(s);
    service_close(NULL);
}

static void a_broken_pipe_does_not_kill(void **state)
{
    (void)state;
    struct service *s = service();
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    close(ends[0]);
    assert_int_equal(write(ends[1], "x", 1), -1);
    close(ends[1]);
    service_close(s);
}

static void a_child_gets_its_signals_back(void **state)
{
    (void)state;
    struct service *s = service();
    pid_t child = fork();
    if (child == 0) {
        service_reset_child(s);
        raise(SIGTERM);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
    service_close(s);
}

static void systemd_hears_each_notice(void **state)
{
    (void)state;
    static const char *const names[] = {"@kedge-service-test", "/tmp/kedge-notify"};
    for (int i = 0; i < 2; i++) {
        unlink(names[i]);
        int fd = listen_at(names[i]);
        struct service *s = service();
        assert_null(getenv("NOTIFY_SOCKET")); // children must not speak for us
        service_ready(s, "3 models\nREADY=0");
        assert_string_equal(heard(fd), "READY=1\nSTATUS=3 models");
        service_status(s, "2 models");
        assert_string_equal(heard(fd), "STATUS=2 models");
        service_reloading(s, 5 * NS_PER_MS);
        assert_string_equal(heard(fd), "RELOADING=1\nMONOTONIC_USEC=5000");
        service_stopping(s, "asked to");
        assert_string_equal(heard(fd), "STOPPING=1\nSTATUS=asked to");
        service_alive(s, NS_PER_S); // no watchdog was asked for
        assert_null(heard(fd));
        service_close(s);
        close(fd);
        unlink(names[i]);
    }
}

static void the_watchdog_hears_us_twice_in_its_time(void **state)
{
    (void)state;
    int fd = listen_at("@kedge-service-test");
    setenv("WATCHDOG_USEC", "10000000", 1);
    struct service *s = service();
    assert_null(getenv("WATCHDOG_USEC"));
    service_alive(s, 100 * NS_PER_S);
    assert_string_equal(heard(fd), "WATCHDOG=1");
    service_alive(s, 100 * NS_PER_S + 4999 * NS_PER_MS);
    assert_null(heard(fd));
    service_alive(s, 105 * NS_PER_S);
    assert_string_equal(heard(fd), "WATCHDOG=1");
    service_close(s);
    close(fd);
}

static void the_watchdog_of_another_process_is_not_ours(void **state)
{
    (void)state;
    int fd = listen_at("@kedge-service-test");
    setenv("WATCHDOG_USEC", "10000000", 1);
    setenv("WATCHDOG_PID", "1", 1);
    struct service *s = service();
    service_alive(s, NS_PER_S);
    assert_null(heard(fd));
    service_close(s);
    close(fd);
}

static void without_systemd_notices_go_nowhere(void **state)
{
    (void)state;
    static const char *const odd[] = {"", "x", "relative", "@"};
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        setenv("NOTIFY_SOCKET", odd[i], 1);
        struct service *s = service();
        service_ready(s, "");
        service_close(s);
    }
    setenv("NOTIFY_SOCKET", "/tmp/kedge-nobody-listens", 1);
    struct service *s = service();
    service_ready(s, "");
    service_close(s);
}

static void out_of_memory_is_said(void **state)
{
    (void)state;
    struct service *s = NULL;
    mem_fail_from(1);
    assert_int_equal(service_open(&s), ST_NOMEM);
    mem_fail_from(0);
    assert_null(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signals_become_events),
        cmocka_unit_test(a_broken_pipe_does_not_kill),
        cmocka_unit_test(a_child_gets_its_signals_back),
        cmocka_unit_test(systemd_hears_each_notice),
        cmocka_unit_test(the_watchdog_hears_us_twice_in_its_time),
        cmocka_unit_test(the_watchdog_of_another_process_is_not_ours),
        cmocka_unit_test(without_systemd_notices_go_nowhere),
        cmocka_unit_test(out_of_memory_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
