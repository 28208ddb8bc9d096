// Incident: alerts that go back to one cause, as one record for people.
//
// An alert joins the incident of what feeds it, or of what it shares with others that
// moved at the same time; a cause of its own opens another. An incident clears when all
// of its alerts have, and the same cause opens it again for a day; after that, or once
// a person closed it, a new one begins.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_WATCH_INCIDENT_H
#define KEDGE_CONTROLLER_WATCH_INCIDENT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/status.h"
#include "controller/log/cases.h"
#include "controller/log/effects.h"
#include "controller/log/entry.h"
#include "controller/log/judged.h"
#include "controller/log/shelf.h"

#define INCIDENT_CAUSE_MAX 256u
#define INCIDENT_STORM_LEAST 10u // alerts; fewer are no storm

struct incident_desk;

MUST_USE enum status incident_desk_open(struct incident_desk **out); // ST_NOMEM
void incident_desk_close(struct incident_desk *d);                   // NULL is fine
void incident_desk_drop(struct incident_desk *d); // the transaction was aborted

// An alert that is about to open. All lent.
struct incident_alert {
    struct span model, version;
    uint64_t onset_ns, end_ns; // event time: of the shift, and of the window seen
    uint64_t window_ns;
    uint64_t rows;
    bool is_own; // its inputs stood still, or its own deployment did it
};

// Where it goes.
struct incident_place {
    uint8_t incident[CASE_ID_BYTES]; // zeros: a new one
    bool is_new, is_reopened;
    bool is_outside; // more than half of all models moved within an hour
    bool has_paged;  // somebody was called for it already
    char cause[INCIDENT_CAUSE_MAX + 1]; // empty: as it was
    const char *kind;                   // of a new cause
};

// Finds the place; counts the alert among those of the hour.
MUST_USE enum status incident_place(struct incident_desk *d, struct shelf *s,
                                    const struct incident_alert *a,
                                    struct incident_place *out);

// Puts the alert into it, once it has its id and tier.
MUST_USE enum status incident_join(struct incident_desk *d, struct shelf *s,
                                   const struct incident_alert *a,
                                   const struct incident_place *place,
                                   const uint8_t alert[CASE_ID_BYTES], uint8_t tier,
                                   const struct fold_moment *now);

// The alert saw another window, perhaps with another tier.
MUST_USE enum status incident_heard(struct incident_desk *d, struct shelf *s,
                                    const uint8_t alert[CASE_ID_BYTES], uint8_t tier,
                                    uint64_t rows, uint64_t end_ns,
                                    const struct fold_moment *now);
// It has closed.
MUST_USE enum status incident_left(struct incident_desk *d, struct shelf *s,
                                   const uint8_t alert[CASE_ID_BYTES], uint64_t end_ns,
                                   const struct fold_moment *now);

// What an open alert owes to its incident: no rollback starts by itself in a shift of
// the whole world, and nobody is called twice for one cause.
struct incident_ties {
    bool is_outside, has_paged;
};
MUST_USE enum status incident_ties(struct incident_desk *d, struct shelf *s,
                                   const uint8_t alert[CASE_ID_BYTES],
                                   struct incident_ties *out);

// incident.open, .ack, .close, .reopen. ST_UNSUPPORTED: none of these verbs.
MUST_USE enum status incident_command(struct incident_desk *d, struct shelf *s,
                                      const struct entry_command *c,
                                      const struct fold_moment *now,
                                      struct effects *out);

#endif
