// Constraints: json-c reads them; what is absent constrains nothing.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/constraints.h"

#include <json-c/json.h>
#include <string.h>

#include "common/base/file.h"
#include "common/base/mem.h"
#include "common/drift/familiar.h"

struct constraint {
    char name[BASELINE_NAME_MAX + 1];
    double completeness; // 0: any
    bool is_non_negative;
};

struct constraints {
    double threshold; // of a distance; 0: distances are not compared
    uint32_t features;
    struct constraint feature[CONSTRAINTS_FEATURES_MAX];
};

static struct json_object *member(struct json_object *o, const char *key)
{
    struct json_object *found;
    if (!json_object_is_type(o, json_type_object) ||
        !json_object_object_get_ex(o, key, &found))
        return NULL;
    return found;
}

// A share of 0..1, or `otherwise`; -1 when it is something else.
static double share_of(struct json_object *o, double otherwise)
{
    if (!o)
        return otherwise;
    double v = json_object_get_double(o);
    bool is_number = json_object_is_type(o, json_type_double) ||
                     json_object_is_type(o, json_type_int);
    return is_number && v >= 0 && v <= 1 ? v : -1;
}

static enum status read_feature(struct json_object *o, struct constraints *c)
{
    struct json_object *name = member(o, "name");
    if (!json_object_is_type(name, json_type_string) ||
        c->features == CONSTRAINTS_FEATURES_MAX)
        return ST_RANGE;
    struct constraint *f = &c->feature[c->features++];
    size_t size = (size_t)json_object_get_string_len(name);
    if (size > BASELINE_NAME_MAX)
        return ST_RANGE;
    memcpy(f->name, json_object_get_string(name), size);
    f->completeness = share_of(member(o, "completeness"), 0);
    f->is_non_negative = json_object_get_boolean(
        member(member(o, "num_constraints"), "is_non_negative"));
    return f->completeness >= 0 ? ST_OK : ST_RANGE;
}

static enum status read_threshold(struct json_object *root, struct constraints *c)
{
    struct json_object *d =
        member(member(root, "monitoring_config"), "distribution_constraints");
    struct json_object *perform = member(d, "perform_comparison");
    bool is_off =
        perform && (json_object_is_type(perform, json_type_string)
                        ? strcmp(json_object_get_string(perform), "Disabled") == 0
                        : !json_object_get_boolean(perform));
    c->threshold =
        is_off ? 0 : share_of(member(d, "comparison_threshold"), d ? 0.1 : 0);
    return c->threshold >= 0 ? ST_OK : ST_RANGE;
}

static enum status read_root(struct json_object *root, struct constraints *c)
{
    struct json_object *list = member(root, "features");
    if (!json_object_is_type(list, json_type_array))
        return ST_RANGE;
    for (size_t i = 0; i < json_object_array_length(list); i++)
        ST_TRY(read_feature(json_object_array_get_idx(list, i), c));
    return read_threshold(root, c);
}

enum status constraints_read(const char *path, struct constraints **out,
                             struct buf *why)
{
    struct buf text;
    struct constraints *c = MEM_NEW(struct constraints);
    if (!c)
        return ST_NOMEM;
    buf_init(&text, CONSTRAINTS_FILE_MAX);
    enum status st = file_read(path, &text);
    struct json_object *root = st == ST_OK ? json_tokener_parse(buf_cstr(&text)) : NULL;
    if (st == ST_OK)
        st = root ? read_root(root, c) : ST_RANGE;
    if (st == ST_RANGE)
        buf_printf(why,
                   "%s: these are no constraints: features[] with a name each, "
                   "shares between 0 and 1",
                   path);
    else if (st != ST_OK)
        buf_printf(why, "%s: %s", path, status_text(st));
    json_object_put(root);
    buf_fini(&text);
    if (st != ST_OK) {
        constraints_close(c);
        return st;
    }
    *out = c;
    return ST_OK;
}

void constraints_close(struct constraints *c)
{
    mem_free(c);
}

static const struct constraint *find(const struct constraints *c, struct span name)
{
    for (uint32_t i = 0; i < c->features; i++)
        if (span_is(name, c->feature[i].name))
            return &c->feature[i];
    return NULL;
}

static uint32_t violations_of(const struct constraints *c, const struct constraint *f,
                              const struct baseline_feature *base,
                              const struct profile *p)
{
    struct familiar now;
    const struct moments *m = profile_moments(p);
    familiar_of(base, p, &now);
    double distance = base->kind == KIND_CATEGORICAL ? now.value[FAMILIAR_LINF]
                                                     : now.value[FAMILIAR_KS];
    uint32_t n = c->threshold > 0 && distance > c->threshold;
    n += 1 - now.value[FAMILIAR_MISSING] < f->completeness;
    n += f->is_non_negative && m && m->n > 0 && m->min < 0;
    return n;
}

uint32_t constraints_violations(const struct constraints *c, const struct baseline *b,
                                const struct drift_window *w)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < w->features; i++) {
        const struct drift_feature *d = &w->feature[i];
        const struct constraint *f = find(c, d->name);
        int32_t at = baseline_find_feature(b, d->name, i);
        if (f && at >= 0 && d->profile)
            n += violations_of(c, f, baseline_feature(b, (uint32_t)at), d->profile);
    }
    return n;
}
