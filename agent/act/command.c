// SPDX-License-Identifier: Apache-2.0
#include "agent/act/command.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "agent/act/run.h"
#include "common/base/clock.h"
#include "common/base/text.h"
#include "common/trust/digest.h"

#define WORD_MAX 1024
#define ENV_VARS 12

struct filled {
    char word[EXECUTOR_LIST_MAX][WORD_MAX];
    const char *argv[EXECUTOR_LIST_MAX + 1];
    char var[ENV_VARS][JOB_NAME_MAX + 64];
    const char *env[ENV_VARS + 1];
};

static void hex_of(const uint8_t *bytes, size_t size, char *out)
{
    for (size_t i = 0; i < size; i++)
        (void)snprintf(out + 2 * i, 3, "%02x", bytes[i]);
    out[2 * size] = '\0';
}

// A placeholder is a whole word, and becomes exactly one word.
static struct span value_of(const char *word, const struct job_ask *ask,
                            const char *order)
{
    if (strcmp(word, "{model}") == 0)
        return ask->model;
    if (strcmp(word, "{from}") == 0)
        return ask->from;
    if (strcmp(word, "{to}") == 0)
        return ask->to;
    if (strcmp(word, "{order}") == 0)
        return span_text(order);
    return span_text(word);
}

static bool fill_argv(const struct executor_words *words, const struct job_ask *ask,
                      const char *order, struct filled *out)
{
    for (uint32_t i = 0; i < words->count; i++) {
        struct span value = value_of(words->word[i], ask, order);
        if (value.size >= WORD_MAX)
            return false;
        if (value.size > 0)
            memcpy(out->word[i], value.data, value.size);
        out->word[i][value.size] = '\0';
        out->argv[i] = out->word[i];
    }
    out->argv[words->count] = NULL;
    return true;
}

static void put_var(struct filled *out, int *n, const char *name, struct span value)
{
    (void)snprintf(out->var[*n], sizeof out->var[*n], "%s=%.*s", name, (int)value.size,
                   value.size ? (const char *)value.data : "");
    out->env[*n] = out->var[*n];
    out->env[++*n] = NULL;
}

static void fill_env(const struct job_ask *ask, const char *order, struct filled *out)
{
    char incident[33], digest[65], deadline[24];
    hex_of(ask->incident, 16, incident);
    hex_of(ask->digest, 32, digest);
    (void)snprintf(deadline, sizeof deadline, "%u", ask->run_ms);
    int n = 0;
    put_var(out, &n, "KEDGE_V", span_text("1"));
    put_var(out, &n, "KEDGE_ORDER", span_text(order));
    put_var(out, &n, "KEDGE_ACTION", ask->action);
    put_var(out, &n, "KEDGE_MODEL", ask->model);
    put_var(out, &n, "KEDGE_FROM", ask->from);
    put_var(out, &n, "KEDGE_TO", ask->to);
    put_var(out, &n, "KEDGE_DIGEST", span_text(ask->has_digest ? digest : ""));
    put_var(out, &n, "KEDGE_INCIDENT", span_text(incident));
    put_var(out, &n, "KEDGE_DEADLINE_MS", span_text(deadline));
    put_var(out, &n, "KEDGE_DRY_RUN", span_text(ask->verb == JOB_PROBE ? "1" : "0"));
    put_var(out, &n, "PATH", span_text("/usr/sbin:/usr/bin"));
    put_var(out, &n, "LANG", span_text("C.UTF-8"));
}

static const struct code_row {
    int exit_code;
    enum job_code code;
    const char *detail;
} codes[] = {
    {0, JOB_DONE, ""},
    {10, JOB_ALREADY, "the command says: already there"},
    {11, JOB_PRECOND, "the command says: precondition failed"},
    {12, JOB_TARGET, "the command says: the target is missing"},
    {13, JOB_REFUSED, "the command says: refused by the tool"},
    {75, JOB_LATER, "the command says: try later"},
};

static enum job_code code_of(const struct run_result *result, struct job_answer *a)
{
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (result->exit_code == codes[i].exit_code && !result->is_timeout) {
            (void)snprintf(a->detail, sizeof a->detail, "%s", codes[i].detail);
            return codes[i].code;
        }
    if (result->is_timeout)
        (void)snprintf(a->detail, sizeof a->detail, "the command's time was over");
    else if (result->signal)
        (void)snprintf(a->detail, sizeof a->detail, "the command died by signal %d",
                       result->signal);
    else
        (void)snprintf(a->detail, sizeof a->detail, "the command exited with %d",
                       result->exit_code);
    return JOB_FAILED;
}

static void keep_tail(const struct buf *kept, struct job_answer *a)
{
    size_t size = kept->size < JOB_TAIL_MAX ? kept->size : JOB_TAIL_MAX;
    if (size > 0)
        memcpy(a->tail, kept->data + kept->size - size, size);
    a->tail_size = (uint16_t)size;
    if (digest_of(buf_span(kept), a->output_digest) != ST_OK)
        memset(a->output_digest, 0, sizeof a->output_digest);
}

static enum job_code run_once(const struct filled *filled, uint32_t timeout_ms,
                              struct job_answer *a)
{
    struct buf kept;
    buf_init(&kept, RUN_OUTPUT_MAX);
    const struct run_ask ask = {filled->argv, filled->env, timeout_ms};
    struct run_result result;
    enum job_code code = JOB_FAILED;
    if (run_program(&ask, &kept, &result) == ST_OK) {
        a->exit_code = result.exit_code;
        a->signal = result.signal;
        a->is_timeout = result.is_timeout;
        code = code_of(&result, a);
        keep_tail(&kept, a);
    } else {
        (void)snprintf(a->detail, sizeof a->detail, "%.100s: %s", filled->argv[0],
                       strerror(errno));
    }
    buf_fini(&kept);
    return code;
}

enum job_code command_run(const struct executor_words *words, const struct job_ask *ask,
                          uint32_t limit_ms, struct job_answer *a)
{
    static const uint64_t pause_ms[] = {1000, 5000};
    static struct filled filled; // large, and this process serves one question
    char order[33];
    hex_of(ask->order, 16, order);
    if (!fill_argv(words, ask, order, &filled)) {
        (void)snprintf(a->detail, sizeof a->detail, "a word is too long");
        return JOB_FAILED;
    }
    fill_env(ask, order, &filled);
    uint64_t end = clock_mono_ns() + limit_ms * NS_PER_MS;
    for (unsigned tries = 0;; tries++) {
        uint64_t now = clock_mono_ns();
        uint64_t left_ms = now < end ? (end - now) / NS_PER_MS : 0;
        if (left_ms == 0)
            return JOB_FAILED;
        enum job_code code = run_once(&filled, (uint32_t)left_ms, a);
        bool is_again = code == JOB_FAILED && a->exit_code == 20 && tries < 2 &&
                        left_ms > pause_ms[tries];
        if (!is_again)
            return code;
        (void)poll(NULL, 0, (int)pause_ms[tries]);
    }
}
