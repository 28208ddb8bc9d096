// SPDX-License-Identifier: Apache-2.0
#include "controller/act/expr.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/text.h"

// Kleene's three values: what compares with an unknown is unknown, and stays so under
// `not`.
enum truth { NO, YES, UNKNOWN };

enum node_kind {
    NODE_OR,
    NODE_AND,
    NODE_NOT,
    NODE_TRUTH,   // a symbol of type truth
    NODE_COMPARE, // symbol op literal
    NODE_IN,      // symbol in [literal ...]: first..first+count in the word list
};

enum compare { EQUAL, NOT_EQUAL, LESS, LESS_EQUAL, GREATER, GREATER_EQUAL };

struct node {
    enum node_kind kind;
    enum compare compare;
    uint16_t left, right; // nodes
    uint16_t symbol;
    uint16_t first, count; // words
    double number;
};

struct expr {
    char *source;
    struct node node[EXPR_NODES_MAX];
    struct span word[EXPR_NODES_MAX];
    uint16_t nodes, words, root;
    const struct expr_symbol *symbol;
};

struct parser {
    struct expr *e;
    struct span text;
    size_t at;
    size_t symbols;
    unsigned depth;
    struct expr_fault *fault;
};

static enum status blame(struct parser *p, enum status st, const char *what,
                         struct span word)
{
    p->fault->column = p->at + 1;
    snprintf(p->fault->text, sizeof p->fault->text, "%s%s%.*s%s", what,
             word.size ? " '" : "", (int)(word.size > 64 ? 64 : word.size),
             word.size ? (const char *)word.data : "", word.size ? "'" : "");
    return st;
}

static void skip_blanks(struct parser *p)
{
    while (p->at < p->text.size && isspace(p->text.data[p->at]))
        p->at++;
}

static bool is_word_byte(uint8_t c)
{
    return isalnum(c) || strchr("_.@/:+-", c) != NULL;
}

// The next word without taking it; empty when something else stands there.
static struct span peek_word(struct parser *p)
{
    skip_blanks(p);
    size_t end = p->at;
    while (end < p->text.size && p->text.data[end] && is_word_byte(p->text.data[end]))
        end++;
    return span_of(p->text.data + p->at, end - p->at);
}

static bool take_word(struct parser *p, const char *word)
{
    struct span w = peek_word(p);
    if (!span_is(w, word))
        return false;
    p->at += w.size;
    return true;
}

static bool take_mark(struct parser *p, const char *mark)
{
    skip_blanks(p);
    size_t size = strlen(mark);
    if (p->text.size - p->at < size || memcmp(p->text.data + p->at, mark, size) != 0)
        return false;
    p->at += size;
    return true;
}

static enum status new_node(struct parser *p, enum node_kind kind, uint16_t *out)
{
    if (p->e->nodes == EXPR_NODES_MAX)
        return blame(p, ST_RANGE, "the condition has too many parts", span_text(""));
    *out = p->e->nodes++;
    p->e->node[*out] = (struct node){.kind = kind};
    return ST_OK;
}

static enum status find_symbol(struct parser *p, struct span word, uint16_t *out)
{
    for (size_t i = 0; i < p->symbols; i++)
        if (span_is(word, p->e->symbol[i].name)) {
            *out = (uint16_t)i;
            return ST_OK;
        }
    return blame(p, ST_CORRUPT, "unknown symbol", word);
}

static enum status take_literal(struct parser *p, struct span *out)
{
    bool is_quoted = take_mark(p, "\"");
    struct span w = peek_word(p);
    if (w.size == 0)
        return blame(p, ST_CORRUPT, "a word or a number is missing here",
                     span_text(""));
    p->at += w.size;
    if (is_quoted && !take_mark(p, "\""))
        return blame(p, ST_CORRUPT, "the closing quote is missing", span_text(""));
    *out = w;
    return ST_OK;
}

static enum status add_word(struct parser *p, struct span w)
{
    if (p->e->words == EXPR_NODES_MAX)
        return blame(p, ST_RANGE, "the condition has too many words", span_text(""));
    p->e->word[p->e->words++] = w;
    return ST_OK;
}

