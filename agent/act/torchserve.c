// The executor `torchserve`: the default version of a model that has several
// registered.
//
// SPDX-License-Identifier: Apache-2.0
#include "agent/act/remote.h"

static enum job_code call(struct remote *r, const char *method, struct span version,
                          const char *end)
{
    struct buf b;
    buf_init(&b, 2048);
    buf_put_text(&b, "/models/");
    remote_escape(&b, remote_name(r));
    if (version.size)
        buf_put_u8(&b, '/');
    remote_escape(&b, version);
    buf_put_text(&b, end);
    enum job_code code =
        b.failed ? JOB_FAILED
                 : remote_call(r, method, buf_cstr(&b), NULL, span_text(""));
    buf_fini(&b);
    return code;
}

static size_t count(struct json_object *list)
{
    return json_object_is_type(list, json_type_array) ? json_object_array_length(list)
                                                      : 0;
}

static bool has_ready_worker(struct json_object *version)
{
    struct json_object *workers = remote_at(version, "workers");
    for (size_t i = 0; i < count(workers); i++)
        if (span_is(remote_text(json_object_array_get_idx(workers, i), "status"),
                    "READY"))
            return true;
    return false;
}

static enum job_code probe(struct remote *r)
{
    enum job_code code = call(r, "GET", span_text(""), "");
    if (code != JOB_DONE)
        return code;
    if (count(r->json) == 0)
        return remote_fail(r, JOB_FAILED, "the server names no version");
    struct json_object *first = json_object_array_get_idx(r->json, 0);
    r->is_settled = has_ready_worker(first);
    return remote_found(r, remote_text(first, "modelVersion"));
}

static enum job_code find(struct remote *r)
{
    enum job_code code = call(r, "GET", span_text(""), "/all");
    if (code != JOB_DONE)
        return code;
    for (size_t i = 0; i < count(r->json); i++)
        if (span_equal(
                remote_text(json_object_array_get_idx(r->json, i), "modelVersion"),
                r->ask->to))
            return JOB_DONE;
    return remote_fail(r, JOB_TARGET, "that version is not registered");
}

static bool is_target_ready(struct remote *r)
{
    if (call(r, "GET", span_text(""), "/all") != JOB_DONE)
        return false;
    for (size_t i = 0; i < count(r->json); i++) {
        struct json_object *one = json_object_array_get_idx(r->json, i);
        if (span_equal(remote_text(one, "modelVersion"), r->ask->to))
            return has_ready_worker(one);
    }
    return false;
}

// A version without a worker would answer nothing: it gets one before it is the
// default.
static enum job_code apply(struct remote *r)
{
    if (!is_target_ready(r)) {
        enum job_code code =
            call(r, "PUT", r->ask->to, "?min_worker=1&synchronous=true");
        if (code != JOB_DONE)
            return code;
    }
    return call(r, "PUT", r->ask->to, "/set-default");
}

const struct remote_kind remote_torchserve = {probe, find, apply};
