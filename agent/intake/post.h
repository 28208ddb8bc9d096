// Post: the HTTP door. Servers and meshes post copies of requests, answers and metrics.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_INTAKE_POST_H
#define KEDGE_AGENT_INTAKE_POST_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/status.h"
#include "proto/observation.h"

#define POST_CONNECTIONS_MAX 128
#define POST_HELD_MAX (2u << 20) // bodies that were answered and wait to be read
#define POST_STREAMS_MAX 4       // long bodies that are read while they come
#define POST_BODY_DEFAULT (16u << 20)

// What it answers: 200 as soon as the body is there, whatever it holds: a sender shall
// never wait for the reading, nor learn that it failed. 413 over `body_max`, 405 and
// 404 for what is no post, 401 without the token. When POST_HELD_MAX is reached,
// metrics are answered with 429, since their senders try again; all else with 200, and
// is dropped and counted.
struct post_settings {
    const char *listen;      // "127.0.0.1:9412", "[::1]:9412"; port 0: any that is free
    const char *model;       // of messages that name none; may be NULL
    const char *version;     // the same
    const char *token;       // wanted as "Authorization: Bearer TOKEN"; NULL: none
    uint64_t body_max;       // bytes; 0: POST_BODY_DEFAULT
    uint64_t answer_wait_ns; // a request waits this long for its answer; 0: 60 s
};

struct post_stats {
    uint64_t port;
    uint64_t clients; // connected now
    uint64_t accepted;
    uint64_t posts;     // that were answered with 200
    uint64_t bytes;     // of bodies
    uint64_t too_large; // 413
    uint64_t busy;      // 429
    uint64_t denied;    // 401, 404, 405
    uint64_t broken;    // ended before their end
    uint64_t shed;      // dropped behind their answer, for want of room or time
    uint64_t malformed;
    uint64_t foreign; // of no inference, or known already
    uint64_t repeats; // of these: events that were delivered again
    uint64_t waiting; // bodies
    uint64_t joined;  // answers with their requests
    uint64_t unanswered;
    uint64_t unasked;
};

struct post;

// Listens. Keeps the sink, copies the settings. ST_RANGE (no such address), ST_EXISTS
// (it is taken), ST_IO, ST_NOMEM.
MUST_USE enum status post_open(const struct post_settings *settings,
                               const struct observation_sink *sink, struct post **out);
void post_close(struct post *p); // NULL is fine

// Readable when post_turn has something to do; for poll.
int post_fd(const struct post *p);

// Takes what has come, answers it, and then reads a bounded share of it. True: there is
// more to read.
bool post_turn(struct post *p, uint64_t now_ns);

// Reads all that waits to be read, and hands on requests that wait for their answers.
void post_end(struct post *p);

struct post_stats post_stats(const struct post *p);

#endif
