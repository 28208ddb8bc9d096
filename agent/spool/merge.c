// SPDX-License-Identifier: Apache-2.0
#include "agent/spool/merge.h"

#include <string.h>

#include "common/base/mem.h"
#include "common/sketch/profile.h"
#include "proto/messages/window.h"

// --- Choosing

// How many windows of the finest kind make one of each step.
static const uint64_t steps[] = {10, 60, 1440, 10080, UINT64_MAX};

static bool is_candidate(const struct stock_entry *e, const char *model)
{
    return e->has_window && strcmp(e->model, model) == 0;
}

static uint64_t bucket_of(const struct stock_entry *e, uint64_t span_ns)
{
    return span_ns ? e->from / span_ns : 0;
}

// How many entries the window takes that begins at `at`; 0: its parts are not all
// there, beside each other.
static uint32_t parts_at(const struct stock *s, size_t at)
{
    const struct stock_entry *a = &s->entry[at];
    if (a->part != 0 || a->parts > s->entries - at)
        return 0;
    for (uint32_t i = 1; i < a->parts; i++) {
        const struct stock_entry *b = &s->entry[at + i];
        if (!is_candidate(b, a->model) || strcmp(b->version, a->version) != 0 ||
            b->part != i || b->parts != a->parts || b->from != a->from)
            return 0;
    }
    return a->parts;
}

// The run that begins with entry `first`.
static void collect(const struct stock *s, size_t first, uint64_t span_ns,
                    struct merge_run *run)
{
    const struct stock_entry *a = &s->entry[first];
    run->n = run->windows = run->first = 0;
    for (size_t i = first; i < s->entries && run->windows < MERGE_WINDOWS_MAX; i++) {
        const struct stock_entry *b = &s->entry[i];
        if (!is_candidate(b, a->model) || strcmp(b->version, a->version) != 0 ||
            b->part != 0)
            continue;
        uint64_t last = span_ns ? (b->until - 1) / span_ns : 0;
        uint32_t parts = parts_at(s, i);
        if (bucket_of(b, span_ns) != bucket_of(a, span_ns) ||
            last != bucket_of(a, span_ns) || parts == 0 ||
            parts > MERGE_RUN_MAX - run->n)
            return;
        for (uint32_t k = 0; k < parts; k++)
            run->at[run->n++] = i + k;
        if (++run->windows <= 2)
            run->first = run->n;
    }
}

enum status merge_choose(const struct stock *s, const char *model, uint64_t start,
                         uint64_t seq, struct merge_run *out)
{
    size_t behind = stock_behind(s, start, seq);
    uint64_t finest = UINT64_MAX;
    for (size_t i = behind; i < s->entries; i++)
        if (is_candidate(&s->entry[i], model) &&
            s->entry[i].until - s->entry[i].from < finest)
            finest = s->entry[i].until - s->entry[i].from;
    for (size_t step = 0; step < sizeof steps / sizeof *steps; step++) {
        uint64_t span_ns = steps[step] > UINT64_MAX / finest ? 0 : steps[step] * finest;
        for (size_t i = behind; i < s->entries; i++) {
            if (!is_candidate(&s->entry[i], model))
                continue;
            collect(s, i, span_ns, out);
            if (out->windows >= 2)
                return ST_OK;
        }
    }
    return ST_EMPTY;
}

// --- Merging

// Of profiles in one part; the rest of WINDOW_BYTES_MAX is names and figures.
#define PART_BYTES (WINDOW_BYTES_MAX - 16 * 1024)

struct part {
    struct window window;
    void *memory;
    struct pool pool;
};

struct merged_feature {
    struct window_feature shape; // its name lent by the part it was first met in
    struct profile *profile;
    size_t at; // of its bytes
    size_t size;
};

struct sum {
    struct part *part;
    uint32_t parts;
    struct merged_feature *feature; // by rising name
    uint32_t features;
    struct tally dropped[WINDOW_DROPS_MAX];
    uint32_t drops;
};

