// Catalog: all models, found by owner, tag, stage, feature or digest; those that agents
// report and nobody has registered stand in it as unknown.
//
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "common/base/text.h"
#include "controller/log/references.h"
#include "controller/query/inside.h"
#include "proto/messages/catalog.h"
#include "proto/messages/reference.h"

#define DIGITS_MIN 8u // of a digest that is given in part

// What is asked for; empty: whatever it is.
struct wanted {
    struct span name, owner, tag, stage, feature, digest, state;
    struct buf reference;
};

// What the versions of one model say.
struct versions {
    const struct wanted *w;
    uint32_t count;
    struct span stage; // of the newest version that has one
    uint64_t stage_at;
    bool has_stage, has_digest;
};

static bool begins_with(struct span digits, const uint8_t digest[32])
{
    static const uint8_t none[32];
    if (digits.size < DIGITS_MIN || digits.size > 64 || memcmp(digest, none, 32) == 0)
        return false;
    struct buf hex;
    buf_init(&hex, 128);
    text_put_hex(&hex, span_of(digest, 32));
    bool is_it =
        hex.size >= digits.size && memcmp(hex.data, digits.data, digits.size) == 0;
    buf_fini(&hex);
    return is_it;
}

static struct span bare_digest(struct span s)
{
    static const char prefix[] = "sha256:";
    size_t n = sizeof prefix - 1;
    bool has_it = s.size > n && memcmp(s.data, prefix, n) == 0;
    return has_it ? span_of(s.data + n, s.size - n) : s;
}

static enum status see_version(struct call *c, struct span version, struct span value,
                               void *with)
{
    struct versions *v = with;
    struct record_version r;
    (void)version;
    ST_TRY(records_read(value, &record_version_message, c->pool, &r));
    v->count++;
    v->has_stage |= span_equal(r.stage, v->w->stage);
    v->has_digest |=
        begins_with(v->w->digest, r.artifact) || begins_with(v->w->digest, r.data) ||
        begins_with(v->w->digest, r.code) || begins_with(v->w->digest, r.baseline);
    if (r.stage.size > 0 && r.created >= v->stage_at) {
        v->stage = r.stage;
        v->stage_at = r.created;
    }
    return ST_OK;
}

// Whether the newest baseline of any version has that feature.
static enum status has_feature(struct call *c, struct wanted *w, uint32_t model,
                               bool *found)
{
    struct shelf_key prefix = key_baselines_of(model);
    struct shelf_walk walk;
    struct span key;
    enum status st;
    *found = false;
    shelf_walk_init(&walk, c->s, SHELF_CATALOG, &prefix);
    while ((st = shelf_walk_next(&walk, &key, NULL)) == ST_OK && !*found) {
        struct reference r;
        buf_clear(&w->reference);
        if (key.size != 9)
            return ST_CORRUPT;
        ST_TRY(references_read(c->s, model, load_be32(key.data + 5), c->pool,
                               &w->reference));
        ST_TRY(
            message_decode(&reference_message, buf_span(&w->reference), c->pool, &r));
        for (uint32_t i = 0; i < r.features && !*found; i++)
            *found = span_equal(r.feature[i].name, w->feature);
    }
    return st == ST_EMPTY ? ST_OK : st;
}

static bool has_tag(const struct record_model *m, struct span tag)
{
    for (uint32_t i = 0; i < m->tags; i++)
        if (span_equal(m->tag[i], tag))
            return true;
    return false;
}

static bool fits_model(const struct wanted *w, const struct record_model *m)
{
    return (w->name.size == 0 || text_glob(w->name, m->name)) &&
           (w->owner.size == 0 || text_glob(w->owner, m->owner)) &&
           (w->tag.size == 0 || has_tag(m, w->tag));
}

static void write_row(struct call *c, const struct record_model *m,
                      const struct versions *v, const char *state)
{
    json_object(c->j);
    json_key_text(c->j, "model", m->name);
    json_key_text(c->j, "owner", m->owner);
    json_key(c->j, "tags");
    json_array(c->j);
    for (uint32_t i = 0; i < m->tags; i++)
        json_text(c->j, m->tag[i]);
    json_array_end(c->j);
    json_key_text(c->j, "stage", v->stage);
    json_key_u64(c->j, "versions", v->count);
    json_key_text(c->j, "champion", m->champion);
    json_key_cstr(c->j, "state", state);
    json_key_time(c->j, "added", m->created);
    json_object_end(c->j);
}

static enum status see_model(struct call *c, struct span name, struct span value,
                             void *with)
{
    struct wanted *w = with;
    struct versions v = {.w = w};
    struct record_model m;
    uint32_t model;
    bool found = true;
    (void)name;
    ST_TRY(records_read(value, &record_model_message, c->pool, &m));
    if (!fits_model(w, &m))
        return ST_OK;
    const char *state = "no data";
    enum status st = names_model(c->s, m.name, &model);
    if (st == ST_OK) {
        struct shelf_key versions = key_versions(model);
        ST_TRY(call_walk(c, SHELF_CATALOG, &versions, see_version, &v));
        if (w->feature.size > 0)
            ST_TRY(has_feature(c, w, model, &found));
        write_state_of_model(c, model, &state);
    }
    if (st != ST_OK && st != ST_NOTFOUND)
        return st;
    bool fits = found && (w->stage.size == 0 || v.has_stage) &&
                (w->digest.size == 0 || v.has_digest) &&
                (w->state.size == 0 || span_is(w->state, state));
    if (fits)
        write_row(c, &m, &v, state);
    return ST_OK;
}

// The one who reported it first stands in the record.
static enum status see_unknown(struct call *c, struct span name, struct span value,
                               void *with)
{
    const struct wanted *w = with;
    struct record_event e;
    ST_TRY(records_read(value, &record_event_message, c->pool, &e));
    bool fits = (w->name.size == 0 || text_glob(w->name, name)) && w->owner.size == 0 &&
                w->tag.size == 0 && w->stage.size == 0 && w->feature.size == 0 &&
                w->digest.size == 0 &&
                (w->state.size == 0 || span_is(w->state, "unknown"));
    if (!fits)
        return ST_OK;
    json_object(c->j);
    json_key_text(c->j, "model", name);
    json_key_cstr(c->j, "state", "unknown");
    json_key_text(c->j, "reported_by", e.host);
    json_key_time(c->j, "added", e.at);
    json_object_end(c->j);
    return ST_OK;
}

enum status answer_model_list(struct call *c)
{
    struct wanted w = {.name = call_arg(c, "name"),
                       .owner = call_arg(c, "owner"),
                       .tag = call_arg(c, "tag"),
                       .stage = call_arg(c, "stage"),
                       .feature = call_arg(c, "feature"),
                       .digest = bare_digest(call_arg(c, "digest")),
                       .state = call_arg(c, "state")};
    if (w.digest.size > 0 && w.digest.size < DIGITS_MIN)
        return call_refuse(c, CODE_USAGE, "--digest: at least %u of its digits",
                           DIGITS_MIN);
    struct shelf_key models = key_models(), unknowns = key_unknowns();
    buf_init(&w.reference, wire_row(WIRE_REFERENCE)->bytes_max);
    json_key(c->j, "models");
    json_array(c->j);
    enum status st = call_walk(c, SHELF_CATALOG, &models, see_model, &w);
    if (st == ST_OK)
        st = call_walk(c, SHELF_CATALOG, &unknowns, see_unknown, &w);
    json_array_end(c->j);
    buf_fini(&w.reference);
    return st;
}
