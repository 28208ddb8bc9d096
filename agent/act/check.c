// SPDX-License-Identifier: Apache-2.0
#include "agent/act/check.h"

#include <stdio.h>

#include "common/base/clock.h"
#include "common/base/text.h"
#include "common/trust/digest.h"
#include "common/trust/sign.h"

#define HOUR_NS (3600 * NS_PER_S)

struct question {
    const struct order *order;
    const struct check_signers *signers;
    const struct check_facts *facts;
    struct verdict *verdict;
};

// --- The seal

static const struct keyring_key *key_of(const struct keyring *ring,
                                        const uint8_t kid[8], uint32_t *place)
{
    for (uint32_t i = 0; i < ring->order_keys; i++)
        if (memcmp(ring->order_key[i].kid, kid, 8) == 0) {
            *place = i;
            return &ring->order_key[i];
        }
    return NULL;
}

enum status check_seals(const struct envelope *e, const struct keyring *ring,
                        struct pool *pool, struct check_signers *out)
{
    if (e->type.size + e->body.size + e->sigs.size > ORDER_BYTES_MAX)
        return ST_FULL;
    const void *items;
    uint32_t count;
    if (message_decode_list(&signature_message, e->sigs, SIGNATURES_MAX, pool, &items,
                            &count) != ST_OK)
        return ST_CORRUPT;
    const struct signature *sig = items;
    struct check_signers found = {.count = 0};
    for (uint32_t i = 0; i < count; i++) {
        uint32_t place;
        const struct keyring_key *key = key_of(ring, sig[i].kid, &place);
        if (!key || !span_is(sig[i].alg, "ed25519"))
            return ST_DENIED;
        ST_TRY(sign_check(key->pub, e->type, e->body, sig[i].sig));
        found.place[found.count++] = place;
    }
    if (found.count == 0)
        return ST_DENIED;
    *out = found;
    return ST_OK;
}

// --- The questions. Each says yes, or writes into the verdict why not.

static bool no(struct question *q, enum receipt_state state, const char *code,
               const char *detail)
{
    struct verdict *v = q->verdict;
    v->state = state;
    (void)snprintf(v->code, sizeof v->code, "%s", code);
    (void)snprintf(v->detail, sizeof v->detail, "%s", detail);
    return false;
}

static bool refuse(struct question *q, const char *code, const char *detail)
{
    return no(q, RECEIPT_REFUSED, code, detail);
}

static bool is_our_fleet(struct question *q)
{
    return memcmp(q->order->fleet, q->facts->fleet, 16) == 0 ||
           refuse(q, "E_FLEET", "meant for another fleet");
}

static bool is_for_us(struct question *q)
{
    return (memcmp(q->order->agent, q->facts->agent, 16) == 0 &&
            memcmp(q->order->agent_key, q->facts->agent_key, 8) == 0) ||
           refuse(q, "E_NOT_ME", "meant for another agent or key");
}

static bool is_of_this_session(struct question *q)
{
    return (q->facts->has_session && memcmp(q->order->sess, q->facts->sess, 16) == 0) ||
           refuse(q, "E_STALE_SESSION", "made for an earlier connection");
}

// The same decision cannot become two orders: its id follows from what was decided.
static bool is_its_own_id(struct question *q)
{
    const struct order *o = q->order;
    struct order_cause cause = {
        .model = o->model,
        .action = o->action,
        .step = o->step,
        .attempt = o->attempt,
    };
    memcpy(cause.fleet, o->fleet, 16);
    memcpy(cause.incident, o->incident, 16);
    memcpy(cause.plan, o->plan, 16);
    uint8_t id[16];
    return (order_id(&cause, id) == ST_OK && memcmp(id, o->order, 16) == 0) ||
           refuse(q, "E_ORDER", "its id does not follow from its decision");
}

static bool is_unknown(struct question *q)
{
    q->verdict->known = deeds_find(q->facts->deeds, q->order->order);
    return q->verdict->known == NULL;
}

static bool is_above_fence(struct question *q)
{
    const struct deed_model *m = deeds_model(q->facts->deeds, q->order->model);
    struct token t = q->order->token;
    if (!m || t.gen > m->fence.gen)
        return true;
    if (t.gen < m->fence.gen)
        return refuse(q, "E_FENCED", "its generation is below the highest seen");
    return t.seq > m->fence.seq ||
           refuse(q, "E_REPLAY", "its place in the log is not above the highest seen");
}

