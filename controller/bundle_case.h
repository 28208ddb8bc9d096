// Bundle case: the windows of a bundle as a case, and the answer found again.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_BUNDLE_CASE_H
#define KEDGE_CONTROLLER_BUNDLE_CASE_H

#include <json-c/json.h>
#include <stdbool.h>

#include "common/base/status.h"
#include "proto/messages/record.h"

// Builds the case from the member `evidence`. Its digest must be the record's, and the
// answer found again must name the same suspects in the same order with the same
// verdict; *why says what differs, or is NULL. ST_CORRUPT: it cannot be read. ST_NOMEM.
MUST_USE enum status bundle_case_check(struct json_object *evidence,
                                       const struct record_incident *i,
                                       const char **why);

#endif
