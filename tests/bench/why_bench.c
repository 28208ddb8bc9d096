// Why: from LMDB to the answer, for a fleet of 2,000 models and one of 20,000.
//
// usage: why_bench [MODELS...]
//
// Each model has 88 windows with four features, two parents, and one in fifty was
// deployed in between; one of them shifts, and what it feeds does. The bounds are of
// this thread's own time, so that a busy machine does not fail it.
//
// SPDX-License-Identifier: Apache-2.0
#include <math.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/drift/verdict.h"
#include "controller/log/keys.h"
#include "controller/log/lineage.h"
#include "controller/log/names.h"
#include "controller/log/records.h"
#include "controller/store/store.h"
#include "controller/watch/scene.h"
#include "proto/messages/record.h"
#include "tests/bench/bench.h"

#define WINDOWS 88u
#define WINDOW_NS (300 * NS_PER_S)
#define T0 (UINT64_C(1790000100) * NS_PER_S)
#define ONSET 70u
#define FEATURES 4u
#define RUNS 7

static void check(enum status st, const char *what)
{
    if (st == ST_OK)
        return;
    (void)fprintf(stderr, "why_bench: %s: %s\n", what, status_text(st));
    exit(1);
}

static double noise(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (double)(*state >> 11) / 9007199254740992.0 - 0.5;
}

static void put_float(struct buf *b, double v)
{
    uint8_t bytes[4];
    store_le_f32(bytes, (float)v);
    buf_put(b, bytes, sizeof bytes);
}

// As watch/pulse.c lays it out.
static void put_pulse(struct buf *b, uint32_t window, double shift, uint64_t *state)
{
    static const char *const name[FEATURES] = {"err", "p95", "prediction", "x"};
    static const uint8_t role[FEATURES] = {3, 3, 1, 0};
    static const double mean[FEATURES] = {.01, 30, 100, 50};
    buf_clear(b);
    buf_put_u8(b, 2);
    buf_put_be64(b, T0 + window * WINDOW_NS);
    buf_put_be64(b, 500);
    buf_put_be64(b, 1);
    buf_put_u8(b, FEATURES);
    for (uint32_t i = 0; i < FEATURES; i++) {
        buf_put_u8(b, role[i]);
        buf_put_u8(b, (uint8_t)strlen(name[i]));
        buf_put_text(b, name[i]);
        put_float(b, 0);
        put_float(b, mean[i] * (1 + .05 * noise(state)) + (i >= 2 ? shift : 0));
        put_float(b, mean[i] / 50);
    }
}

static void put_model(struct shelf *s, uint32_t i, bool is_hit, struct buf *b)
{
    char name[32];
    uint32_t model, version;
    uint64_t state = i + 1;
    (void)snprintf(name, sizeof name, "m%05u", i);
    check(names_model_new(s, span_text(name), &model), "model");
    check(names_version_new(s, model, span_text("v1"), &version), "version");
    for (uint32_t w = 0; w < WINDOWS; w++) {
        struct shelf_key k = key_component(model, version, T0 + (w + 1) * WINDOW_NS);
        put_pulse(b, w, is_hit && w >= ONSET ? 12 : 0, &state);
        check(shelf_put(s, SHELF_COMPONENT, &k, buf_span(b)), "pulse");
    }
    if (i % 50 == 0) {
        struct record_event e = {.number = i + 1,
                                 .at = T0 + (i % WINDOWS) * WINDOW_NS,
                                 .wall = 1,
                                 .kind = span_text("deploy"),
                                 .model = span_text(name)};
        struct shelf_key k = key_event(e.at, e.number);
        check(records_put(s, SHELF_EVENT, &k, &record_event_message, &e), "event");
    }
}

// m00000 is the root of a tree with ten children each; the KPI stands behind m00111.
static bool is_below(uint32_t i, uint32_t root)
{
    while (i > root)
        i = (i - 1) / 10;
    return i == root;
}

static void fill(struct store *store, uint32_t models)
{
    struct store_txn *t;
    struct buf b, lineage;
    buf_init(&b, 4096);
    buf_init(&lineage, LINEAGE_BYTES_MAX);
    check(store_begin(store, STORE_READ_WRITE, &t), "begin");
    struct shelf *s = store_shelf(t);
    for (uint32_t i = 0; i < models; i++) {
        put_model(s, i, is_below(i, 11), &b);
        if (i)
            buf_printf(&lineage, "m%05u -> m%05u\n", (i - 1) / 10, i);
    }
    buf_put_text(&lineage, "m01111 -> kpi:shop\n");
    check(lineage_put(s, 0, 1, buf_span(&lineage)), "lineage");
    for (uint32_t w = 0; w < WINDOWS; w++) {
        uint64_t state = w;
        uint8_t v[8];
        struct shelf_key k = key_signal(span_text("kpi:shop"), T0 + w * WINDOW_NS, 1);
        store_le_f64(v, 100 + noise(&state) - (w >= ONSET + 1 ? 9 : 0));
        check(shelf_put(s, SHELF_COMPONENT, &k, span_of(v, sizeof v)), "point");
    }
    check(store_commit(t), "commit");
    buf_fini(&b);
    buf_fini(&lineage);
}

static double ask(struct store *store, bool as_text, struct buf *out)
{
    struct store_txn *t;
    struct json j;
    const char *why = "";
    const struct scene_ask q = {.kpi = span_text("kpi:shop"),
                                .at_ns = T0 + (ONSET + 3) * WINDOW_NS};
    buf_clear(out);
    uint64_t from = bench_cpu_ns();
    check(store_begin(store, STORE_READ_ONLY, &t), "read");
    json_init(&j, out);
    json_object(&j);
    check(scene_answer(store_shelf(t), &q, as_text, &j, &why), why);
    json_object_end(&j);
    store_abort(t);
    return (double)(bench_cpu_ns() - from) / 1e6;
}

static int measure(uint32_t models, double bound_ms)
{
    char folder[] = "/tmp/why_bench_XXXXXX", command[64];
    struct store *store;
    struct buf first, again;
    double ms[RUNS];
    if (!mkdtemp(folder))
        return 1;
    const struct store_options o = {.folder = folder, .access = STORE_READ_WRITE};
    check(store_open(&o, &store), "open");
    fill(store, models);
    buf_init(&first, 64u << 20);
    buf_init(&again, 64u << 20);
    (void)ask(store, false, &first);
    bool is_same = true;
    for (int i = 0; i < RUNS; i++) {
        ms[i] = ask(store, false, &again);
        is_same &= span_equal(buf_span(&first), buf_span(&again));
    }
    qsort(ms, RUNS, sizeof ms[0], bench_ascending);
    bool is_right = strstr(buf_cstr(&first), "\"rank\":1,\"model\":\"m00011\"") != NULL;
    printf("%6u models: %7.1f ms (at most %.0f)  same bytes: %s  cause first: %s\n",
           models, ms[RUNS / 2], bound_ms, is_same ? "yes" : "no",
           is_right ? "yes" : "no");
    store_close(store);
    buf_fini(&first);
    buf_fini(&again);
    (void)snprintf(command, sizeof command, "rm -r %s", folder);
    if (system(command) != 0)
        return 1;
    return ms[RUNS / 2] <= bound_ms && is_same && is_right ? 0 : 1;
}

int main(int argc, char **argv)
{
    int failed = 0;
    bench_print_machine();
    for (int i = 1; i < argc; i++)
        failed |= measure((uint32_t)atoi(argv[i]), 1000);
    if (argc > 1)
        return failed;
    failed |= measure(2000, 150);
    failed |= measure(20000, 1000);
    return failed;
}
