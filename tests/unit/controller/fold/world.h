// World: a fold over a memory tape, and agents that report to it.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_TESTS_UNIT_CONTROLLER_FOLD_WORLD_H
#define KEDGE_TESTS_UNIT_CONTROLLER_FOLD_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/clock.h"
#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/sketch/profile.h"
#include "controller/fold/fold.h"
#include "controller/log/keys.h"
#include "controller/log/memory.h"
#include "controller/log/names.h"
#include "controller/log/records.h"
#include "proto/messages/attest.h"
#include "proto/messages/record.h"
#include "proto/messages/window.h"

#define S NS_PER_S
#define T0 (UINT64_C(1345000000) * S) // event time at which stories begin
#define NOW0 (UINT64_C(1800000000) * S)

struct judged_note {
    uint32_t model, version;
    uint64_t start, end, rows, late_rows;
    uint32_t hosts;
    double sum; // of the first feature's rows
};

// A fold, its tape, and what its judge was shown.
struct world {
    struct memory *memory;
    struct tape *tape;
    struct fold *fold;
    struct tape_fold tape_fold;
    struct fold_judge judge;
    struct fold_act act;
    struct effects *effects;
    struct judged_note note[4096];
    uint32_t notes, flashes, parts, drops, attests;
    char was[128];
    uint64_t now_ns;
    uint64_t seq; // of the last append
    uint64_t requests;
    enum status st;
};

static inline enum status note_window(void *self, struct shelf *s,
                                      const struct judged_window *w,
                                      const struct fold_moment *now,
                                      struct effects *out, uint8_t alert[16])
{
    struct world *o = self;
    (void)s;
    (void)now;
    (void)out;
    (void)alert;
    assert_null(w->agent);
    assert_true(o->notes < 4096);
    struct judged_note *n = &o->note[o->notes++];
    *n = (struct judged_note){.model = w->model_no,
                              .version = w->version_no,
                              .start = w->start_ns,
                              .end = w->end_ns,
                              .rows = w->rows,
                              .late_rows = w->late_rows,
                              .hosts = w->hosts};
    if (w->features > 0)
        n->sum = (double)profile_counters(w->feature[0].profile)->rows;
    return ST_OK;
}

static inline enum status note_flash(void *self, struct shelf *s,
                                     const struct judged_window *w,
                                     const struct fold_moment *now, struct effects *out,
                                     uint8_t alert[16])
{
    (void)s;
    (void)now;
    (void)out;
    (void)alert;
    assert_true(w->is_flash);
    ((struct world *)self)->flashes++;
    return ST_OK;
}

static inline enum status note_part(void *self, struct shelf *s,
                                    const struct judged_window *w,
                                    const struct fold_moment *now, struct effects *out)
{
    (void)s;
    (void)now;
    (void)out;
    assert_non_null(w->agent);
    ((struct world *)self)->parts++;
    return ST_OK;
}

static inline enum status note_attest(void *self, struct shelf *s,
                                      const struct judged_attest *a,
                                      const struct fold_moment *now,
                                      struct effects *out)
{
    struct world *o = self;
    (void)s;
    (void)now;
    (void)out;
    o->attests++;
    (void)snprintf(o->was, sizeof o->was, "%.*s", (int)a->was.size,
                   a->was.size ? (const char *)a->was.data : "");
    return ST_OK;
}

static inline void note_drop(void *self)
{
    ((struct world *)self)->drops++;
}

static inline void open_fold(struct world *o)
{
    o->judge = (struct fold_judge){.self = o,
                                   .window = note_window,
                                   .flash = note_flash,
                                   .attest = note_attest,
                                   .dropped = note_drop};
    o->act = (struct fold_act){.self = o, .instance_window = note_part};
    struct fold_options fo = {
        .judge = &o->judge, .act = &o->act, .effects = o->effects};
    assert_int_equal(fold_open(&fo, &o->fold), ST_OK);
    o->tape_fold = fold_as_tape(o->fold);
    struct tape_options to = {
        .fold = &o->tape_fold, .memory = o->memory, .partitions = 1};
    assert_int_equal(tape_memory.open(&to, &o->tape), ST_OK);
}

static inline void close_fold(struct world *o)
{
    tape_memory.close(o->tape);
    fold_close(o->fold);
}

// As a restart: everything in memory is lost but the shelf.
static inline void restart(struct world *o)
{
    close_fold(o);
    open_fold(o);
}

static inline struct world *world_open(void)
{
    struct world *o = MEM_NEW(struct world);
    assert_non_null(o);
    o->now_ns = NOW0;
    assert_int_equal(memory_open(512u << 20, &o->memory), ST_OK);
    assert_int_equal(effects_open(&o->effects), ST_OK);
    open_fold(o);
    return o;
}

static inline void world_close(struct world *o)
{
    close_fold(o);
    effects_close(o->effects);
    memory_close(o->memory);
    mem_free(o);
}

static inline void hear_world(void *keep, enum status st, struct tape_pos last)
{
    struct world *o = keep;
    o->st = st;
    if (st == ST_OK)
        o->seq = last.seq;
}

