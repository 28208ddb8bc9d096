// Chat: figures of OpenAI-style chat completions. The text itself goes no further.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_INTAKE_CHAT_H
#define KEDGE_AGENT_INTAKE_CHAT_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/intake/lines.h"
#include "agent/intake/pick.h"
#include "agent/intake/teller.h"
#include "common/base/span.h"
#include "common/base/status.h"

// Text that comes in pieces.
struct chat_text {
    uint64_t chars;
    uint64_t words;
    bool in_word;
};

struct chat {
    struct teller *teller;
    struct lexer lexer;
    struct pick pick;
    struct lines lines; // of an event stream
    bool is_answer;
    bool is_stream;
    struct chat_text prompt;
    struct chat_text completion;
    uint64_t messages;
    uint64_t tool_calls;
    bool is_text; // the last key of a content in parts was "text"
    bool has_choice;
    bool has_refused;
    double temperature, top_p, max_tokens; // NaN: not said
    double tokens_in, tokens_out;
    struct word finish;
};

// Keeps the teller.
void chat_init(struct chat *c, struct teller *t);
void chat_fini(struct chat *c);

// Begins a request, or an answer (as one object, or as a stream of "data:" events).
void chat_begin_request(struct chat *c);
void chat_begin_answer(struct chat *c, bool is_stream);

// ST_CORRUPT, ST_RANGE, ST_FULL, ST_NOMEM.
MUST_USE enum status chat_bytes(struct chat *c, struct span bytes);

// The message ended: hands on its one row.
MUST_USE enum status chat_end(struct chat *c);

#endif
