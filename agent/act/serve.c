// The child's side of a job: reads the question, runs the executor's verb, answers.
//
// SPDX-License-Identifier: Apache-2.0
#include "agent/act/job.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "agent/act/executor.h"
#include "agent/act/remote.h"
#include "common/base/file.h"
#include "common/trust/digest.h"

static enum status read_all(int fd, struct buf *out)
{
    for (;;) {
        uint8_t chunk[2048];
        ssize_t n = read(fd, chunk, sizeof chunk);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? ST_IO : out->failed;
        buf_put(out, chunk, (size_t)n);
    }
}

static void (*const verbs[])(const struct executor *, const struct job_ask *,
                             struct job_answer *) = {
    [EXECUTOR_SYMLINK] = symlink_serve, [EXECUTOR_EXEC] = exec_serve,
    [EXECUTOR_MLFLOW] = remote_serve,   [EXECUTOR_TFSERVING] = remote_serve,
    [EXECUTOR_TRITON] = remote_serve,   [EXECUTOR_TORCHSERVE] = remote_serve,
    [EXECUTOR_KSERVE] = remote_serve,   [EXECUTOR_DEPLOYMENT] = remote_serve,
    [EXECUTOR_HAPROXY] = remote_serve,
};

// The file is read here, by the process that acts on it, and must still be the one
// whose digest the order names.
static void carry_out(const struct job_ask *ask, struct job_answer *a)
{
    char path[PATH_MAX];
    struct executor *e = NULL;
    a->code = JOB_EXECUTOR;
    if (ask->path.size >= sizeof path)
        return;
    memcpy(path, ask->path.data, ask->path.size);
    path[ask->path.size] = '\0';
    if (executor_open(path, &e, a->detail, sizeof a->detail) != ST_OK)
        return;
    if (!digest_equal(e->digest, ask->executor_digest)) {
        (void)snprintf(a->detail, sizeof a->detail, "%.100s was changed", path);
    } else if (ask->to.size > 0 && !executor_knows(e, ask->to)) {
        a->code = JOB_TARGET;
        (void)snprintf(a->detail, sizeof a->detail, "the file lists no such version");
    } else {
        a->code = JOB_FAILED;
        verbs[e->kind](e, ask, a);
    }
    executor_close(e);
}

int job_serve(int in, int out)
{
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    struct buf question, answer;
    buf_init(&question, JOB_ASK_MAX);
    buf_init(&answer, JOB_ANSWER_MAX);
    static struct job_answer a;
    a = (struct job_answer){.code = JOB_FAILED, .exit_code = -1};
    struct job_ask ask;
    enum status st = read_all(in, &question);
    if (st == ST_OK)
        st = job_ask_get(buf_span(&question), &ask);
    if (st == ST_OK)
        carry_out(&ask, &a);
    else
        (void)snprintf(a.detail, sizeof a.detail, "question: %s", status_text(st));
    job_answer_put(&answer, &a);
    st = answer.failed;
    if (st == ST_OK)
        st = file_write_all(out, buf_span(&answer));
    buf_fini(&question);
    buf_fini(&answer);
    return st == ST_OK ? 0 : 1;
}
