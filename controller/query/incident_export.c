// Incidents: one with its evidence, to be checked where there is no controller.
//
// The record's digest stands in a leaf of the audit log, the leaf's place in the tree
// is proven by its path, and the root may be known from elsewhere. The record holds the
// answer and the digest of the windows that it was taken from; those come along.
//
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/trust/digest.h"
#include "controller/log/audit.h"
#include "controller/log/lineage.h"
#include "controller/query/incident_inside.h"

#define FORMAT "kedge.incident.v1"
#define LEAF_BYTES 16384u

struct export
{
    uint64_t leaves;
    char object[INCIDENT_OBJECT_BYTES];
    struct buf text;
    uint8_t *memory;
};

static void write_bytes(struct call *c, struct export *x, const char *key,
                        struct span bytes)
{
    buf_clear(&x->text);
    text_put_base64url(&x->text, bytes);
    json_key_text(c->j, key, buf_span(&x->text));
}

// --- Leaves

static enum status write_leaf(struct call *c, struct export *x, uint64_t number)
{
    struct chain_hash path[CHAIN_PATH_MAX];
    struct span bytes;
    uint32_t paths;
    ST_TRY(audit_leaf(c->s, number, &bytes));
    json_object(c->j);
    json_key_u64(c->j, "n", number);
    write_bytes(c, x, "leaf", bytes);
    ST_TRY(audit_proof(c->s, number, x->leaves, path, &paths));
    json_key(c->j, "path");
    json_array(c->j);
    for (uint32_t i = 0; i < paths; i++)
        json_hex(c->j, span_of(path[i].byte, sizeof path[i].byte));
    json_array_end(c->j);
    json_object_end(c->j);
    return x->text.failed;
}

// A leaf is wanted when it is the incident's own, or the last word on something that
// the bundle holds.
static enum status is_wanted(struct call *c, struct export *x, uint64_t number,
                             const uint8_t *digests, uint32_t n, bool *out)
{
    struct record_leaf l;
    struct pool pool;
    struct span bytes;
    pool_init(&pool, x->memory, LEAF_BYTES * 2);
    ST_TRY(audit_leaf(c->s, number, &bytes));
    ST_TRY(records_read(bytes, &record_leaf_message, &pool, &l));
    *out = span_is(l.object, x->object);
    for (uint32_t i = 0; i < n && !*out; i++)
        *out = memcmp(l.after, digests + 32 * (size_t)i, 32) == 0;
    return ST_OK;
}

// --- What they prove

#define PIECES_MAX 4097u // the lineage, and alerts

struct pieces {
    uint8_t (*digest)[32];
    uint32_t n;
    struct export *x;
};

static enum status write_alert(struct call *c, struct span rest, struct span value,
                               void *with)
{
    struct pieces *p = with;
    struct span bytes;
    struct record_member m;
    (void)rest;
    ST_TRY(records_read(value, &record_member_message, c->pool, &m));
    struct shelf_key key = key_alert(m.alert);
    enum status st = shelf_get(c->s, SHELF_ALERT, &key, &bytes);
    if (st == ST_NOTFOUND || p->n == PIECES_MAX)
        return ST_OK;
    ST_TRY(st);
    ST_TRY(digest_of(bytes, p->digest[p->n]));
    p->n++;
    json_object(c->j);
    json_key_u64(c->j, "alert", case_number(m.alert));
    write_bytes(c, p->x, "bytes", bytes);
    json_object_end(c->j);
    return p->x->text.failed;
}

static enum status write_lineage(struct call *c, const struct record_incident *i,
                                 struct pieces *p)
{
    struct span text;
    uint64_t from, known = i->answered ? i->answered : UINT64_MAX;
    enum status st = lineage_at(c->s, i->onset, known, &text, &from);
    json_key(c->j, "lineage");
    if (st == ST_NOTFOUND) {
        json_null(c->j);
        return ST_OK;
    }
    ST_TRY(st);
    ST_TRY(digest_of(text, p->digest[p->n]));
    p->n++;
    json_object(c->j);
    json_key_time(c->j, "from", from);
    write_bytes(c, p->x, "bytes", text);
    json_object_end(c->j);
    return p->x->text.failed;
}

static enum status write_evidence(struct call *c, const struct record_incident *i)
{
    const char *fault = "";
    struct buf text;
    struct json j;
    struct query_asked q = {.kpi = i->kpi,
                            .model = i->kpi.size ? span_text("") : i->model,
                            .at_ns = i->noticed ? i->noticed : i->opened_event - 1,
                            .known_ns = i->answered};
    json_key(c->j, "evidence");
    if (!i->answered || !c->ask->guest || !c->ask->guest->evidence) {
        json_null(c->j);
        return ST_OK;
    }
    // Beside the answer, for it may turn out to be too much.
    buf_init(&text, QUERY_JSON_MAX);
    json_init(&j, &text);
    json_object(&j);
    enum status st = c->ask->guest->evidence(c->s, &q, &j, &fault);
    json_object_end(&j);
    if (st == ST_OK && text.failed == ST_OK)
        json_raw(c->j, buf_span(&text));
    else
        json_null(c->j);
    buf_fini(&text);
    bool is_less = st == ST_FULL || st == ST_NOTFOUND || st == ST_RANGE;
    return is_less ? ST_OK : st;
}

static enum status write_proofs(struct call *c, const struct pieces *p)
{
    json_key(c->j, "proofs");
    json_array(c->j);
    for (uint64_t n = 0; n < p->x->leaves; n++) {
        bool wanted;
        ST_TRY(is_wanted(c, p->x, n, &p->digest[0][0], p->n, &wanted));
        if (wanted)
            ST_TRY(write_leaf(c, p->x, n));
    }
    json_array_end(c->j);
    return ST_OK;
}

static enum status write_bundle(struct call *c, const struct record_incident *i,
                                struct pieces *p)
{
    struct shelf_key key = key_incident(i->incident),
                     members = key_members(i->incident);
    struct span record;
    uint8_t root[32];
    incidents_object(i->incident, p->x->object);
    ST_TRY(audit_head(c->s, &p->x->leaves, root));
    json_key_cstr(c->j, "format", FORMAT);
    json_key_u64(c->j, "incident", case_number(i->incident));
    json_key_u64(c->j, "leaves", p->x->leaves);
    json_key_hex(c->j, "root", span_of(root, sizeof root));
    ST_TRY(shelf_get(c->s, SHELF_ALERT, &key, &record));
    write_bytes(c, p->x, "record", record);
    json_key(c->j, "alerts");
    json_array(c->j);
    ST_TRY(call_walk(c, SHELF_ALERT, &members, write_alert, p));
    json_array_end(c->j);
    ST_TRY(write_lineage(c, i, p));
    ST_TRY(write_proofs(c, p));
    return write_evidence(c, i);
}

enum status answer_incident_export(struct call *c)
{
    struct record_incident i;
    enum status st;
    if (!incident_find(c, &i, &st))
        return st;
    struct export x = {.memory = mem_zero(2, LEAF_BYTES)};
    struct pieces p = {.digest = mem_zero(PIECES_MAX + 1, 32), .x = &x};
    buf_init(&x.text, QUERY_JSON_MAX);
    st = x.memory && p.digest ? write_bundle(c, &i, &p) : ST_NOMEM;
    buf_fini(&x.text);
    mem_free(x.memory);
    mem_free(p.digest);
    return st;
}
