// Ingest: the whole fold of a busy fleet without its network: each model on its own
// host, every feature judged against a baseline, rollups made, old windows dropped,
// each group synced. Against the same windows put and dropped by the store alone.
//
// usage: ingest_bench [FOLDER [MODELS [FEATURES [K [GROUP [ROUNDS]]]]]]
//   K of the quantile sketches, 0 = none. MODELS hosts report ROUNDS windows each that
//   are not measured, then 30 that are.
//
// SPDX-License-Identifier: Apache-2.0
#include <malloc.h>

#include "common/drift/builder.h"
#include "controller/act/act.h"
#include "controller/watch/watch.h"
#include "tests/bench/fold_rig.h"

#define MEASURED 30u
#define SHAPES 8u
#define HOUR_NS (3600 * NS_PER_S)

struct plan {
    const char *where;
    uint32_t models, features, k, group, rounds;
};

struct figures {
    double wall_s, cpu_s, longest_ms;
    uint64_t windows, payload, written;
};

// Bytes that this process has written: what the store hands to the disk, and nothing of
// what others do to it meanwhile.
static uint64_t written_bytes(void)
{
    unsigned long long bytes = 0;
    FILE *f = fopen("/proc/self/io", "r");
    if (f && fscanf(f, "rchar: %*u wchar: %llu", &bytes) != 1)
        bytes = 0;
    if (f)
        (void)fclose(f);
    return bytes;
}

static struct baseline *learn(uint32_t features)
{
    struct builder_settings s = {.window_ns = HOUR_NS, .seed = 1};
    struct builder_value v[64];
    struct builder *b;
    struct baseline *out;
    char name[16];
    rig_check(builder_open(&s, &b));
    for (uint32_t f = 0; f < features; f++) {
        (void)snprintf(name, sizeof name, "f%02u", f);
        rig_check(
            builder_feature(b, span_text(name), ROLE_INPUT, KIND_NUMERIC, GRID_F64));
    }
    for (int pass = 0; pass < 2; pass++) {
        struct random r = {1};
        for (uint64_t i = 0; i < 24 * 15 * 20; i++) {
            for (uint32_t f = 0; f < features; f++)
                v[f] = (struct builder_value){.number = random_normal(&r)};
            rig_check(builder_row(b, i * (HOUR_NS / 20), v));
        }
        if (pass == 0)
            rig_check(builder_turn(b));
    }
    rig_check(builder_seal(b, &out));
    builder_close(b);
    return out;
}

struct ingest {
    struct plan p;
    struct rig rig;
    struct watch *watch;
    struct act *act;
    struct fold_judge judge;
    struct fold_act acts;
    struct buf profile[SHAPES];
    uint8_t (*agent)[16];
    uint64_t *seq;
};

static void introduce(struct ingest *g)
{
    struct watch_options w = watch_defaults();
    rig_check(watch_open(&w, &g->watch));
    rig_check(act_open(&g->act));
    g->judge = (struct fold_judge){.self = g->watch,
                                   .window = watch_window,
                                   .flash = watch_flash,
                                   .attest = watch_attest,
                                   .baseline = watch_baseline,
                                   .command = watch_command,
                                   .dropped = watch_dropped};
    g->acts = (struct fold_act){.self = g->act,
                                .alert = act_alert,
                                .instance_window = act_instance_window,
                                .receipt = act_receipt,
                                .intent = act_intent,
                                .tick = act_tick,
                                .command = act_command,
                                .waits = act_waits,
                                .dropped = act_dropped};
}

