// The executor `triton`: a model's version policy, on a server whose models are loaded
// by request alone (--model-control-mode=explicit).
//
// SPDX-License-Identifier: Apache-2.0
#include "agent/act/remote.h"

#include "common/base/text.h"

static enum job_code call(struct remote *r, const char *method, const char *begin,
                          const char *end, struct span body)
{
    struct buf b;
    buf_init(&b, 2048);
    buf_put_text(&b, begin);
    remote_escape(&b, remote_name(r));
    buf_put_text(&b, end);
    enum job_code code =
        b.failed ? JOB_FAILED : remote_call(r, method, buf_cstr(&b), NULL, body);
    buf_fini(&b);
    return code;
}

// While one version replaces another both are ready for a moment: then it is still the
// one that is left.
static enum job_code probe(struct remote *r)
{
    enum job_code code = remote_call(r, "POST", "/v2/repository/index", NULL,
                                     span_text("{\"ready\":true}"));
    if (code != JOB_DONE)
        return code;
    struct span found = {0}, other = {0};
    uint32_t n = 0;
    bool is_list = json_object_is_type(r->json, json_type_array);
    for (size_t i = 0; is_list && i < json_object_array_length(r->json); i++) {
        struct json_object *one = json_object_array_get_idx(r->json, i);
        if (!span_equal(remote_text(one, "name"), remote_name(r)) ||
            !span_is(remote_text(one, "state"), "READY"))
            continue;
        other = found;
        found = remote_text(one, "version");
        n++;
    }
    bool is_between =
        n == 2 && r->ask->from.size &&
        (span_equal(found, r->ask->from) || span_equal(other, r->ask->from));
    r->is_settled = n == 1;
    if (n == 0 || (n > 1 && !is_between))
        return remote_fail(r, JOB_FAILED, "%u versions are ready", n);
    return remote_found(r, is_between ? r->ask->from : found);
}

// The whole configuration goes back, as a text inside the document, with our policy in
// it.
static struct json_object *load_request(struct json_object *config, uint64_t version)
{
    struct json_object *versions = json_object_new_array(),
                       *specific = json_object_new_object(),
                       *policy = json_object_new_object(),
                       *parameters = json_object_new_object(),
                       *whole = json_object_new_object();
    json_object_array_add(versions, json_object_new_uint64(version));
    json_object_object_add(specific, "versions", versions);
    json_object_object_add(policy, "specific", specific);
    json_object_object_add(config, "version_policy", policy);
    const char *text = json_object_to_json_string_ext(config, JSON_C_TO_STRING_PLAIN);
    json_object_object_add(parameters, "config", json_object_new_string(text));
    json_object_object_add(whole, "parameters", parameters);
    return whole;
}

static enum job_code apply(struct remote *r)
{
    uint64_t version;
    if (text_u64(r->ask->to, &version) != ST_OK)
        return remote_fail(r, JOB_TARGET, "a version here is a number");
    enum job_code code = call(r, "GET", "/v2/models/", "/config", span_text(""));
    if (code != JOB_DONE)
        return code;
    if (!json_object_is_type(r->json, json_type_object))
        return remote_fail(r, JOB_FAILED, "the configuration is no object");
    struct json_object *config = json_object_get(r->json);
    struct json_object *whole = load_request(config, version);
    const char *text = json_object_to_json_string_ext(whole, JSON_C_TO_STRING_PLAIN);
    code = call(r, "POST", "/v2/repository/models/", "/load", span_text(text));
    json_object_put(whole);
    json_object_put(config);
    // Success may say nothing at all.
    return r->code == 200 && r->is_empty ? JOB_DONE : code;
}

const struct remote_kind remote_triton = {probe, NULL, apply};
