// SPDX-License-Identifier: Apache-2.0
#include "controller/act/decide.h"

#include <string.h>

#include "common/base/clock.h"
#include "controller/log/keys.h"
#include "controller/log/names.h"

#define DAY_NS (24 * 3600 * NS_PER_S)
#define WAIT_NS (7 * DAY_NS) // a plan that waits for people expires after this
#define EFFECTS_KEPT 16u

static const struct policy_rule *rule_or_default(const struct policy_rule *rule)
{
    static char nobody[] = "", everybody[] = "default";
    static const struct policy_rule standard = {
        .name = everybody,
        .when = nobody,
        .mode = POLICY_SUGGEST,
        .approvals = 1,
        .executor = nobody,
        .verify = {.min_samples = 2000, .max_ns = 45 * 60 * NS_PER_S},
        .limits = {.cooldown_ns = 30 * 60 * NS_PER_S, .max_per_day = 2},
        .run_ns = 60 * NS_PER_S,
        .wave = {{false, 1}, {true, 0.1}, {true, 0.5}, {true, 1}},
        .wave_count = 4,
    };
    return rule ? rule : &standard;
}

static struct shelf_key hold_key(uint32_t model, struct span version)
{
    struct shelf_key key = key_state('h', model);
    shelf_key_bytes(&key, version);
    return key;
}

enum status decide_hold(struct shelf *s, uint32_t model, struct span version,
                        struct span why, const struct fold_moment *now)
{
    uint8_t row[8 + 256];
    size_t size = why.size < 256 ? why.size : 256;
    store_be64(row, now->now_ns);
    if (size)
        memcpy(row + 8, why.data, size);
    struct shelf_key key = hold_key(model, version);
    return shelf_put(s, SHELF_STATE, &key, span_of(row, 8 + size));
}

enum status decide_release(struct shelf *s, uint32_t model, struct span version)
{
    struct shelf_key key = hold_key(model, version);
    return shelf_del(s, SHELF_STATE, &key);
}

enum status decide_is_held(struct shelf *s, uint32_t model, struct span version,
                           bool *out)
{
    struct shelf_key key = hold_key(model, version);
    struct span bytes;
    enum status st = shelf_get(s, SHELF_STATE, &key, &bytes);
    *out = st == ST_OK;
    return st == ST_NOTFOUND ? ST_OK : st;
}

// The event times of the last effects on a model, newest first.
static enum status read_effects(struct shelf *s, uint32_t model,
                                uint64_t at[EFFECTS_KEPT], uint32_t *count)
{
    struct shelf_key key = key_state('e', model);
    struct span bytes;
    *count = 0;
    enum status st = shelf_get(s, SHELF_STATE, &key, &bytes);
    if (st == ST_NOTFOUND)
        return ST_OK;
    ST_TRY(st);
    for (; *count < EFFECTS_KEPT && (*count + 1) * 8u <= bytes.size; (*count)++)
        at[*count] = load_be64(bytes.data + *count * 8u);
    return ST_OK;
}

enum status decide_note_effect(struct shelf *s, uint32_t model, uint64_t event_ns)
{
    uint64_t at[EFFECTS_KEPT];
    uint32_t count;
    ST_TRY(read_effects(s, model, at, &count));
    uint8_t row[8 * EFFECTS_KEPT];
    store_be64(row, event_ns);
    uint32_t kept = count < EFFECTS_KEPT - 1 ? count : EFFECTS_KEPT - 1;
    for (uint32_t i = 0; i < kept; i++)
        store_be64(row + 8 + 8 * i, at[i]);
    struct shelf_key key = key_state('e', model);
    return shelf_put(s, SHELF_STATE, &key, span_of(row, 8 + 8 * kept));
}

static enum status refuse(struct plan *p, const char *code, struct buf *why)
{
    p->record.state = PLAN_REFUSED;
    p->record.code = span_text(code);
    p->record.why = buf_span(why);
    return ST_OK;
}

