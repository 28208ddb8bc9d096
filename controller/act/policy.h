// Policy: what may be done about an alert, as an operator wrote it (kedge-policy(5)).
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_ACT_POLICY_H
#define KEDGE_CONTROLLER_ACT_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/span.h"
#include "common/base/status.h"
#include "common/setup/value.h"
#include "controller/act/expr.h"

#define POLICY_BYTES_MAX (256u * 1024u)
#define POLICY_RULES_MAX 256u
#define POLICY_WAVES_MAX 8u

// One wave: so many hosts, or such a share of all of them.
struct policy_wave {
    bool is_share;
    double amount;
};

struct policy_verify {
    uint64_t min_samples;
    uint64_t min_time_ns; // event time
    uint64_t max_ns;      // event time
    struct value_list signals;
    unsigned on_fail; // 0 restore, 1 halt
};

struct policy_limits {
    uint64_t cooldown_ns;
    uint64_t max_per_day;
};

// One `policy "name" { ... }`. All owned by the set.
struct policy_rule {
    char *name;
    struct value_list models;
    char *when;
    unsigned action; // 0 rollback, 1 retrain, 2 none
    unsigned mode;   // enum policy_mode of proto/messages/record.h
    uint64_t approvals;
    char *executor;
    struct value_list waves;
    struct policy_verify verify;
    struct policy_limits limits;
    bool allow_single;
    uint64_t run_ns;
    struct expr *condition; // of `when`
    struct policy_wave wave[POLICY_WAVES_MAX];
    uint32_t wave_count;
};

struct policy;

// Parses a whole file; `name` stands for it in messages. ST_RANGE with one line in
// `why`: file, line, what is wrong and what to write. ST_FULL, ST_NOMEM.
MUST_USE enum status policy_parse(const char *name, struct span text,
                                  struct policy **out, struct buf *why);
void policy_close(struct policy *p); // NULL is fine

// What a condition may ask for. What is not known stays unknown in the expression.
struct policy_facts {
    struct span model;
    struct span diagnosis;
    struct span tier;
    struct span version;
    double hosts;
    bool is_automatic; // the decision table allows an automatic rollback
};

// The first rule in the file's order that fits, or NULL. Lends.
const struct policy_rule *policy_match(const struct policy *p,
                                       const struct policy_facts *facts);

uint32_t policy_rules(const struct policy *p);
const struct policy_rule *policy_rule(const struct policy *p, uint32_t i);

// How many of `hosts` a wave takes at most: one at least.
uint32_t policy_wave_hosts(const struct policy_wave *w, uint32_t hosts);

#endif
