// SPDX-License-Identifier: Apache-2.0
#include "agent/act/tfconfig.h"

#include <stdbool.h>
#include <string.h>

// Where we are in the text. Words, strings and signs are taken one at a time.
struct scan {
    const uint8_t *at, *end;
};

enum token_kind {
    TOKEN_END,
    TOKEN_WORD,
    TOKEN_STRING,
    TOKEN_OPEN,
    TOKEN_CLOSE,
    TOKEN_SIGN
};

struct piece {
    enum token_kind kind;
    struct span text; // of a string: without its quotes
    const uint8_t *begin;
};

static bool is_word(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '_' || c == '.' || c == '-';
}

static void skip_blank(struct scan *s)
{
    while (s->at < s->end) {
        if (*s->at == '#')
            while (s->at < s->end && *s->at != '\n')
                s->at++;
        else if (*s->at == ' ' || (*s->at >= '\t' && *s->at <= '\r'))
            s->at++;
        else
            return;
    }
}

static enum status take_string(struct scan *s, struct piece *out)
{
    uint8_t quote = *s->at++;
    const uint8_t *begin = s->at;
    while (s->at < s->end && *s->at != quote)
        s->at += *s->at == '\\' && s->end - s->at > 1 ? 2 : 1;
    if (s->at >= s->end)
        return ST_CORRUPT;
    out->kind = TOKEN_STRING;
    out->text = span_of(begin, (size_t)(s->at - begin));
    s->at++;
    return ST_OK;
}

static enum status next(struct scan *s, struct piece *out)
{
    skip_blank(s);
    *out = (struct piece){.kind = TOKEN_END, .begin = s->at};
    if (s->at >= s->end)
        return ST_OK;
    uint8_t c = *s->at;
    if (c == '"' || c == '\'')
        return take_string(s, out);
    if (is_word(c)) {
        out->kind = TOKEN_WORD;
        while (s->at < s->end && is_word(*s->at))
            s->at++;
        out->text = span_of(out->begin, (size_t)(s->at - out->begin));
        return ST_OK;
    }
    out->kind = c == '{' ? TOKEN_OPEN : c == '}' ? TOKEN_CLOSE : TOKEN_SIGN;
    s->at++;
    return ST_OK;
}

// Behind an opening brace: goes behind the one that closes it. *close is its place.
static enum status leave_block(struct scan *s, const uint8_t **close)
{
    struct piece p;
    for (int depth = 1; depth > 0;) {
        ST_TRY(next(s, &p));
        if (p.kind == TOKEN_END || depth > 32)
            return ST_CORRUPT;
        depth += p.kind == TOKEN_OPEN ? 1 : p.kind == TOKEN_CLOSE ? -1 : 0;
    }
    *close = p.begin;
    return ST_OK;
}

// One field of a block: `name: value` or `name { ... }`. ST_EMPTY at the block's end.
struct member {
    struct span name;
    struct span value; // of a text or number
    struct span body;  // of a block, without its braces
    const uint8_t *begin, *end;
};

static enum status next_member(struct scan *s, struct member *out)
{
    struct piece p;
    do
        ST_TRY(next(s, &p));
    while (p.kind == TOKEN_SIGN); // "," and ";" between members
    if (p.kind == TOKEN_END)
        return ST_EMPTY;
    if (p.kind != TOKEN_WORD)
        return ST_CORRUPT;
    *out = (struct member){.name = p.text, .begin = p.begin};
    do
        ST_TRY(next(s, &p));
    while (p.kind == TOKEN_SIGN && *p.begin == ':');
    const uint8_t *body = s->at, *close = NULL;
    if (p.kind == TOKEN_OPEN) {
        ST_TRY(leave_block(s, &close));
        out->body = span_of(body, (size_t)(close - body));
    } else if (p.kind == TOKEN_WORD || p.kind == TOKEN_STRING) {
        out->value = p.text;
    } else if (p.kind == TOKEN_SIGN && *p.begin == '[') {
        while (p.kind != TOKEN_SIGN || *p.begin != ']') {
            ST_TRY(next(s, &p));
            if (p.kind == TOKEN_END)
                return ST_CORRUPT;
        }
        out->body = span_of(body, (size_t)(p.begin - body));
    } else {
        return ST_CORRUPT;
    }
    out->end = s->at;
    return ST_OK;
}

