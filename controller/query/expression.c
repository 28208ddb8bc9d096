// Expression: kedge query: figures of features over time, beside each other, or of the
// newest window of every model.
//
//   mean(fraud@v7 amount)                    a series, of the version that is named
//   p50(fraud amount), p95(fraud amount)     two of them, of the newest version
//   missing(fraud-* amount)                  the newest window of each such model
//
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "common/base/clock.h"
#include "common/base/text.h"
#include "controller/query/series.h"

#define TERMS_MAX 8u
#define POINTS_MAX 200000u
#define SPAN_NS (24 * 3600 * NS_PER_S) // that is shown when nothing is said

struct term {
    struct span text, measure_name, model, version, feature;
    struct measure measure;
    struct profile *profile; // the one that all windows are read into
    struct grid *grid;
    struct series series;
    uint32_t points;
};

static struct span trim(struct span s)
{
    while (s.size > 0 && s.data[0] == ' ')
        s = span_of(s.data + 1, s.size - 1);
    while (s.size > 0 && s.data[s.size - 1] == ' ')
        s.size--;
    return s;
}

// Cuts at the first `mark`; the rest stays in *s. Without a mark everything is cut.
static struct span cut(struct span *s, char mark)
{
    const uint8_t *at = s->size > 0 ? memchr(s->data, mark, s->size) : NULL;
    size_t size = at ? (size_t)(at - s->data) : s->size;
    struct span head = span_of(s->data, size);
    size_t gone = size + (at != NULL);
    *s = span_of(s->data + gone, s->size - gone);
    return trim(head);
}

static bool is_glob(struct span name)
{
    return name.size > 0 &&
           (memchr(name.data, '*', name.size) || memchr(name.data, '?', name.size) ||
            memchr(name.data, '[', name.size));
}

// "mean(fraud@v7 amount)"
static bool parse_term(struct span text, struct term *t)
{
    *t = (struct term){.text = text};
    if (text.size == 0 || text.data[text.size - 1] != ')')
        return false;
    struct span left = span_of(text.data, text.size - 1);
    t->measure_name = cut(&left, '(');
    if (measure_find(t->measure_name, &t->measure) != ST_OK)
        return false;
    left = trim(left);
    struct span model = cut(&left, ' ');
    t->feature = trim(left);
    t->model = model;
    for (size_t i = model.size; i > 0; i--) {
        if (model.data[i - 1] != '@')
            continue;
        t->model = span_of(model.data, i - 1);
        t->version = span_of(model.data + i, model.size - i);
        break;
    }
    return t->model.size > 0 &&
           (t->feature.size > 0 || t->measure.kind == MEASURE_ROWS);
}

static void write_point(struct call *c, struct term *t, struct span model,
                        const struct blob *b, double value)
{
    t->points++;
    json_object(c->j);
    json_key_text(c->j, "term", t->text);
    json_key_text(c->j, "model", model);
    json_key_cstr(c->j, "version", t->series.version_name);
    json_key_text(c->j, "feature", t->feature);
    json_key_text(c->j, "measure", t->measure_name);
    json_key_time(c->j, "start", b->start);
    json_key_time(c->j, "end", b->end);
    json_key_u64(c->j, "rows", b->rows);
    json_key_f64(c->j, "value", value);
    json_object_end(c->j);
}

// One window; one that has not got the feature is passed over.
static enum status take_window(struct call *c, const struct blob *b, struct term *t,
                               struct span model)
{
    struct blob_feature f;
    double value = (double)b->rows;
    if (t->points >= POINTS_MAX)
        return ST_OK;
    if (t->feature.size > 0) {
        enum status st = blob_find(b, t->feature, &f);
        if (st == ST_NOTFOUND)
            return ST_OK;
        if (st == ST_OK)
            st = profile_decode(t->profile, f.profile);
        if (st != ST_OK)
            return st;
        value = measure_of(&t->measure, t->profile, t->grid);
    }
    write_point(c, t, model, b, value);
    return ST_OK;
}

static enum status take_each(struct call *c, const struct blob *b, void *with)
{
    struct term *t = with;
    return take_window(c, b, t, t->model);
}

static enum status take_grid(struct call *c, struct term *t)
{
    grid_close(t->grid);
    t->grid = NULL;
    return measure_wants_grid(&t->measure)
               ? series_grid(c, &t->series, t->feature, &t->grid)
               : ST_OK;
}

// --- Of the newest window of each model

