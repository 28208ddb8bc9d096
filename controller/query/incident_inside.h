// What the files of incidents share.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_QUERY_INCIDENT_INSIDE_H
#define KEDGE_CONTROLLER_QUERY_INCIDENT_INSIDE_H

#include "controller/log/incidents.h"
#include "controller/query/inside.h"

// The incident that the argument "incident" names. False: refused already, or *st.
bool incident_find(struct call *c, struct record_incident *out, enum status *st);

// Its figures, without the braces around them.
MUST_USE enum status incident_write(struct call *c, const struct record_incident *i);

// incident_past.c: what happened around it, on one line of time with the audit log; and
// the closed incidents that looked most like it.
MUST_USE enum status incident_write_timeline(struct call *c,
                                             const struct record_incident *i);
MUST_USE enum status incident_write_past(struct call *c,
                                         const struct record_incident *i);

#endif
