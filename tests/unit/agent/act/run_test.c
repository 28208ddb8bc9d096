// Run: whatever a program does, it ends in time, leaves nothing behind, and sees
// little.
//
// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/agent/act/stand.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "agent/act/run.h"

// In a child, since it becomes the reaper of all that is left behind.
static void run_in_child(const char *script, uint32_t timeout_ms,
                         struct run_result *out, struct buf *kept, uint64_t *took_ms)
{
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    uint64_t begin = clock_mono_ns();
    pid_t child = fork();
    if (child == 0) {
        struct buf text;
        buf_init(&text, RUN_OUTPUT_MAX);
        const char *const argv[] = {"/bin/sh", "-c", script, NULL};
        const char *const env[] = {"ONLY=this", NULL};
        const struct run_ask ask = {argv, env, timeout_ms};
        struct run_result result;
        enum status st = run_program(&ask, &text, &result);
        if (st == ST_OK)
            st = file_write_all(pipes[1], span_of(&result, sizeof result));
        if (st == ST_OK)
            st = file_write_all(pipes[1], buf_span(&text));
        _exit(st == ST_OK ? 0 : 1);
    }
    close(pipes[1]);
    buf_clear(kept);
    uint8_t chunk[4096];
    for (ssize_t n; (n = read(pipes[0], chunk, sizeof chunk)) > 0;)
        buf_put(kept, chunk, (size_t)n);
    close(pipes[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    *took_ms = (clock_mono_ns() - begin) / NS_PER_MS;
    memcpy(out, kept->data, sizeof *out);
    buf_shift(kept, sizeof *out);
}

struct script {
    const char *name;
    const char *text;
    uint32_t timeout_ms;
    int exit_code, signal;
    bool is_timeout;
    const char *output; // NULL: not looked at
    uint64_t most_ms;
};

static const struct script scripts[] = {
    {"ends well", "echo hello", 5000, 0, 0, false, "hello\n", 3000},
    {"ends badly", "echo no >&2; exit 13", 5000, 13, 0, false, "no\n", 3000},
    {"dies", "kill -SEGV $$", 5000, -1, SIGSEGV, false, NULL, 3000},
    {"sleeps", "sleep 60", 300, -1, SIGTERM, true, "", 3000},
    {"ignores SIGTERM", "trap '' TERM; while :; do sleep 0.1; done", 300, -1, SIGKILL,
     true, NULL, 300 + RUN_GRACE_MS + 3000},
    {"closes its output and goes on", "exec >&- 2>&-; sleep 0.3; exit 7", 5000, 7, 0,
     false, "", 3000},
    {"leaves a daemon", "setsid sh -c 'sleep 300' & exit 0", 5000, 0, 0, false, "",
     3000},
    {"prints 50 MB", "head -c 50000000 /dev/zero", 30000, 0, 0, false, NULL, 30000},
    {"sees one variable", "env | grep -v -e PWD -e SHLVL -e '^_='", 5000, 0, 0, false,
     "ONLY=this\n", 3000},
    {"has nothing to read", "wc -c", 5000, 0, 0, false, "0\n", 3000},
    {"works in the root", "pwd", 5000, 0, 0, false, "/\n", 3000},
    {"has three descriptors", "ls /proc/self/fd | grep -c '^[4-9]'", 5000, 1, 0, false,
     "0\n", 3000},
    {"may not dump its core", "ulimit -c; ulimit -n", 5000, 0, 0, false, "0\n64\n",
     3000},
};

static void holds_every_program_to_its_bounds(void **state)
{
    (void)state;
    struct buf kept;
    buf_init(&kept, RUN_OUTPUT_MAX + sizeof(struct run_result));
    for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++) {
        const struct script *c = &scripts[i];
        struct run_result r;
        uint64_t took_ms;
        run_in_child(c->text, c->timeout_ms, &r, &kept, &took_ms);
        if (r.exit_code != c->exit_code || r.signal != c->signal ||
            r.is_timeout != c->is_timeout)
            fail_msg("%s: exit %d signal %d timeout %d", c->name, r.exit_code, r.signal,
                     r.is_timeout);
        if (c->output && !span_is(buf_span(&kept), c->output))
            fail_msg("%s: it printed %s", c->name, buf_cstr(&kept));
        if (took_ms > c->most_ms)
            fail_msg("%s: it took %llu ms", c->name, (unsigned long long)took_ms);
        if (strcmp(c->name, "prints 50 MB") == 0) {
            assert_int_equal(r.output, 50000000);
            assert_int_equal(kept.size, RUN_OUTPUT_MAX);
        }
    }
    buf_fini(&kept);
    // The daemon that was left behind is gone.
    assert_int_not_equal(system("pgrep -f '[s]leep 300' >/dev/null 2>&1"), 0);
}

static void says_why_a_program_cannot_be_started(void **state)
{
    (void)state;
    const char *const env[] = {NULL};
    const char *const relative[] = {"sh", NULL}, *const missing[] = {"/no/such", NULL},
                      *const folder[] = {"/tmp", NULL};
    struct buf kept;
    struct run_result r;
    buf_init(&kept, 100);
    struct run_ask ask = {relative, env, 1000};
    assert_int_equal(run_program(&ask, &kept, &r), ST_RANGE);
    ask.argv = missing;
    assert_int_equal(run_program(&ask, &kept, &r), ST_IO);
    assert_int_equal(errno, ENOENT);
    ask.argv = folder;
    assert_int_equal(run_program(&ask, &kept, &r), ST_IO);
    assert_int_equal(errno, EACCES);
    ask.timeout_ms = 0;
    assert_int_equal(run_program(&ask, &kept, &r), ST_RANGE);
    buf_fini(&kept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(holds_every_program_to_its_bounds),
        cmocka_unit_test(says_why_a_program_cannot_be_started),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
