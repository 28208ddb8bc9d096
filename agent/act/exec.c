// The executor `exec`: commands that the host's owner wrote switch and tell.
//
// SPDX-License-Identifier: Apache-2.0
#include "agent/act/executor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "agent/act/command.h"
#include "common/base/text.h"

// The first line of what the probe printed is the version.
static bool probe_now(const struct executor *e, const struct job_ask *ask,
                      struct job_answer *a)
{
    struct job_ask probe = *ask;
    probe.verb = JOB_PROBE;
    enum job_code code = command_run(&e->exec.probe, &probe, JOB_PROBE_MS, a);
    size_t size = 0;
    while (size < a->tail_size && a->tail[size] != '\n')
        size++;
    struct span line = span_of(a->tail, size);
    a->version[0] = '\0';
    if (code != JOB_DONE) {
        a->code = code == JOB_ALREADY ? JOB_FAILED : code;
        return false;
    }
    if (!text_is_name(line)) {
        a->code = JOB_FAILED;
        (void)snprintf(a->detail, sizeof a->detail,
                       "the probe printed no version on its first line");
        return false;
    }
    memcpy(a->version, line.data, line.size);
    a->version[line.size] = '\0';
    a->code = JOB_DONE;
    return true;
}

// The command's own end is what the receipt tells; the probe after it says what is
// true.
static void apply(const struct executor *e, const struct job_ask *ask,
                  struct job_answer *a)
{
    if (span_is(ask->to, a->version)) {
        a->code = JOB_ALREADY;
        return;
    }
    if (!span_is(ask->from, a->version) || ask->verb == JOB_FINISH) {
        a->code = JOB_PRECOND;
        return;
    }
    enum job_code code = command_run(&e->exec.apply, ask, ask->run_ms, a);
    static struct job_answer after;
    after = (struct job_answer){.exit_code = -1};
    if (!probe_now(e, ask, &after)) {
        a->version[0] = '\0';
        a->code = JOB_FAILED;
        (void)snprintf(a->detail, sizeof a->detail, "probe after the command: %.100s",
                       after.detail);
        return;
    }
    memcpy(a->version, after.version, sizeof a->version);
    bool is_cut = a->is_timeout || a->signal != 0;
    a->code = code == JOB_ALREADY || (is_cut && span_is(ask->to, a->version)) ? JOB_DONE
                                                                              : code;
    if (code == JOB_DONE && !span_is(ask->to, a->version)) {
        a->code = JOB_FAILED;
        (void)snprintf(a->detail, sizeof a->detail,
                       "the command said done, but the probe still finds %.60s",
                       a->version);
    }
}

void exec_serve(const struct executor *e, const struct job_ask *ask,
                struct job_answer *a)
{
    // The executor's own file is the lock: one switch at a time through it.
    int lock = open(e->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (lock < 0 || flock(lock, ask->verb == JOB_PROBE ? LOCK_SH | LOCK_NB
                                                       : LOCK_EX | LOCK_NB) != 0) {
        a->code = JOB_LATER;
        (void)snprintf(a->detail, sizeof a->detail, "another switch is under way");
    } else if (probe_now(e, ask, a) && ask->verb != JOB_PROBE) {
        apply(e, ask, a);
    }
    if (lock >= 0)
        close(lock);
}