// The version that most of the hosts served before they came to `from`.
static struct span version_before(const struct serving *serving, struct span from)
{
    struct span best = {0};
    uint32_t most = 0;
    for (uint32_t i = 0; i < serving->hosts; i++) {
        const struct serving_host *h = &serving->host[i];
        if (!span_is(from, h->version) || h->before[0] == '\0')
            continue;
        uint32_t n = 0;
        for (uint32_t k = 0; k < serving->hosts; k++)
            n += span_is(from, serving->host[k].version) &&
                 strcmp(serving->host[k].before, h->before) == 0;
        if (n > most) {
            most = n;
            best = span_text(h->before);
        }
    }
    return best;
}

static enum status read_artifact(struct plan *p, struct shelf *s, uint32_t model,
                                 struct span version, uint8_t digest[32],
                                 bool *is_known)
{
    struct shelf_key key = key_version(model, version);
    struct span bytes;
    enum status st = shelf_get(s, SHELF_CATALOG, &key, &bytes);
    *is_known = st == ST_OK;
    if (st == ST_NOTFOUND)
        return ST_OK;
    ST_TRY(st);
    struct record_version record;
    pool_clear(&p->paper.pool);
    ST_TRY(message_decode(&record_version_message, bytes, &p->paper.pool, &record));
    memcpy(digest, record.artifact, 32);
    return ST_OK;
}

static enum status guard_target(struct plan *p, struct shelf *s, uint32_t model,
                                struct buf *why)
{
    struct record_plan *r = &p->record;
    bool is_known, is_held;
    if (r->to_version.size == 0) {
        buf_put_text(why, "no earlier version is known to have served");
        return refuse(p, "E_TARGET_UNKNOWN", why);
    }
    ST_TRY(read_artifact(p, s, model, r->from_version, r->from_digest, &is_known));
    ST_TRY(read_artifact(p, s, model, r->to_version, r->to_digest, &is_known));
    if (!is_known) {
        buf_printf(why, "version %.*s is not in the catalog: kedge model add",
                   (int)r->to_version.size, (const char *)r->to_version.data);
        return refuse(p, "E_TARGET_UNKNOWN", why);
    }
    ST_TRY(decide_is_held(s, model, r->to_version, &is_held));
    if (is_held) {
        buf_printf(why,
                   "version %.*s was rolled back itself and is held: kedge model "
                   "release",
                   (int)r->to_version.size, (const char *)r->to_version.data);
        return refuse(p, "E_TARGET_BAD", why);
    }
    return ST_OK;
}

static enum status guard_limits(struct plan *p, struct shelf *s, uint32_t model,
                                const struct policy_rule *rule, struct buf *why)
{
    uint64_t at[EFFECTS_KEPT];
    uint32_t count, in_a_day = 0;
    ST_TRY(read_effects(s, model, at, &count));
    uint64_t now = p->record.created_event;
    for (uint32_t i = 0; i < count; i++)
        in_a_day += now < at[i] + DAY_NS;
    if (count && now < at[0] + rule->limits.cooldown_ns) {
        buf_put_text(why, "the model was changed a moment ago: it rests first");
        return refuse(p, "E_COOLDOWN", why);
    }
    if (in_a_day >= rule->limits.max_per_day) {
        buf_printf(why, "the model was changed %u times in 24 h already", in_a_day);
        return refuse(p, "E_FLAP", why);
    }
    return ST_OK;
}

static enum status guard_executor(struct plan *p, struct buf *why)
{
    if (p->record.executor.size)
        return ST_OK;
    buf_put_text(why, "no executor is named: write executor = \"...\" in the policy");
    return refuse(p, "E_EXECUTOR", why);
}

static enum status is_stopped(struct shelf *s, bool *out)
{
    struct shelf_key key = key_state('S', 0);
    struct span bytes;
    enum status st = shelf_get(s, SHELF_STATE, &key, &bytes);
    *out = st == ST_OK;
    return st == ST_NOTFOUND ? ST_OK : st;
}

static enum status guard_all(struct plan *p, struct shelf *s, uint32_t model,
                             const struct policy_rule *rule, uint32_t hosts,
                             struct buf *why)
{
    bool stopped;
    ST_TRY(guard_target(p, s, model, why));
    if (p->record.state == PLAN_REFUSED)
        return ST_OK;
    ST_TRY(guard_executor(p, why));
    if (p->record.state == PLAN_REFUSED)
        return ST_OK;
    ST_TRY(is_stopped(s, &stopped));
    if (stopped && p->record.mode == POLICY_AUTO) {
        buf_put_text(why, "automation is stopped: kedge rollback resume");
        return refuse(p, "E_STOPPED", why);
    }
    if (hosts == 1 && !rule->allow_single) {
        buf_put_text(why, "only one host serves it, so a canary is all: write "
                          "allow_single = yes in the policy");
        return refuse(p, "E_CAPACITY", why);
    }
    return guard_limits(p, s, model, rule, why);
}

