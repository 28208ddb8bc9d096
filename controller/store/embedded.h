// Embedded: the tape that lives in the store, so that append and fold are one commit.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_STORE_EMBEDDED_H
#define KEDGE_CONTROLLER_STORE_EMBEDDED_H

#include "controller/log/tape.h"

// Opens a store of its own (`folder`), or uses one that is open (`store`).
extern const struct tape_driver tape_embedded;

#endif
