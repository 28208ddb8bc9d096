// References: names and grids of a baseline, without what it has learned.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/log/references.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "controller/log/keys.h"
#include "controller/log/records.h"
#include "proto/messages/catalog.h"
#include "proto/messages/reference.h"

#define SKETCH_EVERY 10u
#define GRIDS_MAX (8u << 20)

static int by_name(const void *a, const void *b)
{
    const struct reference_feature *x = a, *y = b;
    return span_compare(x->name, y->name);
}

static enum status fill_features(const struct baseline *b, struct buf *grids,
                                 struct reference_feature *out)
{
    size_t at[WINDOW_FEATURES_MAX];
    uint32_t n = baseline_features(b); // at most that many: the caller has looked
    for (uint32_t i = 0; i < n; i++) {
        const struct baseline_feature *f = baseline_feature(b, i);
        at[i] = grids->size;
        if (f->grid)
            grid_encode(f->grid, grids);
        out[i] = (struct reference_feature){
            .name = span_text(f->name), .role = f->role, .kind = f->kind};
        out[i].grid.size = grids->size - at[i];
    }
    if (grids->failed != ST_OK)
        return grids->failed;
    // The buffer has stopped moving: now its places are good.
    for (uint32_t i = 0; i < n; i++)
        out[i].grid.data = grids->data + at[i];
    qsort(out, n, sizeof *out, by_name);
    return ST_OK;
}

enum status references_write(const struct record_baseline *r, const struct baseline *b,
                             struct buf *out)
{
    uint32_t n = baseline_features(b);
    if (n > WINDOW_FEATURES_MAX)
        return ST_RANGE;
    struct reference_feature *feature = mem_zero(n + 1, sizeof *feature);
    if (!feature)
        return ST_NOMEM;
    struct buf grids;
    buf_init(&grids, GRIDS_MAX);
    enum status st = fill_features(b, &grids, feature);
    struct reference m = {.model = r->model,
                          .version = r->version,
                          .window_ns = baseline_window_ns(b),
                          .sketch_every = SKETCH_EVERY,
                          .feature = feature,
                          .features = n};
    memcpy(m.baseline, r->digest, sizeof m.baseline);
    memcpy(m.key, baseline_key(b), sizeof m.key);
    if (st == ST_OK)
        st = message_encode(&reference_message, &m, out, NULL);
    buf_fini(&grids);
    mem_free(feature);
    return st;
}

enum status references_keep(struct shelf *s, uint32_t model, uint32_t version,
                            const struct record_baseline *r, const struct baseline *b)
{
    struct buf body;
    buf_init(&body, wire_row(WIRE_REFERENCE)->bytes_max);
    enum status st = references_write(r, b, &body);
    struct shelf_key k = key_reference(model, version);
    if (st == ST_OK)
        st = shelf_put(s, SHELF_CATALOG, &k, buf_span(&body));
    else if (st == ST_RANGE || st == ST_FULL)
        st = ST_OK; // agents then count without cells
    buf_fini(&body);
    return st;
}

// Of a baseline that was sealed before references were kept.
static enum status rebuild(struct shelf *s, uint32_t model, uint32_t version,
                           struct pool *pool, struct buf *out)
{
    struct shelf_key k = key_baseline(model, version);
    struct record_baseline r;
    struct baseline *b;
    ST_TRY(records_get(s, SHELF_CATALOG, &k, &record_baseline_message, pool, &r));
    ST_TRY(baseline_decode(r.sealed, &b));
    enum status st = references_write(&r, b, out);
    baseline_close(b);
    return st;
}

enum status references_read(struct shelf *s, uint32_t model, uint32_t version,
                            struct pool *pool, struct buf *out)
{
    struct shelf_key k = key_reference(model, version);
    struct span body;
    enum status st = shelf_get(s, SHELF_CATALOG, &k, &body);
    if (st == ST_NOTFOUND)
        return rebuild(s, model, version, pool, out);
    if (st != ST_OK)
        return st;
    buf_put_span(out, body);
    return out->failed;
}
