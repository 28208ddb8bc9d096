// SPDX-License-Identifier: Apache-2.0
#include "agent/act/remote.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "agent/act/http.h"
#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/mem.h"
#include "common/base/text.h"

#define CALL_MS_MAX 10000
#define JSON_DEPTH_MAX 24
#define LOOK_AGAIN_MS 200
#define VERSION_WORD "{version}"

enum job_code remote_fail(struct remote *r, enum job_code code, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(r->a->detail, sizeof r->a->detail, fmt, args);
    va_end(args);
    return code;
}

// --- Requests

static struct json_object *parse(struct span body)
{
    struct json_tokener *t = json_tokener_new_ex(JSON_DEPTH_MAX);
    if (!t || body.size == 0)
        return json_tokener_free(t), NULL;
    json_tokener_set_flags(t, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    struct json_object *o =
        json_tokener_parse_ex(t, (const char *)body.data, (int)body.size);
    // A document that does not end where the body ends is not taken for what it begins
    // as.
    if (json_tokener_get_error(t) != json_tokener_success) {
        json_object_put(o);
        o = NULL;
    }
    json_tokener_free(t);
    return o;
}

static enum job_code code_of(long status)
{
    if (status >= 200 && status < 300)
        return JOB_DONE;
    switch (status) {
    case 404:
        return JOB_TARGET;
    case 409:
    case 422:
        return JOB_PRECOND;
    case 429:
    case 503:
        return JOB_LATER;
    default:
        return status < 500 ? JOB_REFUSED : JOB_FAILED;
    }
}

// What the server says of its own refusal, in whichever member it says it.
static struct span reason_of(struct json_object *o)
{
    static const char *const members[] = {"message", "error", "status"};
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        struct span text = remote_text(o, members[i]);
        if (text.size)
            return text;
    }
    return span_text("");
}

enum job_code remote_call(struct remote *r, const char *method, const char *path,
                          const char *type, struct span body)
{
    json_object_put(r->json);
    r->json = NULL;
    r->code = 0;
    uint64_t now = clock_mono_ns();
    if (now >= r->deadline_ns)
        return remote_fail(r, JOB_FAILED, "no time was left to ask %s", path);
    uint64_t left = (r->deadline_ns - now) / NS_PER_MS + 1;
    struct buf url, answer;
    buf_init(&url, 4096);
    buf_init(&answer, HTTP_BODY_MAX);
    buf_put_text(&url, r->e->remote.base);
    buf_put_text(&url, path);
    const struct http_ask ask = {
        .method = method,
        .url = buf_cstr(&url),
        .type = type,
        .body = body,
        .auth = r->auth[0] ? r->auth : NULL,
        .ca = r->e->remote.ca,
        .timeout_ms = left < CALL_MS_MAX ? (uint32_t)left : CALL_MS_MAX,
    };
    char why[96] = "";
    enum status st = url.failed;
    if (st == ST_OK)
        st = http_call(&ask, &r->code, &answer, why, sizeof why);
    enum job_code code = JOB_FAILED;
    if (st == ST_OK) {
        r->json = parse(buf_span(&answer));
        r->is_empty = answer.size == 0;
        code = code_of(r->code);
    }
    struct span said = reason_of(r->json);
    if (said.size > 60)
        said.size = 60;
    if (st != ST_OK)
        code = remote_fail(r, JOB_FAILED, "%s: %s", path, why);
    else if (code != JOB_DONE)
        code = remote_fail(r, code, "%s: %ld %.*s", path, r->code, (int)said.size,
                           said.size ? (const char *)said.data : "");
    else if (!r->json)
        code = remote_fail(r, JOB_FAILED, "%s: the answer is no JSON", path);
    buf_fini(&url);
    buf_fini(&answer);
    return code;
}

// --- Small helpers of the kinds

struct json_object *remote_at(struct json_object *o, const char *path)
{
    char name[64];
    while (o && *path) {
        size_t size = strcspn(path, ".");
        struct json_object *next = NULL;
        if (size >= sizeof name || !json_object_is_type(o, json_type_object))
            return NULL;
        memcpy(name, path, size);
        name[size] = '\0';
        if (!json_object_object_get_ex(o, name, &next))
            return NULL;
        o = next;
        path += size + (path[size] == '.');
    }
    return o;
}

