// Models: what is registered, what serves where, and what served then.
//
// SPDX-License-Identifier: Apache-2.0
#include <math.h>
#include <string.h>

#include "common/base/text.h"
#include "common/drift/baseline.h"
#include "common/drift/verdict.h"
#include "controller/log/cases.h"
#include "controller/log/grades.h"
#include "controller/log/progress.h"
#include "controller/log/serving.h"
#include "controller/log/standing.h"
#include "controller/query/inside.h"

static enum status read_model(struct call *c, struct span name, struct record_model *m)
{
    struct shelf_key key = key_model(name);
    *m = (struct record_model){.name = name};
    enum status st =
        records_get(c->s, SHELF_CATALOG, &key, &record_model_message, c->pool, m);
    return st == ST_NOTFOUND ? ST_OK : st;
}

// "ok", "warn", "page", or "no data"; a store that cannot be read shows no data.
void write_state_of_model(struct call *c, uint32_t model, const char **state)
{
    uint8_t id[CASE_ID_BYTES];
    bool is_open;
    struct record_alert a;
    struct progress_model progress;
    *state = "no data";
    if (cases_open_of(c->s, model, id, &is_open) != ST_OK)
        return;
    if (is_open) {
        struct shelf_key key = key_alert(id);
        if (records_get(c->s, SHELF_ALERT, &key, &record_alert_message, c->pool, &a) ==
            ST_OK)
            *state = tier_name(a.tier);
        return;
    }
    if (progress_get_model(c->s, model, &progress) == ST_OK && progress.judged_ns)
        *state = "ok";
}

static enum status write_version(struct call *c, struct span version, struct span value,
                                 void *with)
{
    const uint32_t *model = with;
    struct record_version v;
    ST_TRY(records_read(value, &record_version_message, c->pool, &v));
    struct shelf_key held = key_state('h', *model);
    struct span why;
    shelf_key_bytes(&held, version);
    enum status st = shelf_get(c->s, SHELF_STATE, &held, &why);
    if (st != ST_OK && st != ST_NOTFOUND)
        return st;
    json_object(c->j);
    json_key_text(c->j, "version", version);
    json_key_hex(c->j, "artifact", span_of(v.artifact, 32));
    json_key_hex(c->j, "data", span_of(v.data, 32));
    json_key_hex(c->j, "code", span_of(v.code, 32));
    json_key_hex(c->j, "baseline", span_of(v.baseline, 32));
    json_key_text(c->j, "parent", v.parent);
    json_key_text(c->j, "note", v.note);
    json_key_text(c->j, "stage", v.stage);
    json_key_time(c->j, "added", v.created);
    json_key_text(c->j, "by", v.created_by);
    json_key_bool(c->j, "held", st == ST_OK);
    json_object_end(c->j);
    return ST_OK;
}

static void write_host(struct call *c, const struct serving_host *h)
{
    json_object(c->j);
    json_key_cstr(c->j, "host", h->host);
    json_key_cstr(c->j, "version", h->version);
    json_key_cstr(c->j, "before", h->before);
    json_key_time(c->j, "since", h->at_ns);
    json_key_cstr(c->j, "by", h->by_order ? "order" : "deployment");
    json_key_hex(c->j, "digest", span_of(h->digest, 32));
    json_object_end(c->j);
}

static void write_figure(struct call *c, const char *key, double v)
{
    json_key(c->j, key);
    if (isfinite(v))
        json_f64(c->j, v);
    else
        json_null(c->j);
}

// From the labels that came, of the last windows.
static enum status write_performance(struct call *c, uint32_t model)
{
    struct grades g;
    struct grades_figures f;
    enum status st = grades_get(c->s, model, &g);
    if (st == ST_NOTFOUND)
        return ST_OK;
    ST_TRY(st);
    grades_figures(&g, &f);
    json_key(c->j, "performance");
    json_object(c->j);
    json_key_cstr(c->j, "version", g.version);
    json_key_time(c->j, "judged_until", g.judged_ns);
    write_figure(c, "label_coverage", f.coverage);
    write_figure(c, "mae", f.mae);
    write_figure(c, "bias", f.bias);
    write_figure(c, "calibration_in_the_large", f.in_the_large);
    write_figure(c, "calibration_slope", f.slope);
    write_figure(c, "auc", f.auc);
    write_figure(c, "auc_sd", f.auc_sd);
    write_figure(c, "estimate_without_labels", f.estimate);
    json_key_cstr(c->j, "estimate_note", f.estimate_note);
    json_object_end(c->j);
    return ST_OK;
}