// Age counts from the beat that the order quotes, by a clock that nobody can set.
static bool is_young(struct question *q)
{
    if (q->order->ttl_ms > ORDER_TTL_MS_MAX || q->order->ttl_ms == 0)
        return no(q, RECEIPT_EXPIRED, "E_EXPIRED", "its time to live is not allowed");
    for (uint32_t i = 0; i < q->facts->beats; i++) {
        const struct check_beat *b = &q->facts->beat[i];
        if (memcmp(b->hb, q->order->hb, 16) != 0)
            continue;
        q->verdict->hb_boot_ns = b->boot_ns;
        uint64_t age = q->facts->now.boot_ns - b->boot_ns;
        return age <= q->order->ttl_ms * NS_PER_MS ||
               no(q, RECEIPT_EXPIRED, "E_EXPIRED", "older than its time to live");
    }
    return no(q, RECEIPT_EXPIRED, "E_EXPIRED",
              "it quotes a beat that is not remembered");
}

static bool may_sign(const struct question *q, const struct keyring_key *key)
{
    if (key->not_after != 0 && q->facts->now.wall_ns / NS_PER_MS > key->not_after)
        return false;
    for (uint32_t i = 0; i < key->actions; i++)
        if (span_equal(key->action[i], q->order->action) ||
            span_is(key->action[i], "*"))
            return true;
    return false;
}

static bool is_rightly_signed(struct question *q)
{
    const struct keyring *ring = q->facts->ring;
    if (q->order->ring > ring->ring)
        return refuse(q, "E_KEY",
                      "signed under a newer keyring than the one held here");
    if (ring->expires_ms != 0 && q->facts->now.wall_ns / NS_PER_MS > ring->expires_ms)
        return refuse(q, "E_KEY", "the keyring held here has expired");
    for (uint32_t i = 0; i < q->signers->count; i++)
        if (!may_sign(q, &ring->order_key[q->signers->place[i]]))
            return refuse(q, "E_KEY", "its key may not sign this action");
    return true;
}

// Approvals are not verified yet, so an action that needs one is refused.
static bool needs_no_approval(struct question *q)
{
    const struct keyring *ring = q->facts->ring;
    for (uint32_t i = 0; i < ring->thresholds; i++)
        if (span_equal(ring->threshold[i].key, q->order->action) &&
            ring->threshold[i].count > 0)
            return refuse(q, "E_KEY", "this action needs approvals");
    return true;
}

static bool is_action(struct question *q)
{
    enum order_action action;
    bool is_known = order_action_of(q->order->action, &action) == ST_OK &&
                    (action == ORDER_ROLLBACK || action == ORDER_PROBE);
    return is_known || refuse(q, "E_ACTION", "not done by this agent");
}

static bool is_in_scope(struct question *q)
{
    bool is_granted = false;
    for (uint32_t i = 0; i < q->facts->models; i++)
        is_granted = is_granted || text_glob(q->facts->model[i], q->order->model);
    return (is_granted && policy_allows_model(q->facts->policy, q->order->model)) ||
           refuse(q, "E_SCOPE", "the model is not in the grant or the local list");
}

static bool is_executor(struct question *q)
{
    const struct executor *e = executors_find(q->facts->executors, q->order->executor);
    if (!e)
        return refuse(q, "E_EXECUTOR", "no such executor here");
    if (!digest_equal(e->digest, q->order->exec_digest))
        return refuse(q, "E_EXECUTOR", "the executor's file is another one");
    if (!executor_allows(e, q->order->action, q->order->model))
        return refuse(q, "E_EXECUTOR", "the executor does not do this for this model");
    q->verdict->executor = e;
    return true;
}

static bool has_known_params(struct question *q)
{
    return q->order->params == 0 ||
           refuse(q, "E_PARAM", "the executor declares no parameters");
}