static inline void append_entry(struct world *o, enum tape_kind kind, struct span body)
{
    struct tape_entry e = {.kind = (uint16_t)kind, .at_ns = o->now_ns, .body = body};
    struct tape_append a = {.expect = TAPE_ANY, .entry = &e, .entries = 1};
    assert_int_equal(tape_memory.append(o->tape, &a, hear_world, o), ST_OK);
}

static inline void give(struct world *o, enum tape_kind kind, struct span body)
{
    append_entry(o, kind, body);
    assert_int_equal(o->st, ST_OK);
}

static inline void tick(struct world *o, uint64_t seconds)
{
    o->now_ns += seconds * S;
    give(o, TAPE_TICK, (struct span){0});
}

// The newest effect of a kind since the last effects_clear; NULL: none.
static inline const struct effect *newest(struct world *o, enum effect_kind kind)
{
    const struct effect *found = NULL;
    for (uint32_t i = 0; i < effects_len(o->effects); i++) {
        if (effects_at(o->effects, i)->kind == kind)
            found = effects_at(o->effects, i);
    }
    return found;
}

// --- Commands and agents

struct kv {
    const char *key, *value;
};

// The exit code of a command in the admin's name.
static inline uint32_t command_as(struct world *o, const char *role, const char *verb,
                                  const struct kv *arg, uint32_t args, struct span blob)
{
    uint8_t random[ENTRY_RANDOM] = {1, 2, 3};
    struct entry_command c = {.request = ++o->requests,
                              .verb = span_text(verb),
                              .actor = span_text("ann"),
                              .role = span_text(role),
                              .blob = blob,
                              .random = span_of(random, sizeof random)};
    for (uint32_t i = 0; i < args; i++)
        c.arg[c.args++] =
            (struct entry_arg){span_text(arg[i].key), span_text(arg[i].value)};
    struct buf b;
    buf_init(&b, 1u << 20);
    entry_put_command(&b, &c);
    give(o, TAPE_COMMAND, buf_span(&b));
    buf_fini(&b);
    const struct effect *e = newest(o, EFFECT_ANSWER);
    assert_non_null(e);
    assert_int_equal(e->number, o->requests);
    return e->code;
}

#define COMMAND(o, verb, ...)                                                          \
    command_as(o, "admin", verb, (const struct kv[]){__VA_ARGS__},                     \
               sizeof((const struct kv[]){__VA_ARGS__}) / sizeof(struct kv),           \
               (struct span){0})

static inline void begin_fleet(struct world *o)
{
    uint8_t fleet[16] = {9};
    give(o, TAPE_META, span_of(fleet, sizeof fleet));
}

// A host whose keys are `n` repeated; its id is in `agent`.
struct host {
    uint8_t agent[16], boot[16];
    uint64_t seq;
    struct world *o;
};

static inline uint32_t enrol_with(struct world *o, uint8_t n, const char *token,
                                  const char *name, struct host *h)
{
    uint8_t id[8], curve[32], sign[32];
    assert_int_equal(text_hex(span_text(token), id, sizeof id), ST_OK);
    memset(curve, n, sizeof curve);
    memset(sign, n, sizeof sign);
    struct entry_agent e = {.request = n,
                            .token = id,
                            .curve = curve,
                            .sign = sign,
                            .host = span_text(name),
                            .software = span_text("1")};
    struct buf b;
    buf_init(&b, 4096);
    entry_put_agent(&b, &e);
    give(o, TAPE_AGENT, buf_span(&b));
    buf_fini(&b);
    const struct effect *g = newest(o, EFFECT_GRANT);
    assert_non_null(g);
    *h = (struct host){.o = o};
    memcpy(h->agent, g->agent, 16);
    memset(h->boot, n, 16);
    return g->code;
}

static inline void mint(struct world *o, const char *id, const char *models)
{
    char pub[65];
    memset(pub, 'a', 64);
    pub[64] = 0;
    assert_int_equal(
        COMMAND(o, "agent.token", {"id", id}, {"pub", pub}, {"models", models}), 0);
}

static inline struct host host_of(struct world *o, uint8_t n, const char *name)
{
    char token[17];
    struct host h;
    (void)snprintf(token, sizeof token, "%016x", n);
    mint(o, token, "bike*,fraud");
    assert_int_equal(enrol_with(o, n, token, name, &h), 0);
    return h;
}

// --- Windows

// A numeric profile of `rows` values around `mean`.
static inline void profile_bytes(uint32_t rows, double mean, uint64_t seed,
                                 struct buf *out)
{
    struct profile_options po = {.kind = PROFILE_NUMERIC,
                                 .width = GRID_F64,
                                 .sketches = PROFILE_WITH_SKETCHES,
                                 .k = 64,
                                 .seed = seed};
    struct profile *p;
    assert_int_equal(profile_open(&po, NULL, &p), ST_OK);
    struct random r = {seed};
    for (uint32_t i = 0; i < rows; i++) {
        double v = mean + random_normal(&r);
        struct profile_column c = {.f64 = &v, .n = 1};
        profile_update(p, &c);
    }
    profile_encode(p, PROFILE_WITH_SKETCHES, out);
    profile_close(p);
}

