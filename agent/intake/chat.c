// SPDX-License-Identifier: Apache-2.0
#include "agent/intake/chat.h"

#include <math.h>

enum slot {
    SLOT_MODEL,
    SLOT_ID,
    SLOT_TEMPERATURE,
    SLOT_TOP_P,
    SLOT_MAX_TOKENS,
    SLOT_MESSAGE,
    SLOT_PROMPT,
    SLOT_CHOICE,
    SLOT_COMPLETION,
    SLOT_REFUSAL,
    SLOT_TOOL_CALL,
    SLOT_FINISH,
    SLOT_TOKENS_IN,
    SLOT_TOKENS_OUT,
};

static const struct pick_row request_rows[] = {
    {"/model", SLOT_MODEL, PICK_VALUE},
    {"/temperature", SLOT_TEMPERATURE, PICK_VALUE},
    {"/top_p", SLOT_TOP_P, PICK_VALUE},
    {"/max_tokens", SLOT_MAX_TOKENS, PICK_VALUE},
    {"/max_completion_tokens", SLOT_MAX_TOKENS, PICK_VALUE},
    {"/messages/*", SLOT_MESSAGE, PICK_AROUND},
    {"/messages/*/content", SLOT_PROMPT, PICK_VALUE},
};

static const struct pick_row answer_rows[] = {
    {"/model", SLOT_MODEL, PICK_VALUE},
    {"/id", SLOT_ID, PICK_VALUE},
    {"/choices/*", SLOT_CHOICE, PICK_AROUND},
    {"/choices/*/message/content", SLOT_COMPLETION, PICK_VALUE},
    {"/choices/*/message/refusal", SLOT_REFUSAL, PICK_VALUE},
    {"/choices/*/message/tool_calls/*", SLOT_TOOL_CALL, PICK_AROUND},
    {"/choices/*/delta/content", SLOT_COMPLETION, PICK_VALUE},
    {"/choices/*/delta/refusal", SLOT_REFUSAL, PICK_VALUE},
    {"/choices/*/delta/tool_calls/*/id", SLOT_TOOL_CALL, PICK_VALUE},
    {"/choices/*/finish_reason", SLOT_FINISH, PICK_VALUE},
    {"/usage/prompt_tokens", SLOT_TOKENS_IN, PICK_VALUE},
    {"/usage/completion_tokens", SLOT_TOKENS_OUT, PICK_VALUE},
};

#define COUNT(a) (uint32_t)(sizeof(a) / sizeof(a)[0])

static pick_fn take;

void chat_init(struct chat *c, struct teller *t)
{
    *c = (struct chat){.teller = t};
    lexer_init(&c->lexer, pick_token, &c->pick);
    lines_init(&c->lines);
}

void chat_fini(struct chat *c)
{
    lexer_fini(&c->lexer);
    lines_fini(&c->lines);
}

static void begin(struct chat *c)
{
    lexer_reset(&c->lexer);
    lines_clear(&c->lines);
    c->is_stream = false;
    c->prompt = c->completion = (struct chat_text){0};
    c->messages = c->tool_calls = 0;
    c->has_choice = c->has_refused = false;
    c->temperature = c->top_p = c->max_tokens = NAN;
    c->tokens_in = c->tokens_out = NAN;
    c->finish.size = 0;
}

void chat_begin_request(struct chat *c)
{
    begin(c);
    c->is_answer = false;
    pick_init(&c->pick, request_rows, COUNT(request_rows), take, c);
}

void chat_begin_answer(struct chat *c, bool is_stream)
{
    begin(c);
    c->is_answer = true;
    c->is_stream = is_stream;
    pick_init(&c->pick, answer_rows, COUNT(answer_rows), take, c);
}

// --- Tokens

static void add_text(struct chat_text *t, struct span text)
{
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        bool is_blank = c == ' ' || (c >= '\t' && c <= '\r');
        t->chars += (c & 0xC0) != 0x80;
        t->words += !is_blank && !t->in_word;
        t->in_word = !is_blank;
    }
}

static void set_number(double *out, enum token token, double number)
{
    if (token == TOKEN_NUMBER)
        *out = number;
}

// A request names the model. The answer's is the version that really served it, and the
// model too when its request was not seen.
static enum status take_model(struct chat *c, struct span text)
{
    if (c->is_answer)
        ST_TRY(word_set(&c->teller->version, text));
    return c->teller->model.size == 0 ? word_set(&c->teller->model, text) : ST_OK;
}

static enum status take_text(struct chat *c, int slot, struct span text)
{
    switch (slot) {
    case SLOT_MODEL:
        return take_model(c, text);
    case SLOT_ID:
        return c->teller->id.size == 0 ? word_set(&c->teller->id, text) : ST_OK;
    case SLOT_PROMPT:
        add_text(&c->prompt, text);
        break;
    case SLOT_COMPLETION:
        add_text(&c->completion, text);
        break;
    case SLOT_REFUSAL:
        c->has_refused = true;
        break;
    case SLOT_FINISH:
        c->has_refused = c->has_refused || span_is(text, "content_filter");
        return word_set(&c->finish, text);
    default:
        break;
    }
    return ST_OK;
}