// How the newest version does against the one before it.
static void write_standing(struct call *c, const struct standing *s)
{
    double windows = fmax((double)s->contest.windows, 1);
    json_key_cstr(c->j, "version", s->version);
    json_key_cstr(c->j, "against", s->against);
    json_key_time(c->j, "since", s->deployed_ns);
    json_key_time(c->j, "judged_until", s->judged_ns);
    if (s->has_watch) {
        json_key_cstr(c->j, "verdict", deploy_verdict_name(s->verdict));
        json_key_bool(c->j, "is_over", s->is_over);
        json_key_bool(c->j, "withheld", s->withheld);
        json_key_u64(c->j, "windows", s->windows);
        json_key_u64(c->j, "side_by_side", s->beside);
        json_key_u64(c->j, "rows_needed", s->rows_needed);
        json_key_cstr(c->j, "moved_most", s->mover);
        json_key_f64(c->j, "effect", s->effect);
        json_key_f64(c->j, "evidence", s->evidence);
    }
    json_key_cstr(c->j, "contest", standing_contest_name(standing_contest(s)));
    json_key_u64(c->j, "contest_windows", s->contest.windows);
    json_key_u64(c->j, "contest_rows", s->rows);
    json_key_u64(c->j, "contest_rows_needed", standing_rows_needed(s));
    json_key_f64(c->j, "loss", s->loss[1] / windows);
    json_key_f64(c->j, "loss_against", s->loss[0] / windows);
    json_key_f64(c->j, "evidence_better", contest_challenger_evidence(&s->contest));
    json_key_f64(c->j, "evidence_worse", contest_champion_evidence(&s->contest));
}

static enum status write_comparison(struct call *c, uint32_t model)
{
    struct standing s;
    enum status st = standing_get(c->s, model, &s);
    if (st == ST_NOTFOUND)
        return ST_OK;
    ST_TRY(st);
    json_key(c->j, "comparison");
    json_object(c->j);
    write_standing(c, &s);
    json_object_end(c->j);
    return ST_OK;
}

enum status answer_model_show(struct call *c)
{
    struct span name;
    uint32_t model;
    enum status st = call_model(c, &name, &model);
    if (st != ST_OK)
        return st == ST_NOTFOUND ? ST_OK : st;
    struct record_model m;
    struct progress_model progress;
    struct serving serving;
    const char *state;
    ST_TRY(read_model(c, name, &m));
    ST_TRY(progress_get_model(c->s, model, &progress));
    write_state_of_model(c, model, &state);
    json_key_text(c->j, "model", name);
    json_key_text(c->j, "owner", m.owner);
    json_key(c->j, "tags");
    json_array(c->j);
    for (uint32_t i = 0; i < m.tags; i++)
        json_text(c->j, m.tag[i]);
    json_array_end(c->j);
    json_key_cstr(c->j, "state", state);
    json_key_time(c->j, "judged_until", progress.judged_ns);
    json_key_u64(c->j, "rows_too_late", progress.too_late);
    ST_TRY(write_performance(c, model));
    ST_TRY(write_comparison(c, model));
    struct shelf_key versions = key_versions(model);
    json_key(c->j, "versions");
    json_array(c->j);
    ST_TRY(call_walk(c, SHELF_CATALOG, &versions, write_version, &model));
    json_array_end(c->j);
    ST_TRY(serving_read(c->s, model, &serving));
    json_key(c->j, "serving");
    json_array(c->j);
    for (uint32_t i = 0; i < serving.hosts; i++)
        write_host(c, &serving.host[i]);
    json_array_end(c->j);
    serving_fini(&serving);
    return ST_OK;
}

// One interval of the serving history: it ends where the same host's next one begins.
struct history {
    uint64_t at_ns; // only what served then; 0: everything
    bool has_open;
    uint8_t agent[16];
    struct record_attest a;
    char host[SERVING_NAME_MAX + 1], version[SERVING_NAME_MAX + 1], cause[32];
};