// The same of categories, few of them heavy.
static inline void category_bytes(uint32_t rows, uint64_t seed, struct buf *out)
{
    struct profile_options po = {.kind = PROFILE_CATEGORICAL,
                                 .width = GRID_F64,
                                 .sketches = PROFILE_WITH_SKETCHES,
                                 .seed = seed};
    struct profile *p;
    assert_int_equal(profile_open(&po, NULL, &p), ST_OK);
    struct random r = {seed};
    for (uint32_t i = 0; i < rows; i++) {
        uint64_t hash = random_u64(&r) % (random_u64(&r) % 3 ? 5 : 5000);
        struct profile_categories c = {.hash = &hash, .n = 1};
        profile_update_hash(p, &c);
    }
    profile_encode(p, PROFILE_WITH_SKETCHES, out);
    profile_close(p);
}

struct seen {
    const char *model, *version;
    uint64_t start_s; // since T0
    uint64_t length_s;
    uint32_t rows;
    uint32_t flags;
    uint64_t late;
    uint64_t dropped;
    uint64_t watermark_s; // 0: the end
};

static inline void window_body(struct host *h, const struct seen *w, uint64_t seq,
                               struct buf *out)
{
    struct buf profile, category;
    uint64_t seed = w->start_s * 131 + h->agent[0] + 1;
    buf_init(&profile, 1u << 20);
    buf_init(&category, 1u << 20);
    profile_bytes(w->rows, 5.0, seed, &profile);
    category_bytes(w->rows, seed, &category);
    struct window_feature f[] = {
        {.name = span_text("hr"), .profile = buf_span(&profile)},
        {.name = span_text("season"), .kind = 1, .profile = buf_span(&category)}};
    struct tally drop = {span_text("malformed"), w->dropped};
    uint64_t end = T0 + (w->start_s + w->length_s) * S;
    struct window m = {.seq = seq,
                       .model = span_text(w->model),
                       .version = span_text(w->version),
                       .start = T0 + w->start_s * S,
                       .end = end,
                       .watermark = w->watermark_s ? T0 + w->watermark_s * S : end,
                       .sent = h->o->now_ns,
                       .flags = w->flags,
                       .rows = w->rows,
                       .observed = w->rows + w->late + w->dropped,
                       .late = w->late,
                       .dropped = &drop,
                       .drops = w->dropped ? 1 : 0,
                       .feature = f,
                       .features = w->rows ? 2 : 0};
    memcpy(m.boot, h->boot, sizeof m.boot);
    struct buf body;
    buf_init(&body, 1u << 20);
    assert_int_equal(message_encode(&window_message, &m, &body, NULL), ST_OK);
    struct entry_report r = {.agent = h->agent, .body = buf_span(&body)};
    entry_put_report(out, &r);
    buf_fini(&body);
    buf_fini(&profile);
    buf_fini(&category);
}

static inline void give_window_as(struct host *h, const struct seen *w, uint64_t seq)
{
    struct buf b;
    buf_init(&b, 1u << 20);
    window_body(h, w, seq, &b);
    give(h->o, TAPE_WINDOW, buf_span(&b));
    buf_fini(&b);
}

static inline void give_window(struct host *h, struct seen w)
{
    if (w.length_s == 0)
        w.length_s = 60;
    if (!w.model)
        w.model = "bike";
    if (!w.version)
        w.version = "v1";
    give_window_as(h, &w, ++h->seq);
}

static inline void give_attest(struct host *h, const char *version, uint64_t at_s,
                               const char *cause)
{
    struct attest a = {.seq = ++h->seq,
                       .model = span_text("bike"),
                       .version = span_text(version),
                       .at = at_s ? T0 + at_s * S : 0,
                       .wall = h->o->now_ns,
                       .cause = span_text(cause)};
    memcpy(a.boot, h->boot, sizeof a.boot);
    struct buf body, b;
    buf_init(&body, 4096);
    buf_init(&b, 8192);
    assert_int_equal(message_encode(&attest_message, &a, &body, NULL), ST_OK);
    struct entry_report r = {.agent = h->agent, .body = buf_span(&body)};
    entry_put_report(&b, &r);
    give(h->o, TAPE_ATTEST, buf_span(&b));
    buf_fini(&body);
    buf_fini(&b);
}

// --- The state as one number

static inline uint64_t hash_shelf(struct shelf *s)
{
    static const uint8_t key[16] = "state of a shelf";
    uint64_t sum = 0;
    for (unsigned t = 0; t < SHELF_COUNT; t++) {
        uint8_t from[SHELF_KEY_MAX + 1] = {0};
        size_t size = 1;
        struct span k, v;
        while (s->seek(s->self, (enum shelf_table)t, span_of(from, size), &k, &v) ==
               ST_OK) {
            sum = sum * 1000003 + hash_sip(key, k) * 31 + hash_sip(key, v) + t;
            memcpy(from, k.data, k.size);
            from[k.size] = 0;
            size = k.size + 1;
        }
    }
    return sum;
}

static inline uint64_t hash_world(struct world *o)
{
    return hash_shelf(memory_shelf(o->memory));
}

#endif
