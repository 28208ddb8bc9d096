// Registry: the models of this host, their windows and what became of every row.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_MODEL_REGISTRY_H
#define KEDGE_AGENT_MODEL_REGISTRY_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/model/account.h"
#include "common/base/buf.h"
#include "common/base/json.h"
#include "common/base/span.h"
#include "common/base/status.h"
#include "proto/observation.h"

#define REGISTRY_MODELS_MAX 256
#define REGISTRY_OPEN_WINDOWS_MAX 32 // of one model, over all its versions
#define REGISTRY_VERSIONS_MAX 16     // of one model at one time

enum performance_kind {
    PERFORMANCE_NONE,
    PERFORMANCE_REGRESSION, // loss = |y - p|
    PERFORMANCE_BINARY,     // loss = (y - p)^2
};

// A column that is declared.
struct model_column {
    const char *name;
    uint8_t role; // enum feature_role: an input or an output
    uint8_t kind; // enum feature_kind
};

// From agent.conf. Strings are copied.
struct model_settings {
    const char *name;
    const char *version;  // of rows that name none, until one is attested; may be NULL
    const char *output;   // the output that is the prediction; NULL: "prediction", else
                          // the first numeric output of the row
    uint64_t window_ns;   // 10 s .. 1 d and more; default 60 s
    uint64_t lateness_ns; // how far the watermark stays behind the latest event
    uint64_t label_wait_ns;  // 0: 24 h
    uint64_t label_capacity; // ids remembered; 0: 65,536
    enum performance_kind performance;
    const struct model_column *column; // in their order; none: learned from the rows
    uint32_t columns;
    const char *const *reveal; // columns whose categories leave in clear text
    uint32_t reveals;
    uint32_t features; // at most; 0: WINDOW_FEATURES_MAX
};

// How the registry speaks to the spool and to the doors; the introducer fills it in.
// `entry` and `state` collect one group, `commit` makes it whole or not at all.
struct registry_hooks {
    void *self;
    // The boot id and the sequence number that the next `entry` will have.
    void (*stamp)(void *self, uint8_t boot[16], uint64_t *seq);
    enum status (*entry)(void *self, const char *type, struct span body);
    enum status (*state)(void *self, struct span key, struct span value);
    enum status (*commit)(void *self);
    void (*abort)(void *self);
    // Appends where the tailed files of this model stand (may be NULL).
    void (*mark)(void *self, struct span model, struct buf *out);
};

struct registry;

// `folder` (state/ of the agent) holds the rings of labels, the references and the
// account page. Copies the hooks. ST_IO, ST_NOMEM.
MUST_USE enum status registry_open(const char *folder,
                                   const struct registry_hooks *hooks,
                                   struct registry **out);
void registry_close(struct registry *r);

// Adds a model, and takes up what was kept of it: `state` is the newest value that the
// hook `state` was given under registry_state_key(name), empty when there is none.
// *mark (may be NULL) is what the hook `mark` said then, lent until `state` goes.
// Errors: ST_RANGE (settings), ST_EXISTS, ST_FULL, ST_IO, ST_NOMEM; a state that cannot
// be read is ST_CORRUPT, and the model is added without it.
MUST_USE enum status registry_add(struct registry *r, const struct model_settings *s,
                                  struct span state, uint64_t now_ns,
                                  struct span *mark);

// Appends the key under which a model's state is kept ("model/NAME").
void registry_state_key(struct span model, struct buf *out);

// Whether the rows of a door come again after a restart. Those of a file do: their mark
// is stored with the windows. Those of a stream do not: what a kill took of them is
// counted as dropped by "crash".
enum row_origin { ORIGIN_STREAM, ORIGIN_FILE, ORIGIN_COUNT };

// Fills in the sink for doors of this kind; valid until registry_close.
void registry_sink(struct registry *r, enum row_origin origin,
                   struct observation_sink *out);

// The wall clock of this turn of the loop, for all that the sinks are given until the
// next call. Call it before the doors' turns.
void registry_now(struct registry *r, uint64_t now_ns);

// The version that this host now serves, by probe or after an order.
MUST_USE enum status registry_serve(struct registry *r, struct span model,
                                    struct span version);

// The columns are learned anew from the next rows. ST_NOTFOUND.
MUST_USE enum status registry_accept(struct registry *r, struct span model);

// A kedge.reference.v1 body: used by windows that open from now on, and kept on disk.
// ST_NOTFOUND (no such model), ST_CORRUPT, ST_IO (kept in memory alone).
MUST_USE enum status registry_reference(struct registry *r, struct span body);

// Every turn of the loop (at least once a second): follows the wall clock, seals what
// is due, takes snapshots of what is open every 5 s. *next_ns is when it wants to be
// called at the latest.
void registry_turn(struct registry *r, uint64_t now_ns, uint64_t *next_ns);

// Under strain windows that open from now on are `longer` times as long (and sent as
// merged ones); `is_plain`: without sketches where a baseline has cells.
void registry_strain(struct registry *r, uint32_t longer, bool is_plain);

// Before a clean end: snapshots everything, so that open windows go on after the start.
void registry_pause(struct registry *r, uint64_t now_ns);

// For the beat and for `status`. Lends its spans until the registry changes.
struct model_view {
    struct span name;
    struct span version; // served now; empty: not known
    uint64_t watermark;  // 0: no row yet
    uint64_t open_rows;  // in windows not sealed
    uint32_t open_windows;
    uint32_t versions;
    uint32_t features;
    bool has_yardstick;
    bool has_key; // categories are hashed under the controller's key
    struct account account;
};

// Walks the models: start with *at = 0; false at the end.
bool registry_next(const struct registry *r, size_t *at, struct model_view *out);

// Rows that name no model of this host, and those without any model: for all models.
const struct account *registry_unattributed(const struct registry *r);

// Writes one JSON object for `kedge-agent status`: models, counters, joins.
void registry_status(const struct registry *r, struct json *out);

#endif