static enum status parse_list(struct parser *p, struct node *n)
{
    if (!take_mark(p, "["))
        return blame(p, ST_CORRUPT, "'in' wants a list: [word, word]", span_text(""));
    n->first = p->e->words;
    do {
        struct span w;
        ST_TRY(take_literal(p, &w));
        ST_TRY(add_word(p, w));
        n->count++;
    } while (take_mark(p, ","));
    if (!take_mark(p, "]"))
        return blame(p, ST_CORRUPT, "the list is not closed by ]", span_text(""));
    return ST_OK;
}

static const struct {
    const char *mark;
    enum compare compare;
} compares[] = {{"!=", NOT_EQUAL}, {"<=", LESS_EQUAL}, {">=", GREATER_EQUAL},
                {"==", EQUAL},     {"=", EQUAL},       {"<", LESS},
                {">", GREATER}};

static enum status parse_compare(struct parser *p, enum expr_type type, struct node *n)
{
    size_t i = 0, all = sizeof compares / sizeof *compares;
    while (i < all && !take_mark(p, compares[i].mark))
        i++;
    if (i == all)
        return blame(p, ST_CORRUPT, "a comparison is missing here", span_text(""));
    n->compare = compares[i].compare;
    struct span w;
    ST_TRY(take_literal(p, &w));
    n->first = p->e->words;
    n->count = 1;
    ST_TRY(add_word(p, w));
    if (type == EXPR_NUMBER && text_f64(w, &n->number) != ST_OK)
        return blame(p, ST_CORRUPT, "this symbol compares with a number, not", w);
    if (type == EXPR_WORD && n->compare != EQUAL && n->compare != NOT_EQUAL)
        return blame(p, ST_CORRUPT, "words compare by = and != only", span_text(""));
    return ST_OK;
}

static enum status parse_or(struct parser *p, uint16_t *out);

static enum status parse_group(struct parser *p, uint16_t *out)
{
    ST_TRY(parse_or(p, out));
    if (!take_mark(p, ")"))
        return blame(p, ST_CORRUPT, "the parenthesis is not closed", span_text(""));
    return ST_OK;
}

static enum status parse_term(struct parser *p, uint16_t *out)
{
    if (take_mark(p, "("))
        return parse_group(p, out);
    struct span w = peek_word(p);
    if (w.size == 0)
        return blame(p, ST_CORRUPT, "a symbol is missing here", span_text(""));
    uint16_t symbol = 0;
    ST_TRY(find_symbol(p, w, &symbol));
    p->at += w.size;
    enum expr_type type = p->e->symbol[symbol].type;
    ST_TRY(new_node(p, type == EXPR_TRUTH ? NODE_TRUTH : NODE_COMPARE, out));
    struct node *n = &p->e->node[*out];
    n->symbol = symbol;
    if (type == EXPR_TRUTH)
        return ST_OK;
    if (type == EXPR_WORD && take_word(p, "in")) {
        n->kind = NODE_IN;
        return parse_list(p, n);
    }
    return parse_compare(p, type, n);
}

static enum status parse_not(struct parser *p, uint16_t *out)
{
    if (p->depth >= EXPR_DEPTH_MAX)
        return blame(p, ST_RANGE, "the condition is nested too deeply", span_text(""));
    p->depth++;
    enum status st;
    if (take_word(p, "not")) {
        uint16_t inner = 0;
        st = parse_not(p, &inner);
        if (st == ST_OK)
            st = new_node(p, NODE_NOT, out);
        if (st == ST_OK)
            p->e->node[*out].left = inner;
    } else {
        st = parse_term(p, out);
    }
    p->depth--;
    return st;
}

static enum status parse_chain(struct parser *p, const char *word, enum node_kind kind,
                               enum status (*part)(struct parser *, uint16_t *),
                               uint16_t *out)
{
    ST_TRY(part(p, out));
    while (take_word(p, word)) {
        uint16_t right, joined;
        ST_TRY(part(p, &right));
        ST_TRY(new_node(p, kind, &joined));
        p->e->node[joined].left = *out;
        p->e->node[joined].right = right;
        *out = joined;
    }
    return ST_OK;
}

