// Executor: how one kind of thing is switched on this host, as the host's owner wrote
// it.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_ACT_EXECUTOR_H
#define KEDGE_AGENT_ACT_EXECUTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/act/job.h"
#include "common/base/span.h"
#include "common/base/status.h"

#define EXECUTORS_MAX 64
#define EXECUTOR_LIST_MAX 64 // words in one list of a file

enum executor_kind {
    EXECUTOR_SYMLINK,
    EXECUTOR_EXEC,
    EXECUTOR_MLFLOW,
    EXECUTOR_TFSERVING,
    EXECUTOR_TRITON,
    EXECUTOR_TORCHSERVE,
    EXECUTOR_KSERVE,
    EXECUTOR_DEPLOYMENT,
    EXECUTOR_HAPROXY,
    EXECUTOR_KINDS,
};

// A list of words, closed by a NULL.
struct executor_words {
    char *word[EXECUTOR_LIST_MAX + 1];
    uint32_t count;
};

// A link in a folder whose target is the version that is served.
struct executor_symlink {
    char *root;     // folder, absolute
    char *link;     // in root, "current"
    char *versions; // folder in root that holds a folder for each version, "versions"
    char *pidfile;  // in root; NULL = nobody is signalled
    int signal;     // sent to that process after the switch
    struct executor_words reload; // run after the switch; no words = nothing
};

// Commands; {model} {from} {to} {order} stand for one word each.
struct executor_exec {
    struct executor_words probe; // prints the version that is served, exit 0
    struct executor_words apply;
};

// A server that is asked. Each kind has its own of these; NULL = not given.
struct executor_remote {
    char *base;      // "https://mlflow.internal", without a slash at the end
    char *name;      // that the server knows the model by; NULL = the model's own
    char *auth_file; // its first line is the header Authorization
    char *ca;        // file of the authorities that are trusted
    char *alias;     // mlflow
    char *label;     // tfserving
    char *config;    // tfserving: its configuration file
    char *namespace; // kserve, deployment
    char *container; // deployment
    char *artifact;  // kserve, deployment: a text with {version} in it
    char *socket;    // haproxy
    char *backend;   // haproxy
    bool gitops;     // kserve, deployment: switch it although such a tool owns it
};

struct executor {
    char name[65];
    char *path;
    uint8_t digest[32]; // SHA-256 of the file
    enum executor_kind kind;
    struct executor_words actions;
    struct executor_words models;   // globs
    struct executor_words versions; // globs: what may be switched to at all
    bool is_idempotent;
    uint32_t timeout_ms;
    struct executor_symlink symlink;
    struct executor_exec exec;
    struct executor_remote remote;
};

const char *executor_kind_name(enum executor_kind kind);

// Reads one file. It must be a plain file of root or of this user that nobody else may
// write. ST_DENIED, ST_NOTFOUND, ST_CORRUPT (`error` says file, line and what is
// wrong), ST_NOMEM, ST_IO.
MUST_USE enum status executor_open(const char *path, struct executor **out, char *error,
                                   size_t error_size);

// NULL is fine.
void executor_close(struct executor *e);

// Does the file allow it?
bool executor_allows(const struct executor *e, struct span action, struct span model);
bool executor_knows(const struct executor *e, struct span version);
bool executor_matches(const struct executor_words *globs, struct span value);

// All files NAME.conf of a folder, by name; a missing folder has none. One that is not
// accepted is reported in `error` and makes the whole call fail.
struct executors {
    struct executor *executor[EXECUTORS_MAX];
    uint32_t count;
};
MUST_USE enum status executors_open(const char *folder, struct executors *out,
                                    char *error, size_t error_size);
void executors_close(struct executors *e);
const struct executor *executors_find(const struct executors *e, struct span name);

// The kinds' verbs, run in the child: they fill *answer whatever happens.
void symlink_serve(const struct executor *e, const struct job_ask *ask,
                   struct job_answer *answer);
void exec_serve(const struct executor *e, const struct job_ask *ask,
                struct job_answer *answer);

// What `link` points to now, without a child and without reading any artifact: for
// noticing a switch. ST_UNSUPPORTED for a kind that has no link.
MUST_USE enum status symlink_version(const struct executor *e, char *out,
                                     size_t out_size);

#endif
