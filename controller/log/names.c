// Names: one table from name to number, one back.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/log/names.h"

#include "controller/log/keys.h"

static enum status get_number(struct shelf *s, const struct shelf_key *k, uint32_t *out)
{
    struct span v;
    ST_TRY(shelf_get(s, SHELF_CATALOG, k, &v));
    if (v.size != 4)
        return ST_CORRUPT;
    *out = load_be32(v.data);
    return ST_OK;
}

static enum status put_number(struct shelf *s, const struct shelf_key *k, uint32_t n)
{
    uint8_t v[4];
    store_be32(v, n);
    return shelf_put(s, SHELF_CATALOG, k, span_of(v, sizeof v));
}

// A fresh number of its kind, within the limit.
static enum status draw(struct shelf *s, const char *kind, uint32_t limit,
                        uint32_t *out)
{
    uint64_t n;
    ST_TRY(shelf_next_number(s, kind, &n));
    if (n > limit)
        return ST_RANGE;
    *out = (uint32_t)n;
    return ST_OK;
}

enum status names_model(struct shelf *s, struct span name, uint32_t *out)
{
    struct shelf_key k = key_model_number(name);
    return get_number(s, &k, out);
}

enum status names_version(struct shelf *s, uint32_t model, struct span name,
                          uint32_t *out)
{
    struct shelf_key k = key_version_number(model, name);
    return get_number(s, &k, out);
}

enum status names_series(struct shelf *s, uint32_t model, uint32_t version,
                         const uint8_t *agent, uint32_t *out)
{
    struct shelf_key k = key_series(model, version, agent);
    return get_number(s, &k, out);
}

enum status names_model_new(struct shelf *s, struct span name, uint32_t *out)
{
    enum status st = names_model(s, name, out);
    if (st != ST_NOTFOUND)
        return st;
    uint32_t n;
    ST_TRY(draw(s, "model", NAMES_MODELS_MAX, &n));
    struct shelf_key there = key_model_number(name), back = key_model_name(n);
    ST_TRY(put_number(s, &there, n));
    ST_TRY(shelf_put(s, SHELF_CATALOG, &back, name));
    *out = n;
    return ST_OK;
}

enum status names_version_new(struct shelf *s, uint32_t model, struct span name,
                              uint32_t *out)
{
    enum status st = names_version(s, model, name, out);
    if (st != ST_NOTFOUND)
        return st;
    uint32_t n;
    ST_TRY(draw(s, "version", NAMES_VERSIONS_MAX, &n));
    struct shelf_key there = key_version_number(model, name);
    struct shelf_key back = key_version_name(model, n);
    ST_TRY(put_number(s, &there, n));
    ST_TRY(shelf_put(s, SHELF_CATALOG, &back, name));
    *out = n;
    return ST_OK;
}

enum status names_series_new(struct shelf *s, uint32_t model, uint32_t version,
                             const uint8_t *agent, uint32_t *out)
{
    enum status st = names_series(s, model, version, agent, out);
    if (st != ST_NOTFOUND)
        return st;
    uint32_t n;
    ST_TRY(draw(s, "series", UINT32_MAX - 1, &n));
    struct shelf_key k = key_series(model, version, agent);
    ST_TRY(put_number(s, &k, n));
    *out = n;
    return ST_OK;
}

static enum status put_name(struct shelf *s, const struct shelf_key *k, struct buf *out)
{
    struct span v;
    ST_TRY(shelf_get(s, SHELF_CATALOG, k, &v));
    buf_put_span(out, v);
    return out->failed;
}

enum status names_of_model(struct shelf *s, uint32_t model, struct buf *out)
{
    struct shelf_key k = key_model_name(model);
    return put_name(s, &k, out);
}

enum status names_of_version(struct shelf *s, uint32_t model, uint32_t version,
                             struct buf *out)
{
    struct shelf_key k = key_version_name(model, version);
    return put_name(s, &k, out);
}
