// Query: answers what operators ask, from the store, as JSON.
//
// The command and the HTTP interface give the same bytes, since both get them here.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_QUERY_QUERY_H
#define KEDGE_CONTROLLER_QUERY_QUERY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/json.h"
#include "common/base/span.h"
#include "common/base/status.h"
#include "controller/log/shelf.h"
#include "proto/codec.h"

#define QUERY_JSON_MAX (64u << 20) // bytes of one answer

struct query_room;

// ST_NOMEM.
MUST_USE enum status query_open(struct query_room **out);
void query_close(struct query_room *q); // NULL is fine

struct query_ask;

// What another room answers in this one's place. The answer's object is open; it adds
// members. ST_NOTFOUND, ST_RANGE: *fault says why, in a line for people.
// The question that an incident stands for; one of `kpi` and `model` is given.
struct query_asked {
    struct span kpi, model;
    uint64_t at_ns, known_ns;
};

struct query_guest {
    enum status (*why)(struct shelf *s, const struct query_ask *ask, struct json *j,
                       const char **fault);
    enum status (*asked)(struct shelf *s, const struct query_asked *q, struct json *j,
                         const char **fault);
    // What that answer was taken from. ST_FULL: too much to write down.
    enum status (*evidence)(struct shelf *s, const struct query_asked *q,
                            struct json *j, const char **fault);
};

// An agent as it is now; texts are lent for the call.
struct query_presence {
    const char *state; // "alive", "skewed", "link down", "dead"
    uint64_t since_ns;
    int64_t skew_ms;
    uint64_t spool_entries;
    // Its key is used by two machines: this one and that one. NULL: it is not.
    const char *host, *address, *twin_host, *twin_address;
};

// One model on one agent.
struct query_speaking {
    struct span model;
    bool is_silent;  // no row for longer than it may, or its agent is not there
    const char *why; // "no rows", or the agent's state
    const char *host;
    uint64_t rows_ns; // wall, of its last row; 0: none since the start
};

struct query_ask {
    struct span verb; // "model.show"
    const struct pair *arg;
    uint32_t args;
    struct span role;   // of the operator
    uint64_t now_ns;    // wall time, for ages
    uint64_t silent_ns; // an agent that said nothing for so long is silent
    // What is known of an agent right now; false: nothing since the start. NULL: no
    // fleet is watched.
    bool (*presence)(void *self, const uint8_t *agent, struct query_presence *out);
    // Of all models: those that agents have spoken of since the start, one by one.
    bool (*speaking)(void *self, size_t *at, struct query_speaking *out);
    // The wall time at which an agent was last heard of, or 0. NULL: not known.
    uint64_t (*heard)(void *self, const uint8_t *agent);
    void *heard_self;
    const struct query_guest *guest; // NULL: nobody
};

// Writes the answer into `out`: one JSON object, or on a code other than 0 one line for
// people. ST_UNSUPPORTED when no query has that name (it may be a command). Reads only;
// at most QUERY_JSON_MAX bytes.
MUST_USE enum status query_answer(struct query_room *q, struct shelf *s,
                                  const struct query_ask *ask, struct buf *out,
                                  uint8_t *code);

// Whether the name is a query's.
bool query_knows(struct span verb);

#endif
