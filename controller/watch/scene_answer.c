// Scene: the answer, for people now and for the record of an incident.
//
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "common/base/mem.h"
#include "controller/log/keys.h"
#include "controller/log/records.h"
#include "controller/watch/blame_report.h"
#include "controller/watch/blame_digest.h"
#include "controller/watch/scene.h"
#include "proto/messages/record.h"

#define TEXT_BYTES_MAX (1u << 20)
#define TAUGHT_MAX 4096u // incidents that the map is fitted to, the newest
#define POOL_BYTES (2u << 20)

// --- What closed incidents taught

struct lessons {
    double *share;
    bool *right;
    uint32_t n;
};

static void learn(const struct record_incident *i, uint64_t known_ns, struct lessons *l)
{
    bool is_told = i->state == INCIDENT_CLOSED && i->true_cause.size && i->answered &&
                   i->suspects && !span_is(i->true_cause, "none") &&
                   !span_is(i->true_cause, "unknown");
    if (!is_told || i->closed > known_ns)
        return;
    uint32_t at = l->n++ % TAUGHT_MAX;
    l->share[at] = i->share;
    l->right[at] = span_equal(i->suspect[0], i->true_cause);
}

static enum status read_lessons(struct shelf *s, uint64_t known_ns, uint8_t *memory,
                                struct lessons *l)
{
    struct shelf_key prefix = key_incidents();
    struct shelf_walk walk;
    struct span key, value;
    enum status st;
    shelf_walk_init(&walk, s, SHELF_ALERT, &prefix);
    while ((st = shelf_walk_next(&walk, &key, &value)) == ST_OK) {
        struct record_incident i;
        struct pool pool;
        pool_init(&pool, memory, POOL_BYTES);
        ST_TRY(records_read(value, &record_incident_message, &pool, &i));
        learn(&i, known_ns, l);
    }
    return st == ST_EMPTY ? ST_OK : st;
}

enum status scene_map(struct shelf *s, uint64_t known_ns, struct blame_map *out)
{
    struct lessons l = {.share = mem_zero(TAUGHT_MAX, sizeof *l.share),
                        .right = mem_zero(TAUGHT_MAX, sizeof *l.right)};
    uint8_t *memory = mem_zero(1, POOL_BYTES);
    enum status st = l.share && l.right && memory ? ST_OK : ST_NOMEM;
    if (st == ST_OK)
        st = read_lessons(s, known_ns ? known_ns : UINT64_MAX, memory, &l);
    if (st == ST_OK)
        st = blame_map_fit(l.share, l.right, l.n < TAUGHT_MAX ? l.n : TAUGHT_MAX, out);
    mem_free(l.share);
    mem_free(l.right);
    mem_free(memory);
    return st;
}

// --- Answers

// The case and the answer; both are the caller's to free on ST_OK.
static enum status find(struct shelf *s, const struct scene_ask *q,
                        struct blame_case *c, struct blame_answer *a, const char **why)
{
    struct blame_map map;
    ST_TRY(scene_build(s, q, c, why));
    enum status st = scene_map(s, q->known_ns, &map);
    if (st == ST_OK)
        st = blame_run(c, &map, a);
    if (st != ST_OK)
        blame_case_fini(c);
    return st;
}

static enum status put_text(const struct blame_case *c, const struct blame_answer *a,
                            struct json *j)
{
    struct buf text;
    buf_init(&text, TEXT_BYTES_MAX);
    blame_report_table(c, a, -1, &text);
    enum status st = text.failed;
    if (st == ST_OK)
        json_key_text(j, "text", buf_span(&text));
    buf_fini(&text);
    return st;
}

enum status scene_answer(struct shelf *s, const struct scene_ask *q, bool as_text,
                         struct json *j, const char **why)
{
    struct blame_case c;
    struct blame_answer a;
    ST_TRY(find(s, q, &c, &a, why));
    enum status st = ST_OK;
    if (as_text)
        st = put_text(&c, &a, j);
    else
        blame_report_json(&c, &a, BLAME_RFC3339, BLAME_NAMES, j);
    blame_answer_fini(&a);
    blame_case_fini(&c);
    return st;
}

// --- For the record

static enum status say(const struct blame_case *c, const struct blame_answer *a,
                       struct scene_said *out)
{
    struct json j;
    out->verdict = blame_verdict_text(a->verdict);
    out->confidence = a->confidence;
    out->share = a->certainty;
    out->onset_ns = c->start_ns[a->kpi.best];
    for (uint32_t i = 0; i < a->suspects; i++) {
        buf_put_text(&out->suspects, i ? "," : "");
        buf_put_span(&out->suspects, c->entity[a->rank[i]].name);
    }
    json_init(&j, &out->answer);
    json_object(&j);
    blame_report_json(c, a, BLAME_RFC3339, BLAME_COUNTS, &j);
    json_object_end(&j);
    ST_TRY(blame_digest(c, out->evidence));
    return out->answer.failed != ST_OK ? out->answer.failed : out->suspects.failed;
}

enum status scene_say(struct shelf *s, const struct scene_ask *q,
                      struct scene_said *out, const char **why)
{
    struct blame_case c;
    struct blame_answer a;
    *out = (struct scene_said){.verdict = ""};
    buf_init(&out->suspects, 4096);
    buf_init(&out->answer, TEXT_BYTES_MAX);
    enum status st = find(s, q, &c, &a, why);
    if (st == ST_OK) {
        st = say(&c, &a, out);
        blame_answer_fini(&a);
        blame_case_fini(&c);
    }
    if (st != ST_OK)
        scene_said_fini(out);
    return st;
}

void scene_said_fini(struct scene_said *r)
{
    buf_fini(&r->suspects);
    buf_fini(&r->answer);
}
