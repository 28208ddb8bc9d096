// Rights: which role may ask what, and of which models. What no row allows, an admin
// alone may.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_RIGHTS_H
#define KEDGE_CONTROLLER_RIGHTS_H

#include <stdbool.h>

#include "common/base/span.h"
#include "proto/messages/query.h"
#include "proto/messages/record.h"

bool rights_allow(struct span role, struct span verb);

// Whether the question stays within the operator's globs. One who has some must name a
// model that they cover; who has none may ask of all.
bool rights_cover(const struct record_operator *who, const struct query *q);

#endif
