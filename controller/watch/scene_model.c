// Scene model: one model's pulses as the signals of a case.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/watch/scene_model.h"

#include <math.h>
#include <string.h>

#include "common/base/mem.h"
#include "controller/log/keys.h"
#include "controller/log/names.h"
#include "controller/watch/blame_inside.h"

#define NAME_BYTES 128u
#define MISSING_UNIT 0.1 // a tenth more missing weighs as one standard deviation
#define VERSIONS_MAX 1024u

// One feature over the windows.
struct scene_track {
    char name[NAME_BYTES + 1];
    size_t size;
    uint8_t role;
    double *mean, *sd, *missing, *rows;
};

enum status scene_room_init(struct scene_room *r, uint32_t windows)
{
    size_t n = windows;
    *r = (struct scene_room){.windows = windows,
                             .track = mem_zero(PULSE_FEATURES_MAX, sizeof *r->track),
                             .cells =
                                 mem_zero(n * PULSE_FEATURES_MAX * 4, sizeof *r->cells),
                             .rows = mem_zero(n, sizeof *r->rows),
                             .sorted = mem_zero(n, sizeof *r->sorted),
                             .drift = mem_zero(n, sizeof *r->drift)};
    if (!r->track || !r->cells || !r->rows || !r->sorted || !r->drift) {
        scene_room_fini(r);
        return ST_NOMEM;
    }
    for (uint32_t i = 0; i < PULSE_FEATURES_MAX; i++) {
        double *at = r->cells + (size_t)i * 4 * n;
        r->track[i].mean = at;
        r->track[i].sd = at + n;
        r->track[i].missing = at + 2 * n;
        r->track[i].rows = at + 3 * n;
    }
    return ST_OK;
}

void scene_room_fini(struct scene_room *r)
{
    mem_free(r->track);
    mem_free(r->cells);
    mem_free(r->rows);
    mem_free(r->sorted);
    mem_free(r->drift);
    *r = (struct scene_room){0};
}

// --- Reading

static enum status last_of(struct shelf *s, uint32_t model, struct span *key,
                           struct span *value)
{
    struct shelf_key top = key_component(model, UINT32_MAX, UINT64_MAX);
    ST_TRY(s->seek_down(s->self, SHELF_COMPONENT, shelf_key_span(&top), key, value));
    bool is_ours = key->size == 16 && load_be32(key->data) == model;
    return is_ours ? ST_OK : ST_NOTFOUND;
}

enum status scene_newest(struct shelf *s, uint32_t model, uint64_t *end_ns,
                         uint64_t *length_ns)
{
    struct span key, value;
    ST_TRY(last_of(s, model, &key, &value));
    *end_ns = load_be64(key.data + 8);
    if (value.size < 9)
        return ST_CORRUPT;
    uint64_t start = load_be64(value.data + 1);
    if (start >= *end_ns)
        return ST_CORRUPT;
    *length_ns = *end_ns - start;
    return ST_OK;
}

static bool is_track(const struct scene_track *t, const struct pulse_feature *f)
{
    return t->role == f->role && t->size == f->name.size &&
           memcmp(t->name, f->name.data, f->name.size) == 0;
}

// Windows name their features in the same order, so `place` is nearly always right.
static struct scene_track *track_of(struct scene_room *r, const struct pulse_feature *f,
                                    uint32_t place)
{
    if (place < r->tracks && is_track(&r->track[place], f))
        return &r->track[place];
    for (uint32_t i = 0; i < r->tracks; i++)
        if (is_track(&r->track[i], f))
            return &r->track[i];
    if (r->tracks == PULSE_FEATURES_MAX || f->name.size > NAME_BYTES)
        return NULL;
    struct scene_track *t = &r->track[r->tracks++];
    memcpy(t->name, f->name.data, f->name.size);
    t->name[f->name.size] = '\0';
    t->size = f->name.size;
    t->role = f->role;
    memset(t->mean, 0, r->windows * 4 * sizeof *t->mean);
    return t;
}

// Several versions in one window are one model to those who use it: weighted by rows.
static void add_pulse(struct scene_room *r, const struct pulse *p, uint32_t k)
{
    double rows = (double)p->rows;
    r->rows[k] = isnan(r->rows[k]) ? rows : r->rows[k] + rows;
    for (uint32_t i = 0; i < p->features && rows > 0; i++) {
        const struct pulse_feature *f = &p->feature[i];
        struct scene_track *t = track_of(r, f, i);
        if (!t)
            continue;
        t->rows[k] += rows;
        double part = rows / t->rows[k];
        t->mean[k] += (f->mean - t->mean[k]) * part;
        t->sd[k] += (f->sd - t->sd[k]) * part;
        t->missing[k] += (f->missing - t->missing[k]) * part;
    }
}

