// Names: the numbers of models, versions and series, given once and kept for ever.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_LOG_NAMES_H
#define KEDGE_CONTROLLER_LOG_NAMES_H

#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/span.h"
#include "common/base/status.h"
#include "controller/log/shelf.h"

#define NAMES_MODELS_MAX 100000u
#define NAMES_VERSIONS_MAX 1000000u // of all models together

// The number of a name that has one: ST_NOTFOUND otherwise.
MUST_USE enum status names_model(struct shelf *s, struct span name, uint32_t *out);
MUST_USE enum status names_version(struct shelf *s, uint32_t model, struct span name,
                                   uint32_t *out);
MUST_USE enum status names_series(struct shelf *s, uint32_t model, uint32_t version,
                                  const uint8_t *agent, uint32_t *out);

// The same, and a new number when it has none. Beyond the limits ST_RANGE: refuse what
// asked for it; the shelf is fine.
MUST_USE enum status names_model_new(struct shelf *s, struct span name, uint32_t *out);
MUST_USE enum status names_version_new(struct shelf *s, uint32_t model,
                                       struct span name, uint32_t *out);
MUST_USE enum status names_series_new(struct shelf *s, uint32_t model, uint32_t version,
                                      const uint8_t *agent, uint32_t *out);

// Appends the name of a number. ST_NOTFOUND.
MUST_USE enum status names_of_model(struct shelf *s, uint32_t model, struct buf *out);
MUST_USE enum status names_of_version(struct shelf *s, uint32_t model, uint32_t version,
                                      struct buf *out);

#endif
