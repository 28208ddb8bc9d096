// SPDX-License-Identifier: Apache-2.0
#include "agent/act/run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"

// Address space is not bounded by an rlimit here: interpreters reserve far more than
// they use. The unit's MemoryMax is the bound.
static const struct limit_row {
    int resource;
    rlim_t value;
} limits[] = {
    {RLIMIT_CORE, 0},
    {RLIMIT_NOFILE, 64},
    {RLIMIT_NPROC, 512},
    {RLIMIT_CPU, 600},
    {RLIMIT_FSIZE, (rlim_t)1 << 30},
};

static void lower_limits(void)
{
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        struct rlimit now;
        if (getrlimit(limits[i].resource, &now) != 0)
            continue;
        rlim_t value = limits[i].value < now.rlim_max ? limits[i].value : now.rlim_max;
        struct rlimit next = {value, value};
        (void)setrlimit(limits[i].resource, &next);
    }
}

static void restore_signals(void)
{
    sigset_t none;
    sigemptyset(&none);
    for (int s = 1; s < NSIG; s++)
        (void)signal(s, SIG_DFL);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

// In the child, up to execve: only calls that are safe after a fork.
static void become(const struct run_ask *ask, int output, int report)
{
    (void)setpgid(0, 0);
    restore_signals();
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    int empty = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (empty >= 0 && dup2(empty, 0) == 0 && dup2(output, 1) == 1 &&
        dup2(output, 2) == 2 && dup2(report, 3) == 3 &&
        fcntl(3, F_SETFD, FD_CLOEXEC) == 0 && chdir("/") == 0) {
        (void)close_range(4, ~0U, 0);
        lower_limits();
        union {
            const char *const *in;
            char *const *out;
        } argv = {.in = ask->argv}, env = {.in = ask->env};
        execve(ask->argv[0], argv.out, env.out);
    }
    int error = errno;
    if (write(3, &error, sizeof error) < 0)
        _exit(126);
    _exit(127);
}

// Kills what the program left behind: as the reaper, this process is the parent of all.
static void kill_orphans(void)
{
    for (int round = 0; round < 1000; round++) {
        char path[64];
        char list[4096];
        (void)snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t n = fd >= 0 ? read(fd, list, sizeof list - 1) : 0;
        if (fd >= 0)
            close(fd);
        if (n <= 0)
            return;
        list[n] = '\0';
        char *at = list;
        for (char *end = at;; at = end) {
            long pid = strtol(at, &end, 10);
            if (end == at || pid <= 1)
                break;
            (void)kill((pid_t)pid, SIGKILL);
        }
        while (waitpid(-1, NULL, WNOHANG) > 0)
            continue;
        (void)poll(NULL, 0, 1);
    }
}

static void keep_output(int fd, struct buf *kept, struct run_result *out)
{
    uint8_t chunk[4096];
    ssize_t n = read(fd, chunk, sizeof chunk);
    if (n <= 0)
        return;
    uint64_t room = out->output < RUN_OUTPUT_MAX ? RUN_OUTPUT_MAX - out->output : 0;
    buf_put(kept, chunk, (uint64_t)n < room ? (size_t)n : (size_t)room);
    out->output += (uint64_t)n;
}

static int wait_ms(uint64_t now, uint64_t until)
{
    uint64_t left = until > now ? (until - now) / NS_PER_MS + 1 : 0;
    return left > 20 ? 20 : (int)left;
}

// Follows the child until it has ended; it gets SIGTERM at its deadline, SIGKILL after.
static int follow(pid_t child, int output, const struct run_ask *ask, struct buf *kept,
                  struct run_result *out)
{
    uint64_t deadline = clock_mono_ns() + ask->timeout_ms * NS_PER_MS;
    int state = 0;
    for (;;) {
        uint64_t now = clock_mono_ns();
        struct pollfd watch = {.fd = output, .events = POLLIN};
        bool has_output = poll(&watch, 1, wait_ms(now, deadline)) > 0;
        if (has_output && (watch.revents & POLLIN))
            keep_output(output, kept, out);
        else if (has_output)
            (void)poll(NULL, 0, 2); // it closed its output and goes on
        pid_t ended = waitpid(child, &state, WNOHANG);
        if (ended == child || (ended < 0 && errno == ECHILD))
            return state;
        if (now < deadline)
            continue;
        (void)kill(-child, out->is_timeout ? SIGKILL : SIGTERM);
        deadline = now + (out->is_timeout ? NS_PER_MS : RUN_GRACE_MS * NS_PER_MS);
        out->is_timeout = true;
    }
}

// What was written just before the end.
static void drain(int output, struct buf *kept, struct run_result *out)
{
    struct pollfd watch = {.fd = output, .events = POLLIN};
    for (int i = 0; i < 64 && poll(&watch, 1, 0) > 0 && (watch.revents & POLLIN); i++)
        keep_output(output, kept, out);
}

static void close_pipe(int fds[2])
{
    close(fds[0]);
    close(fds[1]);
}

enum status run_program(const struct run_ask *ask, struct buf *kept,
                        struct run_result *out)
{
    if (!ask->argv[0] || ask->argv[0][0] != '/' || ask->timeout_ms == 0)
        return ST_RANGE;
    int output[2], report[2];
    if (pipe2(output, O_CLOEXEC) != 0)
        return ST_IO;
    if (pipe2(report, O_CLOEXEC) != 0) {
        close_pipe(output);
        return ST_IO;
    }
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    struct run_result result = {.exit_code = -1};
    int error = 0;
    pid_t child = fork();
    if (child == 0)
        become(ask, output[1], report[1]);
    if (child < 0)
        error = errno;
    close(output[1]);
    close(report[1]);
    if (child > 0) {
        (void)setpgid(child, child);
        // The report is closed by execve; bytes in it mean that execve failed.
        if (read(report[0], &error, sizeof error) != sizeof error)
            error = 0;
        int state = follow(child, output[0], ask, kept, &result);
        (void)kill(-child, SIGKILL);
        kill_orphans();
        drain(output[0], kept, &result);
        result.exit_code = WIFEXITED(state) ? WEXITSTATUS(state) : -1;
        result.signal = WIFSIGNALED(state) ? WTERMSIG(state) : 0;
    }
    close(output[0]);
    close(report[0]);
    errno = error;
    if (error)
        return ST_IO;
    *out = result;
    return ST_OK;
}
