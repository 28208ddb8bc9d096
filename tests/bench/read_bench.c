// Read: a series of 1,440 windows, and the newest window of 10,000 models, from the
// store as the query room reads them. Warm: each is read once before it is timed.
//
// usage: read_bench [FOLDER [MODELS]]
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/log/blob.h"
#include "controller/log/names.h"
#include "tests/bench/fold_rig.h"

#define SERIES 1440u
#define REPEAT 15

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void feed(struct rig *b, uint32_t models, uint32_t rounds, uint32_t first,
                 struct span profile)
{
    uint32_t n = 0;
    for (uint32_t r = 0; r < rounds; r++) {
        for (uint32_t m = 0; m < models; m++) {
            struct rig_window w = {.model = first + m,
                                   .features = 20,
                                   .start_ns = RIG_T0 + r * 60 * NS_PER_S,
                                   .rows = 2000,
                                   .profile = profile};
            rig_gather(b, n++, &w);
            if (n < RIG_GROUP && (r + 1 < rounds || m + 1 < models))
                continue;
            rig_append(b, n);
            effects_clear(b->effects);
            n = 0;
        }
    }
}

static uint32_t series_of(struct shelf *s, uint32_t model)
{
    char name[16];
    uint32_t number, version, series;
    (void)snprintf(name, sizeof name, "m%05u", model);
    rig_check(names_model(s, span_text(name), &number));
    rig_check(names_version(s, number, span_text("v1"), &version));
    rig_check(names_series(s, number, version, NULL, &series));
    return series;
}

// Adds up the rows of one feature, found and decoded in each window.
static uint64_t read_feature(struct shelf *s, struct span value, struct profile *p)
{
    struct blob blob;
    struct blob_feature f;
    rig_check(blob_follow(s, value, &blob));
    rig_check(blob_find(&blob, span_text("f13"), &f));
    rig_check(profile_decode_counts(p, f.profile));
    return profile_counters(p)->rows;
}

static uint64_t read_series(struct shelf *s, uint32_t model, struct profile *p)
{
    struct shelf_key prefix = key_window_series(series_of(s, model), KEY_RAW);
    struct shelf_walk w;
    struct span value;
    uint64_t rows = 0;
    shelf_walk_init(&w, s, SHELF_WINDOW, &prefix);
    while (shelf_walk_next(&w, NULL, &value) == ST_OK)
        rows += read_feature(s, value, p);
    return rows;
}

static uint64_t read_newest(struct shelf *s, uint32_t models, struct profile *p)
{
    uint64_t rows = 0;
    for (uint32_t m = 0; m < models; m++) {
        struct shelf_key prefix = key_window_series(series_of(s, m), KEY_RAW);
        struct span value;
        rig_check(shelf_last(s, SHELF_WINDOW, &prefix, NULL, &value));
        rows += read_feature(s, value, p);
    }
    return rows;
}

static double median_ms(struct rig *b, uint32_t models, bool is_series)
{
    struct profile_options o = {.kind = PROFILE_NUMERIC, .width = GRID_F64};
    struct profile *p;
    double took[REPEAT];
    rig_check(profile_open(&o, NULL, &p));
    for (int i = -1; i < REPEAT; i++) {
        struct store_txn *t;
        uint64_t began = clock_mono_ns();
        rig_check(store_begin(b->store, STORE_READ_ONLY, &t));
        struct shelf *s = store_shelf(t);
        uint64_t rows =
            is_series ? read_series(s, models, p) : read_newest(s, models, p);
        store_abort(t);
        if (i >= 0)
            took[i] = (double)(clock_mono_ns() - began) * 1e-6;
        rig_check(rows == UINT64_C(2000) * (is_series ? SERIES : models) ? ST_OK
                                                                         : ST_CORRUPT);
    }
    profile_close(p);
    qsort(took, REPEAT, sizeof *took, by_size);
    return took[REPEAT / 2];
}

int main(int argc, char **argv)
{
    uint32_t models = argc > 2 ? (uint32_t)atoi(argv[2]) : 10000;
    struct rig *b = MEM_NEW(struct rig);
    struct buf profile;
    if (!b)
        return 1;
    buf_init(&profile, 1u << 20);
    rig_profile(2000, 0, 3, &profile);
    rig_open(b, argc > 1 ? argv[1] : "/tmp", NULL, NULL);
    feed(b, models, 2, 0, buf_span(&profile));
    feed(b, 1, SERIES, models, buf_span(&profile));
    (void)printf("one feature over %u windows: %.2f ms\n", SERIES,
                 median_ms(b, models, true));
    (void)printf("newest window of %u models, one feature each: %.1f ms\n", models,
                 median_ms(b, models, false));
    uint64_t began = clock_mono_ns();
    tape_embedded.close(b->tape);
    store_close(b->store);
    struct store_options so = {.folder = b->folder};
    rig_check(store_open(&so, &b->store));
    struct tape_options to = {
        .fold = &b->tape_fold, .store = b->store, .partitions = 1};
    rig_check(tape_embedded.open(&to, &b->tape));
    (void)printf("closed and opened again: %.1f ms\n",
                 (double)(clock_mono_ns() - began) * 1e-6);
    rig_close(b);
    buf_fini(&profile);
    mem_free(b);
    return 0;
}