static void copy_text(char *out, size_t size, struct span text)
{
    size_t n = text.size < size - 1 ? text.size : size - 1;
    if (n)
        memcpy(out, text.data, n);
    out[n] = '\0';
}

static void write_interval(struct call *c, const struct history *h, uint64_t until)
{
    if (!h->has_open)
        return;
    if (h->at_ns && (h->a.at > h->at_ns || (until && until <= h->at_ns)))
        return;
    json_object(c->j);
    json_key_cstr(c->j, "host", h->host);
    json_key_cstr(c->j, "version", h->version);
    json_key_time(c->j, "from", h->a.at);
    json_key_time(c->j, "to", until);
    json_key_cstr(c->j, "cause", h->cause);
    json_key_hex(c->j, "digest", span_of(h->a.digest, 32));
    json_object_end(c->j);
}

static enum status write_served(struct call *c, struct span rest, struct span value,
                                void *with)
{
    struct history *h = with;
    struct record_attest a;
    (void)rest;
    ST_TRY(records_read(value, &record_attest_message, c->pool, &a));
    bool is_same_host = h->has_open && memcmp(h->agent, a.agent, 16) == 0;
    write_interval(c, h, is_same_host ? a.at : 0);
    h->has_open = true;
    h->a = a;
    memcpy(h->agent, a.agent, 16);
    copy_text(h->host, sizeof h->host, a.host);
    copy_text(h->version, sizeof h->version, a.version);
    copy_text(h->cause, sizeof h->cause, a.cause);
    return ST_OK;
}

enum status answer_model_history(struct call *c)
{
    struct span name, at = call_arg(c, "at");
    uint32_t model;
    struct history h = {0};
    enum status st = call_model(c, &name, &model);
    if (st != ST_OK)
        return st == ST_NOTFOUND ? ST_OK : st;
    if (at.size && text_time(at, &h.at_ns) != ST_OK)
        return call_refuse(c, CODE_USAGE,
                           "--at: write a time like 2012-08-15T00:00:00Z");
    struct shelf_key prefix = key_served_all(model);
    json_key_text(c->j, "model", name);
    json_key(c->j, "intervals");
    json_array(c->j);
    ST_TRY(call_walk(c, SHELF_AGENT, &prefix, write_served, &h));
    write_interval(c, &h, 0);
    json_array_end(c->j);
    return ST_OK;
}

// The key that hashes the model's categories: whoever builds a baseline needs it.
enum status answer_model_key(struct call *c)
{
    struct span name = call_arg(c, "model");
    struct record_model m;
    if (!span_is(c->ask->role, "admin") && !span_is(c->ask->role, "approver"))
        return call_refuse(c, CODE_DENIED,
                           "sealing a baseline takes the role approver or admin");
    struct shelf_key key = key_model(name);
    enum status st =
        records_get(c->s, SHELF_CATALOG, &key, &record_model_message, c->pool, &m);
    if (st == ST_NOTFOUND)
        return call_refuse(c, CODE_NOT_FOUND,
                           "no model '%.*s' is registered: kedge model add",
                           (int)name.size, name.size ? (const char *)name.data : "");
    ST_TRY(st);
    json_key_text(c->j, "model", name);
    json_key_hex(c->j, "key", span_of(m.key, sizeof m.key));
    return ST_OK;
}

static void write_features(struct call *c, const struct baseline *b)
{
    json_key(c->j, "features");
    json_array(c->j);
    for (uint32_t i = 0; i < baseline_features(b); i++) {
        static const char *const roles[] = {"input", "output", "label", "signal"};
        const struct baseline_feature *f = baseline_feature(b, i);
        json_object(c->j);
        json_key_cstr(c->j, "feature", f->name);
        json_key_cstr(c->j, "role", roles[f->role & 3]);
        json_key_cstr(c->j, "kind",
                      f->kind == KIND_CATEGORICAL ? "categorical" : "numeric");
        json_key_bool(c->j, "judged", f->has_scores);
        // Over all rows, and as single windows show it.
        if (f->has_fci) {
            json_key_f64(c->j, "correlation", tanh(f->fci));
            json_key_f64(c->j, "window_correlation", tanh(f->fci + f->fci_learned.mu));
        }
        json_object_end(c->j);
    }
    json_array_end(c->j);
}

