// The executor `mlflow`: an alias of a registered model names the version that is
// served.
//
// The registry sets an alias whatever it was before, so it is read right before the
// switch (by remote.c) and right behind it.
//
// SPDX-License-Identifier: Apache-2.0
#include "agent/act/remote.h"

#define API "/api/2.0/mlflow"

static enum job_code call(struct remote *r, const char *path, struct span version)
{
    struct buf b;
    buf_init(&b, 2048);
    buf_put_text(&b, path);
    buf_put_text(&b, "?name=");
    remote_escape(&b, remote_name(r));
    buf_put_text(&b, version.size ? "&version=" : "&alias=");
    remote_escape(&b, version.size ? version : span_text(r->e->remote.alias));
    enum job_code code = b.failed
                             ? JOB_FAILED
                             : remote_call(r, "GET", buf_cstr(&b), NULL, span_text(""));
    buf_fini(&b);
    return code;
}

static enum job_code probe(struct remote *r)
{
    enum job_code code = call(r, API "/registered-models/alias", span_text(""));
    if (code == JOB_DONE)
        return remote_found(r, remote_text(r->json, "model_version.version"));
    // Open-source stores answer 400 for an alias that is not set, managed ones 404.
    struct span word = remote_text(r->json, "error_code");
    if (span_is(word, "RESOURCE_DOES_NOT_EXIST") ||
        span_is(word, "INVALID_PARAMETER_VALUE"))
        return remote_fail(r, JOB_FAILED, "the alias %.40s is not set",
                           r->e->remote.alias);
    return code;
}

static enum job_code find(struct remote *r)
{
    enum job_code code = call(r, API "/model-versions/get", r->ask->to);
    if (span_is(remote_text(r->json, "error_code"), "RESOURCE_DOES_NOT_EXIST"))
        return JOB_TARGET;
    if (code == JOB_DONE &&
        !span_is(remote_text(r->json, "model_version.status"), "READY"))
        return remote_fail(r, JOB_TARGET, "the version is not READY");
    return code;
}

static enum job_code apply(struct remote *r)
{
    struct json_object *o = json_object_new_object();
    remote_put(o, "name", remote_name(r));
    remote_put(o, "alias", span_text(r->e->remote.alias));
    remote_put(o, "version", r->ask->to);
    enum job_code code =
        remote_call(r, "POST", API "/registered-models/alias", NULL, remote_bytes(o));
    json_object_put(o);
    return code;
}

const struct remote_kind remote_mlflow = {probe, find, apply};
