// Reads StatsD: "name:value|type|@rate|#tag:value,...". The contract stands in
// decoder.h.
//
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "agent/intake/decoder.h"
#include "agent/intake/teller.h"
#include "common/base/mem.h"
#include "common/base/text.h"

#define PREFIX "model.<model>.<signal>"

struct statsd {
    const struct mapping *mapping;
    struct teller teller;
    struct word signal;
};

// Takes what stands before `end`, and `end`; all, and false, when that does not come.
static bool until(struct span *from, char end, struct span *out)
{
    const uint8_t *at = from->size ? memchr(from->data, end, from->size) : NULL;
    size_t size = at ? (size_t)(at - from->data) : from->size;
    *out = span_of(from->data, size);
    size += at != NULL;
    *from = span_of(from->data + size, from->size - size);
    return at != NULL;
}

// --- Names

// What stands at a place of the pattern: up to the byte that follows it there.
static struct span take_place(struct span *name, char end)
{
    struct span out;
    if (end == 0) {
        out = *name;
        *name = (struct span){0};
    } else if (until(name, end, &out)) {
        // The byte is matched as a part of the pattern.
        *name = span_of(name->data - 1, name->size + 1);
    }
    return out;
}

static enum status take_name(struct statsd *d, struct span name)
{
    const char *p = d->mapping->prefix ? d->mapping->prefix : PREFIX;
    while (*p) {
        const char *end = *p == '<' ? strchr(p, '>') : NULL;
        if (end) {
            struct word *to = strncmp(p, "<model>", 7) == 0    ? &d->teller.model
                              : strncmp(p, "<signal>", 8) == 0 ? &d->signal
                                                               : NULL;
            struct span found = take_place(&name, end[1]);
            if (found.size == 0)
                return ST_CORRUPT;
            if (to)
                ST_TRY(word_set(to, found));
            p = end + 1;
            continue;
        }
        if (name.size == 0 || name.data[0] != (uint8_t)*p++)
            return ST_CORRUPT;
        name = span_of(name.data + 1, name.size - 1);
    }
    return name.size == 0 && d->signal.size > 0 ? ST_OK : ST_CORRUPT;
}

// --- Values

enum metric {
    METRIC_COUNTER,
    METRIC_GAUGE,
    METRIC_TIME,
    METRIC_VALUE,
    METRIC_SET,
    METRIC_UNKNOWN,
};

static enum metric metric_of(struct span type)
{
    static const struct {
        const char *type;
        enum metric metric;
    } types[] = {
        {"c", METRIC_COUNTER}, {"g", METRIC_GAUGE}, {"ms", METRIC_TIME},
        {"h", METRIC_VALUE},   {"d", METRIC_VALUE}, {"s", METRIC_SET},
    };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (span_is(type, types[i].type))
            return types[i].metric;
    return METRIC_UNKNOWN;
}

static enum status add_suffix(struct word *w, const char *suffix)
{
    char name[OBSERVATION_NAME_MAX];
    size_t size = strlen(suffix);
    if (w->size + size > sizeof name)
        return ST_CORRUPT;
    memcpy(name, w->data, w->size);
    memcpy(name + w->size, suffix, size);
    return word_set(w, span_of(name, w->size + size));
}

static enum status take_tag(struct statsd *d, struct span tag)
{
    struct span key;
    if (!until(&tag, ':', &key))
        return ST_OK;
    if (span_is(key, "version"))
        return word_set(&d->teller.version, tag);
    if (span_is(key, "segment"))
        return word_set(&d->teller.segment, tag);
    return span_is(key, "model") ? word_set(&d->teller.model, tag) : ST_OK;
}

static enum status take_section(struct statsd *d, struct span section)
{
    double rate;
    if (section.size < 1)
        return ST_CORRUPT;
    struct span rest = span_of(section.data + 1, section.size - 1);
    if (section.data[0] == '@') {
        if (text_f64(rest, &rate) != ST_OK || !(rate > 0 && rate <= 1))
            return ST_CORRUPT;
        d->teller.weight = 1 / rate;
    } else if (section.data[0] == '#') {
        for (struct span tag; rest.size > 0;) {
            until(&rest, ',', &tag);
            ST_TRY(take_tag(d, tag));
        }
    }
    return ST_OK; // others are newer than this: passed over
}

static enum status put_value(struct statsd *d, enum metric metric, struct span value)
{
    double v;
    struct flat *f = &d->teller.flat;
    if (metric == METRIC_SET)
        return flat_text(f, word_span(&d->signal), SIDE_SIGNAL, value);
    if (text_f64(value, &v) != ST_OK)
        return ST_CORRUPT;
    return flat_number(f, word_span(&d->signal), SIDE_SIGNAL, v);
}

// A gauge with a sign is a step from a value that is not known here.
static bool is_step(enum metric metric, struct span value)
{
    return metric == METRIC_GAUGE && value.size > 0 && memchr("+-", value.data[0], 2);
}

static enum status read_line(void *self, struct span line, uint64_t now_ns,
                             const struct observation_sink *sink)
{
    struct statsd *d = self;
    struct span name, value, type, section;
    d->teller.sink = sink;
    d->signal.size = 0;
    teller_begin(&d->teller, now_ns, SIDE_SIGNAL);
    ST_TRY(word_set(&d->teller.model, span_text(d->mapping->model)));
    if (!until(&line, ':', &name) || !until(&line, '|', &value))
        return ST_CORRUPT;
    until(&line, '|', &type);
    enum metric metric = metric_of(type);
    if (metric == METRIC_UNKNOWN || value.size == 0)
        return ST_CORRUPT;
    ST_TRY(take_name(d, name));
    while (line.size > 0) {
        until(&line, '|', &section);
        ST_TRY(take_section(d, section));
    }
    if (metric == METRIC_COUNTER)
        d->teller.form = FORM_COUNTS;
    if (metric == METRIC_TIME)
        ST_TRY(add_suffix(&d->signal, "_ms"));
    if (is_step(metric, value))
        ST_TRY(add_suffix(&d->signal, ".step"));
    ST_TRY(put_value(d, metric, value));
    return teller_hand(&d->teller);
}

static void close_statsd(void *self)
{
    struct statsd *d = self;
    teller_fini(&d->teller);
    mem_free(d);
}

enum status decoder_statsd(const struct mapping *m, struct decoder *out)
{
    struct statsd *d = MEM_NEW(struct statsd);
    if (!d)
        return ST_NOMEM;
    d->mapping = m;
    enum status st = teller_init(&d->teller, NULL);
    if (st != ST_OK) {
        close_statsd(d);
        return st;
    }
    *out = (struct decoder){.self = d, .line = read_line, .close = close_statsd};
    return ST_OK;
}
