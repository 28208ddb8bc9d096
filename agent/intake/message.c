// SPDX-License-Identifier: Apache-2.0
#include "agent/intake/message.h"

#include <strings.h>

#include "agent/intake/body.h"
#include "agent/intake/chat.h"
#include "agent/intake/feed.h"
#include "agent/intake/otlp.h"
#include "agent/intake/route.h"
#include "agent/intake/sheet.h"
#include "common/base/mem.h"

#define FORMAT_BYTES 64

enum reader {
    READ_NOTHING,
    READ_BODY,
    READ_CHAT,
    READ_METRICS,
    READ_EVENTS,
    READ_SHEET,
    READ_LINES,
};

struct message {
    struct teller teller;
    struct body *body;
    struct chat chat;
    struct otlp otlp;
    struct events events;
    struct sheet sheet;
    struct feed *lines; // of the message under way
    struct mapping mapping;
    char given_model[OBSERVATION_NAME_MAX + 1]; // for the mapping
    enum reader reader;
    // Of the last request, for its answer.
    bool is_foreign; // it was none of a model
    enum route_kind asked;
    struct word asked_model;
    struct word asked_version;
};

enum status message_open(const struct observation_sink *sink, struct message **out)
{
    struct message *m = MEM_NEW(struct message);
    if (!m)
        return ST_NOMEM;
    enum status st = teller_init(&m->teller, sink);
    chat_init(&m->chat, &m->teller);
    otlp_init(&m->otlp, &m->teller);
    sheet_init(&m->sheet, &m->teller);
    if (st == ST_OK)
        st = body_open(&m->teller, &m->body);
    events_init(&m->events, &m->teller, m->body);
    if (st != ST_OK) {
        message_close(m);
        return st;
    }
    *out = m;
    return ST_OK;
}

void message_close(struct message *m)
{
    if (!m)
        return;
    teller_fini(&m->teller);
    body_close(m->body);
    chat_fini(&m->chat);
    otlp_fini(&m->otlp);
    events_fini(&m->events);
    sheet_fini(&m->sheet);
    feed_close(m->lines);
    mem_free(m);
}

struct span message_model(const struct message *m)
{
    return teller_model(&m->teller);
}

enum status message_assume(struct message *m, struct span model, struct span version)
{
    ST_TRY(word_set(&m->teller.given_model, model));
    memcpy(m->given_model, m->teller.given_model.data, m->teller.given_model.size);
    m->mapping.model = model.size > 0 ? m->given_model : NULL;
    return word_set(&m->teller.given_version, version);
}

void message_remember(struct message *m, struct once *once)
{
    m->teller.once = once;
}

static void ask(struct message *m, struct span path)
{
    struct route route;
    route_of(path, &route);
    m->asked = route.kind;
    m->asked_model = route.model;
    m->asked_version = route.version;
}

void message_ask(struct message *m, struct span path)
{
    ask(m, path);
    m->is_foreign = false;
}

// --- Heads

static bool is_word(struct span s, const char *word)
{
    return s.size == strlen(word) &&
           strncasecmp((const char *)s.data, word, s.size) == 0;
}

