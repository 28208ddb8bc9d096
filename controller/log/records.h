// Records: messages of proto/messages/record.h put on a shelf and taken from it.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_LOG_RECORDS_H
#define KEDGE_CONTROLLER_LOG_RECORDS_H

#include "common/base/status.h"
#include "controller/log/shelf.h"
#include "proto/codec.h"

#define RECORDS_BYTES_MAX (4u << 20) // of one record, encoded

// Copies the value into the pool and decodes it there, so that it outlives changes of
// the shelf: everything in *out lives as long as the pool's content. ST_NOTFOUND;
// ST_FULL when the pool is too small; what the decoder says otherwise.
MUST_USE enum status records_get(struct shelf *s, enum shelf_table table,
                                 const struct shelf_key *key, const struct message *m,
                                 struct pool *pool, void *out);

// The same for bytes at hand, such as a walk's value.
MUST_USE enum status records_read(struct span value, const struct message *m,
                                  struct pool *pool, void *out);

// Encodes and puts. A struct that breaks its table's bounds is ST_RANGE.
MUST_USE enum status records_put(struct shelf *s, enum shelf_table table,
                                 const struct shelf_key *key, const struct message *m,
                                 const void *in);

#endif
