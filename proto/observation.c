// Observation: the names of drop reasons, roles and kinds.
//
// SPDX-License-Identifier: Apache-2.0
#include "proto/observation.h"

static const char *const reason_names[DROP_REASONS] = {
    [DROP_MALFORMED] = "malformed",
    [DROP_OVERSIZE] = "oversize",
    [DROP_UNKNOWN_MODEL] = "unknown_model",
    [DROP_TOO_OLD] = "too_old",
    [DROP_FEATURES] = "feature_limit",
    [DROP_MEMORY] = "memory",
    [DROP_CRASH] = "crash",
    [DROP_LANE] = "lane_full",
};

const char *drop_reason_name(enum drop_reason why)
{
    return why < DROP_REASONS ? reason_names[why] : "unknown";
}
