// Sketch echo: what every kind of sketch reads, answers and writes, as lines of text.
//
// SPDX-License-Identifier: Apache-2.0

// tests/conformance/big_endian_test.py runs it on two kinds of machine, one with the
// other order of bytes, and compares. No libm in what is fed: its last bit may differ.
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/file.h"
#include "common/base/hash.h"
#include "common/sketch/derive.h"
#include "common/sketch/profile.h"
#include "common/sketch/quantile.h"

#define VALUES 60000
#define OUT_MAX (8u << 20)

static float narrow[VALUES];
static double wide[VALUES], prediction[VALUES];

static void must(enum status st)
{
    if (st == ST_OK)
        return;
    fprintf(stderr, "sketch-echo: %s\n", status_text(st));
    exit(1);
}

static void tell_bytes(const char *what, struct buf *b)
{
    must(b->failed);
    printf("%s %zu bytes %08x\n", what, b->size, hash_crc32c(0, buf_span(b)));
    buf_fini(b);
}

static void tell_quantile(struct quantile *q)
{
    struct quantile_view *v;
    struct buf out;
    printf("n %llu k %u min_k %u retained %u levels %u min %a max %a",
           (unsigned long long)quantile_n(q), quantile_k(q), quantile_min_k(q),
           quantile_retained(q), quantile_levels(q), quantile_min(q), quantile_max(q));
    must(quantile_view_open(quantile_k(q), &v));
    if (quantile_view_load(v, q) == ST_OK) {
        for (int i = 0; i <= 20; i++) {
            double x = quantile_view_quantile(v, i / 20.0, QUANTILE_INCLUSIVE);
            printf(" %a=%a", x + 0.0, quantile_view_rank(v, x, QUANTILE_EXCLUSIVE));
        }
    }
    quantile_view_close(v);
    buf_init(&out, OUT_MAX);
    must(quantile_serialize(q, &out));
    tell_bytes("", &out);
}

static void read_kll(struct span bytes, enum quantile_type type)
{
    const char *why = "";
    struct quantile *q;
    printf("  %s: ", type == QUANTILE_FLOAT ? "float" : "double");
    if (quantile_check(type, bytes, &why) != ST_OK) {
        printf("refused, %s\n", why);
        return;
    }
    must(quantile_parse(type, bytes, 1, &q));
    tell_quantile(q);
    // One path for all: on another one, zeros of unlike sign may change places.
    must(quantile_set_path(q, QUANTILE_PATH_PLAIN));
    must(quantile_prepare(q));
    must(quantile_merge_bytes(q, bytes));
    printf("  twice: ");
    tell_quantile(q);
    quantile_close(q);
}

static void read_hll(struct span bytes)
{
    struct distinct *d;
    enum status st = distinct_parse(bytes, &d);
    printf("  distinct: %s\n", status_text(st));
    if (st != ST_OK)
        return;
    for (int form = DISTINCT_HLL_4; form <= DISTINCT_HLL_8; form += 2) {
        struct buf out;
        buf_init(&out, OUT_MAX);
        distinct_encode(d, (enum distinct_form)form, &out);
        tell_bytes("  written", &out);
    }
    printf("  estimate %.12g\n", distinct_estimate(d));
    distinct_close(d);
}

static void read_topk(struct span bytes)
{
    struct topk *t;
    struct buf out;
    enum status st = topk_parse(bytes, &t);
    printf("  topk: %s\n", status_text(st));
    if (st != ST_OK)
        return;
    printf("  total %llu error %llu kept %u\n", (unsigned long long)topk_total(t),
           (unsigned long long)topk_error(t), topk_len(t));
    buf_init(&out, OUT_MAX);
    topk_encode(t, &out);
    tell_bytes("  written", &out);
    topk_close(t);
}

static void read_one(const char *folder, const char *name)
{
    char path[512];
    struct buf bytes;
    must(file_join(folder, name, path, sizeof path));
    buf_init(&bytes, OUT_MAX);
    must(file_read(path, &bytes));
    printf("%s\n", name);
    read_kll(buf_span(&bytes), QUANTILE_FLOAT);
    read_kll(buf_span(&bytes), QUANTILE_DOUBLE);
    read_hll(buf_span(&bytes));
    read_topk(buf_span(&bytes));
    buf_fini(&bytes);
}

static void read_folder(const char *folder)
{
    struct dirent **entry;
    int n = scandir(folder, &entry, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        size_t size = strlen(entry[i]->d_name);
        if (size > 3 && strcmp(entry[i]->d_name + size - 3, ".sk") == 0)
            read_one(folder, entry[i]->d_name);
        free(entry[i]);
    }
    if (n >= 0)
        free(entry);
}

static void make_values(void)
{
    struct random r = {2026};
    for (uint32_t i = 0; i < VALUES; i++) {
        double u = random_unit(&r), v = random_unit(&r);
        double value = i % 7 ? u / (1.001 - v) : (double)(i % 13);
        narrow[i] = (float)value;
        wide[i] = i % 911 ? (double)narrow[i] : NAN;
        prediction[i] = value + random_unit(&r);
    }
}

