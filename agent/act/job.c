// SPDX-License-Identifier: Apache-2.0
#include "agent/act/job.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/act/run.h"
#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/mem.h"

// Beyond the program's time: a probe before and one after, each with the grace of its
// own end, and the answer.
#define JOB_EXTRA_MS (2 * JOB_PROBE_MS + 3 * RUN_GRACE_MS + 2000)

struct job {
    pid_t child;
    int fd;
    uint64_t deadline_ns;
    bool is_killed;
    struct buf answer;
};

// In the forked child: the question becomes descriptor 0, the answer 3; the rest
// closes.
static void become(const char *program, int question, int answer)
{
    (void)setpgid(0, 0);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    sigset_t none;
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)signal(SIGTERM, SIG_DFL);
    (void)signal(SIGPIPE, SIG_IGN);
    if (dup2(question, 0) != 0 || dup2(answer, 3) != 3)
        _exit(126);
    (void)close_range(4, ~0U, 0);
    if (!program)
        _exit(job_serve(0, 3));
    // PATH alone: what an executor's file says must not depend on the agent's
    // surroundings.
    static char path[] = "PATH=/usr/sbin:/usr/bin", verb[] = "execute";
    static char name[] = "kedge-exec";
    char *argv[] = {name, verb, NULL};
    char *env[] = {path, NULL};
    execve(program, argv, env);
    _exit(127);
}

static enum status fork_child(const char *program, struct span question,
                              struct job *job)
{
    int ask[2], answer[2];
    if (pipe2(ask, O_CLOEXEC) != 0)
        return ST_IO;
    if (pipe2(answer, O_CLOEXEC) != 0) {
        close(ask[0]);
        close(ask[1]);
        return ST_IO;
    }
    // A pipe holds 64 KiB and the question is smaller, so this cannot block.
    enum status st = file_write_all(ask[1], question);
    if (st == ST_OK) {
        // Nothing may land on descriptor 3 by chance before dup2 puts the answer there.
        int high = fcntl(answer[1], F_DUPFD_CLOEXEC, 10);
        job->child = high >= 0 ? fork() : -1;
        if (job->child == 0)
            become(program, ask[0], high);
        if (job->child < 0)
            st = ST_IO;
        if (high >= 0)
            close(high);
    }
    close(ask[0]);
    close(ask[1]);
    close(answer[1]);
    if (st != ST_OK) {
        close(answer[0]);
        return st;
    }
    (void)setpgid(job->child, job->child);
    (void)fcntl(answer[0], F_SETFL, O_NONBLOCK);
    job->fd = answer[0];
    return ST_OK;
}

enum status job_start(const char *program, const struct job_ask *ask,
                      uint64_t now_mono_ns, struct job **out)
{
    if (ask->run_ms == 0 || ask->run_ms > JOB_RUN_MS_MAX)
        return ST_RANGE;
    struct job *job = MEM_NEW(struct job);
    if (!job)
        return ST_NOMEM;
    buf_init(&job->answer, JOB_ANSWER_MAX);
    job->fd = -1;
    job->deadline_ns = now_mono_ns + ((uint64_t)ask->run_ms + JOB_EXTRA_MS) * NS_PER_MS;

    struct buf question;
    buf_init(&question, JOB_ASK_MAX);
    job_ask_put(&question, ask);
    enum status st = question.failed;
    if (st == ST_OK)
        st = fork_child(program, buf_span(&question), job);
    buf_fini(&question);
    if (st != ST_OK) {
        job_close(job);
        return st;
    }
    *out = job;
    return ST_OK;
}

int job_fd(const struct job *job)
{
    return job->fd;
}

static bool read_answer(struct job *job)
{
    for (;;) {
        uint8_t chunk[4096];
        ssize_t n = read(job->fd, chunk, sizeof chunk);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n == 0 || errno != EAGAIN;
        buf_put(&job->answer, chunk, (size_t)n);
    }
}

static void failed_answer(struct job *job, struct job_answer *out)
{
    *out = (struct job_answer){.code = JOB_FAILED, .exit_code = -1};
    out->is_timeout = job->is_killed;
    const char *why = job->is_killed ? "the executor's time was over"
                                     : "the executor's process died without an answer";
    memcpy(out->detail, why, strlen(why) + 1);
}

enum status job_turn(struct job *job, uint64_t now_mono_ns, struct job_answer *out)
{
    bool is_ended = read_answer(job);
    if (!is_ended && now_mono_ns >= job->deadline_ns) {
        (void)kill(-job->child, SIGKILL);
        job->is_killed = true;
    }
    int state;
    pid_t ended = waitpid(job->child, &state, WNOHANG);
    if (ended == 0) {
        if (is_ended && now_mono_ns >= job->deadline_ns)
            (void)kill(-job->child, SIGKILL);
        return ST_AGAIN;
    }
    (void)read_answer(job);
    job->child = 0;
    if (job->answer.failed != ST_OK ||
        job_answer_get(buf_span(&job->answer), out) != ST_OK)
        failed_answer(job, out);
    return ST_OK;
}

void job_close(struct job *job)
{
    if (!job)
        return;
    if (job->child > 0) {
        (void)kill(-job->child, SIGKILL);
        (void)kill(job->child, SIGKILL);
        (void)waitpid(job->child, NULL, 0);
    }
    if (job->fd >= 0)
        close(job->fd);
    buf_fini(&job->answer);
    mem_free(job);
}