static void enrol(struct ingest *g, uint32_t i)
{
    struct rig *b = &g->rig;
    char id[17], pub[65] = {0}, host[16];
    uint8_t token[8], key[32] = {3};
    (void)snprintf(id, sizeof id, "%016x", i + 16);
    memset(pub, 'a', 64);
    rig_check(text_hex(span_text(id), token, sizeof token));
    store_be32(key + 4, i);
    (void)snprintf(host, sizeof host, "h%05u", i);
    struct entry_arg mint[] = {{span_text("id"), span_text(id)},
                               {span_text("pub"), span_text(pub)}};
    rig_command(b, "agent.token", mint, 2, (struct span){0});
    struct entry_agent e = {.token = token,
                            .curve = key,
                            .sign = key,
                            .host = span_text(host),
                            .software = span_text("1")};
    struct buf body;
    buf_init(&body, 4096);
    entry_put_agent(&body, &e);
    rig_append_one(b, TAPE_AGENT, buf_span(&body));
    for (uint32_t k = 0; k < effects_len(b->effects); k++) {
        if (effects_at(b->effects, k)->kind == EFFECT_GRANT)
            memcpy(g->agent[i], effects_at(b->effects, k)->agent, 16);
    }
    effects_clear(b->effects);
    buf_fini(&body);
}

static void seal(struct ingest *g, uint32_t i, struct span sealed)
{
    char model[16];
    (void)snprintf(model, sizeof model, "m%05u", i);
    struct entry_arg name[] = {{span_text("model"), span_text(model)},
                               {span_text("version"), span_text("v1")}};
    rig_command(&g->rig, "model.add", name, 1, (struct span){0});
    rig_command(&g->rig, "version.add", name, 2, (struct span){0});
    rig_command(&g->rig, "baseline.seal", name, 2, sealed);
}

// A profile on the baseline's own cells, as an agent would count it.
static void draw_profile(struct ingest *g, const struct baseline *baseline, uint32_t i)
{
    struct profile_options o = {.kind = PROFILE_NUMERIC,
                                .width = GRID_F64,
                                .sketches =
                                    g->p.k ? PROFILE_WITH_SKETCHES : PROFILE_PLAIN,
                                .k = g->p.k,
                                .seed = i};
    struct random r = {100 + i};
    struct profile *p;
    double row[1000];
    buf_init(&g->profile[i], 1u << 20);
    for (uint32_t n = 0; n < 1000; n++)
        row[n] = random_normal(&r);
    rig_check(profile_open(&o, baseline_feature(baseline, 0)->grid, &p));
    profile_update(p, &(struct profile_column){.f64 = row, .n = 1000});
    profile_encode(p, o.sketches, &g->profile[i]);
    profile_close(p);
}

static void open_fleet(struct ingest *g)
{
    struct baseline *baseline = learn(g->p.features);
    struct buf sealed;
    buf_init(&sealed, 4u << 20);
    baseline_encode(baseline, &sealed);
    g->agent = mem_zero(g->p.models, sizeof *g->agent);
    g->seq = mem_zero(g->p.models, sizeof *g->seq);
    rig_open(&g->rig, g->p.where, &g->judge, &g->acts);
    struct entry_arg keep[] = {{span_text("raw"), span_text("7200000000000")}};
    rig_command(&g->rig, "retention.set", keep, 1, (struct span){0});
    for (uint32_t i = 0; i < g->p.models; i++) {
        enrol(g, i);
        seal(g, i, buf_span(&sealed));
    }
    for (uint32_t i = 0; i < SHAPES; i++)
        draw_profile(g, baseline, i);
    buf_fini(&sealed);
    baseline_close(baseline);
}

static void gather(struct ingest *g, uint32_t at, uint32_t model, uint32_t round,
                   struct figures *f)
{
    struct rig *b = &g->rig;
    struct rig_window w = {.model = model,
                           .features = g->p.features,
                           .start_ns = RIG_T0 + round * 60 * NS_PER_S,
                           .rows = 1000,
                           .profile = buf_span(&g->profile[(model + round) % SHAPES])};
    memcpy(b->agent, g->agent[model], 16);
    b->seq = g->seq[model]++;
    b->now_ns = RIG_T0 + (round + 1) * 60 * NS_PER_S;
    rig_gather(b, at, &w);
    f->payload += b->body[at].size;
    f->windows++;
}