static bool is_target(struct question *q)
{
    const struct order *o = q->order;
    if (span_is(o->action, "probe"))
        return true;
    if (o->to_version.size == 0 || o->if_version.size == 0 ||
        span_equal(o->to_version, o->if_version))
        return refuse(q, "E_TARGET", "it names no change of version");
    return (executor_knows(q->verdict->executor, o->to_version) &&
            policy_allows_target(q->facts->policy, o->model, o->to_version)) ||
           refuse(q, "E_TARGET", "that version is not allowed on this host");
}

static bool is_locally_allowed(struct question *q)
{
    return policy_allows_action(q->facts->policy, q->order->action) ||
           refuse(q, "E_LOCAL", "the local policy does not allow this action");
}

static bool is_not_vetoed(struct question *q)
{
    return !policy_is_vetoed(q->facts->policy, q->order->model) ||
           no(q, RECEIPT_VETOED, "E_VETO", "a veto file is in place");
}

static bool is_not_locked(struct question *q)
{
    const struct deed_model *m = deeds_model(q->facts->deeds, q->order->model);
    return !m || !m->is_locked || span_is(q->order->action, "probe") ||
           refuse(q, "E_LOCKED", "its state is uncertain until a person clears it");
}

// It undoes exactly what the last order of the same plan has done here: a canary that
// did not help goes back at once. max_per_hour still bounds how often.
static bool is_undoing(struct question *q)
{
    static const uint8_t none[16];
    const struct order *o = q->order;
    const struct deed *last = deeds_newest(q->facts->deeds, o->model);
    struct outcome done;
    return last && o->step > 0 && memcmp(o->plan, none, 16) != 0 &&
           deeds_outcome(q->facts->deeds, last, &done) == ST_OK &&
           done.state == RECEIPT_DONE && memcmp(done.plan, o->plan, 16) == 0 &&
           span_is(o->to_version, done.before) && span_is(o->if_version, done.after);
}

static bool is_within_rate(struct question *q)
{
    const struct policy *p = q->facts->policy;
    uint64_t now = q->facts->now.wall_ns, last, ignored;
    if (span_is(q->order->action, "probe") || q->order->dry)
        return true;
    uint32_t mine =
        deeds_effects(q->facts->deeds, q->order->model, now, HOUR_NS, &last);
    if (mine >= p->max_per_hour)
        return refuse(q, "E_LOCAL", "max_per_hour of this model is reached");
    if (last != 0 && last <= now && now - last < p->min_interval_ns && !is_undoing(q))
        return refuse(q, "E_LOCAL", "min_interval has not passed");
    uint32_t all =
        deeds_effects(q->facts->deeds, span_text(""), now, HOUR_NS, &ignored);
    return all < p->max_per_hour_all ||
           refuse(q, "E_LOCAL", "max_per_hour_all of this host is reached");
}

static bool has_room(struct question *q)
{
    return deeds_waiting(q->facts->deeds) < DEED_QUEUE_MAX ||
           refuse(q, "E_BUSY", "too many orders wait here");
}

// The version is a fixed field of the message: its decoder answers E_VERSION.
static bool (*const questions[])(struct question *) = {
    is_our_fleet,     is_for_us,         is_of_this_session, is_its_own_id,
    is_unknown,       is_above_fence,    is_young,           is_rightly_signed,
    is_action,        needs_no_approval, is_in_scope,        is_executor,
    has_known_params, is_target,         is_locally_allowed, is_not_vetoed,
    is_not_locked,    is_within_rate,    has_room,
};

void check_order(const struct order *order, const struct check_signers *signers,
                 const struct check_facts *facts, struct verdict *out)
{
    *out = (struct verdict){.state = RECEIPT_ACCEPTED};
    struct question q = {order, signers, facts, out};
    for (size_t i = 0; i < sizeof questions / sizeof questions[0]; i++)
        if (!questions[i](&q))
            return;
}

void check_again(const struct order *order, uint64_t hb_boot_ns,
                 const struct check_facts *facts, struct verdict *out)
{
    *out = (struct verdict){.state = RECEIPT_ACCEPTED, .hb_boot_ns = hb_boot_ns};
    struct question q = {order, NULL, facts, out};
    if (facts->now.boot_ns - hb_boot_ns > order->ttl_ms * NS_PER_MS)
        (void)no(&q, RECEIPT_EXPIRED, "E_EXPIRED",
                 "its turn came after its time to live");
    else
        (void)is_not_vetoed(&q);
}
