// Incidents in the store: read and written by the room that groups alerts, read by the
// one that answers.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_LOG_INCIDENTS_H
#define KEDGE_CONTROLLER_LOG_INCIDENTS_H

#include "common/base/status.h"
#include "controller/log/cases.h"
#include "controller/log/judged.h"
#include "controller/log/shelf.h"
#include "proto/messages/record.h"

// What *out lends lives until the paper's next read. ST_NOTFOUND, ST_CORRUPT, ST_NOMEM,
// the shelf's.
MUST_USE enum status incidents_read(struct paper *p, struct shelf *s,
                                    const uint8_t id[CASE_ID_BYTES],
                                    struct record_incident *out);

// Writes the record and its audit leaf: `event` ("incident.open") of the object
// "incident/NUMBER". `actor` may be NULL: the system. The record as it was read last
// from the paper is what was before.
MUST_USE enum status incidents_write(struct paper *p, struct shelf *s,
                                     const struct record_incident *i, const char *event,
                                     const struct span *actor, struct span detail,
                                     const struct fold_moment *now);

// The incident that an alert belongs to. ST_NOTFOUND.
MUST_USE enum status incidents_of_alert(struct shelf *s,
                                        const uint8_t alert[CASE_ID_BYTES],
                                        uint8_t id[CASE_ID_BYTES]);

// Members are small: no leaf of their own.
MUST_USE enum status incidents_member(struct paper *p, struct shelf *s,
                                      const uint8_t id[CASE_ID_BYTES],
                                      const uint8_t alert[CASE_ID_BYTES],
                                      struct record_member *out);
MUST_USE enum status incidents_put_member(struct shelf *s,
                                          const uint8_t id[CASE_ID_BYTES],
                                          const struct record_member *m);

// "incident/17", as the audit log calls it.
#define INCIDENT_OBJECT_BYTES 32
void incidents_object(const uint8_t id[CASE_ID_BYTES], char out[INCIDENT_OBJECT_BYTES]);

#endif
