// Fold: windows of many models appended, folded and synced, against only storing them.
//
// usage: fold_bench [FOLDER]   (on the disk that is meant; a temporary one by default)
//
// SPDX-License-Identifier: Apache-2.0
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

#define MODELS 1000u
#define GROUP 64u
#define ROUNDS 4u // windows of each model
#define T0 (UINT64_C(1345000000) * NS_PER_S)

struct shape {
    const char *name;
    uint32_t features, rows, k; // k = 0: no sketches
};

struct bench {
    char folder[128];
    struct store *store;
    struct tape *tape;
    struct fold *fold;
    struct tape_fold tape_fold;
    struct effects *effects;
    uint8_t agent[16];
    struct buf body[GROUP];
    struct tape_entry entry[GROUP];
    uint64_t seq, bytes, windows;
};

static void check(enum status st)
{
    if (st != ST_OK) {
        (void)fprintf(stderr, "fold_bench: %s\n", status_text(st));
        exit(1);
    }
}

static double thread_s(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void done(void *keep, enum status st, struct tape_pos last)
{
    (void)keep;
    (void)last;
    check(st);
}

static void append(struct bench *b, uint32_t n)
{
    struct tape_append a = {.expect = TAPE_ANY, .entry = b->entry, .entries = n};
    check(tape_embedded.append(b->tape, &a, done, NULL));
    effects_clear(b->effects);
}

static void append_one(struct bench *b, enum tape_kind kind, struct span body)
{
    b->entry[0] =
        (struct tape_entry){.kind = (uint16_t)kind, .at_ns = T0, .body = body};
    append(b, 1);
}

static void command(struct bench *b, const char *verb, const struct entry_arg *arg,
                    uint32_t args)
{
    struct entry_command c = {.verb = span_text(verb),
                              .actor = span_text("system"),
                              .role = span_text("system"),
                              .args = args};
    memcpy(c.arg, arg, args * sizeof *arg);
    struct buf body;
    buf_init(&body, 8192);
    entry_put_command(&body, &c);
    append_one(b, TAPE_COMMAND, buf_span(&body));
    buf_fini(&body);
}

static void make_fleet(struct bench *b)
{
    static const uint8_t fleet[16] = {1}, token[8] = {1}, key[32] = {2};
    struct entry_arg mint[] = {
        {span_text("id"), span_text("0100000000000000")},
        {span_text("pub"), span_text("0000000000000000000000000000000000000000000000"
                                     "000000000000000001")}};
    append_one(b, TAPE_META, span_of(fleet, sizeof fleet));
    command(b, "agent.token", mint, 2);
    struct entry_agent e = {.token = token,
                            .curve = key,
                            .sign = key,
                            .host = span_text("h"),
                            .software = span_text("1")};
    struct buf body;
    buf_init(&body, 4096);
    entry_put_agent(&body, &e);
    b->entry[0] =
        (struct tape_entry){.kind = TAPE_AGENT, .at_ns = T0, .body = buf_span(&body)};
    struct tape_append a = {.expect = TAPE_ANY, .entry = b->entry, .entries = 1};
    check(tape_embedded.append(b->tape, &a, done, NULL));
    for (uint32_t i = 0; i < effects_len(b->effects); i++) {
        if (effects_at(b->effects, i)->kind == EFFECT_GRANT)
            memcpy(b->agent, effects_at(b->effects, i)->agent, 16);
    }
    effects_clear(b->effects);
    buf_fini(&body);
}

static void open_all(struct bench *b)
{
    struct store_options so = {.folder = b->folder};
    check(store_open(&so, &b->store));
    check(effects_open(&b->effects));
    struct fold_options fo = {.effects = b->effects};
    check(fold_open(&fo, &b->fold));
    b->tape_fold = fold_as_tape(b->fold);
    struct tape_options to = {
        .fold = &b->tape_fold, .store = b->store, .partitions = 1};
    check(tape_embedded.open(&to, &b->tape));
    for (uint32_t i = 0; i < GROUP; i++)
        buf_init(&b->body[i], 1u << 20);
    make_fleet(b);
}

static void close_all(struct bench *b)
{
    tape_embedded.close(b->tape);
    fold_close(b->fold);
    store_close(b->store);
    effects_close(b->effects);
    for (uint32_t i = 0; i < GROUP; i++)
        buf_fini(&b->body[i]);
    char path[160];
    (void)snprintf(path, sizeof path, "%s/data.mdb", b->folder);
    (void)unlink(path);
    (void)snprintf(path, sizeof path, "%s/lock.mdb", b->folder);
    (void)unlink(path);
}

static void profile_of(const struct shape *s, struct buf *out)
{
    struct profile_options o = {.kind = PROFILE_NUMERIC,
                                .width = GRID_F64,
                                .sketches =
                                    s->k ? PROFILE_WITH_SKETCHES : PROFILE_PLAIN,
                                .k = s->k,
                                .seed = 1};
    struct grid *grid;
    struct profile *p;
    struct random r = {2};
    double *row = mem_zero(s->rows, sizeof *row);
    for (uint32_t i = 0; i < s->rows; i++)
        row[i] = random_normal(&r);
    check(grid_of_rows(GRID_F64, row, s->rows, &grid));
    check(profile_open(&o, grid, &p));
    struct profile_column c = {.f64 = row, .n = s->rows};
    profile_update(p, &c);
    profile_encode(p, o.sketches, out);
    check(out->failed);
    profile_close(p);
    grid_close(grid);
    mem_free(row);
}

static void write_window(struct bench *b, const struct shape *s, struct span profile,
                         uint32_t model, uint32_t round, struct buf *out)
{
    struct window_feature feature[64];
    char name[64][8], model_name[16];
    (void)snprintf(model_name, sizeof model_name, "m%05u", model);
    for (uint32_t i = 0; i < s->features; i++) {
        (void)snprintf(name[i], sizeof name[i], "f%02u", i);
        feature[i] =
            (struct window_feature){.name = span_text(name[i]), .profile = profile};
    }
    struct window w = {.boot = {1},
                       .seq = ++b->seq,
                       .model = span_text(model_name),
                       .version = span_text("v1"),
                       .start = T0 + round * 60 * NS_PER_S,
                       .end = T0 + (round + 1) * 60 * NS_PER_S,
                       .watermark = T0 + (round + 1) * 60 * NS_PER_S,
                       .sent = T0,
                       .rows = s->rows,
                       .observed = s->rows,
                       .feature = feature,
                       .features = s->features};
    struct buf body;
    buf_init(&body, 1u << 20);
    check(message_encode(&window_message, &w, &body, NULL));
    struct entry_report r = {.agent = b->agent, .body = buf_span(&body)};
    buf_clear(out);
    entry_put_report(out, &r);
    buf_fini(&body);
}

struct cost {
    double cpu_s, wall_s;
};

// Appends all windows; `keep` stores them and does nothing else.
static struct cost run(struct bench *b, const struct shape *s, bool only_store)
{
    struct buf profile;
    buf_init(&profile, 1u << 20);
    profile_of(s, &profile);
    struct cost c = {0};
    b->bytes = b->windows = 0;
    for (uint32_t at = 0; at < MODELS * ROUNDS;) {
        uint32_t n = 0;
        for (; n < GROUP && at < MODELS * ROUNDS; n++, at++) {
            write_window(b, s, buf_span(&profile), at % MODELS, at / MODELS,
                         &b->body[n]);
            b->entry[n] = (struct tape_entry){.kind = TAPE_WINDOW,
                                              .at_ns = T0 + b->seq * NS_PER_MS,
                                              .body = buf_span(&b->body[n])};
            b->bytes += b->body[n].size;
        }
        b->windows += n;
        double cpu = thread_s();
        uint64_t wall = clock_mono_ns();
        if (only_store) {
            struct store_txn *t;
            check(store_begin(b->store, STORE_READ_WRITE, &t));
            for (uint32_t i = 0; i < n; i++) {
                struct shelf_key k =
                    key_window((at + i) % MODELS, KEY_RAW,
                               T0 + (at / MODELS) * 60 * NS_PER_S, (uint8_t)(i % 2));
                check(shelf_put(store_shelf(t), SHELF_WINDOW, &k, b->entry[i].body));
            }
            check(store_commit(t));
        } else {
            append(b, n);
        }
        c.cpu_s += thread_s() - cpu;
        c.wall_s += (double)(clock_mono_ns() - wall) * 1e-9;
    }
    buf_fini(&profile);
    return c;
}

int main(int argc, char **argv)
{
    static const struct shape shapes[] = {
        {"50 features of 1 KiB (sketches)", 50, 2000, 64},
        {"20 features without sketches", 20, 2000, 0},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        struct cost c[2];
        for (int only_store = 0; only_store < 2; only_store++) {
            struct bench *b = MEM_NEW(struct bench);
            (void)snprintf(b->folder, sizeof b->folder, "%s/fold-bench-XXXXXX",
                           argc > 1 ? argv[1] : "/tmp");
            if (!b || !mkdtemp(b->folder))
                return 1;
            open_all(b);
            c[only_store] = run(b, &shapes[i], only_store);
            (void)printf("%-34s %-10s %6.0f B  %7.0f windows/s  %6.3f CPU s per 1000\n",
                         shapes[i].name, only_store ? "stored" : "folded",
                         (double)b->bytes / (double)b->windows,
                         (double)b->windows / c[only_store].wall_s,
                         c[only_store].cpu_s / (double)b->windows * 1000);
            close_all(b);
            (void)rmdir(b->folder);
            mem_free(b);
        }
        (void)printf("%-34s ratio %.2f\n", "", c[1].wall_s / c[0].wall_s);
    }
    return 0;
}
