// SPDX-License-Identifier: Apache-2.0
#include "agent/intake/body.h"

#include "agent/intake/body_inner.h"
#include "common/base/mem.h"

#define UNDECIDED_BYTES_MAX (64u << 10)

// How much a key says of what the body is.
enum strength {
    KEY_WEAK,  // a row might have it as well
    KEY_STRONG // only such a body has it
};

struct member {
    const char *key;
    part_fn *part; // NULL: nobody wants it
    int side;      // -1: as the teller says
    enum strength strength;
};

static part_fn take_id, take_model, take_version, take_one, take_bare, skip;

static const struct member members[] = {
    {"instances", body_rows, SIDE_INPUT, KEY_STRONG},
    {"examples", body_rows, SIDE_INPUT, KEY_STRONG},
    {"dataframe_records", body_rows, SIDE_INPUT, KEY_STRONG},
    {"dataframe_split", body_table, SIDE_INPUT, KEY_STRONG},
    {"inputs", body_many, SIDE_INPUT, KEY_STRONG},
    {"predictions", body_rows, SIDE_OUTPUT, KEY_STRONG},
    {"outputs", body_many, SIDE_OUTPUT, KEY_STRONG},
    {"model_name", take_model, -1, KEY_WEAK},
    {"model_version", take_version, -1, KEY_WEAK},
    {"id", take_id, -1, KEY_WEAK},
    {"signature_name", skip, -1, KEY_STRONG},
    {"params", skip, -1, KEY_WEAK},
    {"parameters", skip, -1, KEY_WEAK},
};

static const struct member seldon_members[] = {
    {"data", body_table, -1, KEY_STRONG},
    {"jsonData", take_bare, -1, KEY_STRONG},
    {"strData", take_one, -1, KEY_STRONG},
    {"binData", take_one, -1, KEY_STRONG},
};

#define COUNT(a) (uint32_t)(sizeof(a) / sizeof(a)[0])

// --- Opening

enum status body_open(struct teller *t, struct body **out)
{
    struct body *b = MEM_NEW(struct body);
    if (!b)
        return ST_NOMEM;
    b->teller = t;
    lexer_init(&b->lexer, body_token, b);
    tape_init(&b->undecided, UNDECIDED_BYTES_MAX);
    columns_init(&b->columns);
    columns_init(&b->names);
    binary_init(&b->binary);
    *out = b;
    return ST_OK;
}

void body_close(struct body *b)
{
    if (!b)
        return;
    lexer_fini(&b->lexer);
    tape_fini(&b->undecided);
    columns_fini(&b->columns);
    columns_fini(&b->names);
    binary_fini(&b->binary);
    mem_free(b);
}

void body_begin(struct body *b, enum body_family family)
{
    lexer_reset(&b->lexer);
    tape_clear(&b->undecided);
    columns_clear(&b->columns);
    columns_clear(&b->names);
    b->family = family;
    b->is_undecided = family == BODY_ANY;
    b->is_whole = false;
    b->depth = b->part_depth = 0;
    b->part = NULL;
    b->in_row = b->in_cell = b->has_columns = b->has_tensor = false;
    b->many = MANY_UNKNOWN;
    b->announcements = b->next = 0;
    b->in_binary = false;
}

// --- Parts

static enum status skip(struct body *b, const struct step *s)
{
    (void)b, (void)s;
    return ST_OK;
}

// What the path or a header said goes before what the body says.
static enum status set_word(struct word *w, const struct step *s)
{
    bool is_word = s->token == TOKEN_STRING || s->token == TOKEN_NUMBER;
    return is_word && s->depth == 0 && w->size == 0 ? word_set(w, s->text) : ST_OK;
}

static enum status take_id(struct body *b, const struct step *s)
{
    return set_word(&b->teller->id, s);
}

static enum status take_model(struct body *b, const struct step *s)
{
    return set_word(&b->teller->model, s);
}

static enum status take_version(struct body *b, const struct step *s)
{
    return set_word(&b->teller->version, s);
}

enum status body_go_on(struct body *b, const struct step *s)
{
    bool done;
    ST_TRY(flat_token(&b->teller->flat, s->token, s->text, s->number, &done));
    if (!done)
        return ST_OK;
    b->in_cell = false;
    if (!b->in_row)
        return ST_OK;
    b->in_row = false;
    return teller_hand(b->teller);
}

enum status body_begin_row(struct body *b, const struct step *s)
{
    teller_begin_row(b->teller, s->token);
    b->in_row = true;
    return body_go_on(b, s);
}

// An array of rows, or a single one.
enum status body_rows(struct body *b, const struct step *s)
{
    if (b->in_row)
        return body_go_on(b, s);
    if (s->depth == 0 && (s->token == TOKEN_ARRAY || s->token == TOKEN_ARRAY_END))
        return ST_OK;
    return body_begin_row(b, s);
}

