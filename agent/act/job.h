// Job: one verb of an executor, carried out in a child process and watched from
// outside.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_ACT_JOB_H
#define KEDGE_AGENT_ACT_JOB_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/span.h"
#include "common/base/status.h"

#define JOB_NAME_MAX 128       // bytes of a model, version or executor name
#define JOB_TAIL_MAX 4096      // bytes of output that travel in a receipt
#define JOB_ASK_MAX 8192       // bytes of an encoded question
#define JOB_ANSWER_MAX 8192    // bytes of an encoded answer
#define JOB_RUN_MS_MAX 3600000 // longest execution
#define JOB_PROBE_MS 10000     // longest run of a command that only looks

enum job_verb {
    JOB_PROBE = 1, // which version now, and is `to` (when given) present and intact?
    JOB_APPLY,     // compare-and-switch from `from` to `to`, then tell the server
    JOB_FINISH,    // after a crash: the switch is made, tell the server again
};

enum job_code {
    JOB_DONE = 1,
    JOB_ALREADY,  // it was at the target; nothing was switched
    JOB_PRECOND,  // it is at neither `from` nor `to`
    JOB_TARGET,   // `to` is not there
    JOB_DIGEST,   // `to` is there and is not what was meant
    JOB_REFUSED,  // the tool said no
    JOB_LATER,    // somebody else holds it; try later
    JOB_EXECUTOR, // the executor's file is not what was reported
    JOB_RELOAD,   // switched, but the server could not be told
    JOB_FAILED,
};

// The question. Names are at most JOB_NAME_MAX bytes, checked by text_is_name; spans
// are borrowed for the call.
struct job_ask {
    enum job_verb verb;
    struct span path;            // the executor's file
    uint8_t executor_digest[32]; // of that file
    struct span action;
    struct span model;
    struct span from; // may be empty for a probe
    struct span to;   // may be empty for a probe
    bool has_digest;
    uint8_t digest[32]; // of the target's manifest
    uint8_t order[16];
    uint8_t incident[16];
    uint32_t run_ms; // 1..JOB_RUN_MS_MAX
};

// The answer; texts are closed by a zero.
struct job_answer {
    enum job_code code;
    char version[JOB_NAME_MAX + 1]; // served after the verb; "" when unknown
    bool has_digest;
    uint8_t digest[32]; // of the manifest of `version`
    int exit_code;      // of the program, -1 when none ran or it did not exit
    int signal;
    bool is_timeout;
    uint8_t output_digest[32]; // SHA-256 of the output that was kept
    uint16_t tail_size;
    uint8_t tail[JOB_TAIL_MAX]; // its last bytes
    char detail[160];           // for people
};

struct job;

// Starts a child that answers the question. With `program` (an absolute path, or
// "/proc/self/exe") the child runs `program execute`, which must call job_serve(0, 3);
// NULL serves in the forked child itself and is for programs of one thread.
// Errors: ST_RANGE, ST_NOMEM, ST_IO.
MUST_USE enum status job_start(const char *program, const struct job_ask *ask,
                               uint64_t now_mono_ns, struct job **out);

// Readable when the child has something to say. Valid until close.
int job_fd(const struct job *job);

// ST_OK once with the answer when the child has ended (or was ended, some
// seconds after its time and that of two probes), ST_AGAIN before. A child that died
// gives JOB_FAILED. Never blocks.
MUST_USE enum status job_turn(struct job *job, uint64_t now_mono_ns,
                              struct job_answer *out);

// Kills what still runs. NULL is fine.
void job_close(struct job *job);

// The child's side: reads a question from `in`, carries it out, writes the answer to
// `out`. Returns an exit status for main.
int job_serve(int in, int out);

// Both sides' encoding, bounded on reading: ST_CORRUPT. Spans of the ask lend from
// `bytes`.
void job_ask_put(struct buf *out, const struct job_ask *ask);
MUST_USE enum status job_ask_get(struct span bytes, struct job_ask *out);
void job_answer_put(struct buf *out, const struct job_answer *answer);
MUST_USE enum status job_answer_get(struct span bytes, struct job_answer *out);

#endif
