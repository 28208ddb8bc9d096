// Core: opens everything that folds, and one turn of its loop.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/core.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/hash.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "controller/gate/zap.h"
#include "controller/log/keys.h"
#include "controller/log/records.h"
#include "controller/log/retention.h"
#include "controller/store/embedded.h"
#include "proto/messages/record.h"

#define POOL_BYTES (8u << 20)
#define TOLD_AT_ONCE 16u
#define LOOK_NS NS_PER_S  // how often it looks whether a tick is due
#define RETRY_NS NS_PER_S // after a commit that failed

static enum status open_rooms(struct core *c)
{
    ST_TRY(effects_open(&c->effects));
    ST_TRY(effects_open(&c->late));
    const struct settings_file *f = &c->settings->file;
    struct fleet_times times = {.silence_ns = f->agent_silence_ns,
                                .grace_ns = f->agent_grace_ns,
                                .model_silence_ns = f->model_silence_ns};
    ST_TRY(fleet_open(&times, &c->fleet));
    ST_TRY(query_open(&c->query));
    return rooms_open(&c->rooms, &c->settings->file, c->effects);
}

static enum status open_tape(struct core *c)
{
    char folder[PATH_MAX];
    ST_TRY(settings_path(c->settings, "store", folder));
    struct store_options so = {.folder = folder};
    ST_TRY(store_open(&so, &c->store));
    struct tape_options to = {
        .fold = &c->rooms.tape_fold, .store = c->store, .partitions = 1};
    return tape_embedded.open(&to, &c->tape);
}

// --- The first entries of a new tape

void core_pack_command(struct core *c, const char *verb, const struct entry_arg *arg,
                       uint32_t args)
{
    struct entry_command e = {.verb = span_text(verb),
                              .actor = span_text("system"),
                              .role = span_text("system"),
                              .args = args};
    memcpy(e.arg, arg, args * sizeof *arg);
    buf_clear(&c->body);
    entry_put_command(&c->body, &e);
}

enum status core_command(struct core *c, const char *verb, const struct entry_arg *arg,
                         uint32_t args)
{
    core_pack_command(c, verb, arg, args);
    return core_gather(c, TAPE_COMMAND, buf_span(&c->body), NULL);
}

static enum status gather_admin(struct core *c)
{
    char folder[PATH_MAX];
    uint8_t key[32];
    struct buf hex;
    buf_init(&hex, 128);
    enum status st = settings_path(c->settings, "operators", folder);
    if (st == ST_OK)
        st = keys_read_public(folder, "admin", KEY_CURVE, key);
    if (st == ST_OK) {
        text_put_hex(&hex, span_of(key, sizeof key));
        struct entry_arg arg[] = {{span_text("name"), span_text("admin")},
                                  {span_text("role"), span_text("admin")},
                                  {span_text("curve"), buf_span(&hex)}};
        st = core_command(c, "operator.add", arg, 3);
    }
    buf_fini(&hex);
    return st;
}

// How long things are kept is what the log says; a change of the configuration is an
// entry of it.
static enum status gather_retention(struct core *c)
{
    const struct settings_file *f = &c->settings->file;
    const uint64_t want[3] = {f->raw_ns, f->hour_ns, f->day_ns};
    struct store_txn *t;
    struct shelf *s;
    struct retention r;
    char text[3][24];
    ST_TRY(core_reader(c, &t, &s));
    enum status st = retention_get(s, &r);
    store_abort(t);
    if (st != ST_OK || memcmp(want, r.keep_ns, sizeof want) == 0)
        return st;
    for (unsigned i = 0; i < 3; i++)
        (void)snprintf(text[i], sizeof text[i], "%" PRIu64, want[i]);
    struct entry_arg arg[] = {{span_text("raw"), span_text(text[0])},
                              {span_text("hour"), span_text(text[1])},
                              {span_text("day"), span_text(text[2])}};
    return core_command(c, "retention.set", arg, 3);
}

static enum status begin_tape(struct core *c)
{
    struct tape_pos head, oldest;
    ST_TRY(tape_embedded.head(c->tape, 0, &head, &oldest));
    if (head.seq == 0) {
        struct span fleet = span_of(c->settings->fleet, sizeof c->settings->fleet);
        ST_TRY(core_gather(c, TAPE_META, fleet, NULL));
        ST_TRY(gather_admin(c));
    }
    ST_TRY(gather_retention(c));
    if (c->gathered > 0)
        ST_TRY(core_commit(c));
    return c->gathered == 0 ? ST_OK : ST_IO;
}