static void take_number(struct chat *c, int slot, enum token token, double number)
{
    switch (slot) {
    case SLOT_TEMPERATURE:
        set_number(&c->temperature, token, number);
        break;
    case SLOT_TOP_P:
        set_number(&c->top_p, token, number);
        break;
    case SLOT_MAX_TOKENS:
        set_number(&c->max_tokens, token, number);
        break;
    case SLOT_TOKENS_IN:
        set_number(&c->tokens_in, token, number);
        break;
    case SLOT_TOKENS_OUT:
        set_number(&c->tokens_out, token, number);
        break;
    default:
        break;
    }
}

static enum status take(void *self, int slot, enum token token, struct span text,
                        double number, bool is_last)
{
    struct chat *c = self;
    if (is_last) {
        c->messages += slot == SLOT_MESSAGE;
        c->tool_calls += slot == SLOT_TOOL_CALL;
        c->has_choice = c->has_choice || slot == SLOT_CHOICE;
        c->prompt.in_word = c->prompt.in_word && slot != SLOT_MESSAGE;
    }
    if (token == TOKEN_KEY)
        c->is_text = span_is(text, "text");
    // A content is one string, or parts that have their own under a key.
    if (token == TOKEN_STRING)
        return is_last || c->is_text ? take_text(c, slot, text) : ST_OK;
    take_number(c, slot, token, number);
    return ST_OK;
}

// --- Bytes

static enum status take_event(struct chat *c, struct span line)
{
    static const char mark[] = "data:";
    size_t size = sizeof mark - 1;
    if (line.size < size || memcmp(line.data, mark, size) != 0)
        return ST_OK; // a comment, another field, or the empty line between events
    struct span data = span_of(line.data + size, line.size - size);
    while (data.size > 0 && data.data[0] == ' ')
        data = span_of(data.data + 1, data.size - 1);
    if (span_is(data, "[DONE]"))
        return ST_OK;
    pick_reset(&c->pick);
    return lexer_whole(&c->lexer, data);
}

static enum status take_events(struct chat *c, struct span bytes)
{
    for (;;) {
        struct span line;
        enum line_kind kind = lines_next(&c->lines, &bytes, &line);
        if (kind == LINE_NONE)
            return ST_OK;
        if (kind == LINE_OVERSIZE)
            return ST_FULL;
        ST_TRY(take_event(c, line));
    }
}

enum status chat_bytes(struct chat *c, struct span bytes)
{
    size_t used;
    if (c->is_stream)
        return take_events(c, bytes);
    ST_TRY(lexer_feed(&c->lexer, bytes, &used));
    for (; used < bytes.size; used++)
        if (!memchr(" \t\r\n", bytes.data[used], 4))
            return ST_CORRUPT;
    return ST_OK;
}

// --- The row

static enum status put(struct chat *c, const char *name, double v)
{
    if (isnan(v))
        return ST_OK;
    return flat_number(&c->teller->flat, span_text(name), c->teller->side, v);
}

static enum status put_request(struct chat *c)
{
    ST_TRY(put(c, "temperature", c->temperature));
    ST_TRY(put(c, "top_p", c->top_p));
    ST_TRY(put(c, "max_tokens", c->max_tokens));
    ST_TRY(put(c, "messages", (double)c->messages));
    ST_TRY(put(c, "prompt.chars", (double)c->prompt.chars));
    return put(c, "prompt.words", (double)c->prompt.words);
}

static enum status put_answer(struct chat *c)
{
    ST_TRY(put(c, "completion.chars", (double)c->completion.chars));
    ST_TRY(put(c, "completion.words", (double)c->completion.words));
    ST_TRY(put(c, "refusal", c->has_refused));
    ST_TRY(put(c, "tool_calls", (double)c->tool_calls));
    if (c->finish.size > 0)
        ST_TRY(flat_text(&c->teller->flat, span_text("finish_reason"), c->teller->side,
                         word_span(&c->finish)));
    ST_TRY(put(c, "tokens.input", c->tokens_in));
    return put(c, "tokens.output", c->tokens_out);
}

static enum status end_stream(struct chat *c)
{
    struct span line;
    enum line_kind kind = lines_last(&c->lines, &line);
    if (kind == LINE_OVERSIZE)
        return ST_FULL;
    return kind == LINE_WHOLE ? take_event(c, line) : ST_OK;
}

enum status chat_end(struct chat *c)
{
    ST_TRY(c->is_stream ? end_stream(c) : lexer_end(&c->lexer));
    if (c->is_answer ? !c->has_choice : c->messages == 0)
        return ST_CORRUPT;
    ST_TRY(c->is_answer ? put_answer(c) : put_request(c));
    return teller_hand(c->teller);
}
