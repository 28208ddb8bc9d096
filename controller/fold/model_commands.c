// Model commands: models, versions, baselines, events and the policy's text.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/fold/commands.h"

#include <stddef.h>
#include <string.h>

#include "common/base/json.h"
#include "common/base/text.h"
#include "common/drift/baseline.h"
#include "common/trust/digest.h"
#include "controller/log/keys.h"
#include "controller/log/names.h"
#include "controller/log/records.h"
#include "controller/log/references.h"

#define POLICY_BYTES_MAX (256u * 1024u)

static const char *const modes[] = {"observe", "suggest", "approve", "auto"};

static bool mode_arg(const struct order_of *o, uint8_t *out)
{
    struct span v = entry_arg(o->c, "mode");
    if (v.size == 0)
        return true;
    for (uint8_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        if (span_is(v, modes[i])) {
            *out = i;
            return true;
        }
    }
    return false;
}

static void text_arg(const struct order_of *o, const char *key, struct span *out)
{
    struct span v = entry_arg(o->c, key);
    if (v.size > 0)
        *out = v;
}

// {"model": .., "version": .., "number": ..} and the like.
static enum status say(const struct order_of *o, const char *key, struct span name,
                       const char *more_key, struct span more)
{
    struct buf b;
    struct json j;
    buf_init(&b, 4096);
    json_init(&j, &b);
    json_object(&j);
    json_key_text(&j, key, name);
    if (more_key)
        json_key_text(&j, more_key, more);
    json_object_end(&j);
    enum status st = b.failed != ST_OK ? b.failed : command_done(o, buf_span(&b));
    buf_fini(&b);
    return st;
}

static enum status get_model(const struct order_of *o, struct span name,
                             struct record_model *out)
{
    struct shelf_key k = key_model(name);
    return records_get(o->s, SHELF_CATALOG, &k, &record_model_message, &o->f->pool,
                       out);
}

static enum status put_model(const struct order_of *o, const struct record_model *m)
{
    struct shelf_key k = key_model(m->name);
    return records_put(o->s, SHELF_CATALOG, &k, &record_model_message, m);
}

// Adds the model, or changes what is said of it.
enum status command_model_add(const struct order_of *o)
{
    struct span name = entry_arg(o->c, "model");
    if (!text_is_name(name))
        return command_refused(o, EXIT_USAGE, "model: a name of [A-Za-z0-9._@/+:-]");
    struct record_model m;
    enum status st = get_model(o, name, &m);
    if (st == ST_NOTFOUND) {
        m = (struct record_model){
            .name = name, .created = o->f->moment.now_ns, .mode = POLICY_SUGGEST};
        if (o->c->random.size >= sizeof m.key)
            memcpy(m.key, o->c->random.data, sizeof m.key);
    } else if (st != ST_OK) {
        return st;
    }
    text_arg(o, "owner", &m.owner);
    text_arg(o, "note", &m.note);
    text_arg(o, "executor", &m.executor);
    if (entry_arg(o->c, "tags").size > 0)
        m.tag = command_list_arg(o, "tags", &m.tags);
    if (!mode_arg(o, &m.mode) || !command_duration_arg(o, "window", &m.window_ns) ||
        !command_duration_arg(o, "patience", &m.patience_ns))
        return command_refused(o, EXIT_USAGE, "mode, window or patience is wrong");
    uint32_t number;
    st = names_model_new(o->s, name, &number);
    if (st == ST_RANGE)
        return command_refused(o, EXIT_CONFLICT, "too many models");
    if (st != ST_OK)
        return st;
    struct shelf_key unknown = key_unknown(name);
    st = shelf_del(o->s, SHELF_CATALOG, &unknown);
    if (st != ST_OK && st != ST_NOTFOUND)
        return st;
    ST_TRY(put_model(o, &m));
    ST_TRY(command_audit(o, name, m.note));
    return say(o, "model", name, NULL, (struct span){0});
}

static enum status get_version(const struct order_of *o, uint32_t model,
                               struct span name, struct record_version *out)
{
    struct shelf_key k = key_version(model, name);
    return records_get(o->s, SHELF_CATALOG, &k, &record_version_message, &o->f->pool,
                       out);
}

