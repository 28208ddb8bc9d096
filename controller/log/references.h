// References: what agents are told of a baseline, made once when it is sealed.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_LOG_REFERENCES_H
#define KEDGE_CONTROLLER_LOG_REFERENCES_H

#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/span.h"
#include "common/base/status.h"
#include "common/drift/baseline.h"
#include "controller/log/shelf.h"
#include "proto/messages/record.h"

// Appends the body of kedge.reference.v1. `r` names model, version and digest, `b` is
// what it holds. ST_FULL, ST_NOMEM; ST_RANGE: too wide to be told.
MUST_USE enum status references_write(const struct record_baseline *r,
                                      const struct baseline *b, struct buf *out);

// Keeps it for references_read. One that is too wide is not kept.
MUST_USE enum status references_keep(struct shelf *s, uint32_t model, uint32_t version,
                                     const struct record_baseline *r,
                                     const struct baseline *b);

// Copies the body of that version's reference. ST_NOTFOUND: it has no baseline.
MUST_USE enum status references_read(struct shelf *s, uint32_t model, uint32_t version,
                                     struct pool *pool, struct buf *out);

#endif
