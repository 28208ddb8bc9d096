// Fold: one entry after the other, each to its own file.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/fold/fold.h"

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "controller/fold/blend.h"
#include "controller/fold/expire.h"
#include "controller/fold/inside.h"
#include "controller/log/blob.h"
#include "controller/log/keys.h"

#define PATIENCE_NS (30 * NS_PER_S)
#define TICK_WAITING_NS NS_PER_S
#define TICK_IDLE_NS (10 * NS_PER_S)

enum status fold_open(const struct fold_options *o, struct fold **out)
{
    struct fold *f = MEM_NEW(struct fold);
    if (!f)
        return ST_NOMEM;
    f->o = *o;
    if (f->o.patience_ns == 0)
        f->o.patience_ns = PATIENCE_NS;
    if (o->judge)
        f->judge = *o->judge;
    if (o->act)
        f->act = *o->act;
    buf_init(&f->blob, BLOB_BYTES_MAX);
    void *memory = mem_zero(1, FOLD_POOL_BYTES);
    pool_init(&f->pool, memory, memory ? FOLD_POOL_BYTES : 0);
    f->part = MEM_NEW(struct panel);
    f->whole = MEM_NEW(struct panel);
    f->blend = MEM_NEW(struct blend);
    if (!memory || !f->part || !f->whole || !f->blend) {
        fold_close(f);
        return ST_NOMEM;
    }
    *out = f;
    return ST_OK;
}

void fold_close(struct fold *f)
{
    if (!f)
        return;
    if (f->part)
        panel_fini(f->part);
    if (f->whole)
        panel_fini(f->whole);
    if (f->blend)
        blend_fini(f->blend);
    mem_free(f->blend);
    mem_free(f->part);
    mem_free(f->whole);
    mem_free(f->pool.data);
    buf_fini(&f->blob);
    mem_free(f);
}

// --- Time is data

static enum status load_now(struct fold *f, struct shelf *s)
{
    if (f->has_now)
        return ST_OK;
    struct shelf_key k = key_meta("now");
    struct span v;
    enum status st = shelf_get(s, SHELF_META, &k, &v);
    if (st == ST_OK && v.size != 8)
        return ST_CORRUPT;
    if (st != ST_OK && st != ST_NOTFOUND)
        return st;
    f->moment.now_ns = st == ST_OK ? load_be64(v.data) : 0;
    f->has_now = true;
    f->now_changed = false;
    return ST_OK;
}

// Time goes on by what entries say, and never back.
static enum status take_moment(struct fold *f, struct shelf *s,
                               const struct tape_entry *e)
{
    ST_TRY(load_now(f, s));
    if (e->at_ns > f->moment.now_ns) {
        f->moment.now_ns = e->at_ns;
        f->now_changed = true;
    }
    f->moment.pos = e->pos;
    return ST_OK;
}

// --- Entries

static enum status fold_tick(struct fold *f, struct shelf *s)
{
    ST_TRY(judging_all(f, s));
    if (f->judge.tick)
        ST_TRY(f->judge.tick(f->judge.self, s, &f->moment, f->o.effects));
    if (f->act.tick)
        ST_TRY(f->act.tick(f->act.self, s, &f->moment, f->o.effects));
    return expire_sweep(f, s, EXPIRE_TICK_SERIES, EXPIRE_TICK_MOST);
}

static enum status fold_intent(struct fold *f, struct shelf *s, struct span body)
{
    if (!f->act.intent)
        return ST_OK;
    return f->act.intent(f->act.self, s, body, &f->moment, f->o.effects);
}

static enum status fold_report(struct fold *f, struct shelf *s,
                               const struct tape_entry *e, struct tape_home *home)
{
    struct entry_report r;
    if (entry_read_report(e->body, &r) != ST_OK)
        return ST_OK; // the gate wrote the prefix: a body without one is from nobody
    switch (e->kind) {
    case TAPE_WINDOW:
        return report_window(f, s, e, &r, home);
    case TAPE_ATTEST:
        return report_attest(f, s, &r);
    case TAPE_NOTICE:
        return report_notice(f, s, &r);
    default:
        return report_receipt(f, s, &r);
    }
}

static enum status fold_command(struct fold *f, struct shelf *s, struct span body)
{
    struct entry_command c;
    return entry_read_command(body, &c) == ST_OK ? command_fold(f, s, &c) : ST_OK;
}

static enum status fold_agent(struct fold *f, struct shelf *s, struct span body)
{
    struct entry_agent e;
    return entry_read_agent(body, &e) == ST_OK ? enrol_fold(f, s, &e) : ST_OK;
}

enum status fold_entry(struct fold *f, struct shelf *s, const struct tape_entry *e,
                       struct tape_home *home)
{
    pool_clear(&f->pool);
    ST_TRY(take_moment(f, s, e));
    switch (e->kind) {
    case TAPE_WINDOW:
    case TAPE_ATTEST:
    case TAPE_NOTICE:
    case TAPE_RECEIPT:
        return fold_report(f, s, e, home);
    case TAPE_TICK:
        return fold_tick(f, s);
    case TAPE_COMMAND:
        return fold_command(f, s, e->body);
    case TAPE_INTENT:
        return fold_intent(f, s, e->body);
    case TAPE_AGENT:
        return fold_agent(f, s, e->body);
    case TAPE_META:
        return meta_fold(f, s, e->body);
    default:
        return ST_OK; // of a later Kedge: time has passed, nothing else is known
    }
}

enum status fold_flush(struct fold *f, struct shelf *s)
{
    if (!f->now_changed)
        return ST_OK;
    uint8_t v[8];
    store_be64(v, f->moment.now_ns);
    struct shelf_key k = key_meta("now");
    ST_TRY(shelf_put(s, SHELF_META, &k, span_of(v, sizeof v)));
    f->now_changed = false;
    return ST_OK;
}

void fold_dropped(struct fold *f)
{
    f->has_now = false;
    f->now_changed = false;
    f->has_retention = false;
    if (f->o.effects)
        effects_clear(f->o.effects);
    if (f->judge.dropped)
        f->judge.dropped(f->judge.self);
    if (f->act.dropped)
        f->act.dropped(f->act.self);
}

static bool windows_wait(struct shelf *s)
{
    struct shelf_key all = key_pendings_all();
    struct shelf_walk w;
    shelf_walk_init(&w, s, SHELF_STATE, &all);
    return shelf_walk_next(&w, NULL, NULL) == ST_OK;
}

uint64_t fold_next_tick(struct fold *f, struct shelf *s)
{
    if (load_now(f, s) != ST_OK)
        return UINT64_MAX;
    bool waits = windows_wait(s) ||
                 (f->judge.waits && f->judge.waits(f->judge.self, s)) ||
                 (f->act.waits && f->act.waits(f->act.self, s));
    return f->moment.now_ns + (waits ? TICK_WAITING_NS : TICK_IDLE_NS);
}

// --- As a tape wants it

static enum status tape_fold_entry(void *self, struct shelf *s,
                                   const struct tape_entry *e, struct tape_home *home)
{
    return fold_entry(self, s, e, home);
}

static enum status tape_fold_flush(void *self, struct shelf *s)
{
    return fold_flush(self, s);
}

static void tape_fold_dropped(void *self)
{
    fold_dropped(self);
}

struct tape_fold fold_as_tape(struct fold *f)
{
    return (struct tape_fold){.self = f,
                              .entry = tape_fold_entry,
                              .flush = tape_fold_flush,
                              .dropped = tape_fold_dropped};
}