struct span remote_text(struct json_object *o, const char *path)
{
    struct json_object *found = remote_at(o, path);
    if (!found || !json_object_is_type(found, json_type_string))
        return span_text("");
    return span_of(json_object_get_string(found),
                   (size_t)json_object_get_string_len(found));
}

int64_t remote_number(struct json_object *o, const char *path)
{
    struct json_object *found = remote_at(o, path);
    return found && json_object_is_type(found, json_type_int)
               ? json_object_get_int64(found)
               : 0;
}

void remote_put(struct json_object *o, const char *key, struct span text)
{
    json_object_object_add(
        o, key, json_object_new_string_len((const char *)text.data, (int)text.size));
}

struct span remote_bytes(struct json_object *o)
{
    return span_text(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
}

void remote_escape(struct buf *out, struct span text)
{
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                        (c >= '0' && c <= '9') || (c && strchr("-._~", c));
        if (is_plain)
            buf_put_u8(out, c);
        else
            buf_printf(out, "%%%02X", c);
    }
}

struct span remote_name(const struct remote *r)
{
    return r->e->remote.name ? span_text(r->e->remote.name) : r->ask->model;
}

enum job_code remote_found(struct remote *r, struct span version)
{
    r->a->version[0] = '\0';
    if (!text_is_name(version) || version.size >= sizeof r->a->version)
        return remote_fail(r, JOB_FAILED, "the server names no version");
    memcpy(r->a->version, version.data, version.size);
    r->a->version[version.size] = '\0';
    return JOB_DONE;
}

void remote_fill(struct buf *out, const char *pattern, struct span version)
{
    const char *at = strstr(pattern, VERSION_WORD);
    buf_put(out, pattern, at ? (size_t)(at - pattern) : strlen(pattern));
    if (!at)
        return;
    buf_put_span(out, version);
    buf_put_text(out, at + strlen(VERSION_WORD));
}

struct span remote_match(const char *pattern, struct span text)
{
    const char *at = strstr(pattern, VERSION_WORD);
    size_t head = at ? (size_t)(at - pattern) : 0;
    size_t tail = at ? strlen(at + strlen(VERSION_WORD)) : 0;
    if (!at || text.size <= head + tail || memcmp(text.data, pattern, head) != 0 ||
        memcmp(text.data + text.size - tail, at + strlen(VERSION_WORD), tail) != 0)
        return span_text("");
    return span_of(text.data + head, text.size - head - tail);
}

// --- The verbs

static bool is_at(const struct remote *r, struct span version)
{
    return span_is(version, r->a->version);
}

static enum job_code probe(struct remote *r, const struct remote_kind *kind)
{
    r->a->version[0] = '\0';
    r->is_settled = true;
    enum job_code code = kind->probe(r);
    if (code != JOB_DONE)
        r->a->version[0] = '\0';
    // A probe that says 404 has found no such model; that says nothing of the target.
    return code == JOB_TARGET || code == JOB_PRECOND ? JOB_FAILED : code;
}

// The server may take its time; what it said is believed when it shows it.
static enum job_code settle(struct remote *r, const struct remote_kind *kind)
{
    for (;;) {
        enum job_code code = probe(r, kind);
        bool is_there = code == JOB_DONE && is_at(r, r->ask->to) && r->is_settled;
        if (is_there)
            return JOB_DONE;
        if (clock_mono_ns() + LOOK_AGAIN_MS * NS_PER_MS >= r->deadline_ns)
            return code == JOB_DONE
                       ? remote_fail(r, JOB_FAILED, "accepted, but it serves %.60s",
                                     r->a->version)
                       : code;
        (void)poll(NULL, 0, LOOK_AGAIN_MS);
    }
}

// 429, 503 and a lost race are tried again, after 1 s and 5 s, while there is time.
static enum job_code apply_patiently(struct remote *r, const struct remote_kind *kind)
{
    static const uint64_t wait_ms[] = {1000, 5000};
    enum job_code code = kind->apply(r);
    for (size_t i = 0; i < 2 && (code == JOB_LATER || code == JOB_PRECOND); i++) {
        if (clock_mono_ns() + wait_ms[i] * NS_PER_MS >= r->deadline_ns)
            break;
        (void)poll(NULL, 0, (int)wait_ms[i]);
        if (probe(r, kind) == JOB_DONE && !is_at(r, r->ask->from))
            return is_at(r, r->ask->to) ? JOB_DONE : JOB_PRECOND;
        code = kind->apply(r);
    }
    return code;
}

