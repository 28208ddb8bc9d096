// Lexer: cuts JSON into tokens as the bytes come, in bounded memory and without a tree.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_INTAKE_LEXER_H
#define KEDGE_AGENT_INTAKE_LEXER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/span.h"
#include "common/base/status.h"
#include "proto/observation.h"

enum token {
    TOKEN_OBJECT,
    TOKEN_OBJECT_END,
    TOKEN_ARRAY,
    TOKEN_ARRAY_END,
    TOKEN_KEY,    // text
    TOKEN_STRING, // text, escapes resolved, UTF-8
    TOKEN_NUMBER, // number; NaN, Infinity and -Infinity are taken too
    TOKEN_TRUE,
    TOKEN_FALSE,
    TOKEN_NULL
};

// Called for each token, in order. `text` (key, string, or the digits of a number) is
// lent for the call. Another answer than ST_OK ends the lexing with it.
typedef enum status token_fn(void *self, enum token token, struct span text,
                             double number);

// RFC 8259 with three more number tokens. Strings must be UTF-8 and at most
// OBSERVATION_STRING_MAX bytes; the nesting at most OBSERVATION_DEPTH_MAX.
struct lexer {
    token_fn *take;
    void *self;
    struct buf held; // a token that a chunk boundary cut, or a string with escapes
    uint64_t nested; // one bit a level: 1 = object, the lowest bit is the innermost
    uint32_t depth;
    uint16_t unit;  // of \uXXXX, as far as it is read
    uint16_t high;  // a high surrogate that waits for its low one
    uint8_t escape; // where an escape stands; 0 = in none
    uint8_t expect; // what may come next
    uint8_t mode;   // inside a string, a scalar or neither
    bool is_key;    // the string under way is one
    bool plain;     // and is ASCII so far
    bool finished;  // one whole value was read
};

void lexer_init(struct lexer *x, token_fn *take, void *self);
void lexer_fini(struct lexer *x);

// Back to the beginning of a value; keeps the memory.
void lexer_reset(struct lexer *x);

// Takes the next bytes; *used says how many belong to the value (less than the size
// only when it ended, `finished`). ST_CORRUPT on a syntax error, ST_FULL over a limit,
// ST_NOMEM, or what `take` answered; after an error only lexer_reset is allowed.
MUST_USE enum status lexer_feed(struct lexer *x, struct span bytes, size_t *used);

// There are no more bytes: ends a number at the top. ST_CORRUPT when the value is cut.
MUST_USE enum status lexer_end(struct lexer *x);

// One whole value in one piece, surrounding white space allowed.
MUST_USE enum status lexer_whole(struct lexer *x, struct span bytes);

#endif
