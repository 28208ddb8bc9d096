// Pick: finds the values of interest in a stream of JSON tokens by their paths.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_INTAKE_PICK_H
#define KEDGE_AGENT_INTAKE_PICK_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/intake/lexer.h"
#include "common/base/status.h"

#define PICK_PATH_MAX 256

enum pick_how {
    PICK_VALUE,  // every token of the value
    PICK_AROUND, // the container's begin and end, and what is picked inside it
};

// "/choices/*/message/content": members by name, "+" for any member, "*" for each item
// of an array.
struct pick_row {
    const char *path;
    int slot; // says which it is
    enum pick_how how;
};

// Called for each token that is picked. `is_last` ends the value.
typedef enum status pick_fn(void *self, int slot, enum token token, struct span text,
                            double number, bool is_last);

struct pick {
    const struct pick_row *row;
    uint32_t rows;
    pick_fn *take;
    void *self;
    char path[PICK_PATH_MAX];
    uint32_t path_size;
    uint32_t depth; // containers that lead to something
    struct pick_level {
        uint32_t path;
        bool is_array;
        int around; // row that is told its end, or -1
    } level[OBSERVATION_DEPTH_MAX + 1];
    uint32_t skipping;            // containers inside one that leads to nothing
    const struct pick_row *value; // being passed on
    uint32_t value_depth;
};

// Keeps the table.
void pick_init(struct pick *p, const struct pick_row *row, uint32_t rows, pick_fn *take,
               void *self);

// Before each value at the top.
void pick_reset(struct pick *p);

// A token_fn: `self` is the pick.
enum status pick_token(void *self, enum token token, struct span text, double number);

#endif