static enum status take_bare(struct body *b, const struct step *s)
{
    return b->in_row ? body_go_on(b, s) : body_begin_row(b, s);
}

static enum status take_one(struct body *b, const struct step *s)
{
    if (!b->in_row)
        flat_begin(&b->teller->flat, b->row_name, b->teller->side);
    b->in_row = true;
    return body_go_on(b, s);
}

// --- Members

static const struct member *find(const struct body *b, struct span key)
{
    bool is_seldon = b->family == BODY_SELDON;
    const struct member *m = is_seldon ? seldon_members : members;
    uint32_t n = is_seldon ? COUNT(seldon_members) : COUNT(members);
    for (uint32_t i = 0; i < n; i++)
        if (span_is(key, m[i].key))
            return &m[i];
    return NULL;
}

static void begin_member(struct body *b, struct span key)
{
    const struct member *m = find(b, key);
    b->part = m ? m->part : skip;
    b->part_depth = 0;
    b->many = MANY_UNKNOWN;
    if (!m)
        return;
    b->row_name = span_text(m->key);
    if (m->side >= 0)
        b->teller->side = (enum observation_side)m->side;
}

static enum status take_in_part(struct body *b, enum token token, struct span text,
                                double number)
{
    struct step s = {b->part_depth, token, text, number};
    if (step_ends(&s))
        s.depth = --b->part_depth;
    ST_TRY(b->part(b, &s));
    if (step_begins(&s))
        b->part_depth++;
    if (b->part_depth == 0 && !b->is_whole)
        b->part = NULL;
    return ST_OK;
}

// The body is no object of members: it is rows, or one row.
static void take_whole(struct body *b, part_fn *part)
{
    b->is_whole = true;
    b->part = part;
    b->part_depth = 0;
}

static enum status take_decided(struct body *b, enum token token, struct span text,
                                double number)
{
    if (b->depth == 0 && !b->part && b->family == BODY_WHOLE)
        take_whole(b, take_bare);
    else if (b->depth == 0 && !b->part && token != TOKEN_OBJECT &&
             token != TOKEN_OBJECT_END)
        take_whole(b, body_rows);
    if (b->part)
        return take_in_part(b, token, text, number);
    if (token == TOKEN_KEY)
        begin_member(b, text);
    b->depth += token == TOKEN_OBJECT;
    b->depth -= token == TOKEN_OBJECT_END;
    return ST_OK;
}

// --- What the body is

static enum status replay(void *self, enum token token, struct span text, double number)
{
    return take_decided(self, token, text, number);
}

static enum status decide(struct body *b, enum body_family family)
{
    b->is_undecided = false;
    b->family = family;
    b->depth = 0;
    return tape_play_all(&b->undecided, 0, replay, b);
}

// Keeps tokens until a key at the top tells. Keys that a row might have as well do not.
static enum status take_undecided(struct body *b, enum token token, struct span text,
                                  double number)
{
    bool is_end = token == TOKEN_OBJECT_END || token == TOKEN_ARRAY_END;
    b->depth += token == TOKEN_OBJECT || token == TOKEN_ARRAY;
    b->depth -= is_end;
    ST_TRY(tape_put(&b->undecided, token, text, number));
    if (b->depth == 0)
        return decide(b, BODY_ANY);
    if (b->depth == 1 && token == TOKEN_ARRAY)
        return decide(b, BODY_ANY);
    if (b->depth != 1 || token != TOKEN_KEY)
        return ST_OK;
    const struct member *m = find(b, text);
    if (m && m->strength == KEY_WEAK)
        return ST_OK;
    return decide(b, m ? BODY_ANY : BODY_WHOLE);
}

enum status body_token(void *self, enum token token, struct span text, double number)
{
    struct body *b = self;
    if (b->is_undecided)
        return take_undecided(b, token, text, number);
    return take_decided(b, token, text, number);
}

enum status body_end_tokens(struct body *b)
{
    if (b->announcements > b->next)
        return ST_CORRUPT; // bytes that were announced did not come
    return b->has_columns ? body_hand_columns(b) : ST_OK;
}

enum status body_bytes(struct body *b, struct span bytes)
{
    size_t used = 0;
    if (!b->lexer.finished) {
        ST_TRY(lexer_feed(&b->lexer, bytes, &used));
        bytes = span_of(bytes.data + used, bytes.size - used);
    }
    return bytes.size > 0 ? body_binary(b, bytes) : ST_OK;
}

enum status body_end(struct body *b)
{
    ST_TRY(lexer_end(&b->lexer));
    return body_end_tokens(b);
}
