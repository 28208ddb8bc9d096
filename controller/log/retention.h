// Retention: how long windows, hours and days are kept, as the log has it.
//
// It stands in the store, put there by an entry, so that a fold of the same log expires
// the same windows whatever the configuration says today.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_LOG_RETENTION_H
#define KEDGE_CONTROLLER_LOG_RETENTION_H

#include <stdint.h>

#include "common/base/clock.h"
#include "common/base/status.h"
#include "controller/log/keys.h"
#include "controller/log/shelf.h"

#define RETENTION_RAW_NS (48 * 3600 * NS_PER_S)
#define RETENTION_HOUR_NS (14 * 86400 * NS_PER_S)
#define RETENTION_DAY_NS (400 * 86400 * NS_PER_S)
// No squeeze goes below these; a configured span may not be shorter than the first.
#define RETENTION_RAW_LEAST_NS (2 * 3600 * NS_PER_S)
#define RETENTION_HOUR_LEAST_NS (2 * 86400 * NS_PER_S)
#define RETENTION_DAY_LEAST_NS (32 * 86400 * NS_PER_S)
#define RETENTION_SQUEEZE_MAX 31u

struct retention {
    uint64_t keep_ns[3]; // by enum key_resolution
    uint8_t squeeze;     // steps by which the store's quota has shortened them
};

// What the log has set; the figures above while it has set none. ST_CORRUPT.
MUST_USE enum status retention_get(struct shelf *s, struct retention *out);
MUST_USE enum status retention_put(struct shelf *s, const struct retention *r);

// What holds: each step of the squeeze halves the finest resolution that still can be.
uint64_t retention_of(const struct retention *r, enum key_resolution res);

#endif
