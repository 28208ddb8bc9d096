// SPDX-License-Identifier: Apache-2.0
#include "controller/ask_incident.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "controller/log/incidents.h"

// --- For people

static enum status why(struct shelf *s, const struct query_ask *ask, struct json *j,
                       const char **fault)
{
    struct span at = pairs_get(ask->arg, ask->args, "at");
    struct span known = pairs_get(ask->arg, ask->args, "known");
    struct span endpoint = pairs_get(ask->arg, ask->args, "endpoint");
    struct scene_ask q = {.kpi = pairs_get(ask->arg, ask->args, "kpi"),
                          .model = pairs_get(ask->arg, ask->args, "model"),
                          .segment = pairs_get(ask->arg, ask->args, "segment")};
    if (endpoint.size)
        q.kpi = endpoint;
    *fault = "at, known: write them like 2026-03-01T14:05:00Z";
    if (at.size)
        ST_TRY(text_time(at, &q.at_ns));
    if (known.size)
        ST_TRY(text_time(known, &q.known_ns));
    *fault = "say --kpi NAME, --endpoint NAME or --model NAME";
    if (q.kpi.size == 0 && q.model.size == 0)
        return ST_RANGE;
    bool as_text = span_is(pairs_get(ask->arg, ask->args, "form"), "text");
    return scene_answer(s, &q, as_text, j, fault);
}

static enum status asked(struct shelf *s, const struct query_asked *a, struct json *j,
                         const char **fault)
{
    struct scene_ask q = {
        .kpi = a->kpi, .model = a->model, .at_ns = a->at_ns, .known_ns = a->known_ns};
    return scene_answer(s, &q, false, j, fault);
}

static enum status evidence(struct shelf *s, const struct query_asked *a,
                            struct json *j, const char **fault)
{
    struct scene_ask q = {
        .kpi = a->kpi, .model = a->model, .at_ns = a->at_ns, .known_ns = a->known_ns};
    return scene_evidence(s, &q, j, fault);
}

const struct query_guest *ask_incident_guest(void)
{
    static const struct query_guest guest = {
        .why = why, .asked = asked, .evidence = evidence};
    return &guest;
}

// --- For the record

struct question {
    struct paper paper;
    struct scene_ask ask;
};

// From the command itself, or from the incident that it names.
static bool read_question(struct shelf *s, const struct entry_command *e,
                          uint64_t wall_ns, struct question *q)
{
    q->ask.kpi = entry_arg(e, "kpi");
    q->ask.model = entry_arg(e, "model");
    if (entry_arg(e, "endpoint").size)
        q->ask.kpi = entry_arg(e, "endpoint");
    q->ask.at_ns = wall_ns;
    if (span_is(e->verb, "incident.open")) {
        struct span at = entry_arg(e, "at");
        bool is_good = !at.size || text_time(at, &q->ask.at_ns) == ST_OK;
        return is_good && (q->ask.kpi.size || q->ask.model.size);
    }
    uint64_t number;
    uint8_t id[CASE_ID_BYTES];
    struct record_incident i;
    if (text_u64(entry_arg(e, "incident"), &number) != ST_OK)
        return false;
    case_id(number, id);
    if (incidents_read(&q->paper, s, id, &i) != ST_OK)
        return false;
    // What was answered once stands, unless it is asked again by closing.
    if (i.answered && span_is(e->verb, "incident.ack"))
        return false;
    q->ask.kpi = i.kpi;
    q->ask.model = i.kpi.size ? span_text("") : i.model;
    q->ask.at_ns = i.noticed ? i.noticed : i.opened_event - 1;
    return q->ask.kpi.size || q->ask.model.size;
}

static void add(struct entry_command *e, const char *key, const char *value)
{
    if (e->args < ENTRY_ARGS_MAX)
        e->arg[e->args++] = (struct entry_arg){span_text(key), span_text(value)};
}

// Whole names only, as many as fit.
static void cut_list(struct span list, char out[513])
{
    size_t n = list.size < 512 ? list.size : 512;
    if (n < list.size)
        while (n > 0 && list.data[n] != ',')
            n--;
    if (n)
        memcpy(out, list.data, n);
    out[n] = '\0';
}

static void put_hex(const uint8_t digest[32], char out[65])
{
    for (size_t i = 0; i < 32; i++)
        (void)snprintf(out + 2 * i, 3, "%02x", digest[i]);
}

static void add_said(struct ask_said *a, uint64_t wall_ns, struct entry_command *e)
{
    (void)snprintf(a->answered, sizeof a->answered, "%" PRIu64, wall_ns);
    (void)snprintf(a->share, sizeof a->share, "%.17g", a->said.share);
    (void)snprintf(a->confidence, sizeof a->confidence, "%.17g", a->said.confidence);
    (void)snprintf(a->onset, sizeof a->onset, "%" PRIu64, a->said.onset_ns);
    put_hex(a->said.evidence, a->evidence);
    cut_list(buf_span(&a->said.suspects), a->suspects);
    add(e, "@answered", a->answered);
    add(e, "@share", a->share);
    add(e, "@confidence", a->confidence);
    add(e, "@verdict", a->said.verdict);
    add(e, "@onset", a->onset);
    add(e, "@evidence", a->evidence);
    add(e, "@suspects", a->suspects);
    e->blob = buf_span(&a->said.answer);
}

void ask_incident_add(struct shelf *s, uint64_t wall_ns, struct entry_command *e,
                      struct ask_said *out)
{
    const char *fault;
    *out = (struct ask_said){.answered = ""};
    bool is_ours = span_is(e->verb, "incident.open") ||
                   span_is(e->verb, "incident.ack") ||
                   span_is(e->verb, "incident.close");
    if (!is_ours)
        return;
    e->blob = span_text("");
    struct question q = {.ask = {.at_ns = 0}};
    if (paper_init(&q.paper) != ST_OK)
        return;
    if (read_question(s, e, wall_ns, &q) &&
        scene_say(s, &q.ask, &out->said, &fault) == ST_OK)
        add_said(out, wall_ns, e);
    paper_fini(&q.paper);
}

void ask_said_fini(struct ask_said *a)
{
    scene_said_fini(&a->said);
}