static enum status open_all(struct core *c)
{
    buf_init(&c->body, TAPE_BODY_MAX);
    buf_init(&c->frame, TAPE_BODY_MAX);
    for (uint32_t i = 0; i < TAPE_APPEND_MAX; i++)
        buf_init(&c->group[i].body, TAPE_BODY_MAX);
    void *memory = mem_zero(1, POOL_BYTES);
    if (!memory)
        return ST_NOMEM;
    pool_init(&c->pool, memory, POOL_BYTES);
    c->wall_ns = clock_wall_ns();
    ST_TRY(open_rooms(c));
    ST_TRY(open_tape(c));
    return begin_tape(c);
}

enum status core_open(struct settings *settings, void *line, struct core **out)
{
    struct core *c = MEM_NEW(struct core);
    if (!c)
        return ST_NOMEM;
    c->settings = settings;
    c->line = line;
    // Request numbers go on from the wall clock, so that no answer of an earlier run
    // can meet a question of this one.
    c->requests = clock_wall_ns();
    enum status st = open_all(c);
    if (st != ST_OK) {
        log_line(LOG_ERROR, "the controller's store cannot be opened", "dir=%s why=%s",
                 settings->folder, status_text(st));
        core_close(c);
        return st;
    }
    *out = c;
    return ST_OK;
}

void core_close(struct core *c)
{
    if (!c)
        return;
    if (c->tape)
        tape_embedded.close(c->tape);
    store_close(c->store);
    query_close(c->query);
    fleet_close(c->fleet);
    rooms_close(&c->rooms);
    effects_close(c->late);
    effects_close(c->effects);
    for (uint32_t i = 0; i < TAPE_APPEND_MAX; i++)
        buf_fini(&c->group[i].body);
    mem_wipe(c->waiter, sizeof c->waiter);
    buf_fini(&c->body);
    buf_fini(&c->frame);
    mem_free(c->pool.data);
    mem_free(c);
}

// --- Keys

static enum status say_key(struct core *c, enum line_kind kind, enum zap_scope scope,
                           const uint8_t *key, const uint8_t *agent)
{
    struct line_head h = {.kind = (uint8_t)kind, .scope = (uint8_t)scope};
    memcpy(h.key, key, sizeof h.key);
    if (agent)
        memcpy(h.agent, agent, sizeof h.agent);
    return line_send(c->line, &h, NULL, 0);
}

static enum status admit_agents(struct core *c, struct shelf *s)
{
    struct shelf_key prefix = key_agents();
    struct shelf_walk w;
    struct span v;
    enum status st;
    shelf_walk_init(&w, s, SHELF_AGENT, &prefix);
    while ((st = shelf_walk_next(&w, NULL, &v)) == ST_OK) {
        struct record_agent a;
        pool_clear(&c->pool);
        ST_TRY(records_read(v, &record_agent_message, &c->pool, &a));
        if (a.state == AGENT_ACTIVE)
            ST_TRY(say_key(c, LINE_ALLOW, ZAP_AGENT, a.curve, a.agent));
    }
    return st == ST_EMPTY ? ST_OK : st;
}

static enum status admit_operators(struct core *c, struct shelf *s)
{
    struct shelf_key prefix = key_operators();
    struct shelf_walk w;
    struct span v;
    enum status st;
    shelf_walk_init(&w, s, SHELF_AGENT, &prefix);
    while ((st = shelf_walk_next(&w, NULL, &v)) == ST_OK) {
        struct record_operator p;
        pool_clear(&c->pool);
        ST_TRY(records_read(v, &record_operator_message, &c->pool, &p));
        if (p.revoked == 0)
            ST_TRY(say_key(c, LINE_ALLOW, ZAP_OP, p.curve, NULL));
    }
    return st == ST_EMPTY ? ST_OK : st;
}

enum status core_reader(struct core *c, struct store_txn **out, struct shelf **shelf)
{
    ST_TRY(store_begin(c->store, STORE_READ_ONLY, out));
    *shelf = store_shelf(*out);
    return ST_OK;
}

enum status core_admit_all(struct core *c)
{
    struct store_txn *t;
    struct shelf *s;
    ST_TRY(core_reader(c, &t, &s));
    enum status st = admit_agents(c, s);
    if (st == ST_OK)
        st = admit_operators(c, s);
    store_abort(t);
    c->has_gate = st == ST_OK;
    return st;
}

static void change_key(struct core *c, const struct effect *e)
{
    enum zap_scope scope = span_is(e->text, "op") ? ZAP_OP : ZAP_AGENT;
    enum line_kind kind = e->code ? LINE_ALLOW : LINE_FORBID;
    if (e->bytes.size != 32 ||
        say_key(c, kind, scope, e->bytes.data, e->agent) != ST_OK)
        c->must_stop = true;
    if (!e->code && scope == ZAP_AGENT)
        fleet_forget(c->fleet, e->agent);
}

// --- Effects

