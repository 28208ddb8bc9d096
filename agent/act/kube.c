// The executors `kserve` and `deployment`: an object of a Kubernetes cluster whose text
// (a storage address, an image) names the version.
//
// SPDX-License-Identifier: Apache-2.0
#include "agent/act/remote.h"

#include <stdio.h>

#define KSERVE "/apis/serving.kserve.io/v1beta1/namespaces/"
#define APPS "/apis/apps/v1/namespaces/"

static enum job_code call(struct remote *r, const char *method, const char *type,
                          struct span body)
{
    bool is_kserve = r->e->kind == EXECUTOR_KSERVE;
    struct buf b;
    buf_init(&b, 2048);
    buf_put_text(&b, is_kserve ? KSERVE : APPS);
    remote_escape(&b, span_text(r->e->remote.namespace));
    buf_put_text(&b, is_kserve ? "/inferenceservices/" : "/deployments/");
    remote_escape(&b, remote_name(r));
    enum job_code code =
        b.failed ? JOB_FAILED : remote_call(r, method, buf_cstr(&b), type, body);
    buf_fini(&b);
    return code;
}

// What a tool owns that follows a repository would be put back by it at once.
static bool is_owned(struct remote *r)
{
    static const char *const marks[] = {"argocd.argoproj.io/",
                                        "kustomize.toolkit.fluxcd.io/",
                                        "helm.toolkit.fluxcd.io/"};
    static const char *const places[] = {"metadata.labels", "metadata.annotations"};
    for (size_t i = 0; i < 2 && !r->e->remote.gitops; i++) {
        struct json_object *all = remote_at(r->json, places[i]);
        if (!json_object_is_type(all, json_type_object))
            continue;
        json_object_object_foreach(all, key, value)
        {
            (void)value;
            for (size_t k = 0; k < sizeof marks / sizeof *marks; k++)
                if (strncmp(key, marks[k], strlen(marks[k])) == 0)
                    return true;
        }
    }
    return false;
}

static bool is_ready(struct json_object *service)
{
    struct json_object *all = remote_at(service, "status.conditions");
    bool is_list = json_object_is_type(all, json_type_array);
    for (size_t i = 0; is_list && i < json_object_array_length(all); i++) {
        struct json_object *one = json_object_array_get_idx(all, i);
        if (span_is(remote_text(one, "type"), "Ready"))
            return span_is(remote_text(one, "status"), "True");
    }
    return false;
}

static bool is_observed(struct json_object *o)
{
    return remote_number(o, "status.observedGeneration") >=
           remote_number(o, "metadata.generation");
}

static enum job_code take(struct remote *r, struct span text)
{
    struct span version = remote_match(r->e->remote.artifact, text);
    if (!version.size)
        return remote_fail(r, JOB_FAILED, "%.60s does not fit the artifact's pattern",
                           text.size ? "its text" : "nothing");
    return remote_found(r, version);
}

// --- kserve

static enum job_code kserve_probe(struct remote *r)
{
    enum job_code code = call(r, "GET", NULL, span_text(""));
    if (code != JOB_DONE)
        return code;
    r->is_settled = is_observed(r->json) && is_ready(r->json);
    return take(r, remote_text(r->json, "spec.predictor.model.storageUri"));
}

static enum job_code kserve_find(struct remote *r)
{
    return is_owned(r) ? remote_fail(r, JOB_REFUSED,
                                     "a GitOps tool owns it and would put it back: "
                                     "gitops = yes allows it")
                       : JOB_DONE;
}

// The version of the object that was read goes along: somebody else's change in between
// is a conflict, never overwritten.
static enum job_code kserve_apply(struct remote *r)
{
    char order[33];
    for (int i = 0; i < 16; i++)
        (void)snprintf(order + 2 * i, 3, "%02x", r->ask->order[i]);
    struct buf uri;
    buf_init(&uri, 1024);
    remote_fill(&uri, r->e->remote.artifact, r->ask->to);
    struct json_object *whole = json_object_new_object(),
                       *metadata = json_object_new_object(),
                       *notes = json_object_new_object(),
                       *spec = json_object_new_object(),
                       *predictor = json_object_new_object(),
                       *model = json_object_new_object();
    remote_put(metadata, "resourceVersion",
               remote_text(r->json, "metadata.resourceVersion"));
    remote_put(notes, "kedge/order", span_text(order));
    remote_put(model, "storageUri", buf_span(&uri));
    json_object_object_add(metadata, "annotations", notes);
    json_object_object_add(whole, "metadata", metadata);
    json_object_object_add(predictor, "model", model);
    json_object_object_add(spec, "predictor", predictor);
    json_object_object_add(whole, "spec", spec);
    enum job_code code = uri.failed ? JOB_FAILED
                                    : call(r, "PATCH", "application/merge-patch+json",
                                           remote_bytes(whole));
    json_object_put(whole);
    buf_fini(&uri);
    return code;
}

const struct remote_kind remote_kserve = {kserve_probe, kserve_find, kserve_apply};

// --- deployment

// The container that the file names, or the only one. Its place goes to *at.
static struct json_object *container_of(struct remote *r, size_t *at)
{
    struct json_object *all = remote_at(r->json, "spec.template.spec.containers");
    size_t n =
        json_object_is_type(all, json_type_array) ? json_object_array_length(all) : 0;
    for (*at = 0; *at < n; ++*at) {
        struct json_object *one = json_object_array_get_idx(all, *at);
        if (r->e->remote.container
                ? span_is(remote_text(one, "name"), r->e->remote.container)
                : n == 1)
            return one;
    }
    return NULL;
}

static enum job_code deployment_probe(struct remote *r)
{
    size_t at;
    enum job_code code = call(r, "GET", NULL, span_text(""));
    if (code != JOB_DONE)
        return code;
    struct json_object *container = container_of(r, &at);
    if (!container)
        return remote_fail(r, JOB_FAILED, "it has no such container");
    r->is_settled =
        is_observed(r->json) && remote_number(r->json, "status.updatedReplicas") >=
                                    remote_number(r->json, "spec.replicas");
    return take(r, remote_text(container, "image"));
}

// The patch tests the image that it replaces: the cluster compares and sets.
static enum job_code deployment_apply(struct remote *r)
{
    size_t at;
    struct json_object *container = container_of(r, &at);
    if (!container)
        return remote_fail(r, JOB_FAILED, "it has no such container");
    struct buf image;
    char path[80];
    buf_init(&image, 1024);
    remote_fill(&image, r->e->remote.artifact, r->ask->to);
    (void)snprintf(path, sizeof path, "/spec/template/spec/containers/%zu/image", at);
    struct json_object *patch = json_object_new_array();
    for (int i = 0; i < 2; i++) {
        struct json_object *step = json_object_new_object();
        remote_put(step, "op", span_text(i ? "replace" : "test"));
        remote_put(step, "path", span_text(path));
        remote_put(step, "value",
                   i ? buf_span(&image) : remote_text(container, "image"));
        json_object_array_add(patch, step);
    }
    enum job_code code = image.failed ? JOB_FAILED
                                      : call(r, "PATCH", "application/json-patch+json",
                                             remote_bytes(patch));
    json_object_put(patch);
    buf_fini(&image);
    return code;
}

const struct remote_kind remote_deployment = {deployment_probe, kserve_find,
                                              deployment_apply};
