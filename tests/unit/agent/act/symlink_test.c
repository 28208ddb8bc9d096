// Symlink: a switch is one step, and never over somebody else's.
//
// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/agent/act/stand.h"

#include <signal.h>
#include <sys/select.h>
#include <sys/wait.h>

static struct executor *open_links(const struct stand *s)
{
    char path[STAND_PATH], error[512];
    struct executor *e = NULL;
    stand_path(s, "executors.d/links.conf", path);
    if (executor_open(path, &e, error, sizeof error) != ST_OK)
        fail_msg("%s", error);
    return e;
}

static struct job_ask ask_for(enum job_verb verb)
{
    return (struct job_ask){
        .verb = verb,
        .model = span_text("bike-demand"),
        .action = span_text("rollback"),
        .from = span_text("v2"),
        .to = span_text("v1"),
        .order = {1},
        .run_ms = 5000,
    };
}

// In a child of its own: a command kills all children that its process has.
static void serve(const struct executor *e, struct job_ask *ask, struct job_answer *out)
{
    struct job *job;
    ask->path = span_text(e->path);
    memcpy(ask->executor_digest, e->digest, 32);
    assert_int_equal(job_start(NULL, ask, clock_mono_ns(), &job), ST_OK);
    while (job_turn(job, clock_mono_ns(), out) == ST_AGAIN)
        (void)usleep(100);
    job_close(job);
}

// A stranger moves the link to and fro as fast as it can.
static pid_t start_stranger(const struct stand *s)
{
    char path[STAND_PATH], fresh[STAND_PATH];
    stand_path(s, "srv/current", path);
    stand_path(s, "srv/stranger", fresh);
    pid_t child = fork();
    if (child != 0)
        return child;
    for (unsigned i = 0;; i++)
        if (symlink(i % 2 ? "versions/v2" : "versions/v3", fresh) == 0 &&
            rename(fresh, path) != 0)
            _exit(1);
}

static void puts_back_what_somebody_else_switched_meanwhile(void **state)
{
    struct stand *s = *state;
    struct executor *e = open_links(s);
    struct job_ask ask = ask_for(JOB_APPLY);
    static struct job_answer a;
    pid_t stranger = start_stranger(s);
    uint64_t end = clock_mono_ns() + 60 * NS_PER_S;
    bool is_seen = false;
    while (!is_seen && clock_mono_ns() < end) {
        serve(e, &ask, &a);
        is_seen = a.code == JOB_PRECOND && strstr(a.detail, "meanwhile");
    }
    (void)kill(stranger, SIGKILL);
    assert_int_equal(waitpid(stranger, NULL, 0), stranger);
    assert_true(is_seen);
    assert_string_not_equal(stand_link(s), "v1");
    executor_close(e);
}

static void is_never_without_a_link_while_it_switches(void **state)
{
    struct stand *s = *state;
    struct executor *e = open_links(s);
    char path[STAND_PATH];
    int fds[2];
    stand_path(s, "srv/current/model.json", path);
    assert_int_equal(pipe(fds), 0);
    pid_t reader = fork();
    if (reader == 0) {
        close(fds[1]);
        struct timeval none = {0};
        for (;;) { // until the other side closes
            if (access(path, R_OK) != 0)
                _exit(1);
            fd_set set;
            FD_ZERO(&set);
            FD_SET(fds[0], &set);
            if (select(fds[0] + 1, &set, NULL, NULL, &none) > 0)
                _exit(0);
        }
    }
    close(fds[0]);
    for (int i = 0; i < 200; i++) {
        struct job_ask ask = ask_for(JOB_APPLY);
        static struct job_answer a;
        if (i % 2) {
            ask.from = span_text("v1");
            ask.to = span_text("v2");
        }
        serve(e, &ask, &a);
        assert_int_equal(a.code, JOB_DONE);
    }
    close(fds[1]);
    int status;
    assert_int_equal(waitpid(reader, &status, 0), reader);
    assert_int_equal(status, 0);
    executor_close(e);
}

static void leaves_nothing_behind_in_the_folder(void **state)
{
    struct stand *s = *state;
    struct executor *e = open_links(s);
    struct job_ask ask = ask_for(JOB_APPLY);
    static struct job_answer a;
    char path[STAND_PATH];
    stand_path(s, "srv/.kedge-01000000000000000000000000000000", path);
    assert_int_equal(symlink("left by a crash", path), 0);
    serve(e, &ask, &a);
    assert_int_equal(a.code, JOB_DONE);
    struct stat info;
    assert_int_equal(lstat(path, &info), -1);
    executor_close(e);
}

static void signals_the_process_of_the_pidfile_and_no_other(void **state)
{
    struct stand *s = *state;
    char text[STAND_PATH * 3];
    (void)snprintf(
        text, sizeof text,
        "executor \"links\" { kind = symlink models = {\"*\"} root = \"%s/srv\""
        " pidfile = \"%s/srv/server.pid\" signal = USR1 }\n",
        s->folder, s->folder);
    stand_write(s, "executors.d/links.conf", text, 0644);
    struct executor *e = open_links(s);
    struct job_ask ask = ask_for(JOB_APPLY);
    static struct job_answer a;
    static const struct {
        const char *pid;
        enum job_code code;
    } cases[] = {{"0\n", JOB_RELOAD},     {"1\n", JOB_RELOAD},
                 {"-1\n", JOB_RELOAD},    {"99999999\n", JOB_RELOAD},
                 {"hello\n", JOB_RELOAD}, {"", JOB_RELOAD}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        stand_point(s, "v2");
        stand_write(s, "srv/server.pid", cases[i].pid, 0644);
        serve(e, &ask, &a);
        assert_int_equal(a.code, cases[i].code);
        assert_string_equal(a.version, "v1"); // switched all the same, and says so
    }
    pid_t server = fork();
    if (server == 0) {
        (void)pause();
        _exit(0);
    }
    (void)snprintf(text, sizeof text, "%d\n", (int)server);
    stand_write(s, "srv/server.pid", text, 0644);
    stand_point(s, "v2");
    serve(e, &ask, &a);
    assert_int_equal(a.code, JOB_DONE);
    int status;
    assert_int_equal(waitpid(server, &status, 0), server);
    assert_int_equal(WTERMSIG(status), SIGUSR1);
    executor_close(e);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, stand_setup, stand_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(puts_back_what_somebody_else_switched_meanwhile),
        TEST(is_never_without_a_link_while_it_switches),
        TEST(leaves_nothing_behind_in_the_folder),
        TEST(signals_the_process_of_the_pidfile_and_no_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
