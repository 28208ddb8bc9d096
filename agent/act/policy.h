// Policy: what the host's owner allows, whoever orders it. The owner has the last word.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_ACT_POLICY_H
#define KEDGE_AGENT_ACT_POLICY_H

#include <stdint.h>

#include "common/base/span.h"
#include "common/base/status.h"
#include "common/setup/conf.h"

// The section local_policy of agent.conf.
struct policy {
    struct value_list actions;  // anything else is E_LOCAL
    struct value_list models;   // globs, besides those of the grant; none = all
    struct value_list never_to; // globs of MODEL@VERSION
    uint64_t max_per_hour;      // effects on one model
    uint64_t max_per_hour_all;  // effects on this host
    uint64_t min_interval_ns;   // between two effects on one model
    char *veto_dir;             // a file MODEL or ALL in it stops everything at once
};
extern const struct conf_table policy_table;

bool policy_allows_action(const struct policy *p, struct span action);
bool policy_allows_model(const struct policy *p, struct span model);
bool policy_allows_target(const struct policy *p, struct span model,
                          struct span version);

// Is there a veto file? '/' in the model's name is "__" in the file's. A folder that
// cannot be looked into counts as a veto; one that does not exist does not.
bool policy_is_vetoed(const struct policy *p, struct span model);

#endif
