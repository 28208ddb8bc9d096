// Body, inside: the state that the readers of a body's parts share.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_INTAKE_BODY_INNER_H
#define KEDGE_AGENT_INTAKE_BODY_INNER_H

#include "agent/intake/binary.h"
#include "agent/intake/body.h"
#include "agent/intake/columns.h"
#include "agent/intake/tape.h"

#define TENSOR_DIMENSIONS_MAX 16

// One token of a part's value. `depth` is where it stands: 0 for the value's own
// tokens, 1 for its items and so on; a container's begin and end stand at one depth.
struct step {
    uint32_t depth;
    enum token token;
    struct span text;
    double number;
};

enum table_part {
    TABLE_OTHER,
    TABLE_NAMES,
    TABLE_LINES,
    TABLE_TENSOR,
};

enum many_kind {
    MANY_UNKNOWN,
    MANY_ROWS,
    MANY_COLUMNS,
    MANY_TENSORS,
};

enum tensor_part {
    TENSOR_OTHER,
    TENSOR_NAME,
    TENSOR_SHAPE,
    TENSOR_TYPE,
    TENSOR_DATA,
    TENSOR_PARAMETERS,
    TENSOR_SIZE, // binary_data_size, in the parameters
};

struct tensor {
    enum tensor_part part;
    uint64_t shape[TENSOR_DIMENSIONS_MAX];
    uint32_t dimensions;
    bool has_shape;
    enum binary_type type;
    uint64_t binary_size;
    bool has_binary;
};

// A tensor whose values stand behind the JSON.
struct announced {
    uint32_t column;
    enum binary_type type;
    uint64_t size;
};

typedef enum status part_fn(struct body *b, const struct step *s);

struct body {
    struct teller *teller;
    struct lexer lexer;
    enum body_family family;
    struct tape undecided; // tokens from before it was clear what the body is
    bool is_undecided;
    bool is_whole;  // the value at the top is one part
    uint32_t depth; // of the next token, in the body
    part_fn *part;  // reads the value under way; NULL: between members
    uint32_t part_depth;
    struct span row_name; // of PART_ONE, static
    bool in_row;          // tokens go to the flat, then the row is handed on
    bool in_cell;         // tokens go to the flat, and the row goes on
    struct columns columns;
    bool has_columns; // to be handed on at the end
    // A table: its columns' names, and where in a line it stands.
    struct columns names;
    enum table_part table_part;
    uint32_t cell;
    bool has_tensor;
    // Tensors, columns or rows.
    enum many_kind many;
    struct tensor tensor;
    struct announced announced[COLUMNS_MAX];
    uint32_t announcements;
    uint32_t next; // the announced tensor whose bytes come next
    bool in_binary;
    struct binary binary;
};

static inline bool step_begins(const struct step *s)
{
    return s->token == TOKEN_OBJECT || s->token == TOKEN_ARRAY;
}

static inline bool step_ends(const struct step *s)
{
    return s->token == TOKEN_OBJECT_END || s->token == TOKEN_ARRAY_END;
}

// --- body.c

// Begins a row with the token at hand, or goes on with it.
MUST_USE enum status body_begin_row(struct body *b, const struct step *s);
MUST_USE enum status body_go_on(struct body *b, const struct step *s);
part_fn body_rows;

// Adds a number to the shape of the tensor under way. ST_RANGE.
MUST_USE enum status body_take_size(struct body *b, const struct step *s);

// --- body_table.c, body_tensors.c

part_fn body_table;
part_fn body_many;
// Takes bytes behind the JSON, and the end of the body.
MUST_USE enum status body_binary(struct body *b, struct span bytes);
// Hands on what is held by columns.
MUST_USE enum status body_hand_columns(struct body *b);

#endif