static void grant(struct core *c, struct shelf *s, const struct effect *e)
{
    struct waiter *w = core_waiter(c, e->number);
    if (!w)
        return;
    if (e->code == 0)
        mail_grant(c, s, e, w);
    else
        mail_enrol_refusal(c, w->id, e->code, e->text);
    memset(w, 0, sizeof *w);
}

static void carry_out(struct core *c, struct shelf *s, const struct effect *e)
{
    switch (e->kind) {
    case EFFECT_ACK:
    case EFFECT_REFUSE:
        break; // mail_acks has sent them together
    case EFFECT_REFERENCE:
        mail_reference(c, s, e->text, e->more, e->agent);
        break;
    case EFFECT_ORDER:
        mail_order(c, e);
        break;
    case EFFECT_APPEND:
        if (core_gather(c, (enum tape_kind)e->number, e->bytes, NULL) != ST_OK)
            log_line(LOG_WARN, "an entry waits for the next tick", "kind=%" PRIu64,
                     e->number);
        break;
    case EFFECT_ANSWER:
        ask_answer(c, e);
        break;
    case EFFECT_KEY:
        change_key(c, e);
        break;
    case EFFECT_GRANT:
        grant(c, s, e);
        break;
    case EFFECT_ALERT:
        break; // the record tells it; whoever wakes people reads it there
    }
}

static void carry_out_all(struct core *c, struct effects *effects)
{
    struct store_txn *t = NULL;
    struct shelf *s = NULL;
    if (effects_len(effects) == 0 || core_reader(c, &t, &s) != ST_OK)
        return;
    for (uint32_t i = 0; i < effects_len(effects); i++)
        carry_out(c, s, effects_at(effects, i));
    store_abort(t);
    effects_clear(effects);
}

void core_carry_out(struct core *c)
{
    if (c->has_gate)
        carry_out_all(c, c->effects);
    else
        effects_clear(c->effects); // all keys are admitted when the gate is there
}

// --- The line

// Room is left in the group for what effects append. While the store is stuck the group
// may fill up, so that questions behind the reports are still answered.
static void take_line(struct core *c)
{
    uint32_t most =
        c->is_stuck || c->is_full ? TAPE_APPEND_MAX - CORE_GROUP : CORE_GROUP;
    struct line_message m;
    while (c->gathered < most) {
        enum status st = line_take(c->line, &m);
        if (st == ST_CLOSED)
            c->must_stop = true;
        if (st != ST_OK)
            return;
        core_take(c, &m);
        line_drop(&m);
    }
}

// A TICK each second while something waits for time alone, else each 10 s.
static void gather_tick(struct core *c)
{
    struct store_txn *t;
    struct shelf *s;
    if (core_reader(c, &t, &s) != ST_OK)
        return;
    uint64_t due = fold_next_tick(c->rooms.fold, s);
    store_abort(t);
    if (c->wall_ns >= due && core_gather(c, TAPE_TICK, (struct span){0}, NULL) != ST_OK)
        log_line(LOG_DEBUG, "a tick waits for room", "");
}

static void tell_change(const struct fleet_change *e)
{
    if (e->agent)
        log_line(LOG_WARN, "an agent is not there", "host=%s state=%s", e->agent->host,
                 fleet_state_name(e->agent->state));
    else
        log_line(LOG_WARN, "a model is silent", "model=%s host=%s", e->model->name,
                 e->model->agent->host);
}

// What time alone has changed. When much of the fleet goes at once, a few are named.
static void watch_fleet(struct core *c)
{
    struct fleet_change e;
    uint32_t n = 0;
    while (fleet_turn(c->fleet, &e))
        if (n++ < TOLD_AT_ONCE)
            tell_change(&e);
    if (n > TOLD_AT_ONCE)
        log_line(LOG_WARN, "and more", "changes=%u", n - TOLD_AT_ONCE);
}

// Each second: the disk, and whether a tick is due.
static void look(struct core *c, uint64_t mono_ns)
{
    if (mono_ns - c->look_ns < LOOK_NS)
        return;
    c->look_ns = mono_ns;
    quota_look(c, mono_ns);
    (void)store_watch(c->store, mono_ns);
    if (!c->is_stuck && !c->is_full)
        gather_tick(c);
}

enum status core_turn(struct core *c, uint64_t wall_ns, uint64_t mono_ns)
{
    c->wall_ns = wall_ns;
    fleet_now(c->fleet, wall_ns, mono_ns);
    take_line(c);
    watch_fleet(c);
    look(c, mono_ns);
    bool may_try = !c->is_full && (!c->is_stuck || mono_ns >= c->retry_ns);
    if (c->gathered > 0 && may_try && core_commit(c) != ST_OK)
        c->retry_ns = mono_ns + RETRY_NS;
    carry_out_all(c, c->effects); // what a commit could not, since no reader was free
    carry_out_all(c, c->late);
    return c->must_stop ? ST_CLOSED : ST_OK;
}
