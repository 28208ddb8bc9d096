// Ask incident: "which model caused it?", for people and for the record.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_ASK_INCIDENT_H
#define KEDGE_CONTROLLER_ASK_INCIDENT_H

#include "controller/log/entry.h"
#include "controller/query/query.h"
#include "controller/watch/scene.h"

// What the query room asks of the watch.
const struct query_guest *ask_incident_guest(void);

// The answer that goes along with a command about an incident; it is found before the
// command is logged, so that the log keeps what was said.
struct ask_said {
    struct scene_said said;
    char answered[24], share[32], confidence[32], onset[24], evidence[65],
        suspects[513];
};

// Adds it to incident.open, .ack and .close. Where there is none to be found (an
// unknown name, too few windows) nothing is added. `e` lends from `out`.
void ask_incident_add(struct shelf *s, uint64_t wall_ns, struct entry_command *e,
                      struct ask_said *out);
void ask_said_fini(struct ask_said *a);

#endif
