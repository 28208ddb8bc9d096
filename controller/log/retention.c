// SPDX-License-Identifier: Apache-2.0
#include "controller/log/retention.h"

#include "common/base/cursor.h"

#define FORMAT 1u
#define BYTES 26u

static const uint64_t least[3] = {RETENTION_RAW_LEAST_NS, RETENTION_HOUR_LEAST_NS,
                                  RETENTION_DAY_LEAST_NS};

enum status retention_get(struct shelf *s, struct retention *out)
{
    struct shelf_key k = key_meta("retention");
    struct span v;
    enum status st = shelf_get(s, SHELF_META, &k, &v);
    if (st == ST_NOTFOUND) {
        *out = (struct retention){
            .keep_ns = {RETENTION_RAW_NS, RETENTION_HOUR_NS, RETENTION_DAY_NS}};
        return ST_OK;
    }
    if (st != ST_OK)
        return st;
    if (v.size != BYTES)
        return ST_CORRUPT;
    if (v.data[0] != FORMAT)
        return ST_VERSION;
    out->squeeze = v.data[1];
    for (unsigned i = 0; i < 3; i++)
        out->keep_ns[i] = load_be64(v.data + 2 + 8 * i);
    return ST_OK;
}

enum status retention_put(struct shelf *s, const struct retention *r)
{
    uint8_t v[BYTES] = {FORMAT, r->squeeze};
    for (unsigned i = 0; i < 3; i++)
        store_be64(v + 2 + 8 * i, r->keep_ns[i]);
    struct shelf_key k = key_meta("retention");
    return shelf_put(s, SHELF_META, &k, span_of(v, sizeof v));
}

uint64_t retention_of(const struct retention *r, enum key_resolution res)
{
    unsigned steps = r->squeeze;
    for (unsigned i = 0; i <= (unsigned)res; i++) {
        uint64_t keep = r->keep_ns[i];
        for (; steps > 0 && keep > least[i]; steps--)
            keep = keep / 2 > least[i] ? keep / 2 : least[i];
        if (i == (unsigned)res)
            return keep;
    }
    return 0;
}
