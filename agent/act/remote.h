// Remote: what all executors that ask a server have in common: probe, compare, switch,
// and look again until the server agrees.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_ACT_REMOTE_H
#define KEDGE_AGENT_ACT_REMOTE_H

#include <stdbool.h>
#include <stdint.h>

#include <json-c/json.h>

#include "agent/act/executor.h"
#include "agent/act/job.h"

// One verb under way.
struct remote {
    const struct executor *e;
    const struct job_ask *ask;
    struct job_answer *a;
    uint64_t deadline_ns;     // mono
    char auth[2048];          // header value, "" for none; wiped at the end
    long code;                // of the last answer
    bool is_empty;            // the last answer had no body
    struct json_object *json; // body of the last answer; NULL when it was no JSON
    bool is_settled;          // the probe found no change still under way
};

// A kind of server. Each gives JOB_DONE, or what is wrong with a->detail filled in.
struct remote_kind {
    // Which version is served: fills a->version and is_settled.
    enum job_code (*probe)(struct remote *r);
    // Is ask->to there to be switched to? NULL: only the switch itself can tell.
    enum job_code (*find)(struct remote *r);
    // Asks for the switch from ask->from to ask->to. May be asked again.
    enum job_code (*apply)(struct remote *r);
};

extern const struct remote_kind remote_mlflow, remote_tfserving, remote_triton,
    remote_torchserve, remote_kserve, remote_deployment, remote_haproxy;

// Carries out the question's verb. One switch at a time through one executor's file.
void remote_serve(const struct executor *e, const struct job_ask *ask,
                  struct job_answer *a);

// --- For the kinds

// Sends a request to base + path; the answer is r->code and r->json. JOB_DONE for 2xx;
// JOB_REFUSED (401, 403, 3xx, other 4xx), JOB_TARGET (404), JOB_PRECOND (409, 422),
// JOB_LATER (429, 503), JOB_FAILED (5xx, no answer, no JSON).
enum job_code remote_call(struct remote *r, const char *method, const char *path,
                          const char *type, struct span body);

// Fills a->detail; gives `code`.
enum job_code remote_fail(struct remote *r, enum job_code code, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

// Takes over the version that is served. JOB_FAILED when it is no version's name.
enum job_code remote_found(struct remote *r, struct span version);

// "a.b.c" in an object; NULL when it is not there.
struct json_object *remote_at(struct json_object *o, const char *path);
struct span remote_text(struct json_object *o, const char *path); // empty: no such text
int64_t remote_number(struct json_object *o, const char *path);   // 0: no such number

// Adds a text to an object that is to be sent; then its bytes, lent until it is put.
void remote_put(struct json_object *o, const char *key, struct span text);
struct span remote_bytes(struct json_object *o);

// Appends it with everything but letters, digits and "-._~" as %XX.
void remote_escape(struct buf *out, struct span text);

// The name that the server knows the model by.
struct span remote_name(const struct remote *r);

// "registry/app:{version}" and a version: one from the other. The pattern holds
// {version} once. remote_match gives an empty span when the text does not fit.
void remote_fill(struct buf *out, const char *pattern, struct span version);
struct span remote_match(const char *pattern, struct span text);

#endif
