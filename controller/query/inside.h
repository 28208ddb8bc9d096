// Inside: what the files of the query room share.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_QUERY_INSIDE_H
#define KEDGE_CONTROLLER_QUERY_INSIDE_H

#include "common/base/json.h"
#include "controller/log/keys.h"
#include "controller/log/names.h"
#include "controller/log/records.h"
#include "controller/query/query.h"
#include "proto/messages/record.h"

enum {
    CODE_FINE = 0,
    CODE_UNHEALTHY = 1,
    CODE_USAGE = 2,
    CODE_NOT_FOUND = 3,
    CODE_DENIED = 4
};

// One question on its way. The JSON object is open; an answer adds its members.
struct call {
    struct shelf *s;
    const struct query_ask *ask;
    struct json *j;
    struct pool *pool;
    struct buf *fault; // one line, when the code is not 0
    uint8_t code;
};

struct span call_arg(const struct call *c, const char *key);
// Refuses: sets code and line, gives ST_OK.
enum status call_refuse(struct call *c, uint8_t code, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

// The model that the argument "model" names. ST_NOTFOUND: refused already.
MUST_USE enum status call_model(struct call *c, struct span *name, uint32_t *no);

// As call_model, for a filter: no argument is fine, and then all models are meant.
MUST_USE enum status call_model_filter(struct call *c);

// Calls `each` with the key behind the prefix and the value, for each key below it.
typedef enum status call_each(struct call *c, struct span rest, struct span value,
                              void *with);
MUST_USE enum status call_walk(struct call *c, enum shelf_table table,
                               const struct shelf_key *prefix, call_each *each,
                               void *with);

// fleet.c
enum status answer_fleet_status(struct call *c);
enum status answer_agent_list(struct call *c);
enum status answer_token_list(struct call *c);
enum status answer_operator_list(struct call *c);
// catalog.c
enum status answer_model_list(struct call *c);
// features.c
enum status answer_feature_list(struct call *c);
enum status answer_feature_show(struct call *c);
// expression.c
enum status answer_query(struct call *c);
// models.c
enum status answer_model_show(struct call *c);
enum status answer_model_history(struct call *c);
enum status answer_model_key(struct call *c);
enum status answer_baseline_show(struct call *c);
enum status answer_baseline_newest(struct call *c);
void write_state_of_model(struct call *c, uint32_t model, const char **state);
// alerts.c
enum status answer_alert_list(struct call *c);
enum status answer_alert_show(struct call *c);
enum status answer_why(struct call *c);
// budget.c
enum status answer_budget_show(struct call *c);
// plans.c
enum status answer_rollback_status(struct call *c);
// audits.c
enum status answer_audit_log(struct call *c);
enum status answer_audit_export(struct call *c);
enum status answer_audit_verify(struct call *c);
enum status answer_audit_counts(struct call *c);
enum status answer_event_list(struct call *c);
enum status answer_policy_show(struct call *c);
// lineage.c
enum status answer_lineage_show(struct call *c);
enum status answer_lineage_check(struct call *c);
enum status answer_lineage_diff(struct call *c);
enum status answer_signal_list(struct call *c);
// incidents.c, incident_export.c
enum status answer_incident_list(struct call *c);
enum status answer_incident_show(struct call *c);
enum status answer_incident_export(struct call *c);

#endif
