// Question: verbs that are one question to the controller, as a table.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_CLI_QUESTION_H
#define KEDGE_CONTROLLER_CLI_QUESTION_H

#include <stdbool.h>

#include "controller/cli/render.h"

// A verb that is one question: where its operands go, and how its answer looks.
struct question {
    const char *path;
    const char *query;
    const char *operand[3]; // argument of each; "model" splits NAME@VERSION,
                            // "*" is a file that goes along
    bool is_destructive;    // wants --yes where nobody is asked
    struct render_view view;
};

// NULL: there is none of that name.
const struct question *question_find(const char *path);

#endif