static enum status put_version(const struct order_of *o, uint32_t model,
                               const struct record_version *v)
{
    struct shelf_key k = key_version(model, v->version);
    return records_put(o->s, SHELF_CATALOG, &k, &record_version_message, v);
}

// The version's record, or a new one; both names must be good. *refused: it was
// answered.
static enum status want_version(const struct order_of *o, uint32_t *model,
                                uint32_t *number, struct record_version *v,
                                bool *refused)
{
    struct span name = entry_arg(o->c, "model"), version = entry_arg(o->c, "version");
    struct record_model m;
    *refused = true;
    if (!text_is_name(name) || !text_is_name(version))
        return command_refused(o, EXIT_USAGE, "model and version: names are needed");
    enum status st = get_model(o, name, &m);
    if (st == ST_NOTFOUND)
        return command_refused(o, EXIT_NOTFOUND, "no such model: add it first");
    if (st == ST_OK)
        st = names_model_new(o->s, name, model);
    if (st == ST_OK)
        st = names_version_new(o->s, *model, version, number);
    if (st == ST_RANGE)
        return command_refused(o, EXIT_CONFLICT, "too many versions");
    if (st != ST_OK)
        return st;
    st = get_version(o, *model, version, v);
    if (st == ST_NOTFOUND) {
        *v = (struct record_version){.model = name,
                                     .version = version,
                                     .created = o->f->moment.now_ns,
                                     .created_by = o->c->actor};
        st = ST_OK;
    }
    *refused = false;
    return st;
}

// The digests that name a version: once said they stay, or an attested version, a
// baseline and a receipt would come to mean other bytes than they meant.
static const struct fixed_digest {
    const char *arg;
    const char *what;
    size_t at;
} fixed_digests[] = {
    {"artifact", "artifact", offsetof(struct record_version, artifact)},
    {"data", "training data", offsetof(struct record_version, data)},
    {"code", "code", offsetof(struct record_version, code)},
};

// A git commit of 40 digits fills the first 20 bytes of a digest.
static bool digest_arg(const struct order_of *o, const char *arg, uint8_t out[32])
{
    size_t digits = entry_arg(o->c, arg).size;
    bool is_commit = digits == 40 && strcmp(arg, "code") == 0;
    return command_hex_arg(o, arg, out, is_commit ? 20 : 32);
}

static enum status refuse_other_digest(const struct order_of *o,
                                       const struct record_version *v,
                                       const struct fixed_digest *d)
{
    struct buf hex, why;
    buf_init(&hex, 128);
    buf_init(&why, 1024);
    text_put_hex(&hex, span_of((const uint8_t *)v + d->at, 32));
    buf_printf(
        &why,
        "%.*s@%.*s has another %s already (sha256 %.12s...), and a version never "
        "changes: add this one under a version name of its own",
        (int)v->model.size, (const char *)v->model.data, (int)v->version.size,
        (const char *)v->version.data, d->what, buf_cstr(&hex));
    enum status st = command_refused(o, EXIT_CONFLICT, buf_cstr(&why));
    buf_fini(&hex);
    buf_fini(&why);
    return st;
}

// Sets the digests that are said for the first time. *refused: it was answered.
static enum status take_digests(const struct order_of *o, struct record_version *v,
                                bool *refused)
{
    static const uint8_t none[32];
    *refused = true;
    for (size_t i = 0; i < sizeof fixed_digests / sizeof fixed_digests[0]; i++) {
        const struct fixed_digest *d = &fixed_digests[i];
        uint8_t *kept = (uint8_t *)v + d->at, given[32] = {0};
        if (!digest_arg(o, d->arg, given))
            return command_refused(o, EXIT_USAGE,
                                   "a digest is 64 hex digits, a git commit 40 or 64");
        if (memcmp(given, none, sizeof none) == 0)
            continue;
        if (memcmp(kept, none, sizeof none) != 0 &&
            memcmp(kept, given, sizeof given) != 0)
            return refuse_other_digest(o, v, d);
        memcpy(kept, given, sizeof given);
    }
    *refused = false;
    return ST_OK;
}

