// SPDX-License-Identifier: Apache-2.0
#include "agent/intake/events.h"

#include <string.h>

static bool begins(struct span s, const char *with)
{
    size_t size = strlen(with);
    return s.size >= size && memcmp(s.data, with, size) == 0;
}

static bool ends(struct span s, const char *with)
{
    size_t size = strlen(with);
    return s.size >= size && memcmp(s.data + s.size - size, with, size) == 0;
}

// --- One event

enum status event_set(struct event *e, struct span name, struct span value)
{
    static const struct {
        const char *name;
        size_t offset;
    } attributes[] = {
        {"id", offsetof(struct event, id)},
        {"source", offsetof(struct event, source)},
        {"requestid", offsetof(struct event, request_id)},
        {"type", offsetof(struct event, type)},
        {"time", offsetof(struct event, time)},
        {"inferenceservicename", offsetof(struct event, service)},
        {"namespace", offsetof(struct event, space)},
    };
    for (size_t i = 0; i < sizeof attributes / sizeof *attributes; i++) {
        if (!span_is(name, attributes[i].name))
            continue;
        uint8_t *at = (uint8_t *)e + attributes[i].offset;
        if (attributes[i].offset == offsetof(struct event, source) &&
            value.size > OBSERVATION_NAME_MAX)
            value.size = OBSERVATION_NAME_MAX; // an address of any length
        return word_set((struct word *)(void *)at, value);
    }
    return ST_OK;
}

static enum status tell_model(const struct event *e, struct teller *t)
{
    char name[2 * OBSERVATION_NAME_MAX + 1];
    size_t size = 0;
    if (e->space.size > 0) {
        memcpy(name, e->space.data, e->space.size);
        size = e->space.size;
        name[size++] = '/';
    }
    memcpy(name + size, e->service.data, e->service.size);
    return word_set(&t->model, span_of(name, size + e->service.size));
}

// Delivery is "at least once"; source, id and type name an event.
static bool is_known(const struct event *e, struct once *once)
{
    char name[3 * (OBSERVATION_NAME_MAX + 1)];
    const struct word *const part[] = {&e->source, &e->id, &e->type};
    size_t size = 0;
    for (int i = 0; i < 3; i++) {
        memcpy(name + size, part[i]->data, part[i]->size);
        size += part[i]->size;
        name[size++] = 0;
    }
    return once_again(once, span_of(name, size));
}

enum status event_tell(const struct event *e, struct teller *t,
                       enum body_family *family)
{
    struct span type = word_span(&e->type);
    bool is_seldon = begins(type, "io.seldon.serving.");
    bool is_kserve = begins(type, "org.kubeflow.serving.");
    bool is_response = ends(type, ".response");
    if ((!is_seldon && !is_kserve) || (!is_response && !ends(type, ".request")))
        return ST_UNSUPPORTED;
    *family = is_seldon ? BODY_SELDON : BODY_ANY;
    t->side = is_response ? SIDE_OUTPUT : SIDE_INPUT;
    t->id = is_seldon && e->request_id.size > 0 ? e->request_id : e->id;
    if (e->service.size > 0)
        ST_TRY(tell_model(e, t));
    if (t->once && e->id.size > 0 && is_known(e, t->once))
        return ST_EXISTS;
    return e->time.size > 0 ? teller_time_text(t, word_span(&e->time)) : ST_OK;
}

// --- The JSON form

enum slot { SLOT_ATTRIBUTE, SLOT_DATA };

static const struct pick_row event_rows[] = {
    {"/data", SLOT_DATA, PICK_VALUE},
    {"/+", SLOT_ATTRIBUTE, PICK_VALUE},
};

static token_fn take;
static pick_fn take_attribute, take_data;

void events_init(struct events *e, struct teller *t, struct body *b)
{
    *e = (struct events){.teller = t, .body = b};
    lexer_init(&e->lexer, take, e);
    tape_init(&e->tape, EVENTS_BYTES_MAX);
}

void events_fini(struct events *e)
{
    lexer_fini(&e->lexer);
    tape_fini(&e->tape);
}

void events_begin(struct events *e)
{
    lexer_reset(&e->lexer);
    tape_clear(&e->tape);
    e->depth = 0;
    e->is_batch = e->has_begun = false;
}

static enum status take_attribute(void *self, int slot, enum token token,
                                  struct span text, double number, bool is_last)
{
    struct events *e = self;
    (void)number, (void)is_last;
    if (slot == SLOT_DATA || token != TOKEN_STRING)
        return ST_OK;
    const char *name = e->pick.path + 1;
    return event_set(&e->event, span_of(name, e->pick.path_size - 1), text);
}

static enum status take_data(void *self, int slot, enum token token, struct span text,
                             double number, bool is_last)
{
    struct events *e = self;
    (void)is_last;
    return slot == SLOT_DATA ? body_token(e->body, token, text, number) : ST_OK;
}

static enum status play(struct events *e, pick_fn *fn)
{
    pick_init(&e->pick, event_rows, 2, fn, e);
    return tape_play_all(&e->tape, 0, pick_token, &e->pick);
}

static enum status end_event(struct events *e)
{
    enum body_family family;
    struct teller *t = e->teller;
    e->event = (struct event){0};
    teller_begin(t, t->now_ns, SIDE_INPUT);
    enum status st = play(e, take_attribute);
    if (st == ST_OK)
        st = event_tell(&e->event, t, &family);
    if (st == ST_OK) {
        body_begin(e->body, family);
        st = play(e, take_data);
        if (st == ST_OK)
            st = body_end_tokens(e->body);
    }
    tape_clear(&e->tape);
    e->strangers += st == ST_UNSUPPORTED;
    if (st == ST_OK || st == ST_UNSUPPORTED || st == ST_EXISTS)
        return ST_OK;
    if (st == ST_NOMEM)
        return st;
    // One bad event does not take the others of its batch with it.
    flat_clear(&t->flat);
    t->sink->drop(t->sink->self, teller_model(t),
                  st == ST_FULL ? DROP_OVERSIZE : DROP_MALFORMED, 1);
    return ST_OK;
}

static enum status take(void *self, enum token token, struct span text, double number)
{
    struct events *e = self;
    bool is_begin = token == TOKEN_OBJECT || token == TOKEN_ARRAY;
    bool is_end = token == TOKEN_OBJECT_END || token == TOKEN_ARRAY_END;
    if (!e->has_begun) {
        e->has_begun = true;
        e->is_batch = token == TOKEN_ARRAY;
        if (e->is_batch)
            return ST_OK;
    }
    if (e->is_batch && e->depth == 0 && is_end)
        return ST_OK; // of the batch
    if (e->depth == 0 && token != TOKEN_OBJECT)
        return ST_CORRUPT;
    e->depth += is_begin;
    e->depth -= is_end;
    ST_TRY(tape_put(&e->tape, token, text, number));
    return e->depth == 0 ? end_event(e) : ST_OK;
}

enum status events_bytes(struct events *e, struct span bytes)
{
    size_t used;
    ST_TRY(lexer_feed(&e->lexer, bytes, &used));
    for (; used < bytes.size; used++)
        if (!memchr(" \t\r\n", bytes.data[used], 4))
            return ST_CORRUPT;
    return ST_OK;
}

enum status events_end(struct events *e)
{
    return lexer_end(&e->lexer);
}