static struct scan scan_of(struct span text)
{
    return (struct scan){text.data, text.data + text.size};
}

static enum status find_member(struct span block, const char *name, struct member *out)
{
    struct scan s = scan_of(block);
    enum status st;
    while ((st = next_member(&s, out)) == ST_OK)
        if (span_is(out->name, name))
            return ST_OK;
    return st == ST_EMPTY ? ST_NOTFOUND : st;
}

// The body of the `config` block of this model.
static enum status find_block(struct span text, struct span model, struct span *out)
{
    struct member list, config, name;
    ST_TRY(find_member(text, "model_config_list", &list));
    struct scan s = scan_of(list.body);
    enum status st;
    while ((st = next_member(&s, &config)) == ST_OK) {
        if (!span_is(config.name, "config"))
            continue;
        st = find_member(config.body, "name", &name);
        if (st == ST_OK && span_equal(name.value, model)) {
            *out = config.body;
            return ST_OK;
        }
        if (st != ST_OK && st != ST_NOTFOUND)
            return st;
    }
    return st == ST_EMPTY ? ST_NOTFOUND : st;
}

struct versions {
    uint64_t all[TFCONFIG_VERSIONS_MAX];
    uint32_t count;
};

static void add_version(struct versions *v, uint64_t version)
{
    for (uint32_t i = 0; i < v->count; i++)
        if (v->all[i] == version)
            return;
    if (v->count < TFCONFIG_VERSIONS_MAX)
        v->all[v->count++] = version;
}

static void add_numbers(struct versions *v, struct span text)
{
    for (size_t i = 0; i < text.size;) {
        uint64_t n = 0;
        size_t digits = 0;
        for (;
             i < text.size && text.data[i] >= '0' && text.data[i] <= '9' && digits < 19;
             i++, digits++)
            n = n * 10 + (uint64_t)(text.data[i] - '0');
        if (digits)
            add_version(v, n);
        else
            i++;
    }
}

static enum status add_loaded(struct versions *v, struct span policy)
{
    struct member specific, one;
    enum status st = find_member(policy, "specific", &specific);
    if (st != ST_OK)
        return st == ST_NOTFOUND ? ST_OK : st;
    struct scan s = scan_of(specific.body);
    while ((st = next_member(&s, &one)) == ST_OK)
        if (span_is(one.name, "versions"))
            add_numbers(v, one.value.size ? one.value : one.body);
    return st == ST_EMPTY ? ST_OK : st;
}

static bool is_label(const struct member *m, struct span label)
{
    struct member key;
    return label.size && span_is(m->name, "version_labels") &&
           find_member(m->body, "key", &key) == ST_OK && span_equal(key.value, label);
}

// Copies the block without what is written anew.
static enum status copy_block(struct span block, struct span label, struct versions *v,
                              struct buf *out)
{
    struct scan s = scan_of(block);
    const uint8_t *from = block.data;
    struct member m;
    enum status st;
    while ((st = next_member(&s, &m)) == ST_OK) {
        bool is_policy = span_is(m.name, "model_version_policy");
        if (is_policy)
            ST_TRY(add_loaded(v, m.body));
        if (!is_policy && !is_label(&m, label))
            continue;
        buf_put(out, from, (size_t)(m.begin - from));
        from = m.end;
    }
    buf_put(out, from, (size_t)(block.data + block.size - from));
    return st == ST_EMPTY ? ST_OK : st;
}

enum status tfconfig_set(struct span text, struct span model, uint64_t from,
                         uint64_t to, struct span label, struct buf *out)
{
    struct span block;
    struct versions v = {{from}, 1};
    add_version(&v, to);
    ST_TRY(find_block(text, model, &block));
    buf_put(out, text.data, (size_t)(block.data - text.data));
    ST_TRY(copy_block(block, label, &v, out));
    buf_put_text(out, " model_version_policy { specific {");
    for (uint32_t i = 0; i < v.count; i++)
        buf_printf(out, " versions: %llu", (unsigned long long)v.all[i]);
    buf_put_text(out, " } }");
    if (label.size)
        buf_printf(out, " version_labels { key: \"%.*s\" value: %llu }",
                   (int)label.size, (const char *)label.data, (unsigned long long)to);
    buf_put_text(out, "\n  ");
    const uint8_t *rest = block.data + block.size;
    buf_put(out, rest, (size_t)(text.data + text.size - rest));
    return out->failed;
}