static enum status parse_and(struct parser *p, uint16_t *out)
{
    return parse_chain(p, "and", NODE_AND, parse_not, out);
}

static enum status parse_or(struct parser *p, uint16_t *out)
{
    return parse_chain(p, "or", NODE_OR, parse_and, out);
}

enum status expr_parse(struct span source, const struct expr_symbol *symbol,
                       size_t symbols, struct expr **out, struct expr_fault *fault)
{
    *fault = (struct expr_fault){.column = 1};
    struct parser p = {.symbols = symbols, .fault = fault};
    if (source.size > EXPR_BYTES_MAX)
        return blame(&p, ST_RANGE, "the condition is longer than 1 KiB", span_text(""));
    p.e = MEM_NEW(struct expr);
    if (!p.e)
        return ST_NOMEM;
    p.e->symbol = symbol;
    p.e->source = mem_text(source);
    enum status st = p.e->source ? ST_OK : ST_NOMEM;
    if (st == ST_OK) {
        p.text = span_of(p.e->source, source.size);
        st = parse_or(&p, &p.e->root);
    }
    if (st == ST_OK) {
        skip_blanks(&p);
        if (p.at < p.text.size)
            st = blame(&p, ST_CORRUPT, "this does not belong here:",
                       span_of(p.text.data + p.at, p.text.size - p.at));
    }
    if (st != ST_OK) {
        expr_close(p.e);
        return st;
    }
    *out = p.e;
    return ST_OK;
}

void expr_close(struct expr *e)
{
    if (!e)
        return;
    mem_free(e->source);
    mem_free(e);
}

static bool compare_number(enum compare c, double a, double b)
{
    switch (c) {
    case EQUAL:
        return a == b;
    case NOT_EQUAL:
        return a != b;
    case LESS:
        return a < b;
    case LESS_EQUAL:
        return a <= b;
    case GREATER:
        return a > b;
    case GREATER_EQUAL:
        return a >= b;
    }
    return false;
}

static enum truth compare_node(const struct expr *e, const struct node *n,
                               const struct expr_value *v)
{
    if (!v->is_known)
        return UNKNOWN;
    if (e->symbol[n->symbol].type == EXPR_NUMBER)
        return compare_number(n->compare, v->number, n->number) ? YES : NO;
    bool is_same = span_equal(v->word, e->word[n->first]);
    return is_same == (n->compare == EQUAL) ? YES : NO;
}

static enum truth in_node(const struct expr *e, const struct node *n,
                          const struct expr_value *v)
{
    if (!v->is_known)
        return UNKNOWN;
    for (uint16_t i = 0; i < n->count; i++)
        if (span_equal(v->word, e->word[n->first + i]))
            return YES;
    return NO;
}

static enum truth not_of(enum truth a)
{
    return a == UNKNOWN ? UNKNOWN : a == YES ? NO : YES;
}

static enum truth and_of(enum truth a, enum truth b)
{
    if (a == NO || b == NO)
        return NO;
    return a == YES && b == YES ? YES : UNKNOWN;
}

// Children always stand before their parents, so one pass in order evaluates all.
bool expr_holds(const struct expr *e, const struct expr_value *value)
{
    enum truth found[EXPR_NODES_MAX];
    for (uint16_t i = 0; i < e->nodes; i++) {
        const struct node *n = &e->node[i];
        const struct expr_value *v = &value[n->symbol];
        switch (n->kind) {
        case NODE_OR:
            found[i] = not_of(and_of(not_of(found[n->left]), not_of(found[n->right])));
            break;
        case NODE_AND:
            found[i] = and_of(found[n->left], found[n->right]);
            break;
        case NODE_NOT:
            found[i] = not_of(found[n->left]);
            break;
        case NODE_TRUTH:
            found[i] = !v->is_known ? UNKNOWN : v->truth ? YES : NO;
            break;
        case NODE_COMPARE:
            found[i] = compare_node(e, n, v);
            break;
        case NODE_IN:
            found[i] = in_node(e, n, v);
            break;
        }
    }
    return found[e->root] == YES;
}