enum status command_version_add(const struct order_of *o)
{
    uint32_t model = 0, number = 0;
    struct record_version v;
    bool refused;
    enum status st = want_version(o, &model, &number, &v, &refused);
    if (st == ST_OK && !refused)
        st = take_digests(o, &v, &refused);
    if (st != ST_OK || refused)
        return st;
    text_arg(o, "parent", &v.parent);
    text_arg(o, "stage", &v.stage);
    text_arg(o, "note", &v.note);
    ST_TRY(put_version(o, model, &v));
    struct record_event e = {.at = o->f->moment.now_ns,
                             .kind = span_text("release"),
                             .model = v.model,
                             .version = v.version,
                             .actor = o->c->actor,
                             .text = v.note};
    if (!command_time_arg(o, "at", &e.at))
        return command_refused(o, EXIT_USAGE, "at: write it like 2012-08-15T00:00:00Z");
    ST_TRY(history_event(o->f, o->s, &e));
    ST_TRY(command_audit(o, v.model, v.version));
    return say(o, "model", v.model, "version", v.version);
}

// From staging to production, or back: who, when and where to stands in the log.
enum status command_model_promote(const struct order_of *o)
{
    struct span name = entry_arg(o->c, "model"), version = entry_arg(o->c, "version");
    struct span to = entry_arg(o->c, "to");
    uint32_t model;
    struct record_version v;
    if (!text_is_name(to))
        return command_refused(o, EXIT_USAGE, "--to: a word such as production");
    enum status st = names_model(o->s, name, &model);
    if (st == ST_OK)
        st = get_version(o, model, version, &v);
    if (st == ST_NOTFOUND)
        return command_refused(o, EXIT_NOTFOUND, "no such version: write NAME@VERSION");
    if (st != ST_OK)
        return st;
    v.stage = to;
    ST_TRY(put_version(o, model, &v));
    struct record_event e = {.at = o->f->moment.now_ns,
                             .kind = span_text("stage"),
                             .model = v.model,
                             .version = v.version,
                             .actor = o->c->actor,
                             .text = to};
    ST_TRY(history_event(o->f, o->s, &e));
    ST_TRY(command_audit(o, v.model, to));
    return say(o, "model", v.model, "stage", to);
}

// --- Baselines

// The model's categories are hashed with one key: the first baseline brings it, the
// others must have it.
static enum status adopt_key(const struct order_of *o, struct span name, uint32_t model,
                             const uint8_t *key, bool *fits)
{
    struct record_model m;
    ST_TRY(get_model(o, name, &m));
    struct shelf_key prefix = key_baselines_of(model);
    enum status st = shelf_last(o->s, SHELF_CATALOG, &prefix, NULL, NULL);
    if (st != ST_OK && st != ST_NOTFOUND)
        return st;
    *fits = true;
    if (memcmp(m.key, key, sizeof m.key) == 0)
        return ST_OK;
    *fits = st == ST_NOTFOUND;
    if (!*fits)
        return ST_OK;
    memcpy(m.key, key, sizeof m.key);
    return put_model(o, &m);
}

static enum status keep_baseline(const struct order_of *o, const struct baseline *b,
                                 const struct record_version *v, uint32_t model,
                                 uint32_t number, uint8_t digest[32])
{
    struct record_baseline r = {.model = v->model,
                                .version = v->version,
                                .source = entry_arg(o->c, "source"),
                                .rows = baseline_rows(b),
                                .first_event = baseline_start(b),
                                .last_event = baseline_end(b),
                                .created = o->f->moment.now_ns,
                                .created_by = o->c->actor,
                                .sealed = o->c->blob};
    ST_TRY(digest_of(o->c->blob, r.digest));
    memcpy(r.data, baseline_source(b), sizeof r.data);
    memcpy(digest, r.digest, sizeof r.digest);
    struct shelf_key k = key_baseline(model, number);
    ST_TRY(records_put(o->s, SHELF_CATALOG, &k, &record_baseline_message, &r));
    ST_TRY(references_keep(o->s, model, number, &r, b));
    struct record_version changed = *v;
    memcpy(changed.baseline, r.digest, sizeof changed.baseline);
    ST_TRY(put_version(o, model, &changed));
    if (o->f->judge.baseline)
        ST_TRY(o->f->judge.baseline(o->f->judge.self, o->s, model, number,
                                    &o->f->moment, o->f->o.effects));
    struct effect x = {.kind = EFFECT_REFERENCE, .text = v->model, .more = v->version};
    return effects_add(o->f->o.effects, &x);
}