static void make_quantiles(void)
{
    static const uint32_t ks[] = {8, 200, 1000};
    for (unsigned i = 0; i < 6; i++) {
        struct quantile *q, *more;
        enum quantile_type type = i & 1 ? QUANTILE_DOUBLE : QUANTILE_FLOAT;
        must(quantile_open(type, ks[i / 2], 5, &q));
        must(quantile_open(type, 100 + i, 6, &more));
        for (uint32_t j = 0; j < 777; j++)
            quantile_add(q, wide[j]);
        quantile_add_floats(q, narrow, VALUES);
        quantile_add_doubles(more, wide, VALUES / 2);
        must(quantile_merge(q, more));
        printf("made %u %u: ", (unsigned)type, ks[i / 2]);
        tell_quantile(q);
        quantile_close(q);
        quantile_close(more);
    }
}

static struct grid *make_grid(enum grid_width width)
{
    struct grid *g, *back;
    struct buf out;
    uint64_t count[GRID_CELLS_MAX] = {0};
    must(grid_of_rows(width, wide, VALUES, &g));
    buf_init(&out, OUT_MAX);
    grid_encode(g, &out);
    must(grid_decode(buf_span(&out), &back));
    tell_bytes("grid", &out);
    buf_init(&out, OUT_MAX);
    grid_encode(back, &out);
    tell_bytes("grid again", &out);
    grid_count_f32(back, narrow, VALUES, count);
    for (uint32_t i = 0; i < grid_cells(back); i++)
        printf(" %llu", (unsigned long long)count[i]);
    printf(" of %016llx\n", (unsigned long long)grid_id(back));
    grid_close(g);
    return back;
}

static void tell_profile(struct profile *p)
{
    struct buf out;
    struct profile *back;
    const struct profile_options any = {PROFILE_SIGNAL, GRID_F64, PROFILE_PLAIN, 0, 1};
    const struct moments *m = profile_moments(p);
    printf("rows %llu mean %a variance %a correlation %a\n",
           (unsigned long long)profile_counters(p)->rows, moments_mean(m),
           moments_variance(m), comoments_correlation(profile_comoments(p)));
    buf_init(&out, OUT_MAX);
    profile_encode(p, PROFILE_WITH_SKETCHES, &out);
    must(profile_open(&any, NULL, &back));
    must(profile_decode(back, buf_span(&out)));
    must(profile_merge(back, p));
    tell_bytes("profile", &out);
    buf_init(&out, OUT_MAX);
    profile_encode(back, PROFILE_WITH_SKETCHES, &out);
    tell_bytes("profile twice", &out);
    profile_close(back);
}

static void make_numeric(enum grid_width width)
{
    const struct profile_options o = {PROFILE_NUMERIC, width, PROFILE_WITH_SKETCHES,
                                      200, 9};
    struct grid *g = make_grid(width);
    struct profile *p;
    must(profile_open(&o, g, &p));
    profile_update(p, &(struct profile_column){
                          .f64 = wide, .prediction = prediction, .n = VALUES});
    profile_update(p, &(struct profile_column){.f32 = narrow, .n = VALUES});
    tell_profile(p);
    profile_close(p);
    grid_close(g);
}

static void make_categorical(void)
{
    enum { ROWS = 5000 };
    static uint64_t hash[ROWS];
    static char text[ROWS][16];
    static struct span span[ROWS];
    const struct profile_options o = {PROFILE_CATEGORICAL, GRID_F64,
                                      PROFILE_WITH_SKETCHES, 0, 9};
    struct random r = {77};
    struct profile *p;
    for (uint32_t i = 0; i < ROWS; i++) {
        uint32_t value = (uint32_t)(random_u64(&r) % (1 + i));
        snprintf(text[i], sizeof text[i], "value %u", value);
        span[i] = span_text(text[i]);
        hash[i] = hash_sip((const uint8_t *)"0123456789abcdef", span[i]);
    }
    must(profile_open(&o, NULL, &p));
    profile_update_hash(p, &(struct profile_categories){hash, span, NULL, ROWS});
    tell_profile(p);
    profile_close(p);
}

static void make_derived(void)
{
    enum { DIMS = 300, VECTORS = 100, COLUMNS = DERIVE_VECTOR_FIGURES + 16 };
    static double out[COLUMNS * VECTORS];
    struct derive *d;
    must(derive_open(DIMS, 16, 3, &d));
    derive_vectors(d, narrow, VECTORS, out);
    for (uint32_t i = 0; i < COLUMNS; i++)
        printf("%a ", out[i * VECTORS + i]);
    printf("derived\n");
    derive_close(d);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        read_folder(argv[i]);
    make_values();
    make_quantiles();
    make_numeric(GRID_F32);
    make_numeric(GRID_F64);
    make_categorical();
    make_derived();
    return 0;
}
