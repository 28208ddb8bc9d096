// The executor `tfserving`: a label of TensorFlow Serving, moved in its configuration
// file, which the server reads again by itself (--model_config_file_poll_wait_seconds).
//
// A label may only point to a version that is loaded, so this takes two steps: both
// versions first, and once the target is available the label. The version that is left
// stays loaded.
//
// SPDX-License-Identifier: Apache-2.0
#include "agent/act/remote.h"

#include <poll.h>
#include <sys/stat.h>

#include "agent/act/tfconfig.h"
#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/text.h"

static enum job_code call(struct remote *r, const char *end, const char *label)
{
    struct buf b;
    buf_init(&b, 2048);
    buf_put_text(&b, "/v1/models/");
    remote_escape(&b, remote_name(r));
    buf_put_text(&b, end);
    remote_escape(&b, span_text(label));
    enum job_code code = b.failed
                             ? JOB_FAILED
                             : remote_call(r, "GET", buf_cstr(&b), NULL, span_text(""));
    buf_fini(&b);
    return code;
}

static struct json_object *status_at(struct remote *r, size_t i)
{
    struct json_object *all = remote_at(r->json, "model_version_status");
    bool is_list = json_object_is_type(all, json_type_array);
    return is_list && i < json_object_array_length(all)
               ? json_object_array_get_idx(all, i)
               : NULL;
}

static enum job_code probe(struct remote *r)
{
    enum job_code code = call(r, "/labels/", r->e->remote.label);
    if (code != JOB_DONE)
        return code;
    struct json_object *one = status_at(r, 0);
    r->is_settled = span_is(remote_text(one, "state"), "AVAILABLE");
    return remote_found(r, remote_text(one, "version"));
}

static enum job_code write_config(struct remote *r, struct span bytes)
{
    struct stat info;
    const char *path = r->e->remote.config;
    unsigned mode = stat(path, &info) == 0 ? info.st_mode & 0777 : 0644;
    enum status st = file_replace(path, bytes, (enum file_secrecy)mode);
    return st == ST_OK
               ? JOB_DONE
               : remote_fail(r, JOB_FAILED, "%.100s: %s", path, status_text(st));
}

// Rewrites our block; the text as it was goes to `before`.
static enum job_code edit(struct remote *r, const char *label, struct buf *before)
{
    uint64_t from, to;
    if (text_u64(r->ask->from, &from) != ST_OK || text_u64(r->ask->to, &to) != ST_OK)
        return remote_fail(r, JOB_TARGET, "a version here is a number");
    struct buf after;
    buf_init(&after, TFCONFIG_BYTES_MAX);
    enum status st = file_read(r->e->remote.config, before);
    if (st == ST_OK)
        st = tfconfig_set(buf_span(before), remote_name(r), from, to, span_text(label),
                          &after);
    enum job_code code =
        st == ST_OK ? write_config(r, buf_span(&after))
                    : remote_fail(r, JOB_FAILED, "%.100s: %s", r->e->remote.config,
                                  st == ST_NOTFOUND ? "no block of this model"
                                                    : status_text(st));
    buf_fini(&after);
    return code;
}

// Until the target is available; JOB_TARGET when the server says that it cannot be.
static enum job_code await_target(struct remote *r)
{
    while (clock_mono_ns() + 200 * NS_PER_MS < r->deadline_ns) {
        enum job_code code = call(r, "", "");
        struct json_object *one;
        for (size_t i = 0; code == JOB_DONE && (one = status_at(r, i)); i++) {
            if (!span_equal(remote_text(one, "version"), r->ask->to))
                continue;
            if (span_is(remote_text(one, "state"), "AVAILABLE"))
                return JOB_DONE;
            if (span_is(remote_text(one, "state"), "END"))
                return remote_fail(r, JOB_TARGET, "the server could not load it");
        }
        (void)poll(NULL, 0, 200);
    }
    return remote_fail(r, JOB_FAILED, "the target did not become available");
}

static enum job_code apply(struct remote *r)
{
    struct buf before, between;
    buf_init(&before, TFCONFIG_BYTES_MAX);
    buf_init(&between, TFCONFIG_BYTES_MAX);
    enum job_code code = edit(r, "", &before);
    if (code == JOB_DONE) {
        code = await_target(r);
        char why[sizeof r->a->detail];
        memcpy(why, r->a->detail, sizeof why);
        if (code != JOB_DONE && write_config(r, buf_span(&before)) == JOB_DONE)
            memcpy(r->a->detail, why, sizeof why);
    }
    if (code == JOB_DONE)
        code = edit(r, r->e->remote.label, &between);
    buf_fini(&before);
    buf_fini(&between);
    return code;
}

const struct remote_kind remote_tfserving = {probe, NULL, apply};
