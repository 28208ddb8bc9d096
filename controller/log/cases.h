// Cases: alerts in the store, read and written by the rooms that judge and act.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_LOG_CASES_H
#define KEDGE_CONTROLLER_LOG_CASES_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/status.h"
#include "controller/log/effects.h"
#include "controller/log/judged.h"
#include "controller/log/shelf.h"
#include "proto/codec.h"
#include "proto/messages/record.h"

#define CASE_ID_BYTES 16u

// Paper: memory in which one record is read and written. What cases_read gives is lent
// by it until the next read.
struct paper {
    struct buf old, fresh; // the record as it was read, and as it was written
    uint8_t *memory;
    struct pool pool;
};

// ST_NOMEM.
MUST_USE enum status paper_init(struct paper *p);
void paper_fini(struct paper *p); // a zeroed one is fine

// Decodes a record that was found in the store, from a copy of its bytes.
MUST_USE enum status paper_read(struct paper *p, const struct message *m,
                                struct span bytes, void *out);

// The case's number, which people use, and its id: the number in the last 8 bytes.
uint64_t case_number(const uint8_t id[CASE_ID_BYTES]);
void case_id(uint64_t number, uint8_t id[CASE_ID_BYTES]);

// The id of the model's open alert, if there is one.
MUST_USE enum status cases_open_of(struct shelf *s, uint32_t model,
                                   uint8_t id[CASE_ID_BYTES], bool *is_open);
// Sets it (NULL: none is open any more).
MUST_USE enum status cases_set_open(struct shelf *s, uint32_t model, const uint8_t *id);

// ST_NOTFOUND, ST_CORRUPT, ST_NOMEM, the shelf's.
MUST_USE enum status cases_read(struct paper *p, struct shelf *s,
                                const uint8_t id[CASE_ID_BYTES],
                                struct record_alert *out);

// Writes the record; with an `event` ("alert.open"), which is news for people, also the
// audit leaf and EFFECT_ALERT. `actor` may be NULL: the system.
MUST_USE enum status cases_write(struct paper *p, struct shelf *s,
                                 const struct record_alert *a, const char *event,
                                 const struct span *actor,
                                 const struct fold_moment *now, struct effects *out);

#endif
