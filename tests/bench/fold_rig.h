// Rig: a store, a tape and the fold with its rooms, fed with windows of many models.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_TESTS_BENCH_FOLD_RIG_H
#define KEDGE_TESTS_BENCH_FOLD_RIG_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/sketch/profile.h"
#include "controller/fold/fold.h"
#include "controller/log/keys.h"
#include "controller/store/embedded.h"
#include "controller/store/store.h"
#include "proto/messages/window.h"

#define RIG_GROUP 256u
#define RIG_T0 (UINT64_C(1345000000) * NS_PER_S)

struct rig {
    char folder[128];
    struct store *store;
    struct tape *tape;
    struct fold *fold;
    struct tape_fold tape_fold;
    struct effects *effects;
    uint8_t agent[16];
    struct buf body[RIG_GROUP];
    struct tape_entry entry[RIG_GROUP];
    uint64_t seq, now_ns;
};

static inline void rig_check(enum status st)
{
    if (st != ST_OK) {
        (void)fprintf(stderr, "bench: %s\n", status_text(st));
        exit(1);
    }
}

static inline double rig_thread_s(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static inline void rig_done(void *keep, enum status st, struct tape_pos last)
{
    (void)keep;
    (void)last;
    rig_check(st);
}

static inline void rig_append(struct rig *b, uint32_t n)
{
    struct tape_append a = {.expect = TAPE_ANY, .entry = b->entry, .entries = n};
    rig_check(tape_embedded.append(b->tape, &a, rig_done, NULL));
}

// Each window must have been taken.
static inline void rig_check_acks(const struct rig *b, uint32_t n)
{
    for (uint32_t i = 0; i < effects_len(b->effects); i++)
        n -= effects_at(b->effects, i)->kind == EFFECT_ACK;
    rig_check(n == 0 ? ST_OK : ST_DENIED);
}

static inline void rig_append_one(struct rig *b, enum tape_kind kind, struct span body)
{
    b->entry[0] =
        (struct tape_entry){.kind = (uint16_t)kind, .at_ns = b->now_ns, .body = body};
    rig_append(b, 1);
}

static inline void rig_command(struct rig *b, const char *verb,
                               const struct entry_arg *arg, uint32_t args,
                               struct span blob)
{
    static const uint8_t random[ENTRY_RANDOM] = {1};
    struct entry_command c = {.verb = span_text(verb),
                              .actor = span_text("system"),
                              .role = span_text("system"),
                              .blob = blob,
                              .random = span_of(random, sizeof random),
                              .args = args};
    memcpy(c.arg, arg, args * sizeof *arg);
    struct buf body;
    buf_init(&body, 4u << 20);
    entry_put_command(&body, &c);
    rig_append_one(b, TAPE_COMMAND, buf_span(&body));
    const struct effect *last = effects_at(b->effects, effects_len(b->effects) - 1);
    if (last->kind == EFFECT_ANSWER && last->code != 0) {
        (void)fprintf(stderr, "bench: %s: %.*s\n", verb, (int)last->text.size,
                      (const char *)last->text.data);
        exit(1);
    }
    effects_clear(b->effects);
    buf_fini(&body);
}

static inline void rig_make_fleet(struct rig *b)
{
    static const uint8_t fleet[16] = {1}, token[8] = {1}, key[32] = {2};
    struct entry_arg mint[] = {
        {span_text("id"), span_text("0100000000000000")},
        {span_text("pub"), span_text("0000000000000000000000000000000000000000000000"
                                     "000000000000000001")}};
    rig_append_one(b, TAPE_META, span_of(fleet, sizeof fleet));
    rig_command(b, "agent.token", mint, 2, (struct span){0});
    struct entry_agent e = {.token = token,
                            .curve = key,
                            .sign = key,
                            .host = span_text("h"),
                            .software = span_text("1")};
    struct buf body;
    buf_init(&body, 4096);
    entry_put_agent(&body, &e);
    rig_append_one(b, TAPE_AGENT, buf_span(&body));
    for (uint32_t i = 0; i < effects_len(b->effects); i++) {
        if (effects_at(b->effects, i)->kind == EFFECT_GRANT)
            memcpy(b->agent, effects_at(b->effects, i)->agent, 16);
    }
    effects_clear(b->effects);
    buf_fini(&body);
}

// In a fresh folder below `where`; `judge` and `act` may be NULL.
static inline void rig_open(struct rig *b, const char *where,
                            const struct fold_judge *judge, const struct fold_act *act)
{
    *b = (struct rig){.now_ns = RIG_T0};
    (void)snprintf(b->folder, sizeof b->folder, "%s/fold-bench-XXXXXX", where);
    if (!mkdtemp(b->folder))
        rig_check(ST_IO);
    struct store_options so = {.folder = b->folder};
    rig_check(store_open(&so, &b->store));
    rig_check(effects_open(&b->effects));
    struct fold_options fo = {.effects = b->effects, .judge = judge, .act = act};
    rig_check(fold_open(&fo, &b->fold));
    b->tape_fold = fold_as_tape(b->fold);
    struct tape_options to = {
        .fold = &b->tape_fold, .store = b->store, .partitions = 1};
    rig_check(tape_embedded.open(&to, &b->tape));
    for (uint32_t i = 0; i < RIG_GROUP; i++)
        buf_init(&b->body[i], 1u << 20);
    rig_make_fleet(b);
}

static inline void rig_close(struct rig *b)
{
    char path[160];
    tape_embedded.close(b->tape);
    fold_close(b->fold);
    store_close(b->store);
    effects_close(b->effects);
    for (uint32_t i = 0; i < RIG_GROUP; i++)
        buf_fini(&b->body[i]);
    (void)snprintf(path, sizeof path, "%s/data.mdb", b->folder);
    (void)unlink(path);
    (void)snprintf(path, sizeof path, "%s/lock.mdb", b->folder);
    (void)unlink(path);
    (void)rmdir(b->folder);
}

// A profile of `rows` normal values on a grid of their own; k = 0: without sketches.
static inline void rig_profile(uint32_t rows, uint32_t k, uint64_t seed,
                               struct buf *out)
{
    struct profile_options o = {.kind = PROFILE_NUMERIC,
                                .width = GRID_F64,
                                .sketches = k ? PROFILE_WITH_SKETCHES : PROFILE_PLAIN,
                                .k = k,
                                .seed = seed};
    struct grid *grid;
    struct profile *p;
    struct random r = {seed}, same = {2};
    double *row = mem_zero(4000, sizeof *row);
    for (uint32_t i = 0; i < 4000; i++)
        row[i] = random_normal(&same);
    rig_check(grid_of_rows(GRID_F64, row, 4000, &grid));
    for (uint32_t i = 0; i < rows; i++)
        row[i] = random_normal(&r);
    rig_check(profile_open(&o, grid, &p));
    struct profile_column c = {.f64 = row, .n = rows};
    profile_update(p, &c);
    profile_encode(p, o.sketches, out);
    rig_check(out->failed);
    profile_close(p);
    grid_close(grid);
    mem_free(row);
}

struct rig_window {
    uint32_t model, features;
    uint64_t start_ns, rows;
    struct span profile; // of each feature
};

static inline void rig_write_window(struct rig *b, const struct rig_window *of,
                                    struct buf *out)
{
    struct window_feature feature[64];
    char name[64][8], model[16];
    (void)snprintf(model, sizeof model, "m%05u", of->model);
    for (uint32_t i = 0; i < of->features; i++) {
        (void)snprintf(name[i], sizeof name[i], "f%02u", i);
        feature[i] =
            (struct window_feature){.name = span_text(name[i]), .profile = of->profile};
    }
    struct window w = {.boot = {1},
                       .seq = ++b->seq,
                       .model = span_text(model),
                       .version = span_text("v1"),
                       .start = of->start_ns,
                       .end = of->start_ns + 60 * NS_PER_S,
                       .watermark = of->start_ns + 60 * NS_PER_S,
                       .sent = of->start_ns,
                       .rows = of->rows,
                       .observed = of->rows,
                       .feature = feature,
                       .features = of->features};
    struct buf body;
    buf_init(&body, 1u << 20);
    rig_check(message_encode(&window_message, &w, &body, NULL));
    struct entry_report r = {.agent = b->agent, .body = buf_span(&body)};
    buf_clear(out);
    entry_put_report(out, &r);
    buf_fini(&body);
}

// The entry number `at` of the group under way.
static inline void rig_gather(struct rig *b, uint32_t at, const struct rig_window *w)
{
    rig_write_window(b, w, &b->body[at]);
    b->entry[at] = (struct tape_entry){
        .kind = TAPE_WINDOW, .at_ns = b->now_ns, .body = buf_span(&b->body[at])};
}

#endif
