// Budget: levels from shares, and a bucket that fills by the calendar.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/drift/budget.h"

#include <math.h>

#define RATE_MAX 1e6
#define BURST_MAX 1e6

double budget_level(double pages_per_week, double share, uint64_t window_ns)
{
    if (!(pages_per_week > 0) || !(share > 0) || window_ns == 0)
        return INFINITY;
    double windows = (double)BUDGET_WEEK_NS / (double)window_ns;
    return fmax(1, windows / (pages_per_week * share));
}

static bool is_sound(const struct budget *b)
{
    return b->pages_per_week > 0 && b->pages_per_week <= RATE_MAX && b->burst >= 1 &&
           b->burst <= BURST_MAX && b->tokens >= 0 && b->tokens <= b->burst;
}

enum status budget_init(struct budget *b, double pages_per_week, double burst,
                        uint64_t now_ns)
{
    struct budget fresh = {pages_per_week, burst, burst, now_ns, 0, 0};
    if (!is_sound(&fresh))
        return ST_RANGE;
    *b = fresh;
    return ST_OK;
}

static void refill(struct budget *b, uint64_t now_ns)
{
    if (now_ns <= b->at)
        return;
    double weeks = (double)(now_ns - b->at) / (double)BUDGET_WEEK_NS;
    b->tokens = fmin(b->burst, b->tokens + weeks * b->pages_per_week);
    b->at = now_ns;
}

bool budget_take(struct budget *b, uint64_t now_ns)
{
    refill(b, now_ns);
    if (b->tokens < 1) {
        b->held++;
        return false;
    }
    b->tokens -= 1;
    b->spent++;
    return true;
}

uint64_t budget_next(const struct budget *b, uint64_t now_ns)
{
    struct budget then = *b;
    refill(&then, now_ns);
    if (then.tokens >= 1)
        return now_ns;
    double weeks = (1 - then.tokens) / then.pages_per_week;
    return then.at + (uint64_t)ceil(weeks * (double)BUDGET_WEEK_NS);
}

void budget_encode(const struct budget *b, struct buf *out)
{
    buf_put_le_f64(out, b->pages_per_week);
    buf_put_le_f64(out, b->burst);
    buf_put_le_f64(out, b->tokens);
    buf_put_le64(out, b->at);
    buf_put_varint(out, b->spent);
    buf_put_varint(out, b->held);
}

enum status budget_decode(struct cursor *in, struct budget *out)
{
    struct budget b;
    ST_TRY(cursor_le_f64(in, &b.pages_per_week));
    ST_TRY(cursor_le_f64(in, &b.burst));
    ST_TRY(cursor_le_f64(in, &b.tokens));
    ST_TRY(cursor_le64(in, &b.at));
    ST_TRY(cursor_varint(in, &b.spent));
    ST_TRY(cursor_varint(in, &b.held));
    if (!is_sound(&b))
        return ST_CORRUPT;
    *out = b;
    return ST_OK;
}
