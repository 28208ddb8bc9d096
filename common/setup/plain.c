// Plain: one walk over the text, knowing only quotes, comments and braces.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/setup/plain.h"

#include <stdbool.h>

#include "common/base/text.h"

enum place { PLACE_PLAIN, PLACE_LINE, PLACE_BLOCK, PLACE_SINGLE, PLACE_DOUBLE };

struct walk {
    struct span text;
    size_t at;
    enum place place;
    unsigned line;
    unsigned since; // the line where a quote or a comment began
    unsigned open;  // braces
    unsigned brace; // the line of the last one opened
};

static bool is_next(const struct walk *w, char a, char b)
{
    return w->at + 1 < w->text.size && w->text.data[w->at] == (uint8_t)a &&
           w->text.data[w->at + 1] == (uint8_t)b;
}

static enum status refuse(const char *name, unsigned line, const char *what,
                          struct buf *why)
{
    buf_printf(why, "%s:%u: %s", name, line, what);
    return ST_RANGE;
}

// Where a new token could begin; only there are slashes a comment.
static bool is_between(const struct walk *w)
{
    static const char between[] = " \t\r\n{}()=,+\"'";
    return w->at == 0 || strchr(between, w->text.data[w->at - 1]) != NULL;
}

static void enter(struct walk *w, enum place place)
{
    w->place = place;
    w->since = w->line;
}

static void open_brace(struct walk *w)
{
    w->open++;
    w->brace = w->line;
}

static void step_plain(struct walk *w)
{
    uint8_t c = w->text.data[w->at];
    if (c == '"')
        enter(w, PLACE_DOUBLE);
    else if (c == '\'')
        enter(w, PLACE_SINGLE);
    else if (c == '#' || (is_next(w, '/', '/') && is_between(w)))
        enter(w, PLACE_LINE);
    else if (is_next(w, '/', '*') && is_between(w))
        enter(w, PLACE_BLOCK);
    else if (c == '{')
        open_brace(w);
    else if (c == '}' && w->open > 0)
        w->open--;
}

// Copies the byte at hand, and the one that a backslash or a comment's end binds to it.
static void copy(struct walk *w, struct buf *out)
{
    uint8_t c = w->text.data[w->at];
    bool is_pair = (c == '\\' && w->place >= PLACE_SINGLE) ||
                   (w->place == PLACE_BLOCK && is_next(w, '*', '/'));
    if (w->place == PLACE_DOUBLE && c == '$')
        buf_put_u8(out, '\\');
    buf_put_u8(out, c);
    w->at++;
    w->line += c == '\n';
    if (!is_pair || w->at == w->text.size)
        return;
    c = w->text.data[w->at++];
    buf_put_u8(out, c);
    w->line += c == '\n';
    if (w->place == PLACE_BLOCK)
        w->place = PLACE_PLAIN;
}

static enum status check_byte(const struct walk *w, const char *name, struct buf *why)
{
    uint8_t c = w->text.data[w->at];
    if (c == 0x7f || (c < 0x20 && c != '\n' && c != '\t' && c != '\r'))
        return refuse(name, w->line, "a control character: remove it", why);
    if (w->place == PLACE_PLAIN && is_next(w, '$', '{'))
        return refuse(name, w->line,
                      "the environment is not read here: write the value itself", why);
    return ST_OK;
}

static enum status check_end(const struct walk *w, const char *name, struct buf *why)
{
    switch (w->place) {
    case PLACE_SINGLE:
    case PLACE_DOUBLE:
        return refuse(name, w->since, "a quote without its end: close it", why);
    case PLACE_BLOCK:
        return refuse(name, w->since, "a comment without its end: close it with */",
                      why);
    default:
        if (w->open > 0)
            return refuse(name, w->brace, "a brace without its end: close it with }",
                          why);
        return ST_OK;
    }
}

enum status conf_plain(const char *name, struct span text, struct buf *out,
                       struct buf *why)
{
    struct walk w = {.text = text, .line = 1};
    if (!text_is_utf8(text))
        return refuse(name, 1, "the file is no UTF-8 text: save it as such", why);
    while (w.at < text.size) {
        ST_TRY(check_byte(&w, name, why));
        uint8_t c = text.data[w.at];
        enum place before = w.place;
        if (before == PLACE_PLAIN)
            step_plain(&w);
        copy(&w, out);
        bool is_closed = (before == PLACE_LINE && c == '\n') ||
                         (before == PLACE_SINGLE && c == '\'') ||
                         (before == PLACE_DOUBLE && c == '"');
        if (is_closed)
            w.place = PLACE_PLAIN;
    }
    ST_TRY(check_end(&w, name, why));
    return out->failed;
}
