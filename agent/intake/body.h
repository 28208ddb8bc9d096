// Body: what inference servers are asked and what they answer, in any of their forms.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_INTAKE_BODY_H
#define KEDGE_AGENT_INTAKE_BODY_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/intake/columns.h"
#include "agent/intake/lexer.h"
#include "agent/intake/teller.h"
#include "common/base/span.h"
#include "common/base/status.h"

// Whose form it is. BODY_ANY looks at the keys: TensorFlow Serving, KServe V1 and V2
// and MLflow have keys of their own; anything else is one row.
enum body_family {
    BODY_ANY,
    BODY_WHOLE,  // TorchServe: the body is the row
    BODY_SELDON, // "data", "jsonData", "strData", "binData"
};

struct body;

// A reader for one message after the other; the teller, which it keeps, says whose the
// rows are. Row-wise bodies go through in the memory of one row; column-wise ones are
// held up to COLUMNS_BYTES_MAX.
MUST_USE enum status body_open(struct teller *t, struct body **out);
void body_close(struct body *b); // NULL is fine

void body_begin(struct body *b, enum body_family family);

// Takes bytes: JSON, and behind it the binary data that its tensors announced. Rows
// that are complete are handed on at once. ST_CORRUPT, ST_RANGE, ST_FULL (over a
// limit), ST_NOMEM: the rest of the message is lost.
MUST_USE enum status body_bytes(struct body *b, struct span bytes);

// The message ended. ST_CORRUPT: it was cut.
MUST_USE enum status body_end(struct body *b);

// The same for tokens that come from elsewhere: a token_fn, `self` is the body; it ends
// by itself with the value.
enum status body_token(void *self, enum token token, struct span text, double number);
MUST_USE enum status body_end_tokens(struct body *b);

#endif
