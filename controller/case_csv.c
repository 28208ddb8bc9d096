// Case CSV: signals, lineage and events of a recorded incident, line by line.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/case_csv.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/text.h"

#define SECONDS_MAX 18000000000.0 // as many as 64 bits of nanoseconds hold

static enum status wrong(char *why, uint32_t line, const char *what)
{
    (void)snprintf(why, CASE_WHY, "line %u: %s", line, what);
    return ST_CORRUPT;
}

// Takes the text up to `mark` off the front; what is left follows it.
static struct span take(struct span *rest, uint8_t mark)
{
    const uint8_t *at = rest->size ? memchr(rest->data, mark, rest->size) : NULL;
    size_t n = at ? (size_t)(at - rest->data) : rest->size;
    struct span head = span_of(rest->data, n);
    size_t used = n + (at ? 1 : 0);
    *rest = span_of(rest->data + used, rest->size - used);
    return head;
}

static struct span take_line(struct span *rest)
{
    struct span line = take(rest, '\n');
    if (line.size && line.data[line.size - 1] == '\r')
        line.size--;
    return line;
}

static enum status read_time(struct span s, uint64_t *out_ns)
{
    uint64_t whole;
    double seconds;
    if (text_u64(s, &whole) == ST_OK && whole < (uint64_t)SECONDS_MAX) {
        *out_ns = whole * 1000000000u;
        return ST_OK;
    }
    ST_TRY(text_f64(s, &seconds));
    if (!(seconds >= 0 && seconds < SECONDS_MAX))
        return ST_RANGE;
    *out_ns = (uint64_t)(seconds * 1e9);
    return ST_OK;
}

// Empty and "nan" are missing; anything else must be a number.
static enum status read_cell(struct span s, double *out)
{
    *out = NAN;
    if (s.size == 0 || span_is(s, "nan") || span_is(s, "NaN") || span_is(s, "null"))
        return ST_OK;
    return text_f64(s, out);
}

// --- Times