// What the roofline does: the window under a key, and the one that is too old away.
static void only_store(struct ingest *g, uint32_t n, uint32_t first, uint32_t round)
{
    struct rig *b = &g->rig;
    struct store_txn *t;
    rig_check(store_begin(b->store, STORE_READ_WRITE, &t));
    for (uint32_t i = 0; i < n; i++) {
        uint32_t series = 1000000 + first + i;
        struct shelf_key k = key_window(series, KEY_RAW, round * 60 * NS_PER_S, 0);
        rig_check(shelf_put(store_shelf(t), SHELF_WINDOW, &k, b->entry[i].body));
        struct shelf_key old =
            key_window(series, KEY_RAW, (round - 2) * 60 * NS_PER_S, 0);
        enum status st = shelf_del(store_shelf(t), SHELF_WINDOW, &old);
        if (st != ST_NOTFOUND)
            rig_check(st);
    }
    rig_check(store_commit(t));
}

static void run_round(struct ingest *g, uint32_t round, bool stores_only,
                      struct figures *f)
{
    for (uint32_t at = 0; at < g->p.models;) {
        uint32_t n = 0, first = at;
        for (; n < g->p.group && at < g->p.models; n++, at++)
            gather(g, n, at, round, f);
        double cpu = rig_thread_s();
        uint64_t wall = clock_mono_ns();
        if (stores_only)
            only_store(g, n, first, round);
        else
            rig_append(&g->rig, n);
        double took = (double)(clock_mono_ns() - wall) * 1e-9;
        f->cpu_s += rig_thread_s() - cpu;
        f->wall_s += took;
        f->longest_ms = took * 1e3 > f->longest_ms ? took * 1e3 : f->longest_ms;
        if (!stores_only)
            rig_check_acks(&g->rig, n);
        effects_clear(g->rig.effects);
    }
}

static struct figures measure(struct ingest *g, bool stores_only)
{
    struct figures warm = {0}, f = {0};
    uint32_t round = 2, lead = stores_only ? 3 : g->p.rounds;
    for (uint32_t i = 0; i < lead; i++)
        run_round(g, round++, stores_only, &warm);
    f.written = written_bytes();
    for (uint32_t i = 0; i < MEASURED; i++)
        run_round(g, round++, stores_only, &f);
    f.written = written_bytes() - f.written;
    return f;
}

static void tell(const char *what, const struct figures *f)
{
    (void)printf("%-7s %6.0f B a window  %6.0f windows/s  %.3f CPU s per 1000  "
                 "longest commit %.0f ms  written per payload byte %.2f\n",
                 what, (double)f->payload / (double)f->windows,
                 (double)f->windows / f->wall_s, f->cpu_s / (double)f->windows * 1000,
                 f->longest_ms, (double)f->written / (double)f->payload);
    (void)fflush(stdout);
}

int main(int argc, char **argv)
{
    struct ingest *g = MEM_NEW(struct ingest);
    struct store_size z;
    if (!g)
        return 1;
    g->p = (struct plan){.where = argc > 1 ? argv[1] : "/tmp",
                         .models = argc > 2 ? (uint32_t)atoi(argv[2]) : 300,
                         .features = argc > 3 ? (uint32_t)atoi(argv[3]) : 50,
                         .k = argc > 4 ? (uint32_t)atoi(argv[4]) : 48,
                         .group = argc > 5 ? (uint32_t)atoi(argv[5]) : 64,
                         .rounds = argc > 6 ? (uint32_t)atoi(argv[6]) : 190};
    if (g->p.features > 64 || g->p.group > RIG_GROUP || g->p.group == 0)
        return 2;
    // As the controller does.
    (void)mallopt(M_TRIM_THRESHOLD, 256 << 20);
    (void)mallopt(M_MMAP_THRESHOLD, 64 << 20);
    introduce(g);
    open_fleet(g);
    struct figures folded = measure(g, false), stored = measure(g, true);
    tell("folded", &folded);
    tell("stored", &stored);
    rig_check(store_measure(g->rig.store, &z));
    (void)printf("ratio %.2f; file %.0f MB, in use %.0f MB\n",
                 stored.wall_s / folded.wall_s, (double)z.file_bytes * 1e-6,
                 (double)z.used_bytes * 1e-6);
    rig_close(&g->rig);
    act_close(g->act);
    watch_close(g->watch);
    for (uint32_t i = 0; i < SHAPES; i++)
        buf_fini(&g->profile[i]);
    mem_free(g->agent);
    mem_free(g->seq);
    mem_free(g);
    return 0;
}
