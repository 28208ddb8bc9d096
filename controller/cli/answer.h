// Answer: single members of an answer, for verbs that go on with them.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_CLI_ANSWER_H
#define KEDGE_CONTROLLER_CLI_ANSWER_H

#include "common/base/buf.h"
#include "common/base/span.h"
#include "common/base/status.h"

// Appends a member of the JSON object, as text. ST_NOTFOUND, ST_CORRUPT, ST_NOMEM.
MUST_USE enum status answer_text(struct span json, const char *member, struct buf *out);

// Calls `each` with every text of a member that is a list of texts, until one fails.
// ST_NOTFOUND, ST_CORRUPT, ST_NOMEM, or what `each` gave.
typedef enum status answer_item(void *keep, struct span text);
MUST_USE enum status answer_texts(struct span json, const char *member,
                                  answer_item *each, void *keep);

#endif
