// Lineage and business signals: the commands that bring them into the log.
//
// SPDX-License-Identifier: Apache-2.0
#include <math.h>

#include "common/base/json.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "controller/fold/commands.h"
#include "controller/log/keys.h"
#include "controller/log/lineage.h"

#define POINTS_MAX 10000u // of one push

static enum status refuse_line(const struct order_of *o, const struct lineage_fault *f)
{
    struct buf b;
    buf_init(&b, 512);
    buf_printf(&b, "line %u: %s", f->line, f->what);
    enum status st = command_refused(o, EXIT_USAGE, buf_cstr(&b));
    buf_fini(&b);
    return st;
}

static enum status say_counts(const struct order_of *o, uint64_t from,
                              const struct lineage *l)
{
    struct buf b;
    struct json j;
    buf_init(&b, 512);
    json_init(&j, &b);
    json_object(&j);
    json_key_time(&j, "from", from);
    json_key_u64(&j, "nodes", l->nodes);
    json_key_u64(&j, "edges", l->edges);
    json_object_end(&j);
    enum status st = b.failed != ST_OK ? b.failed : command_done(o, buf_span(&b));
    buf_fini(&b);
    return st;
}

// A circle in what feeds what would let a thing explain itself.
static enum status has_circle(const struct lineage *l, bool *out)
{
    uint32_t count = 0;
    uint8_t *mark = mem_zero(l->nodes + 1, 1);
    enum status st = mark ? lineage_circles(l, mark, &count) : ST_NOMEM;
    mem_free(mark);
    *out = count > 0;
    return st;
}

static enum status import(const struct order_of *o, const struct lineage *l)
{
    uint64_t from = o->f->moment.now_ns;
    bool circle = false;
    if (!command_time_arg(o, "from", &from))
        return command_refused(o, EXIT_USAGE, "from: write it like 2026-03-01");
    ST_TRY(has_circle(l, &circle));
    if (circle && !span_is(entry_arg(o->c, "force"), "yes"))
        return command_refused(o, EXIT_CONFLICT,
                               "there is a circle in it: kedge lineage check shows it, "
                               "--force imports it all the same");
    ST_TRY(lineage_put(o->s, from, o->f->moment.now_ns, o->c->blob));
    ST_TRY(command_audit(o, span_text("@lineage"), (struct span){0}));
    return say_counts(o, from, l);
}

enum status command_lineage_import(const struct order_of *o)
{
    struct lineage l;
    struct lineage_fault fault;
    enum status st = lineage_parse(o->c->blob, &l, &fault);
    if (st == ST_CORRUPT || st == ST_FULL)
        return refuse_line(o, &fault);
    ST_TRY(st);
    st = import(o, &l);
    lineage_fini(&l);
    return st;
}

static enum status put_point(const struct order_of *o, struct span name, uint64_t at,
                             double value)
{
    uint8_t bytes[8];
    struct shelf_key k = key_signal(name, at, o->f->moment.now_ns);
    store_le_f64(bytes, value);
    return shelf_put(o->s, SHELF_COMPONENT, &k, span_of(bytes, sizeof bytes));
}

// "TIME,VALUE" lines of a blob. ST_RANGE: it is none, *line tells where.
static enum status put_points(const struct order_of *o, struct span name,
                              uint32_t *line)
{
    struct span rest = o->c->blob;
    for (*line = 1; rest.size && *line <= POINTS_MAX; (*line)++) {
        size_t n = 0, comma = 0;
        while (n < rest.size && rest.data[n] != '\n')
            n++;
        while (comma < n && rest.data[comma] != ',')
            comma++;
        uint64_t at;
        double value;
        struct span text =
            span_of(rest.data + comma + 1, comma < n ? n - comma - 1 : 0);
        if (text_time(span_of(rest.data, comma), &at) != ST_OK ||
            text_f64(text, &value) != ST_OK)
            return ST_RANGE;
        ST_TRY(put_point(o, name, at, value));
        n += n < rest.size;
        rest = span_of(rest.data + n, rest.size - n);
    }
    return rest.size ? ST_RANGE : ST_OK;
}

// Points of a KPI are data, not changes: they leave no leaf in the audit log.
enum status command_signal_push(const struct order_of *o)
{
    struct span name = entry_arg(o->c, "name"), text = entry_arg(o->c, "value");
    uint64_t at = o->f->moment.now_ns;
    uint32_t line;
    double value;
    if (!text_is_name(name))
        return command_refused(o, EXIT_USAGE, "a signal has a name");
    if (!command_time_arg(o, "at", &at))
        return command_refused(o, EXIT_USAGE, "at: write it like 2026-03-01T00:00:00Z");
    if (o->c->blob.size) {
        enum status st = put_points(o, name, &line);
        if (st == ST_RANGE)
            return command_refused(o, EXIT_USAGE,
                                   "each line is TIME,VALUE; at most 10000 of them");
        ST_TRY(st);
        return command_done(o, span_text("{\"pushed\":true}"));
    }
    if (text_f64(text, &value) != ST_OK)
        return command_refused(o, EXIT_USAGE, "the value is no number");
    ST_TRY(put_point(o, name, at, value));
    return command_done(o, span_text("{\"pushed\":true}"));
}
