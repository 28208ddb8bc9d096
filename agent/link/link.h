// Link: the agent's talk with its controller: greets, breathes, sends what is spooled.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_LINK_LINK_H
#define KEDGE_AGENT_LINK_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/json.h"
#include "common/base/span.h"
#include "common/base/status.h"
#include "proto/envelope.h"
#include "proto/messages/session.h"

#define LINK_ENDPOINTS_MAX 8
#define LINK_CREDIT_MAX 4            // unacknowledged entries at once
#define LINK_ENTRY_MAX (262144 - 64) // F8: the limit is on the encrypted frame

enum link_state {
    LINK_WAITING,    // no socket until the back-off has passed
    LINK_CONNECTING, // TCP and the handshake
    LINK_GREETING,   // hello was sent
    LINK_UP,
};

// One entry of the spool; lent until the next call on the spool.
struct link_item {
    uint8_t boot[16];
    uint64_t seq;
    struct span type;
    struct span body;
    struct span sigs;
};

struct link_place {
    uint8_t boot[16];
    uint64_t seq;
};

// A place in the spool's order of sending, as the spool understands it.
struct link_cursor {
    uint64_t start;
    uint64_t seq;
};

// How this room speaks to the others; the introducer fills it in. Spans are lent for
// the call.
struct link_hooks {
    void *self;
    // The spool's entry after *at, which moves on to it; zeroes to begin. ST_EMPTY.
    enum status (*offer)(void *self, struct link_cursor *at, struct link_item *out);
    // The controller has it for good: it leaves the spool.
    void (*done)(void *self, const struct link_place *entry);
    void (*online)(void *self, bool is_online);
    // A connection with this nonce, or none (NULL).
    void (*session)(void *self, const uint8_t *sess);
    void (*welcome)(void *self, const struct welcome *w);
    // Before the message goes out. What they point to must live until the call returns
    // and the message is encoded.
    void (*hello)(void *self, struct hello *h);
    void (*beat)(void *self, struct beat *b, uint64_t boot_ns);
    void (*order)(void *self, const struct envelope *e);
    void (*reference)(void *self, struct span body);
};

struct link_settings {
    const char *endpoint[LINK_ENDPOINTS_MAX]; // borrowed until close; tried in turn
    uint32_t endpoints;
    uint8_t server_key[32];
    uint8_t public_key[32];
    uint8_t secret_key[32];
    uint8_t fleet[16];
    uint8_t agent[16];
    uint8_t boot[16];
    const char *host;         // borrowed until close
    uint64_t backoff_min_ns;  // first delay after a refusal; 0: 1 s
    uint64_t backoff_max_ns;  // and the longest; 0: 5 min
    uint64_t start_jitter_ns; // the first connect waits up to this; 0: not at all
    uint64_t beat_ns;         // 0: 10 s
};

struct link;

// Connects when link_turn is called. ST_RANGE (no endpoint), ST_IO, ST_NOMEM.
MUST_USE enum status link_open(const struct link_settings *settings,
                               const struct link_hooks *hooks, struct link **out);
void link_close(struct link *l);

// The instants are wall, monotonic and boot time of this turn. *next_ns (mono) is when
// it wants to be called at the latest; it does a bounded share of work each time.
void link_turn(struct link *l, uint64_t wall_ns, uint64_t mono_ns, uint64_t boot_ns,
               uint64_t *next_ns);

// Sleeps until the connection or one of `fds` (at most 128, for reading) has something,
// or the time is over.
void link_wait(struct link *l, const int *fd, uint32_t fds, int timeout_ms);

struct link_stats {
    enum link_state state;
    uint64_t connects;  // handshakes that succeeded
    uint64_t refusals;  // our key was refused
    uint64_t breaks;    // handshakes that failed otherwise
    uint64_t losses;    // connections that ended
    uint64_t sent;      // entries, with repetitions
    uint64_t acked;     // entries that the controller took
    uint64_t rejected;  // entries that it refused
    uint64_t oversize;  // entries too large to be ever sent
    uint64_t malformed; // messages that could not be read
    uint64_t strange;   // messages of unknown types
    uint64_t beats;
    uint32_t in_flight;
    uint64_t since_ns;        // wall: when the state began
    int64_t offset_ms;        // controller's clock less ours, at the last welcome,
    uint64_t offset_error_ms; // wrong by so much at most
    const char *endpoint;
};
struct link_stats link_stats(const struct link *l);

// One JSON object for `kedge-agent status`.
void link_status(const struct link *l, struct json *out);

#endif
