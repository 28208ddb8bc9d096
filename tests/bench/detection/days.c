// Days: whole real days redrawn by weekday. Nothing drifts, but nature wrote the noise.
//
// SPDX-License-Identifier: Apache-2.0
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "controller/replay_table.h"
#include "tests/bench/detection/tables.h"

#define DAY_NS (24ull * 3600 * 1000000000)
#define REFERENCE_DAYS 28
#define WATCHED_DAYS 56
#define DAYS_MAX 1000
#define COLUMNS_MAX 8
#define LEVELS 5

static const double levels[LEVELS] = {10, 1e2, 1e3, 1e4, 1e6};

struct source {
    const char *file;
    uint64_t rows; // the quiet stretch at the beginning
    uint64_t window_ns;
    const char *column[COLUMNS_MAX]; // a leading '#' marks categories
};

static const struct source sources[] = {
    {"flights2001.csv.gz",
     184000,
     DAY_NS / 24,
     {"delay", "distance", "#origin", "#destination"}},
    {"elec2.csv.gz", 17424, DAY_NS / 4, {"nswprice", "nswdemand"}},
    {"bike.csv.gz", 17379, DAY_NS / 4, {"temp", "hum", "windspeed", "#weathersit"}},
    {"airquality.csv.gz", 9357, DAY_NS / 4, {"C6H6", "NO2", "S5_O3"}},
};

// One stream in memory: its rows, and where each whole day begins.
struct book {
    uint32_t columns;
    uint64_t rows;
    uint64_t *at_ns;
    struct builder_value *value; // `columns` a row
    char *text;                  // of the categories
    uint32_t days;
    uint64_t day_row[DAYS_MAX + 1];
    uint8_t weekday[DAYS_MAX];
};

static bool is_category(const char *column)
{
    return column[0] == '#';
}

static struct builder_value value_of(const char *column, struct span field, char **text)
{
    struct builder_value v = {.state = VALUE_PRESENT};
    if (field.size == 0) {
        v.state = VALUE_MISSING;
    } else if (is_category(column)) {
        memcpy(*text, field.data, field.size);
        v.text = span_of(*text, field.size);
        *text += field.size;
    } else {
        assert(text_f64(field, &v.number) == ST_OK);
    }
    return v;
}

static void add_day(struct book *b, uint64_t row, uint64_t at_ns)
{
    if (b->days == DAYS_MAX)
        return;
    b->day_row[b->days] = row;
    b->weekday[b->days++] = (uint8_t)(at_ns / DAY_NS % 7);
}

static void read_rows(const struct source *s, struct replay_table *t, struct book *b)
{
    int at[COLUMNS_MAX], ts = replay_table_column(t, "ts");
    char *text = b->text;
    for (uint32_t c = 0; c < b->columns; c++)
        at[c] = replay_table_column(t, s->column[c] + is_category(s->column[c]));
    replay_table_rewind(t);
    while (b->rows < s->rows && replay_table_next(t) == ST_OK) {
        uint64_t ns;
        assert(text_time(t->field[ts], &ns) == ST_OK);
        if (b->rows == 0 || ns / DAY_NS != b->at_ns[b->rows - 1] / DAY_NS)
            add_day(b, b->rows, ns);
        b->at_ns[b->rows] = ns;
        for (uint32_t c = 0; c < b->columns; c++)
            b->value[b->rows * b->columns + c] =
                value_of(s->column[c], t->field[at[c]], &text);
        b->rows++;
    }
    b->day_row[b->days] = b->rows;
}

static bool book_open(const struct source *s, const char *folder, struct book *b)
{
    char path[512], why[256];
    struct replay_table t;
    snprintf(path, sizeof path, "%s/%s", folder, s->file);
    memset(b, 0, sizeof *b);
    while (b->columns < COLUMNS_MAX && s->column[b->columns])
        b->columns++;
    if (replay_table_open(path, &t, why) != ST_OK) {
        fprintf(stderr, "skipped: %s\n", why);
        return false;
    }
    b->at_ns = mem_zero(s->rows, sizeof *b->at_ns);
    b->value = mem_zero(s->rows * b->columns, sizeof *b->value);
    b->text = mem_zero(t.text.size + 1, 1);
    assert(b->at_ns && b->value && b->text);
    read_rows(s, &t, b);
    replay_table_close(&t);
    return true;
}

static void book_close(struct book *b)
{
    mem_free(b->at_ns);
    mem_free(b->value);
    mem_free(b->text);
}

// A real day of that weekday; not the first or the last one, which may be cut.
static uint32_t draw_day(const struct book *b, struct random *r, uint32_t weekday)
{
    for (;;) {
        uint32_t d = 1 + (uint32_t)(random_u64(r) % (b->days - 2));
        if (b->weekday[d] == weekday)
            return d;
    }
}

static struct builder *builder_of(const struct source *s, const struct book *b)
{
    struct builder_settings settings = {.window_ns = s->window_ns, .seed = 1};
    struct builder *out;
    assert(builder_open(&settings, &out) == ST_OK);
    for (uint32_t c = 0; c < b->columns; c++) {
        bool category = is_category(s->column[c]);
        assert(builder_feature(out, span_text(s->column[c] + category), ROLE_INPUT,
                               category ? KIND_CATEGORICAL : KIND_NUMERIC,
                               GRID_F64) == ST_OK);
    }
    return out;
}

