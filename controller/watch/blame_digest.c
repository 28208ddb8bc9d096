// SPDX-License-Identifier: Apache-2.0
#include "controller/watch/blame_digest.h"

#include <math.h>

#include "common/trust/digest.h"

static void add_span(struct digest *d, struct span s)
{
    uint8_t size[4];
    store_be32(size, (uint32_t)s.size);
    digest_add(d, span_of(size, sizeof size));
    digest_add(d, s);
}

static void add_u64(struct digest *d, uint64_t v)
{
    uint8_t bytes[8];
    store_be64(bytes, v);
    digest_add(d, span_of(bytes, sizeof bytes));
}

// A missing value has many bit patterns; only one of them is counted.
static void add_values(struct digest *d, const double *v, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        uint8_t bytes[8];
        store_le_f64(bytes, isnan(v[i]) ? (double)NAN : v[i]);
        digest_add(d, span_of(bytes, sizeof bytes));
    }
}

static void add_case(struct digest *d, const struct blame_case *c)
{
    for (uint32_t k = 0; k < c->windows; k++)
        add_u64(d, c->start_ns[k]);
    for (uint32_t i = 0; i < c->signals; i++) {
        add_span(d, c->entity[c->signal[i].entity].name);
        add_span(d, c->name[c->signal[i].name]);
        add_values(d, c->signal[i].value, c->windows);
    }
    for (uint32_t i = 0; i < c->edges; i++) {
        add_span(d, c->entity[c->edge[i].upstream].name);
        add_span(d, c->entity[c->edge[i].downstream].name);
    }
    for (uint32_t i = 0; i < c->events; i++) {
        add_span(d, c->entity[c->event[i].entity].name);
        add_span(d, c->name[c->event[i].text]);
        add_u64(d, c->event[i].at_ns);
    }
}

enum status blame_digest(const struct blame_case *c, uint8_t out[32])
{
    struct digest *d;
    ST_TRY(digest_open(&d));
    add_case(d, c);
    enum status st = digest_take(d, out);
    digest_close(d);
    return st;
}
