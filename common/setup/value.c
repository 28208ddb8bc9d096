// Value: one reader for each type, and the words in which it refuses.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/setup/value.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/text.h"

#define QUOTED_MAX 60

static const struct {
    const char *noun;
    const char *placeholder;
    const char *advice;
} types[VALUE_TYPES] = {
    [VALUE_TEXT] = {"text", "TEXT", "at most 4096 bytes without control characters"},
    [VALUE_NAME] = {"name", "NAME",
                    "1 to 128 of letters, digits and . _ @ / + : -, "
                    "a letter or digit first"},
    [VALUE_NUMBER] = {"number", "N", "a whole one, like 12"},
    [VALUE_REAL] = {"number", "X", "one like 0.5 or 1e-3"},
    [VALUE_SHARE] = {"share", "SHARE", "a number from 0 to 1, like 0.05"},
    [VALUE_FLAG] = {"yes or no", "", "yes, no, true, false, on or off"},
    [VALUE_DURATION] = {"duration", "DURATION", "one like 250ms, 60s, 10m, 2h or 1d"},
    [VALUE_SIZE] = {"size", "SIZE", "one like 4096, 64KiB or 2MiB"},
    [VALUE_TIME] = {"time", "TIME",
                    "one like 2012-08-15, 2012-08-15T14:05:00Z or Unix seconds"},
    [VALUE_WORD] = {"choice", "WORD", "one of the words"},
    [VALUE_LIST] = {"list", "TEXT", "texts without control characters"},
};

const char *value_noun(enum value_type type)
{
    assert((unsigned)type < VALUE_TYPES);
    return types[type].noun;
}

const char *value_placeholder(enum value_type type)
{
    assert((unsigned)type < VALUE_TYPES);
    return types[type].placeholder;
}

// What a field can hold besides texts.
union figure {
    uint64_t u64;
    double f64;
    bool flag;
    unsigned word;
};

static void put_quoted(struct buf *why, struct span text)
{
    size_t size = text.size < QUOTED_MAX ? text.size : QUOTED_MAX;
    buf_put_u8(why, '"');
    for (size_t i = 0; i < size; i++) {
        uint8_t c = text.data[i];
        buf_put_u8(why, c < 0x20 || c >= 0x7f ? '?' : c);
    }
    buf_put_text(why, size < text.size ? "...\"" : "\"");
}

static enum status refuse_type(enum value_type type, struct span text, struct buf *why)
{
    put_quoted(why, text);
    buf_printf(why, " is no %s: write %s", types[type].noun, types[type].advice);
    return ST_RANGE;
}

static bool is_plain_text(struct span text)
{
    if (text.size > VALUE_TEXT_MAX || !text_is_utf8(text))
        return false;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < 0x20 || text.data[i] == 0x7f)
            return false;
    }
    return true;
}

static enum status read_flag(struct span text, bool *out)
{
    static const char *const words[] = {"no", "yes", "false", "true", "off", "on"};
    for (unsigned i = 0; i < 6; i++) {
        if (span_is(text, words[i])) {
            *out = i % 2 == 1;
            return ST_OK;
        }
    }
    return ST_RANGE;
}

// The place of `text` among "a|b|c".
static enum status read_word(const char *rule, struct span text, unsigned *out)
{
    for (unsigned i = 0;; i++) {
        size_t size = strcspn(rule, "|");
        if (span_equal(span_of(rule, size), text)) {
            *out = i;
            return ST_OK;
        }
        if (!rule[size])
            return ST_RANGE;
        rule += size + 1;
    }
}

static enum status read_figure(enum value_type type, struct span text,
                               union figure *out)
{
    switch (type) {
    case VALUE_NUMBER:
        return text_u64(text, &out->u64);
    case VALUE_DURATION:
        return text_duration(text, &out->u64);
    case VALUE_SIZE:
        return text_size(text, &out->u64);
    case VALUE_TIME:
        return text_time(text, &out->u64);
    case VALUE_FLAG:
        return read_flag(text, &out->flag);
    case VALUE_REAL:
        return text_f64(text, &out->f64);
    case VALUE_SHARE:
        ST_TRY(text_f64(text, &out->f64));
        return out->f64 >= 0 && out->f64 <= 1 ? ST_OK : ST_RANGE;
    default:
        return ST_OK;
    }
}

static int compare(enum value_type type, union figure a, union figure b)
{
    if (type == VALUE_REAL || type == VALUE_SHARE)
        return (a.f64 > b.f64) - (a.f64 < b.f64);
    return (a.u64 > b.u64) - (a.u64 < b.u64);
}

// Is the figure inside "least..most"? Either may be empty.
static bool is_inside(enum value_type type, const char *rule, union figure v)
{
    const char *dots = strstr(rule, "..");
    assert(dots); // the table's author has promised bounds
    struct span least = span_of(rule, (size_t)(dots - rule)),
                most = span_text(dots + 2);
    union figure bound = {0};
    if (least.size) {
        if (read_figure(type, least, &bound) != ST_OK || compare(type, v, bound) < 0)
            return false;
    }
    if (most.size) {
        if (read_figure(type, most, &bound) != ST_OK || compare(type, v, bound) > 0)
            return false;
    }
    return true;
}