static enum status read_baseline(struct call *c, struct span *name, uint32_t *model,
                                 struct record_baseline *out)
{
    struct span version = call_arg(c, "version");
    uint32_t no;
    ST_TRY(call_model(c, name, model));
    if (version.size == 0) {
        ST_TRY(call_refuse(c, CODE_USAGE, "which version? write %.*s@VERSION",
                           (int)name->size, (const char *)name->data));
        return ST_NOTFOUND;
    }
    enum status st = names_version(c->s, *model, version, &no);
    if (st == ST_OK) {
        struct shelf_key key = key_baseline(*model, no);
        st = records_get(c->s, SHELF_CATALOG, &key, &record_baseline_message, c->pool,
                         out);
    }
    if (st == ST_NOTFOUND)
        ST_TRY(call_refuse(c, CODE_NOT_FOUND,
                           "no baseline of '%.*s@%.*s': kedge baseline create",
                           (int)name->size, (const char *)name->data, (int)version.size,
                           version.size ? (const char *)version.data : ""));
    return st;
}

static enum status write_baseline(struct call *c, struct span name,
                                  const struct record_baseline *r)
{
    struct baseline *b;
    ST_TRY(baseline_decode(r->sealed, &b));
    json_key_text(c->j, "model", name);
    json_key_text(c->j, "version", r->version);
    json_key_hex(c->j, "baseline", span_of(r->digest, 32));
    json_key_hex(c->j, "source_sha256", span_of(r->data, 32));
    json_key_text(c->j, "source", r->source);
    json_key_u64(c->j, "rows", baseline_rows(b));
    json_key_u64(c->j, "windows", baseline_windows(b));
    json_key_f64(c->j, "window_s", (double)baseline_window_ns(b) / 1e9);
    json_key_time(c->j, "from", baseline_start(b));
    json_key_time(c->j, "to", baseline_end(b));
    json_key_time(c->j, "sealed", r->created);
    json_key_text(c->j, "by", r->created_by);
    write_features(c, b);
    baseline_close(b);
    if (!span_is(call_arg(c, "sealed"), "yes"))
        return ST_OK;
    // The bytes themselves: a new version's baseline is counted on the same grids.
    struct buf text;
    buf_init(&text, QUERY_JSON_MAX);
    text_put_base64url(&text, r->sealed);
    json_key_text(c->j, "sealed_bytes", buf_span(&text));
    enum status failed = text.failed;
    buf_fini(&text);
    return failed;
}

enum status answer_baseline_show(struct call *c)
{
    struct record_baseline r;
    struct span name;
    uint32_t model;
    enum status st = read_baseline(c, &name, &model, &r);
    if (st != ST_OK)
        return st == ST_NOTFOUND ? ST_OK : st;
    return write_baseline(c, name, &r);
}

// The newest baseline of the model's other versions.
struct newest_baseline {
    struct span but;
    bool is_found;
    uint64_t created;
    uint32_t version_no;
};

static enum status keep_newest_baseline(struct call *c, struct span rest,
                                        struct span value, void *with)
{
    struct newest_baseline *n = with;
    struct record_baseline r;
    ST_TRY(records_read(value, &record_baseline_message, c->pool, &r));
    if (span_equal(r.version, n->but) || r.created < n->created || rest.size != 4)
        return ST_OK;
    n->is_found = true;
    n->created = r.created;
    n->version_no = load_be32(rest.data);
    return ST_OK;
}

enum status answer_baseline_newest(struct call *c)
{
    struct newest_baseline n = {.but = call_arg(c, "version")};
    struct record_baseline r;
    struct span name;
    uint32_t model;
    enum status st = call_model(c, &name, &model);
    if (st != ST_OK)
        return st == ST_NOTFOUND ? ST_OK : st;
    struct shelf_key prefix = key_baselines_of(model);
    ST_TRY(call_walk(c, SHELF_CATALOG, &prefix, keep_newest_baseline, &n));
    if (!n.is_found)
        return ST_OK;
    struct shelf_key key = key_baseline(model, n.version_no);
    ST_TRY(
        records_get(c->s, SHELF_CATALOG, &key, &record_baseline_message, c->pool, &r));
    return write_baseline(c, name, &r);
}
