// Migrate: brings the tables of an older Kedge up to date.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_STORE_MIGRATE_H
#define KEDGE_CONTROLLER_STORE_MIGRATE_H

#include <stdint.h>

#include "common/base/status.h"
#include "controller/log/shelf.h"

// Changes everything from schema `from` (1 at least) to STORE_SCHEMA, in the caller's
// transaction. Done twice it changes nothing more. ST_CORRUPT, the shelf's.
MUST_USE enum status migrate(struct shelf *s, uint32_t from);

#endif
