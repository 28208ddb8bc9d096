// SPDX-License-Identifier: Apache-2.0
#include "agent/intake/pick.h"

#include <string.h>

void pick_init(struct pick *p, const struct pick_row *row, uint32_t rows, pick_fn *take,
               void *self)
{
    *p = (struct pick){.row = row, .rows = rows, .take = take, .self = self};
}

void pick_reset(struct pick *p)
{
    p->path_size = p->depth = p->skipping = p->value_depth = 0;
    p->value = NULL;
}

static bool is_begin(enum token token)
{
    return token == TOKEN_OBJECT || token == TOKEN_ARRAY;
}

static bool is_end(enum token token)
{
    return token == TOKEN_OBJECT_END || token == TOKEN_ARRAY_END;
}

// A path that is longer than any in a table is cut, and then fits none.
static void enter_path(struct pick *p, uint32_t from, const void *part, size_t size)
{
    size_t room = sizeof p->path - from;
    if (size + 1 > room) {
        p->path_size = sizeof p->path;
        return;
    }
    p->path[from] = '/';
    memcpy(p->path + from + 1, part, size);
    p->path_size = from + 1 + (uint32_t)size;
}

// What is left of a table's path behind the path at hand; NULL when that does not lead
// there.
static const char *rest_of(const struct pick *p, const char *wanted)
{
    const char *at = p->path, *end = p->path + p->path_size;
    while (at < end) {
        if (wanted[0] == '+' && wanted[-1] == '/' && at[-1] == '/') {
            while (at < end && *at != '/')
                at++;
            wanted++;
        } else if (*at++ != *wanted++) {
            return NULL;
        }
    }
    return wanted;
}

static const struct pick_row *find(const struct pick *p)
{
    for (uint32_t i = 0; p->path_size < sizeof p->path && i < p->rows; i++) {
        const char *rest = rest_of(p, p->row[i].path);
        if (rest && rest[0] == 0)
            return &p->row[i];
    }
    return NULL;
}

static bool leads_on(const struct pick *p)
{
    for (uint32_t i = 0; p->path_size < sizeof p->path && i < p->rows; i++) {
        const char *rest = rest_of(p, p->row[i].path);
        if (rest && rest[0] == '/')
            return true;
    }
    return false;
}

static enum status pass_on(struct pick *p, enum token token, struct span text,
                           double number)
{
    const struct pick_row *row = p->value;
    if (is_begin(token))
        p->value_depth++;
    if (is_end(token))
        p->value_depth--;
    bool is_last = p->value_depth == 0;
    if (is_last)
        p->value = NULL;
    return p->take(p->self, row->slot, token, text, number, is_last);
}

static enum status descend(struct pick *p, enum token token, const struct pick_row *row)
{
    p->level[++p->depth] = (struct pick_level){
        .path = p->path_size,
        .is_array = token == TOKEN_ARRAY,
        .around = row ? (int)(row - p->row) : -1,
    };
    if (!row)
        return ST_OK;
    return p->take(p->self, row->slot, token, (struct span){0}, 0, false);
}

static enum status ascend(struct pick *p, enum token token)
{
    int around = p->level[p->depth--].around;
    if (around < 0)
        return ST_OK;
    return p->take(p->self, p->row[around].slot, token, (struct span){0}, 0, true);
}

static enum status begin_value(struct pick *p, enum token token, struct span text,
                               double number)
{
    const struct pick_row *row = find(p);
    if (row && row->how == PICK_VALUE) {
        p->value = row;
        return pass_on(p, token, text, number);
    }
    if (!is_begin(token))
        return ST_OK;
    if (row || leads_on(p))
        return descend(p, token, row);
    p->skipping = 1;
    return ST_OK;
}

enum status pick_token(void *self, enum token token, struct span text, double number)
{
    struct pick *p = self;
    if (p->value)
        return pass_on(p, token, text, number);
    if (p->skipping > 0) {
        p->skipping += is_begin(token);
        p->skipping -= is_end(token);
        return ST_OK;
    }
    if (is_end(token))
        return ascend(p, token);
    const struct pick_level *l = &p->level[p->depth];
    if (token == TOKEN_KEY) {
        enter_path(p, p->depth ? l->path : 0, text.data, text.size);
        return ST_OK;
    }
    if (p->depth > 0 && l->is_array)
        enter_path(p, l->path, "*", 1);
    return begin_value(p, token, text, number);
}