static enum status seal(const struct order_of *o, const struct baseline *b)
{
    uint32_t model = 0, number = 0;
    struct record_version v;
    bool refused, fits;
    enum status st = want_version(o, &model, &number, &v, &refused);
    if (st != ST_OK || refused)
        return st;
    ST_TRY(adopt_key(o, v.model, model, baseline_key(b), &fits));
    if (!fits)
        return command_refused(o, EXIT_CONFLICT,
                               "its categories were hashed with another key than the "
                               "model's: build it with the key of the model");
    uint8_t digest[32];
    ST_TRY(keep_baseline(o, b, &v, model, number, digest));
    struct buf hex;
    buf_init(&hex, 128);
    text_put_hex(&hex, span_of(digest, sizeof digest));
    st = hex.failed;
    if (st == ST_OK)
        st = command_audit(o, v.model, buf_span(&hex));
    if (st == ST_OK)
        st = say(o, "model", v.model, "baseline", buf_span(&hex));
    buf_fini(&hex);
    return st;
}

// The blob is the encoded baseline: whoever built it has sealed it.
enum status command_baseline_seal(const struct order_of *o)
{
    struct baseline *b;
    if (o->c->blob.size == 0 || o->c->blob.size > RECORD_BASELINE_MAX)
        return command_refused(o, EXIT_USAGE,
                               "a sealed baseline of at most 1 MiB is needed");
    enum status st = baseline_decode(o->c->blob, &b);
    if (st == ST_NOMEM)
        return st;
    if (st != ST_OK)
        return command_refused(o, EXIT_USAGE, "these bytes are no baseline");
    st = seal(o, b);
    baseline_close(b);
    return st;
}

// --- Events and policy

enum status command_event_record(const struct order_of *o)
{
    struct record_event e = {.at = o->f->moment.now_ns,
                             .kind = entry_arg(o->c, "kind"),
                             .model = entry_arg(o->c, "model"),
                             .version = entry_arg(o->c, "version"),
                             .host = entry_arg(o->c, "host"),
                             .actor = o->c->actor,
                             .text = entry_arg(o->c, "text")};
    if (!command_time_arg(o, "at", &e.at))
        return command_refused(o, EXIT_USAGE, "at: write it like 2012-08-15T00:00:00Z");
    if (e.kind.size == 0)
        e.kind = span_text("note");
    bool has_bad_name = (e.model.size > 0 && !text_is_name(e.model)) ||
                        (e.version.size > 0 && !text_is_name(e.version)) ||
                        (e.host.size > 0 && !text_is_name(e.host)) ||
                        !text_is_name(e.kind) || e.text.size > RECORD_NOTE_MAX;
    if (has_bad_name)
        return command_refused(o, EXIT_USAGE, "a name or the text is out of bounds");
    ST_TRY(history_event(o->f, o->s, &e));
    ST_TRY(command_audit(o, e.model, e.text));
    return say(o, "kind", e.kind, NULL, (struct span){0});
}

// Kept as text; the room that acts refuses what it cannot read before it comes here.
enum status command_policy_set(const struct order_of *o)
{
    if (o->c->blob.size > POLICY_BYTES_MAX || !text_is_utf8(o->c->blob))
        return command_refused(o, EXIT_USAGE, "a policy is text of at most 256 KiB");
    struct shelf_key k = key_policy();
    ST_TRY(shelf_put(o->s, SHELF_CATALOG, &k, o->c->blob));
    ST_TRY(command_audit(o, span_text("@fleet"), (struct span){0}));
    return say(o, "policy", span_text("set"), NULL, (struct span){0});
}