// The pulses of one version within the axis.
static enum status read_version(struct shelf *s, uint32_t model, uint32_t version,
                                const struct scene_axis *axis, struct scene_room *r)
{
    uint64_t end = axis->start_ns + axis->windows * axis->window_ns;
    struct shelf_key from = key_component(model, version, axis->start_ns + 1);
    for (;;) {
        struct span key, value;
        struct pulse p;
        enum status st =
            s->seek(s->self, SHELF_COMPONENT, shelf_key_span(&from), &key, &value);
        if (st == ST_NOTFOUND)
            return ST_OK;
        ST_TRY(st);
        if (key.size != 16 || memcmp(key.data, from.bytes, 8) != 0)
            return ST_OK;
        uint64_t at = load_be64(key.data + 8);
        ST_TRY(pulse_read(value, at, &p));
        if (p.start_ns >= end)
            return ST_OK;
        if (p.start_ns >= axis->start_ns && p.known_ns <= axis->known_ns)
            add_pulse(r, &p,
                      (uint32_t)((p.start_ns - axis->start_ns) / axis->window_ns));
        from = key_component(model, version, at + 1);
    }
}

static enum status read_model(struct shelf *s, uint32_t model,
                              const struct scene_axis *axis, struct scene_room *r)
{
    uint32_t version = 0;
    r->tracks = 0;
    for (uint32_t k = 0; k < r->windows; k++)
        r->rows[k] = NAN;
    for (uint32_t i = 0; i < VERSIONS_MAX; i++) {
        struct shelf_key from = key_component(model, version, 0);
        struct span key, value;
        enum status st =
            s->seek(s->self, SHELF_COMPONENT, shelf_key_span(&from), &key, &value);
        if (st == ST_NOTFOUND)
            return ST_OK;
        ST_TRY(st);
        if (key.size != 16 || load_be32(key.data) != model)
            return ST_OK;
        version = load_be32(key.data + 4);
        ST_TRY(read_version(s, model, version, axis, r));
        if (version++ == UINT32_MAX)
            return ST_OK;
    }
    return ST_OK;
}

// --- Signals

// The median of what was usual; NAN when nothing was.
static double usual_of(const struct scene_room *r, const struct scene_track *t,
                       const double *v, uint32_t usual)
{
    uint32_t n = 0;
    for (uint32_t k = 0; k < usual; k++)
        if (t->rows[k] > 0)
            r->sorted[n++] = v[k];
    return n ? median_of(r->sorted, n) : NAN;
}

// Adds the feature's distance from its usual self to the drift, where it is further.
static void add_drift(struct scene_room *r, const struct scene_track *t, uint32_t usual)
{
    double mean = usual_of(r, t, t->mean, usual), sd = usual_of(r, t, t->sd, usual);
    double missing = usual_of(r, t, t->missing, usual);
    if (isnan(mean))
        return;
    if (!(sd > 0))
        sd = fmax(0.1 * fabs(mean), 1e-9);
    for (uint32_t k = 0; k < r->windows; k++) {
        if (!(t->rows[k] > 0))
            continue;
        double d = fmax(fabs(t->mean[k] - mean) / sd,
                        fabs(t->missing[k] - missing) / MISSING_UNIT);
        r->drift[k] = isnan(r->drift[k]) || d > r->drift[k] ? d : r->drift[k];
    }
}

static enum status put_series(struct blame_case *c, uint32_t entity, const char *name,
                              const double *v, uint32_t windows)
{
    double *to;
    enum status st = blame_case_signal(c, entity, span_text(name), &to);
    if (st == ST_EXISTS)
        return ST_OK;
    ST_TRY(st);
    memcpy(to, v, windows * sizeof *to);
    return ST_OK;
}

static enum status put_drift(struct blame_case *c, uint32_t entity, const char *name,
                             uint8_t role, struct scene_room *r, uint32_t usual)
{
    bool any = false;
    for (uint32_t k = 0; k < r->windows; k++)
        r->drift[k] = NAN;
    for (uint32_t i = 0; i < r->tracks; i++) {
        if (r->track[i].role != role)
            continue;
        any = true;
        add_drift(r, &r->track[i], usual);
    }
    return any ? put_series(c, entity, name, r->drift, r->windows) : ST_OK;
}

static enum status put_signals(struct blame_case *c, uint32_t entity,
                               struct scene_room *r)
{
    for (uint32_t i = 0; i < r->tracks; i++) {
        struct scene_track *t = &r->track[i];
        if (t->role != 3)
            continue;
        for (uint32_t k = 0; k < r->windows; k++)
            if (!(t->rows[k] > 0))
                t->mean[k] = NAN;
        ST_TRY(put_series(c, entity, t->name, t->mean, r->windows));
    }
    return ST_OK;
}

static bool is_silent(const struct scene_room *r)
{
    for (uint32_t k = 0; k < r->windows; k++)
        if (!isnan(r->rows[k]))
            return false;
    return true;
}

enum status scene_model(struct shelf *s, uint32_t model, const struct scene_axis *axis,
                        struct scene_room *r, struct blame_case *c)
{
    struct buf name;
    uint32_t e = 0;
    ST_TRY(read_model(s, model, axis, r));
    // Gone before all this; if the lineage still names it, it is blind.
    if (is_silent(r))
        return ST_OK;
    buf_init(&name, BLAME_NAME_MAX);
    enum status st = names_of_model(s, model, &name);
    if (st == ST_OK)
        st = blame_case_entity(c, buf_span(&name), &e);
    buf_fini(&name);
    ST_TRY(st);
    ST_TRY(put_series(c, e, "vol", r->rows, r->windows));
    ST_TRY(put_drift(c, e, "in_drift", 0, r, axis->usual));
    ST_TRY(put_drift(c, e, "out_drift", 1, r, axis->usual));
    return put_signals(c, e, r);
}