static uint8_t first_state(uint8_t mode)
{
    switch (mode) {
    case POLICY_AUTO:
        return PLAN_CANARY;
    case POLICY_APPROVE:
        return PLAN_AWAIT_APPROVAL;
    case POLICY_OBSERVE:
        return PLAN_RECOMMEND;
    default:
        return PLAN_OPEN;
    }
}

// The texts of `serving` end with it; the plan's own are copied behind the reason.
static struct span keep_text(struct buf *keep, struct span text)
{
    size_t at = keep->size;
    buf_put_span(keep, text);
    return keep->failed ? span_text("") : span_of(keep->data + at, text.size);
}

static enum status lay_out(struct plan *p, struct shelf *s, uint32_t model,
                           const struct policy_rule *rule,
                           const struct serving *serving, const struct fold_moment *now,
                           struct buf *why)
{
    uint32_t hosts = serving_count(serving, p->record.from_version);
    ST_TRY(guard_all(p, s, model, rule, hosts, why));
    if (p->record.state == PLAN_REFUSED)
        return plan_save(p, s, "plan.refused", NULL, now);
    enum status st = plan_spread(p, rule, serving);
    if (st == ST_EMPTY) {
        buf_put_text(why, "no host serves that version any more");
        ST_TRY(refuse(p, "E_STALE", why));
        return plan_save(p, s, "plan.refused", NULL, now);
    }
    ST_TRY(st);
    p->record.state = first_state(p->record.mode);
    if (p->record.state == PLAN_CANARY)
        p->step[0].state = PLAN_CANARY;
    return plan_save(p, s, "plan.open", NULL, now);
}

static enum status reload(struct plan *p, struct shelf *s)
{
    uint8_t id[CASE_ID_BYTES];
    memcpy(id, p->record.plan, sizeof id);
    return plan_load(p, s, id);
}

enum status decide_plan(struct plan *p, struct shelf *s,
                        const struct record_alert *alert,
                        const struct policy_rule *rule, struct span to,
                        struct span actor, const struct fold_moment *now,
                        struct buf *why)
{
    rule = rule_or_default(rule);
    uint64_t number;
    uint32_t model;
    ST_TRY(names_model(s, alert->model, &model));
    ST_TRY(shelf_next_number(s, "plan", &number));
    plan_begin(p, number);
    struct record_plan *r = &p->record;
    memcpy(r->alert, alert->alert, 16);
    r->model = alert->model;
    r->action = span_text("rollback");
    r->from_version = alert->version;
    r->executor = span_text(rule->executor);
    r->mode = (uint8_t)rule->mode;
    // What only a person may start is never started by a policy in mode auto.
    if (r->mode == POLICY_AUTO && !span_is(alert->decision, "rollback"))
        r->mode = POLICY_SUGGEST;
    r->approvals_needed = r->mode == POLICY_APPROVE ? (uint8_t)rule->approvals : 0;
    r->why = alert->why;
    r->created = now->now_ns;
    r->created_event = alert->updated_event;
    r->created_by = actor.size ? actor : span_text(rule->name);
    r->expires = now->now_ns + WAIT_NS;

    struct serving serving;
    ST_TRY(serving_read(s, model, &serving));
    buf_clear(why);
    // Room for the name first: growing the buffer would move what was lent from it.
    struct span target = to.size ? to : version_before(&serving, alert->version);
    struct buf names;
    buf_init(&names, 512);
    r->to_version = keep_text(&names, target);
    enum status st = names.failed;
    if (st == ST_OK)
        st = lay_out(p, s, model, rule, &serving, now, why);
    // From here on the texts are those of the record as it was written.
    if (st == ST_OK)
        st = reload(p, s);
    buf_fini(&names);
    serving_fini(&serving);
    return st;
}