static enum status decode_parts(struct sum *s, const struct span *body, uint32_t bodies)
{
    s->part = mem_zero(bodies, sizeof *s->part);
    if (!s->part)
        return ST_NOMEM;
    for (uint32_t i = 0; i < bodies; i++) {
        struct part *p = &s->part[s->parts];
        p->memory = mem_zero(1, MESSAGE_POOL_BYTES);
        if (!p->memory)
            return ST_NOMEM;
        s->parts++;
        pool_init(&p->pool, p->memory, MESSAGE_POOL_BYTES);
        ST_TRY(message_decode(&window_message, body[i], &p->pool, &p->window));
        ST_TRY(window_check(&p->window));
    }
    return ST_OK;
}

static void sum_close(struct sum *s)
{
    for (uint32_t i = 0; i < s->parts; i++)
        mem_free(s->part[i].memory);
    for (uint32_t i = 0; i < s->features; i++)
        profile_close(s->feature[i].profile);
    mem_free(s->part);
    mem_free(s->feature);
}

static enum status add_drops(struct sum *s, const struct window *w)
{
    for (uint32_t i = 0; i < w->drops; i++) {
        uint32_t at = 0;
        while (at < s->drops && !span_equal(s->dropped[at].key, w->dropped[i].key))
            at++;
        if (at == WINDOW_DROPS_MAX)
            return ST_FULL;
        if (at == s->drops)
            s->dropped[s->drops++] = (struct tally){.key = w->dropped[i].key};
        s->dropped[at].count += w->dropped[i].count;
    }
    return ST_OK;
}

// Where a feature stands, or would stand.
static uint32_t place_of(const struct sum *s, struct span name)
{
    uint32_t at = 0;
    while (at < s->features && span_compare(s->feature[at].shape.name, name) < 0)
        at++;
    return at;
}

static enum status decode_profile(const struct window_feature *f, struct profile **out)
{
    const struct profile_options options = {
        .kind = f->kind == FEATURE_CATEGORICAL ? PROFILE_CATEGORICAL : PROFILE_NUMERIC,
        .width = GRID_F64,
        .sketches = PROFILE_WITH_SKETCHES,
        .seed = 1,
    };
    struct profile *p;
    ST_TRY(profile_open(&options, NULL, &p));
    enum status st = profile_decode(p, f->profile);
    if (st != ST_OK) {
        profile_close(p);
        return st;
    }
    *out = p;
    return ST_OK;
}

static enum status add_feature(struct sum *s, const struct window_feature *f)
{
    uint32_t at = place_of(s, f->name);
    struct profile *p;
    ST_TRY(decode_profile(f, &p));
    if (at < s->features && span_equal(s->feature[at].shape.name, f->name)) {
        enum status st = ST_CONFLICT;
        if (s->feature[at].shape.kind == f->kind &&
            s->feature[at].shape.role == f->role)
            st = profile_merge(s->feature[at].profile, p);
        profile_close(p);
        return st;
    }
    if (s->features == WINDOW_FEATURES_MAX) {
        profile_close(p);
        return ST_FULL;
    }
    memmove(s->feature + at + 1, s->feature + at,
            (s->features - at) * sizeof *s->feature);
    s->feature[at] = (struct merged_feature){.shape = *f, .profile = p};
    s->features++;
    return ST_OK;
}

static enum status add_parts(struct sum *s)
{
    s->feature = mem_zero(WINDOW_FEATURES_MAX, sizeof *s->feature);
    if (!s->feature)
        return ST_NOMEM;
    for (uint32_t i = 0; i < s->parts; i++) {
        const struct window *w = &s->part[i].window;
        ST_TRY(add_drops(s, w));
        for (uint32_t k = 0; k < w->features; k++)
            ST_TRY(add_feature(s, &w->feature[k]));
    }
    return ST_OK;
}