static int by_time(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static enum status times_of(struct span text, uint64_t *at, uint32_t *n, char *why)
{
    uint32_t line = 1;
    struct span head = take_line(&text);
    if (!span_is(take(&head, ','), "t"))
        return wrong(why, line, "the first column must be t");
    while (text.size) {
        struct span row = take_line(&text);
        line++;
        if (row.size == 0)
            continue;
        if (*n == CASE_ROWS_MAX)
            return ST_FULL;
        if (read_time(take(&row, ','), &at[*n]) != ST_OK)
            return wrong(why, line, "t is no time");
        (*n)++;
    }
    return ST_OK;
}

enum status case_csv_times(const struct case_texts *t, uint64_t **out, uint32_t *count,
                           char *why)
{
    uint64_t *at = mem_zero(CASE_ROWS_MAX, sizeof *at);
    uint32_t n = 0, kept = 0;
    enum status st = at ? ST_OK : ST_NOMEM;
    for (uint32_t i = 0; i < t->signal_files && st == ST_OK; i++)
        st = times_of(t->signals[i], at, &n, why);
    if (st == ST_OK && n == 0)
        st = wrong(why, 1, "no windows");
    if (st != ST_OK) {
        mem_free(at);
        return st;
    }
    qsort(at, n, sizeof *at, by_time);
    for (uint32_t i = 0; i < n; i++)
        if (kept == 0 || at[i] != at[kept - 1])
            at[kept++] = at[i];
    *out = at;
    *count = kept;
    return ST_OK;
}

// --- Signals

static enum status column_of(struct blame_case *c, struct span head, double **value)
{
    size_t bar = head.size;
    while (bar > 0 && head.data[bar - 1] != '|')
        bar--;
    if (bar == 0)
        return ST_RANGE;
    struct span entity = span_of(head.data, bar - 1);
    struct span name = span_of(head.data + bar, head.size - bar);
    uint32_t e;
    ST_TRY(blame_case_entity(c, entity, &e));
    enum status st = blame_case_signal(c, e, name, value);
    return st == ST_EXISTS ? ST_OK : st;
}

// The values of each column; gives their number.
static enum status read_head(struct span head, struct blame_case *c, double ***out,
                             uint32_t *columns, char *why)
{
    uint32_t n = 0;
    for (size_t i = 0; i < head.size; i++)
        n += head.data[i] == ',';
    if (n > CASE_COLUMNS_MAX)
        return ST_FULL;
    double **column = mem_zero(n + 1, sizeof *column);
    if (!column)
        return ST_NOMEM;
    (void)take(&head, ',');
    for (uint32_t i = 0; i < n; i++) {
        enum status st = column_of(c, take(&head, ','), &column[i]);
        if (st == ST_OK)
            continue;
        mem_free(column);
        return st == ST_RANGE ? wrong(why, 1, "a column is no <entity>|<signal>") : st;
    }
    *out = column;
    *columns = n;
    return ST_OK;
}

static uint32_t window_of(const struct blame_case *c, uint64_t t)
{
    const uint64_t *hit = bsearch(&t, c->start_ns, c->windows, sizeof t, by_time);
    return hit ? (uint32_t)(hit - c->start_ns) : 0;
}

static enum status read_rows(struct span text, const struct blame_case *c,
                             double **column, uint32_t columns, char *why)
{
    for (uint32_t line = 2; text.size; line++) {
        struct span row = take_line(&text);
        uint64_t t;
        if (row.size == 0)
            continue;
        if (read_time(take(&row, ','), &t) != ST_OK)
            return wrong(why, line, "t is no time");
        uint32_t k = window_of(c, t);
        for (uint32_t i = 0; i < columns; i++)
            if (read_cell(take(&row, ','), &column[i][k]) != ST_OK)
                return wrong(why, line, "a value is no number");
        if (row.size)
            return wrong(why, line, "more values than columns");
    }
    return ST_OK;
}

enum status case_csv_signals(struct span text, struct blame_case *c, char *why)
{
    double **column;
    uint32_t columns;
    ST_TRY(read_head(take_line(&text), c, &column, &columns, why));
    enum status st = read_rows(text, c, column, columns, why);
    mem_free(column);
    return st;
}

// --- Lineage and events

static enum status read_edge(struct blame_case *c, struct span row)
{
    uint32_t up, down;
    ST_TRY(blame_case_entity(c, take(&row, ','), &up));
    ST_TRY(blame_case_entity(c, take(&row, ','), &down));
    return row.size ? ST_RANGE : blame_case_edge(c, up, down);
}

static enum status read_event(struct blame_case *c, struct span row)
{
    uint64_t at;
    uint32_t e;
    ST_TRY(read_time(take(&row, ','), &at));
    ST_TRY(blame_case_entity(c, take(&row, ','), &e));
    return blame_case_event(c, e, at, take(&row, ','));
}

static enum status read_list(struct span text, struct blame_case *c, const char *head,
                             enum status (*each)(struct blame_case *c, struct span row),
                             char *why)
{
    if (text.size == 0)
        return ST_OK;
    if (!span_is(take_line(&text), head)) {
        (void)snprintf(why, CASE_WHY, "line 1: not %s", head);
        return ST_CORRUPT;
    }
    for (uint32_t line = 2; text.size; line++) {
        struct span row = take_line(&text);
        enum status st = row.size ? each(c, row) : ST_OK;
        if (st == ST_RANGE)
            return wrong(why, line, "not what the first line promises");
        ST_TRY(st);
    }
    return ST_OK;
}

enum status case_csv_lineage(struct span text, struct blame_case *c, char *why)
{
    return read_list(text, c, "upstream,downstream", read_edge, why);
}

enum status case_csv_events(struct span text, struct blame_case *c, char *why)
{
    return read_list(text, c, "t,entity,kind", read_event, why);
}
