// Doors: bytes of any door's format give rows within the limits, and the same ones
// however they are cut. The first byte picks the door; KEDGE_FUZZ_DOOR in the
// environment picks one for all inputs, by its place in `doors`.
//
// SPDX-License-Identifier: Apache-2.0
#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "agent/intake/feed.h"
#include "agent/intake/packets.h"
#include "agent/intake/rows.h"
#include "common/base/hash.h"

#define FEED_DOORS 99 // none of the feed's

static const struct {
    unsigned door; // enum feed_door
    const char *format;
} doors[] = {
    {FEED_HTTP, NULL},
    {FEED_SCRAPE, NULL},
    {FEED_UDP, NULL},
    {FEED_TAIL, "rows"},
    {FEED_TAIL, "jsonl"},
    {FEED_TAIL, "csv"},
    {FEED_TAIL, "sagemaker-data-capture"},
    {FEED_TAIL, "azureml-data-collector"},
    {FEED_TAIL, "vertex-request-response-logging"},
    {FEED_TAIL, "nginx-combined"},
    {FEED_TAIL, "envoy-default"},
    {FEED_TAIL, "torchserve-access"},
    {FEED_DOORS, "msgpack maps on the socket"},
};

#define DOORS (sizeof doors / sizeof *doors)

struct seen {
    uint64_t sum;
    uint64_t rows;
};

static void mix(struct seen *seen, struct span s)
{
    uint64_t hash[2];
    hash_murmur3(s, seen->sum, hash);
    seen->sum = hash[0];
}

static void check_datum(struct seen *seen, const struct datum *d)
{
    assert(d->name.size <= OBSERVATION_NAME_MAX && d->side < SIDE_COUNT);
    assert(d->kind != DATUM_NUMBER || !isnan(d->number));
    assert(d->kind != DATUM_VECTOR || d->vector.dim >= 16);
    mix(seen, d->name);
    if (d->kind == DATUM_CATEGORY) {
        assert(d->text.size <= OBSERVATION_CATEGORY_MAX);
        mix(seen, d->text);
    } else if (d->kind == DATUM_NUMBER) {
        mix(seen, span_of(&d->number, sizeof d->number));
    }
}

static void take_row(void *self, const struct observation *o)
{
    struct seen *seen = self;
    assert(o->values > 0 || o->has_time || o->id.size > 0 || o->model.size > 0);
    assert(o->values <= OBSERVATION_VALUES_MAX && o->row < OBSERVATION_ROWS_MAX);
    assert(o->id.size <= OBSERVATION_NAME_MAX && o->weight >= 1);
    mix(seen, o->model);
    mix(seen, o->id);
    for (uint32_t i = 0; i < o->values; i++)
        check_datum(seen, &o->value[i]);
    seen->rows++;
}

static void take_drop(void *self, struct span model, enum drop_reason why, uint64_t n)
{
    (void)self;
    assert(model.size <= OBSERVATION_NAME_MAX && why < DROP_REASONS && n > 0);
}

static void take_settle(void *self)
{
    (void)self;
}

// As the socket door does.
static bool unpack_part(struct packets *p, struct rows *r, struct span bytes,
                        struct seen *seen)
{
    struct span packet;
    struct observation o;
    for (;;) {
        enum packet_kind kind = packets_next(p, &bytes, &packet);
        if (kind == PACKET_NONE || kind == PACKET_BROKEN)
            return kind == PACKET_NONE;
        if (kind == PACKET_WHOLE && rows_unpack(r, packet, 1, &o) == ST_OK)
            take_row(seen, &o);
    }
}

static struct seen unpack(struct span s, size_t cut)
{
    struct seen seen = {0};
    struct packets p;
    struct rows *r;
    packets_init(&p);
    if (rows_open("m", &r) == ST_OK) {
        if (unpack_part(&p, r, span_of(s.data, cut), &seen))
            (void)unpack_part(&p, r, span_of(s.data + cut, s.size - cut), &seen);
        rows_close(r);
    }
    packets_fini(&p);
    return seen;
}

static struct seen feed(size_t door, struct span s, size_t cut)
{
    static const struct mapping mapping = {.model = "m"};
    struct seen seen = {0};
    const struct observation_sink sink = {&seen, take_row, take_drop, take_settle};
    struct feed *f;
    if (doors[door].door == FEED_DOORS)
        return unpack(s, cut);
    if (feed_open((enum feed_door)doors[door].door, doors[door].format, &mapping, &sink,
                  &f) != ST_OK)
        return seen;
    enum status st = feed_bytes(f, span_of(s.data, cut), 1);
    if (st == ST_OK)
        st = feed_bytes(f, span_of(s.data + cut, s.size - cut), 1);
    if (st == ST_OK)
        st = feed_end(f);
    (void)st;
    feed_close(f);
    return seen;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    const char *given = getenv("KEDGE_FUZZ_DOOR");
    size_t door = (given ? (size_t)atoi(given) : data[0]) % DOORS;
    struct span s = span_of(data + 1, size - 1);
    size_t cut = (size_t)(data[size / 2] * 131u + data[size - 1]) % s.size;
    struct seen whole = feed(door, s, 0), parts = feed(door, s, cut);
    assert(whole.rows == parts.rows && whole.sum == parts.sum);
    return 0;
}
