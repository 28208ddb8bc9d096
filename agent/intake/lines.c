// SPDX-License-Identifier: Apache-2.0
#include "agent/intake/lines.h"

#include <string.h>

#include "proto/observation.h"

void lines_init(struct lines *l)
{
    *l = (struct lines){0};
    buf_init(&l->held, OBSERVATION_LINE_MAX);
}

void lines_fini(struct lines *l)
{
    buf_fini(&l->held);
}

void lines_clear(struct lines *l)
{
    // A buffer that one long line has grown is given back, not kept for ever.
    buf_fini(&l->held);
    lines_init(l);
}

static struct span without_return(struct span line)
{
    if (line.size > 0 && line.data[line.size - 1] == '\r')
        line.size--;
    return line;
}

// Keeps a part of a line; from the limit on the line is only passed over.
static void keep(struct lines *l, struct span part)
{
    if (l->is_skipping)
        return;
    buf_put_span(&l->held, part);
    if (l->held.failed != ST_OK) {
        lines_clear(l);
        l->is_skipping = true;
    }
}

enum line_kind lines_next(struct lines *l, struct span *bytes, struct span *line)
{
    if (l->is_lent)
        lines_clear(l);
    const uint8_t *nl = bytes->size ? memchr(bytes->data, '\n', bytes->size) : NULL;
    if (!nl) {
        keep(l, *bytes);
        *bytes = (struct span){0};
        return LINE_NONE;
    }
    struct span head = span_of(bytes->data, (size_t)(nl - bytes->data));
    *bytes = span_of(nl + 1, bytes->size - head.size - 1);
    if (l->held.size > 0)
        keep(l, head);
    if (l->is_skipping || head.size > OBSERVATION_LINE_MAX) {
        l->is_skipping = false;
        return LINE_OVERSIZE;
    }
    if (l->held.size == 0) {
        *line = without_return(head);
        return LINE_WHOLE;
    }
    *line = without_return(buf_span(&l->held));
    l->is_lent = true;
    return LINE_WHOLE;
}

enum line_kind lines_last(struct lines *l, struct span *line)
{
    if (l->is_lent)
        lines_clear(l);
    bool was_skipping = l->is_skipping;
    l->is_skipping = false;
    if (was_skipping)
        return LINE_OVERSIZE;
    if (l->held.size == 0)
        return LINE_NONE;
    *line = without_return(buf_span(&l->held));
    l->is_lent = true;
    return LINE_WHOLE;
}