static enum status scan_model(struct call *c, struct span name, struct span value,
                              void *with)
{
    struct term *t = with;
    uint32_t model;
    struct blob b;
    (void)value;
    if (!text_glob(t->model, name) || names_model(c->s, name, &model) != ST_OK)
        return ST_OK;
    enum status st = series_find(c, model, t->version, &t->series);
    if (st == ST_OK)
        st = series_last(c, &t->series, KEY_RAW, &b);
    if (st == ST_NOTFOUND)
        return ST_OK;
    if (st == ST_OK)
        st = take_grid(c, t);
    return st == ST_OK ? take_window(c, &b, t, name) : st;
}

// --- Of one model over time

static bool read_resolution(struct call *c, enum key_resolution *res)
{
    struct span word = call_arg(c, "resolution");
    static const char *const words[] = {"raw", "hour", "day"};
    for (unsigned i = 0; i < 3; i++)
        if (span_is(word, words[i]) || (word.size == 0 && i == 0)) {
            *res = (enum key_resolution)i;
            return true;
        }
    return false;
}

// A time, or how long before `now_ns`.
static bool read_moment(struct span text, uint64_t now_ns, uint64_t *out)
{
    uint64_t back;
    if (text.size == 0 || text_time(text, out) == ST_OK)
        return true;
    if (text_duration(text, &back) != ST_OK)
        return false;
    *out = now_ns > back ? now_ns - back : 0;
    return true;
}

// Times of events may lie far from ours: a span is counted back from the newest window.
static bool read_span(struct call *c, const struct series *s, struct series_span *out)
{
    struct blob last;
    if (!read_resolution(c, &out->res))
        return false;
    out->until_ns = UINT64_MAX;
    uint64_t newest = c->ask->now_ns;
    if (series_last(c, s, out->res, &last) == ST_OK)
        newest = last.end;
    if (!read_moment(call_arg(c, "until"), newest, &out->until_ns))
        return false;
    uint64_t until = out->until_ns < newest ? out->until_ns : newest;
    out->from_ns = until > SPAN_NS ? until - SPAN_NS : 0;
    return read_moment(call_arg(c, "since"), until, &out->from_ns);
}

static enum status run_series(struct call *c, struct term *t)
{
    uint32_t model;
    struct series_span span;
    enum status st = names_model(c->s, t->model, &model);
    if (st == ST_OK)
        st = series_find(c, model, t->version, &t->series);
    if (st == ST_NOTFOUND)
        return call_refuse(c, CODE_NOT_FOUND, "no window of '%.*s'", (int)t->text.size,
                           (const char *)t->text.data);
    if (st == ST_OK && !read_span(c, &t->series, &span))
        return call_refuse(c, CODE_USAGE,
                           "--since and --until: a time, or a duration such as 24h; "
                           "--resolution: raw, hour or day");
    if (st == ST_OK)
        st = take_grid(c, t);
    return st == ST_OK ? series_walk(c, &t->series, &span, take_each, t) : st;
}

static enum status run_term(struct call *c, struct span text)
{
    struct term t;
    if (!parse_term(text, &t))
        return call_refuse(c, CODE_USAGE,
                           "'%.*s': write MEASURE(MODEL[@VERSION] FEATURE), where the "
                           "measure is rows, mean, sd, min, max, missing, zero, "
                           "distinct or p1..p99",
                           (int)text.size, text.size ? (const char *)text.data : "");
    struct profile_options po = {.kind = PROFILE_NUMERIC, .width = GRID_F64};
    ST_TRY(profile_open(&po, NULL, &t.profile));
    struct shelf_key models = key_models();
    enum status st = is_glob(t.model)
                         ? call_walk(c, SHELF_CATALOG, &models, scan_model, &t)
                         : run_series(c, &t);
    profile_close(t.profile);
    grid_close(t.grid);
    return st;
}

enum status answer_query(struct call *c)
{
    struct span left = call_arg(c, "expression");
    uint32_t terms = 0;
    json_key_text(c->j, "expression", left);
    json_key(c->j, "points");
    json_array(c->j);
    do {
        if (terms++ == TERMS_MAX)
            return call_refuse(c, CODE_USAGE, "at most %u terms", TERMS_MAX);
        ST_TRY(run_term(c, cut(&left, ',')));
    } while (left.size > 0 && c->code == CODE_FINE);
    json_array_end(c->j);
    return ST_OK;
}
