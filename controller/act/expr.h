// Expr: the small typed condition of a policy ("diagnosis in [bad_version] and n >=
// 50").
//
// Grammar: or, and, not, parentheses, comparison (= != < <= > >=), `in [word, ...]`. No
// calls, no arithmetic. Symbols come from a fixed table, so a misspelt one is found
// when the policy is checked, not at night.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_ACT_EXPR_H
#define KEDGE_CONTROLLER_ACT_EXPR_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/span.h"
#include "common/base/status.h"

#define EXPR_BYTES_MAX 1024u
#define EXPR_DEPTH_MAX 16u
#define EXPR_NODES_MAX 128u

enum expr_type { EXPR_WORD, EXPR_NUMBER, EXPR_TRUTH };

struct expr_symbol {
    const char *name;
    enum expr_type type;
};

// The value of one symbol. What is not known makes every comparison with it false, also
// a negated one: a policy never acts on what nobody knows.
struct expr_value {
    bool is_known;
    struct span word;
    double number;
    bool truth;
};

struct expr_fault {
    size_t column; // 1-based
    char text[160];
};

struct expr;

// Parses all of `source` (copied). Errors: ST_CORRUPT and *fault tells where and why;
// ST_RANGE beyond the limits (also in *fault); ST_NOMEM.
MUST_USE enum status expr_parse(struct span source, const struct expr_symbol *symbol,
                                size_t symbols, struct expr **out,
                                struct expr_fault *fault);
void expr_close(struct expr *e);

// `value` has one entry per symbol of the table. O(nodes), no allocation.
bool expr_holds(const struct expr *e, const struct expr_value *value);

#endif