static enum status refuse_word(const char *rule, struct span text, struct buf *why)
{
    put_quoted(why, text);
    buf_put_text(why, " is none of the choices: write ");
    for (const char *p = rule; *p; p++) {
        if (*p != '|')
            buf_put_u8(why, (uint8_t)*p);
        else
            buf_put_text(why, strchr(p + 1, '|') ? ", " : " or ");
    }
    return ST_RANGE;
}

static enum status read_value(enum value_type type, const char *rule, struct span text,
                              union figure *out, struct buf *why)
{
    if (!is_plain_text(text) || (type == VALUE_NAME && !text_is_name(text)))
        return refuse_type(type, text, why);
    unsigned word;
    switch (type) {
    case VALUE_WORD:
        assert(rule);
        return read_word(rule, text, &out->word) == ST_OK
                   ? ST_OK
                   : refuse_word(rule, text, why);
    case VALUE_TEXT:
    case VALUE_NAME:
    case VALUE_LIST:
        return !rule || read_word(rule, text, &word) == ST_OK
                   ? ST_OK
                   : refuse_word(rule, text, why);
    default:
        if (read_figure(type, text, out) != ST_OK)
            return refuse_type(type, text, why);
        if (!rule || is_inside(type, rule, *out))
            return ST_OK;
        put_quoted(why, text);
        buf_printf(why, " is outside %s", rule);
        return ST_RANGE;
    }
}

enum status value_check(enum value_type type, const char *rule, struct span text,
                        struct buf *why)
{
    union figure ignored;
    return read_value(type, rule, text, &ignored, why);
}

static enum status append(struct value_list *list, struct span text)
{
    char *copy = mem_text(text);
    if (!copy)
        return ST_NOMEM;
    char **item = mem_resize(list->item, list->count + 1, sizeof *item);
    if (!item) {
        mem_free(copy);
        return ST_NOMEM;
    }
    item[list->count++] = copy;
    list->item = item;
    return ST_OK;
}

static enum status replace(char **field, struct span text)
{
    char *copy = mem_text(text);
    if (!copy)
        return ST_NOMEM;
    mem_free(*field);
    *field = copy;
    return ST_OK;
}

enum status value_store(enum value_type type, const char *rule, struct span text,
                        void *field, struct buf *why)
{
    union figure v = {0};
    ST_TRY(read_value(type, rule, text, &v, why));
    switch (type) {
    case VALUE_TEXT:
    case VALUE_NAME:
        return replace(field, text);
    case VALUE_LIST:
        return append(field, text);
    case VALUE_FLAG:
        *(bool *)field = v.flag;
        return ST_OK;
    case VALUE_WORD:
        *(unsigned *)field = v.word;
        return ST_OK;
    case VALUE_REAL:
    case VALUE_SHARE:
        *(double *)field = v.f64;
        return ST_OK;
    default:
        *(uint64_t *)field = v.u64;
        return ST_OK;
    }
}

void value_drop(enum value_type type, void *field)
{
    if (type == VALUE_TEXT || type == VALUE_NAME) {
        char **text = field;
        mem_free(*text);
        *text = NULL;
    } else if (type == VALUE_LIST) {
        struct value_list *list = field;
        for (size_t i = 0; i < list->count; i++)
            mem_free(list->item[i]);
        mem_free(list->item);
        *list = (struct value_list){0};
    }
}

#define NEAR_MAX 32

// Letters to add, drop, change, or swap with their neighbour, to make `b` of `a`.
static unsigned distance_of(const char *a, size_t n, const char *b, size_t m)
{
    unsigned row[3][NEAR_MAX + 1]; // the row before last, the last, this one
    for (unsigned j = 0; j <= m; j++)
        row[1][j] = j;
    for (unsigned i = 1; i <= n; i++) {
        row[2][0] = i;
        for (unsigned j = 1; j <= m; j++) {
            unsigned best = row[1][j - 1] + (a[i - 1] != b[j - 1]);
            if (row[1][j] + 1 < best)
                best = row[1][j] + 1;
            if (row[2][j - 1] + 1 < best)
                best = row[2][j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                row[0][j - 2] + 1 < best)
                best = row[0][j - 2] + 1;
            row[2][j] = best;
        }
        memmove(row[0], row[1], sizeof row[0] * 2);
    }
    return row[1][m];
}

void value_nearer(const char *word, const char *candidate, const char **best,
                  unsigned *distance)
{
    size_t n = strlen(word), m = strlen(candidate);
    if (n == 0 || n > NEAR_MAX || m > NEAR_MAX)
        return;
    unsigned d = distance_of(word, n, candidate, m);
    if (d <= (n <= 4 ? 1u : 2u) && (!*best || d < *distance)) {
        *best = candidate;
        *distance = d;
    }
}
