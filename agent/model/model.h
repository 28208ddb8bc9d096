// Model: one model on this host: its versions, its open panes and its account.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_MODEL_MODEL_H
#define KEDGE_AGENT_MODEL_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/model/account.h"
#include "agent/model/changes.h"
#include "agent/model/labels.h"
#include "agent/model/pane.h"
#include "agent/model/registry.h"
#include "agent/model/schema.h"
#include "agent/model/yardstick.h"
#include "common/base/status.h"
#include "common/sketch/profile.h"
#include "proto/observation.h"

// A version that was met: its sketches, which cover several windows.
struct model_version {
    struct span name; // owned; its bytes stay where they are as long as the model lives
    struct profile *carry[WINDOW_FEATURES_MAX]; // by slot of the schema
    uint32_t windows;                           // since the sketches travelled
    uint64_t sealed;                            // windows
};

struct model {
    struct span name;               // owned
    struct span output;             // owned; empty: "prediction", else the first number
    struct model_settings settings; // its texts are not used
    struct model_version *version[REGISTRY_VERSIONS_MAX];
    uint32_t versions;
    const char **reveal; // owned, as are the texts
    struct span served;  // lent from a version; empty: not known
    struct schema schema;
    struct changes changes;
    struct yardstick_shelf yardsticks;
    struct labels *labels; // NULL: no performance is asked for
    uint8_t local_key[16]; // of categories, until a baseline brings the model's own
    struct pane *pane[REGISTRY_OPEN_WINDOWS_MAX];
    uint32_t panes;
    uint64_t window_ns;
    uint32_t longer;    // so many windows in one, for panes that open from now on
    bool is_plain;      // ... and without sketches where there are cells
    uint64_t newest;    // event time of the newest row; 0: none yet
    uint64_t watermark; // never goes back
    uint64_t sealed_to; // all windows up to here are sealed
    bool is_live;       // its rows are of the present, so the wall clock moves it too
    uint64_t leap_t;    // a time far ahead that one row claimed
    uint32_t leaps;     // how many claimed it in sequence
    struct account account;
    struct account told;     // as the sealed windows have told
    uint64_t streamed;       // rows and drops of stream doors, all told
    uint64_t *streamed_page; // the same, in the page that survives; NULL: no slot
    uint64_t lost;           // rows that a kill took, not told in a notice yet
    bool is_dirty;           // something changed since the last snapshot
    uint64_t saved_ns;       // when that was
};

// ST_RANGE, ST_NOMEM.
MUST_USE enum status model_open(const struct model_settings *s, struct model **out);
void model_close(struct model *m); // NULL is fine

// The version of that name, made if need be; NULL when there are too many or memory is
// out. The one that is longest without an open pane gives way.
struct model_version *model_version(struct model *m, struct span name);

// Counts a row, a label, or both. Never fails: what cannot be counted is in the
// account.
void model_row(struct model *m, const struct observation *o, uint64_t now_ns);

// Lets the watermark follow the wall clock, if the model is live.
void model_follow(struct model *m, uint64_t now_ns);

// Whether a window is over, and up to where windows can be sealed.
bool model_is_due(const struct model *m);
uint64_t model_sealable_to(const struct model *m);

// When a live model's next window is over by the wall clock; UINT64_MAX: not known.
uint64_t model_due_at(const struct model *m);

// Rows in panes.
uint64_t model_open_rows(const struct model *m);

// The yardstick by which a version's next pane is counted; NULL: none.
struct yardstick *model_yardstick(const struct model *m, struct span version);

// Takes a reference body: panes that open from now on are counted by it. ST_NOTFOUND
// (of another model), ST_CORRUPT, ST_VERSION, ST_NOMEM.
MUST_USE enum status model_take_reference(struct model *m, struct span body);

// What its panes stand on.
struct pane_ground model_ground(struct model *m);

// What comes from now on is what is meant: the columns are learned anew, a column whose
// type has changed has its new one.
void model_accept(struct model *m);

// --- turn.c

// Seals all that is due: entries and the state in one group. ST_FULL: the spool is
// full, everything stays open; ST_NOMEM.
MUST_USE enum status model_seal(struct model *m, const struct registry_hooks *hooks,
                                uint64_t now_ns);

// Adds a kedge.notice.v1 to the group under way. `model` may be empty.
MUST_USE enum status model_notice(const struct registry_hooks *hooks, struct span model,
                                  uint64_t at, const char *kind, struct span detail);

// Commits a snapshot; with it a notice "rows_lost" when a kill took rows of streams.
MUST_USE enum status model_save(struct model *m, const struct registry_hooks *hooks,
                                uint64_t now_ns);

// --- snapshot.c

// Appends the state of everything that is open behind `sealed_to`; `account` and `told`
// as they will be then.
void model_snapshot(struct model *m, uint64_t sealed_to, const struct account *account,
                    const struct account *told, struct span mark, struct buf *out);

// Takes up a snapshot; *mark is lent from it. Rows of streams that came after it are
// counted as lost. A pane that cannot go on is counted so as well. ST_CORRUPT: the
// model is as new.
MUST_USE enum status model_restore(struct model *m, struct span state,
                                   struct span *mark);

#endif
