// What the files of incidents share: the desk, and how an incident is found.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_WATCH_INCIDENT_INSIDE_H
#define KEDGE_CONTROLLER_WATCH_INCIDENT_INSIDE_H

#include "common/base/clock.h"
#include "controller/log/incidents.h"
#include "controller/watch/ancestry.h"
#include "controller/watch/incident.h"

#define OUTSIDE "outside"
#define HOUR_NS (3600 * NS_PER_S)
#define REOPEN_NS (24 * HOUR_NS) // a cleared incident is opened again for so long

struct incident_desk {
    struct paper paper, member;
    struct ancestry *ancestry;
    struct record_incident record; // lent by `paper`
};

// The incident that `name` is suspected for, and that one's onset when it was noted.
// ST_NOTFOUND.
MUST_USE enum status suspected_get(struct shelf *s, struct span name,
                                   uint8_t id[CASE_ID_BYTES], uint64_t *onset_ns);
MUST_USE enum status suspected_put(struct shelf *s, struct span name,
                                   const uint8_t id[CASE_ID_BYTES], uint64_t onset_ns);

// Whether an alert at `now_ns` (event time) may still join the incident in d->record.
bool incident_takes(const struct record_incident *i, uint64_t now_ns);

// Counts an alert by its onset; says whether more than half of all judged models have
// moved within the hour before it.
MUST_USE enum status storm_count(struct shelf *s, uint64_t onset_ns, bool *is_storm);

// Moves the members of every incident of that hour into the one in d->record, and
// closes those.
MUST_USE enum status storm_gather(struct incident_desk *d, struct shelf *s,
                                  const struct fold_moment *now);

#endif