static void lower(struct span s, struct word *out)
{
    out->size = 0;
    if (s.size > sizeof out->data)
        return;
    for (size_t i = 0; i < s.size; i++) {
        uint8_t c = s.data[i];
        out->data[out->size++] = (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
    }
}

static struct span before_parameters(struct span value)
{
    const uint8_t *end = value.size ? memchr(value.data, ';', value.size) : NULL;
    size_t size = end ? (size_t)(end - value.data) : value.size;
    while (size > 0 && value.data[size - 1] == ' ')
        size--;
    return span_of(value.data, size);
}

void message_header(struct message_head *h, struct span name, struct span value)
{
    struct word key;
    lower(name, &key);
    if (is_word(word_span(&key), "content-type")) {
        lower(before_parameters(value), &h->content_type);
    } else if (is_word(word_span(&key), "x-request-id")) {
        if (word_set(&h->request_id, value) != ST_OK)
            h->request_id.size = 0;
    } else if (key.size > 3 && memcmp(key.data, "ce-", 3) == 0) {
        h->is_event = true;
        if (event_set(&h->event, span_of(key.data + 3, key.size - 3), value) != ST_OK)
            return; // too long to be an id or a name
    }
}

static bool has_type(const struct message_head *h, const char *type)
{
    return span_is(word_span(&h->content_type), type);
}

// --- Who reads it

static enum reader begin_body(struct message *m, enum body_family family)
{
    body_begin(m->body, family);
    return READ_BODY;
}

static enum reader begin_sheet(struct message *m)
{
    sheet_begin(&m->sheet, true);
    return READ_SHEET;
}

static enum reader begin_lines(struct message *m, struct span path)
{
    char format[FORMAT_BYTES];
    size_t skip = sizeof ROUTE_LINES_PREFIX - 1, size = path.size - skip;
    feed_close(m->lines);
    m->lines = NULL;
    if (size >= sizeof format)
        return READ_NOTHING;
    memcpy(format, path.data + skip, size);
    format[size] = '\0';
    enum status st =
        feed_open(FEED_TAIL, format, &m->mapping, m->teller.sink, &m->lines);
    return st == ST_OK ? READ_LINES : READ_NOTHING;
}

static enum reader begin_event(struct message *m, const struct message_head *head)
{
    enum body_family family;
    if (event_tell(&head->event, &m->teller, &family) != ST_OK)
        return READ_NOTHING;
    return begin_body(m, family);
}

static enum reader begin_request(struct message *m, const struct message_head *head)
{
    teller_begin(&m->teller, m->teller.now_ns, SIDE_INPUT);
    ask(m, head->path);
    m->teller.model = m->asked_model;
    m->teller.version = m->asked_version;
    if (!head->is_post)
        return READ_NOTHING;
    if (has_type(head, "application/cloudevents+json") ||
        has_type(head, "application/cloudevents-batch+json")) {
        events_begin(&m->events);
        return READ_EVENTS;
    }
    if (head->is_event)
        return begin_event(m, head);
    switch (m->asked) {
    case ROUTE_CHAT:
        chat_begin_request(&m->chat);
        return READ_CHAT;
    case ROUTE_METRICS:
        otlp_begin(&m->otlp);
        return READ_METRICS;
    case ROUTE_MLFLOW:
        return has_type(head, "text/csv") ? begin_sheet(m) : begin_body(m, BODY_ANY);
    case ROUTE_TORCH:
        return begin_body(m, BODY_WHOLE);
    case ROUTE_SELDON:
        return begin_body(m, BODY_SELDON);
    case ROUTE_LINES:
        return begin_lines(m, head->path);
    case ROUTE_PREDICT:
    case ROUTE_OTHER:
        break;
    }
    return begin_body(m, BODY_ANY);
}

static enum reader begin_answer(struct message *m, const struct message_head *head)
{
    teller_begin(&m->teller, m->teller.now_ns, SIDE_OUTPUT);
    m->teller.model = m->asked_model;
    m->teller.version = m->asked_version;
    if (head->status != 200 || m->asked == ROUTE_METRICS || m->asked == ROUTE_LINES ||
        m->is_foreign)
        return READ_NOTHING;
    if (m->asked == ROUTE_CHAT) {
        chat_begin_answer(&m->chat, has_type(head, "text/event-stream"));
        return READ_CHAT;
    }
    enum body_family family = m->asked == ROUTE_TORCH    ? BODY_WHOLE
                              : m->asked == ROUTE_SELDON ? BODY_SELDON
                                                         : BODY_ANY;
    return begin_body(m, family);
}

bool message_begin(struct message *m, const struct message_head *head, uint64_t now_ns)
{
    m->teller.now_ns = now_ns;
    m->reader = head->is_answer ? begin_answer(m, head) : begin_request(m, head);
    m->teller.given_id = head->request_id;
    if (m->reader == READ_CHAT)
        m->teller.id = head->request_id; // a chat's own id stands in the answer alone
    if (!head->is_answer)
        m->is_foreign =
            m->reader == READ_NOTHING || m->reader == READ_EVENTS || head->is_event;
    return m->reader != READ_NOTHING;
}

// --- Bodies

enum status message_bytes(struct message *m, struct span bytes)
{
    switch (m->reader) {
    case READ_NOTHING:
        break;
    case READ_BODY:
        return body_bytes(m->body, bytes);
    case READ_CHAT:
        return chat_bytes(&m->chat, bytes);
    case READ_METRICS:
        return otlp_bytes(&m->otlp, bytes);
    case READ_EVENTS:
        return events_bytes(&m->events, bytes);
    case READ_SHEET:
        return sheet_bytes(&m->sheet, bytes);
    case READ_LINES:
        return feed_bytes(m->lines, bytes, m->teller.now_ns);
    }
    return ST_OK;
}

static enum status end_reader(struct message *m)
{
    switch (m->reader) {
    case READ_NOTHING:
        break;
    case READ_BODY:
        return body_end(m->body);
    case READ_CHAT:
        return chat_end(&m->chat);
    case READ_METRICS:
        return otlp_end(&m->otlp);
    case READ_EVENTS:
        return events_end(&m->events);
    case READ_SHEET:
        return sheet_end(&m->sheet);
    case READ_LINES:
        return feed_end(m->lines);
    }
    return ST_OK;
}

enum status message_end(struct message *m)
{
    enum status st = end_reader(m);
    // A chat request names its model inside.
    if (m->teller.side == SIDE_INPUT && m->asked_model.size == 0)
        m->asked_model = m->teller.model;
    m->reader = READ_NOTHING;
    return st;
}