static struct baseline *learn(const struct source *s, const struct book *b,
                              const uint32_t *day)
{
    struct builder *builder = builder_of(s, b);
    struct baseline *out;
    for (int pass = 0; pass < 2; pass++) {
        for (uint64_t d = 0; d < REFERENCE_DAYS; d++)
            for (uint64_t i = b->day_row[day[d]]; i < b->day_row[day[d] + 1]; i++)
                assert(builder_row(builder, (d + 7) * DAY_NS + b->at_ns[i] % DAY_NS,
                                   b->value + i * b->columns) == ST_OK);
        if (pass == 0)
            assert(builder_turn(builder) == ST_OK);
    }
    assert(builder_seal(builder, &out) == ST_OK);
    builder_close(builder);
    return out;
}

struct tally {
    double windows; // feature-windows
    double fast[LEVELS], capped[LEVELS];
};

struct watch {
    struct judge *fast[LEVELS], *capped[LEVELS];
    struct profile *profile[COLUMNS_MAX];
    struct drift_feature feature[COLUMNS_MAX];
    uint32_t columns;
    uint64_t rows;
};

static void close_window(struct watch *w, uint64_t start, uint64_t length,
                         struct tally *t)
{
    struct drift_window now = {start, start + length, 0, w->columns, w->feature};
    if (w->rows == 0)
        return;
    for (int l = 0; l < LEVELS; l++) {
        t->fast[l] += table_alarms(w->fast[l], &now);
        t->capped[l] += table_alarms(w->capped[l], &now);
    }
    t->windows += w->columns;
    for (uint32_t c = 0; c < w->columns; c++)
        profile_reset(w->profile[c]);
    w->rows = 0;
}

static void count_row(struct watch *w, const struct source *s,
                      const struct builder_value *v)
{
    static const uint8_t key[BASELINE_KEY];
    for (uint32_t c = 0; c < w->columns; c++) {
        uint64_t hash = hash_sip(key, v[c].text);
        if (is_category(s->column[c]))
            profile_update_hash(w->profile[c],
                                &(struct profile_categories){
                                    .hash = &hash, .state = &v[c].state, .n = 1});
        else
            profile_update(w->profile[c], &(struct profile_column){.f64 = &v[c].number,
                                                                   .state = &v[c].state,
                                                                   .n = 1});
    }
    w->rows++;
}

static void watch_open(struct watch *w, const struct source *s,
                       const struct baseline *b)
{
    *w = (struct watch){.columns = baseline_features(b)};
    for (int l = 0; l < LEVELS; l++) {
        w->fast[l] = table_judge(b, levels[l], 0);
        w->capped[l] = table_judge(b, 1e30, levels[l] / w->columns); // a share each
    }
    for (uint32_t c = 0; c < w->columns; c++) {
        const struct baseline_feature *f = baseline_feature(b, c);
        bool category = is_category(s->column[c]);
        struct profile_options o = {.kind = category ? PROFILE_CATEGORICAL
                                                     : PROFILE_NUMERIC,
                                    .width = GRID_F64};
        assert(profile_open(&o, f->grid, &w->profile[c]) == ST_OK);
        w->feature[c] = (struct drift_feature){span_text(f->name), ROLE_INPUT, f->kind,
                                               w->profile[c]};
    }
}

static void watch_close(struct watch *w)
{
    for (int l = 0; l < LEVELS; l++) {
        judge_close(w->fast[l]);
        judge_close(w->capped[l]);
    }
    for (uint32_t c = 0; c < w->columns; c++)
        profile_close(w->profile[c]);
}

static void run_draw(const struct source *s, const struct book *b, uint64_t seed,
                     struct tally *t)
{
    struct random r = {seed};
    uint32_t day[REFERENCE_DAYS + WATCHED_DAYS];
    for (uint32_t d = 0; d < REFERENCE_DAYS + WATCHED_DAYS; d++)
        day[d] = draw_day(b, &r, d % 7);
    struct baseline *base = learn(s, b, day);
    struct watch w;
    watch_open(&w, s, base);
    uint64_t start = 0;
    for (uint64_t d = REFERENCE_DAYS; d < REFERENCE_DAYS + WATCHED_DAYS; d++)
        for (uint64_t i = b->day_row[day[d]]; i < b->day_row[day[d] + 1]; i++) {
            uint64_t at = (d + 7) * DAY_NS + b->at_ns[i] % DAY_NS;
            if (at / s->window_ns * s->window_ns != start)
                close_window(&w, start, s->window_ns, t);
            start = at / s->window_ns * s->window_ns;
            count_row(&w, s, b->value + i * b->columns);
        }
    close_window(&w, start, s->window_ns, t);
    watch_close(&w);
    baseline_close(base);
}

int table_days(const struct effort *e, const char *folder)
{
    uint32_t draws = effort_of(e, 40, 4);
    struct tally t = {.windows = 0};
    if (!folder) {
        fputs("days: --streams FOLDER is needed\n", stderr);
        return 2;
    }
    for (size_t k = 0; k < sizeof sources / sizeof sources[0]; k++) {
        struct book *b = mem_zero(1, sizeof *b);
        assert(b);
        if (book_open(&sources[k], folder, b))
            for (uint32_t i = 0; i < draws; i++)
                run_draw(&sources[k], b, 100 + i, &t);
        book_close(b);
        mem_free(b);
    }
    printf(
        "## Real days redrawn by weekday: alarms against the bound\n\n%d reference and "
        "%d watched days, %u redraws, 13 features of four real streams, %.0f "
        "feature-windows.\n\n| level | bound | fast | ratio | capped | ratio |\n"
        "|---|---|---|---|---|---|\n",
        REFERENCE_DAYS, WATCHED_DAYS, draws, t.windows);
    for (int l = 0; l < LEVELS; l++) {
        double bound = t.windows / levels[l];
        printf("| %.0e | %.1f | %.0f | %.3f | %.0f | %.3f |\n", levels[l], bound,
               t.fast[l], t.fast[l] / bound, t.capped[l], t.capped[l] / bound);
    }
    printf("\n");
    return 0;
}