// The switch's own answer may be lost or wrong (a 500 after it was done, a connection
// that broke): where the server stands afterwards decides.
static enum job_code switch_over(struct remote *r, const struct remote_kind *kind)
{
    enum job_code code = apply_patiently(r, kind);
    if (code == JOB_DONE)
        return settle(r, kind);
    char said[sizeof r->a->detail];
    memcpy(said, r->a->detail, sizeof said);
    if (probe(r, kind) != JOB_DONE) {
        r->a->version[0] = '\0';
        return JOB_FAILED;
    }
    if (is_at(r, r->ask->to))
        return settle(r, kind);
    memcpy(r->a->detail, said, sizeof said);
    return code;
}

static enum job_code carry_out(struct remote *r, const struct remote_kind *kind)
{
    enum job_code code = probe(r, kind);
    if (code != JOB_DONE)
        return code;
    bool is_there = r->ask->to.size > 0 && is_at(r, r->ask->to);
    if (r->ask->verb == JOB_FINISH)
        return is_there ? settle(r, kind) : JOB_PRECOND;
    if (r->ask->verb == JOB_APPLY && is_there)
        return r->is_settled ? JOB_ALREADY : settle(r, kind);
    if (r->ask->verb == JOB_APPLY && !is_at(r, r->ask->from))
        return remote_fail(r, JOB_PRECOND, "it serves %.60s", r->a->version);
    if (r->ask->to.size > 0 && !is_there && kind->find) {
        code = kind->find(r);
        if (code != JOB_DONE)
            return code;
    }
    return r->ask->verb == JOB_APPLY ? switch_over(r, kind) : JOB_DONE;
}

static const struct remote_kind *kind_of(const struct executor *e)
{
    static const struct remote_kind *const kinds[] = {
        [EXECUTOR_MLFLOW] = &remote_mlflow,
        [EXECUTOR_TFSERVING] = &remote_tfserving,
        [EXECUTOR_TRITON] = &remote_triton,
        [EXECUTOR_TORCHSERVE] = &remote_torchserve,
        [EXECUTOR_KSERVE] = &remote_kserve,
        [EXECUTOR_DEPLOYMENT] = &remote_deployment,
        [EXECUTOR_HAPROXY] = &remote_haproxy,
    };
    return kinds[e->kind];
}

// The first line of the file is the header's value: "Bearer ...". Read anew each time,
// since such tokens are replaced while the agent runs.
static bool read_auth(struct remote *r)
{
    if (!r->e->remote.auth_file)
        return true;
    struct buf text;
    buf_init(&text, sizeof r->auth);
    enum status st = file_read_secret(r->e->remote.auth_file, &text);
    size_t size = 0;
    while (st == ST_OK && size < text.size && text.data[size] != '\n' &&
           size + 1 < sizeof r->auth)
        size++;
    if (size)
        memcpy(r->auth, text.data, size);
    if (text.data)
        mem_wipe(text.data, text.size);
    buf_fini(&text);
    if (st != ST_OK)
        (void)remote_fail(r, JOB_FAILED, "%.100s: %s", r->e->remote.auth_file,
                          status_text(st));
    return st == ST_OK;
}

void remote_serve(const struct executor *e, const struct job_ask *ask,
                  struct job_answer *a)
{
    static struct remote r;
    r = (struct remote){.e = e, .ask = ask, .a = a};
    uint32_t limit_ms = ask->verb == JOB_PROBE ? JOB_PROBE_MS : ask->run_ms;
    r.deadline_ns = clock_mono_ns() + limit_ms * NS_PER_MS;
    int lock = open(e->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (lock < 0 || flock(lock, ask->verb == JOB_PROBE ? LOCK_SH | LOCK_NB
                                                       : LOCK_EX | LOCK_NB) != 0)
        a->code = remote_fail(&r, JOB_LATER, "another switch is under way");
    else if (!read_auth(&r))
        a->code = JOB_FAILED;
    else
        a->code = carry_out(&r, kind_of(e));
    json_object_put(r.json);
    mem_wipe(r.auth, sizeof r.auth);
    if (lock >= 0)
        close(lock);
}
