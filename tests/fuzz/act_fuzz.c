// Act: journals, answers of children, questions and manifests, as hostile as they come.
//
// SPDX-License-Identifier: Apache-2.0
#include <assert.h>
#include <string.h>

#include "agent/act/deed.h"
#include "agent/act/job.h"
#include "agent/act/journal.h"
#include "agent/act/manifest.h"
#include "agent/act/tfconfig.h"

// Each reader gives back, by its writer, exactly what it took.
static void answer(struct span s)
{
    static struct job_answer a;
    struct buf b;
    if (job_answer_get(s, &a) != ST_OK)
        return;
    assert(strlen(a.version) <= JOB_NAME_MAX && a.tail_size <= JOB_TAIL_MAX);
    buf_init(&b, JOB_ANSWER_MAX);
    job_answer_put(&b, &a);
    assert(b.failed == ST_OK && b.size <= s.size);
    buf_fini(&b);
}

static void question(struct span s)
{
    struct job_ask ask, again;
    struct buf b;
    if (job_ask_get(s, &ask) != ST_OK)
        return;
    buf_init(&b, JOB_ASK_MAX);
    job_ask_put(&b, &ask);
    assert(b.failed == ST_OK && span_equal(buf_span(&b), s));
    assert(job_ask_get(buf_span(&b), &again) == ST_OK);
    buf_fini(&b);
}

static void outcome(struct span s)
{
    static struct outcome o;
    struct buf b;
    if (outcome_get(s, &o) != ST_OK)
        return;
    buf_init(&b, JOURNAL_BODY_MAX);
    outcome_put(&b, &o);
    // The first format had no plan; it is written anew in the second.
    assert(b.failed == ST_OK && b.size <= s.size + sizeof o.plan);
    buf_fini(&b);
}

static void journal(struct span s)
{
    struct journal_record r;
    for (size_t took; journal_parse(s, &r, &took) == ST_OK;) {
        assert(took <= s.size && r.body.size < took && r.kind < JOURNAL_KINDS);
        outcome(r.body);
        s = span_of(s.data + took, s.size - took);
    }
}

static void manifest(struct span s)
{
    struct manifest_line line;
    size_t left = s.size;
    while (manifest_next(&s, &line) == ST_OK) {
        assert(s.size < left && !strstr(line.path, "..") && line.path[0] != '/');
        left = s.size;
    }
}

// What was changed is changed again in the same way, and nothing is lost around it.
static void tfconfig(struct span s)
{
    struct buf once, twice;
    buf_init(&once, TFCONFIG_BYTES_MAX);
    buf_init(&twice, TFCONFIG_BYTES_MAX);
    struct span model = span_text("bike"), label = span_text("stable");
    if (tfconfig_set(s, model, 2, 1, label, &once) == ST_OK) {
        enum status st = tfconfig_set(buf_span(&once), model, 2, 1, label, &twice);
        assert(st == ST_OK && twice.size <= once.size + 128);
    }
    buf_fini(&once);
    buf_fini(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span s = span_of(data, size);
    answer(s);
    question(s);
    outcome(s);
    journal(s);
    manifest(s);
    tfconfig(s);
    return 0;
}