static uint64_t max64(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

// The figures of all parts together.
static struct window total_of(const struct sum *s)
{
    struct window w = s->part[s->parts - 1].window;
    w.start = UINT64_MAX;
    w.end = w.watermark = w.rows = w.observed = w.late = 0;
    w.flags = WINDOW_MERGED;
    for (uint32_t i = 0; i < s->parts; i++) {
        const struct window *p = &s->part[i].window;
        w.start = p->start < w.start ? p->start : w.start;
        w.end = max64(w.end, p->end);
        w.watermark = max64(w.watermark, p->watermark);
        w.flags |= p->flags;
        w.rows += p->rows;
        w.observed += p->observed;
        w.late += p->late;
    }
    return w;
}

// The profiles' bytes one after the other; without sketches where cells remain.
static enum status encode_profiles(struct sum *s, enum profile_sketches sketches,
                                   struct buf *bytes)
{
    buf_clear(bytes);
    for (uint32_t i = 0; i < s->features; i++) {
        struct merged_feature *f = &s->feature[i];
        bool has_cells = profile_grid_id(f->profile) != 0;
        f->at = bytes->size;
        profile_encode(f->profile, has_cells ? sketches : PROFILE_WITH_SKETCHES, bytes);
        f->size = bytes->size - f->at;
    }
    return bytes->failed;
}

// How many features, from `first` on, go into one part.
static uint32_t part_from(const struct sum *s, uint32_t first)
{
    size_t size = 0;
    uint32_t n = 0;
    for (; first + n < s->features; n++) {
        const struct merged_feature *f = &s->feature[first + n];
        size += f->size + f->shape.name.size + 16;
        if (n > 0 && size > PART_BYTES)
            break;
    }
    return n;
}

static uint32_t count_parts(const struct sum *s)
{
    uint32_t parts = 1;
    for (uint32_t at = part_from(s, 0); at < s->features; at += part_from(s, at))
        parts++;
    return parts;
}

// One part with `n` features from `first` on. Its number is that of one of the bodies;
// the figures of the window are in the first part alone.
static enum status encode_part(const struct sum *s, struct span bytes, uint32_t part,
                               uint32_t first, uint32_t n, struct merge_result *out)
{
    const struct window *bearer = &s->part[s->parts - out->parts + part].window;
    struct window w = total_of(s);
    struct window_feature *feature = mem_zero(n + 1, sizeof *feature);
    if (!feature)
        return ST_NOMEM;
    for (uint32_t i = 0; i < n; i++) {
        feature[i] = s->feature[first + i].shape;
        feature[i].profile =
            span_of(bytes.data + s->feature[first + i].at, s->feature[first + i].size);
    }
    memcpy(w.boot, bearer->boot, sizeof w.boot);
    w.seq = bearer->seq;
    w.part = (uint16_t)part;
    w.parts = (uint16_t)(out->parts > 1 ? out->parts : 0);
    w.dropped = s->dropped;
    w.drops = part == 0 ? s->drops : 0;
    if (part > 0)
        w.rows = w.observed = w.late = 0;
    w.feature = feature;
    w.features = n;
    out->at[part] = out->bytes.size;
    enum status st = message_encode(&window_message, &w, &out->bytes, NULL);
    out->size[part] = out->bytes.size - out->at[part];
    mem_free(feature);
    return st;
}

static enum status encode(struct sum *s, struct merge_result *out)
{
    struct buf bytes;
    buf_init(&bytes, (size_t)WINDOW_FEATURES_MAX * WINDOW_PROFILE_MAX);
    enum status st = encode_profiles(s, PROFILE_WITH_SKETCHES, &bytes);
    if (st == ST_FULL || (st == ST_OK && bytes.size > MERGE_BYTES))
        st = encode_profiles(s, PROFILE_PLAIN, &bytes);
    tally_sort(s->dropped, s->drops);
    out->parts = st == ST_OK ? count_parts(s) : 0;
    if (st == ST_OK && out->parts > s->parts)
        st = ST_FULL;
    for (uint32_t part = 0, at = 0; st == ST_OK && part < out->parts; part++) {
        uint32_t n = part_from(s, at);
        st = encode_part(s, buf_span(&bytes), part, at, n, out);
        at += n;
    }
    buf_fini(&bytes);
    return st;
}

void merge_init(struct merge_result *r)
{
    r->parts = 0;
    buf_init(&r->bytes, (size_t)MERGE_RUN_MAX * WINDOW_BYTES_MAX);
}

void merge_fini(struct merge_result *r)
{
    buf_fini(&r->bytes);
}

enum status merge_bodies(const struct span *body, uint32_t bodies,
                         struct merge_result *out)
{
    struct sum s = {0};
    enum status st = decode_parts(&s, body, bodies);
    if (st == ST_OK)
        st = add_parts(&s);
    if (st == ST_OK)
        st = encode(&s, out);
    sum_close(&s);
    return st;
}
