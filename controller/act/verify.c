// SPDX-License-Identifier: Apache-2.0
#include "controller/act/verify.h"

#include <math.h>
#include <string.h>

#include "common/base/cursor.h"
#include "common/sketch/profile.h"

#define FORMAT 1

void verify_begin(struct verify *v, uint64_t begun_ns)
{
    for (uint32_t i = 0; i < v->signals; i++) {
        memset(v->signal[i].mean, 0, sizeof v->signal[i].mean);
        memset(v->signal[i].pair, 0, sizeof v->signal[i].pair);
    }
    v->begun_ns = begun_ns;
    v->latest_ns = begun_ns;
}

void verify_add_signal(struct verify *v, struct span feature, bool is_contribution,
                       double before, double after)
{
    if (v->signals == VERIFY_SIGNALS_MAX || feature.size > VERIFY_NAME_MAX ||
        before == after)
        return;
    struct verify_signal *s = &v->signal[v->signals++];
    *s = (struct verify_signal){
        .is_contribution = is_contribution, .before = before, .after = after};
    memcpy(s->feature, feature.data, feature.size);
}

void verify_window(struct verify *v, enum verify_side side,
                   const struct judged_window *w)
{
    if (w->start_ns < v->begun_ns)
        return;
    if (w->end_ns > v->latest_ns)
        v->latest_ns = w->end_ns;
    for (uint32_t i = 0; i < v->signals; i++) {
        struct verify_signal *s = &v->signal[i];
        for (uint32_t f = 0; f < w->features; f++) {
            const struct judged_feature *feature = &w->feature[f];
            if (!span_is(feature->name, s->feature))
                continue;
            if (s->is_contribution)
                comoments_merge(&s->pair[side], profile_comoments(feature->profile));
            else
                moments_merge(&s->mean[side], profile_moments(feature->profile));
        }
    }
}

static uint64_t rows_of(const struct verify_signal *s, enum verify_side side)
{
    return s->is_contribution ? s->pair[side].n : s->mean[side].n;
}

uint64_t verify_rows(const struct verify *v)
{
    uint64_t least = v->signals ? UINT64_MAX : 0;
    for (uint32_t i = 0; i < v->signals; i++) {
        uint64_t n = rows_of(&v->signal[i], VERIFY_SWITCHED);
        least = n < least ? n : least;
    }
    return least;
}

// Where a level lies on the way back: 0 = as bad as it was, 1 = as good as before.
struct progress {
    double share, error;
};

static double on_scale(const struct verify_signal *s, double level)
{
    return s->is_contribution ? atanh(fmax(-0.9999, fmin(0.9999, level))) : level;
}

static struct progress progress_of(const struct verify_signal *s, enum verify_side side)
{
    uint64_t n = rows_of(s, side);
    double before = on_scale(s, s->before), after = on_scale(s, s->after);
    double width = fabs(before - after), level, error;
    if (s->is_contribution) {
        level = on_scale(s, comoments_correlation(&s->pair[side]));
        error = n > 3 ? 1 / sqrt((double)(n - 3)) : INFINITY;
    } else {
        level = moments_mean(&s->mean[side]);
        error = n > 1 ? sqrt(moments_variance(&s->mean[side]) / (double)n) : INFINITY;
    }
    return (struct progress){(level - after) / (before - after), error / width};
}

static enum verify_verdict judge_signal(const struct verify_signal *s)
{
    struct progress now = progress_of(s, VERIFY_SWITCHED);
    if (now.share + now.error < 0.5)
        return VERIFY_NOT_RECOVERED;
    if (!(now.share - now.error > 0.5))
        return VERIFY_INCONCLUSIVE;
    // When the hosts that were left alone recovered just as well, the switch proves
    // nothing.
    if (rows_of(s, VERIFY_CONTROL) < 8)
        return VERIFY_RECOVERED;
    struct progress control = progress_of(s, VERIFY_CONTROL);
    bool is_better = now.share > control.share + control.error;
    return is_better ? VERIFY_RECOVERED : VERIFY_INCONCLUSIVE;
}

// "loss is 50.9 over 23 rows, 91 % of the way back from 241 to 32.6": the last level is
// the baseline's, and the version that serves again need not reach it exactly.
static void say_signal(const struct verify_signal *s, struct buf *why)
{
    uint64_t rows = rows_of(s, VERIFY_SWITCHED);
    buf_printf(why, "%s%s%s", why->size ? "; " : "", s->feature,
               s->is_contribution ? " contribution" : "");
    if (rows == 0) {
        buf_put_text(why, " has no rows yet");
        return;
    }
    double level = s->is_contribution ? comoments_correlation(&s->pair[VERIFY_SWITCHED])
                                      : moments_mean(&s->mean[VERIFY_SWITCHED]);
    double share = 100 * progress_of(s, VERIFY_SWITCHED).share;
    buf_printf(why, " is %.4g over %llu rows", level, (unsigned long long)rows);
    if (isfinite(share) && share >= 0 && share <= 100)
        buf_printf(why, ", %.0f %% of the way back from %.4g to %.4g", share, s->after,
                   s->before);
    else
        buf_printf(why, "; it was %.4g, and %.4g in the baseline", s->after, s->before);
}

enum verify_verdict verify_judge(const struct verify *v, uint64_t min_rows,
                                 struct buf *why)
{
    buf_clear(why);
    if (v->signals == 0) {
        buf_put_text(why, "no signal that moved can be measured on single hosts");
        return VERIFY_INCONCLUSIVE;
    }
    enum verify_verdict all = VERIFY_RECOVERED;
    for (uint32_t i = 0; i < v->signals; i++) {
        say_signal(&v->signal[i], why);
        enum verify_verdict one = judge_signal(&v->signal[i]);
        if (one == VERIFY_NOT_RECOVERED)
            all = one;
        else if (one == VERIFY_INCONCLUSIVE && all == VERIFY_RECOVERED)
            all = one;
    }
    return verify_rows(v) < min_rows ? VERIFY_INCONCLUSIVE : all;
}

const char *verify_name(enum verify_verdict v)
{
    static const char *const names[] = {"inconclusive", "recovered", "not_recovered"};
    return names[v];
}

static void put_sum(struct buf *b, const struct moments_sum *s)
{
    buf_put_le_f64(b, s->high);
    buf_put_le_f64(b, s->low);
}

static enum status take_sum(struct cursor *in, struct moments_sum *s)
{
    ST_TRY(cursor_le_f64(in, &s->high));
    return cursor_le_f64(in, &s->low);
}

// The sums of both kinds in one order, for writer and reader alike.
#define SUMS 7u
static void sums_of(struct verify_signal *s, unsigned side, struct moments_sum *out[])
{
    struct moments *m = &s->mean[side];
    struct comoments *c = &s->pair[side];
    struct moments_sum *all[SUMS] = {&m->mean, &m->m2,   &c->mean_x, &c->mean_y,
                                     &c->m2_x, &c->m2_y, &c->c_xy};
    memcpy(out, all, sizeof all);
}

void verify_encode(const struct verify *v, struct buf *out)
{
    buf_put_u8(out, FORMAT);
    buf_put_le64(out, v->begun_ns);
    buf_put_le64(out, v->latest_ns);
    buf_put_u8(out, (uint8_t)v->signals);
    for (uint32_t i = 0; i < v->signals; i++) {
        struct verify_signal s = v->signal[i];
        buf_put_u8(out, (uint8_t)strlen(s.feature));
        buf_put_text(out, s.feature);
        buf_put_u8(out, s.is_contribution);
        buf_put_le_f64(out, s.before);
        buf_put_le_f64(out, s.after);
        for (unsigned side = 0; side < 2; side++) {
            struct moments_sum *sum[SUMS];
            sums_of(&s, side, sum);
            buf_put_le64(out, s.mean[side].n);
            buf_put_le_f64(out, s.mean[side].min);
            buf_put_le_f64(out, s.mean[side].max);
            buf_put_le64(out, s.pair[side].n);
            for (unsigned k = 0; k < SUMS; k++)
                put_sum(out, sum[k]);
        }
    }
}

static enum status decode_signal(struct cursor *in, struct verify_signal *s)
{
    uint8_t size, kind;
    struct span name;
    ST_TRY(cursor_u8(in, &size));
    ST_TRY(cursor_bytes(in, size, &name));
    ST_TRY(cursor_u8(in, &kind));
    if (size > VERIFY_NAME_MAX || kind > 1)
        return ST_CORRUPT;
    *s = (struct verify_signal){.is_contribution = kind};
    memcpy(s->feature, name.data, name.size);
    ST_TRY(cursor_le_f64(in, &s->before));
    ST_TRY(cursor_le_f64(in, &s->after));
    for (unsigned side = 0; side < 2; side++) {
        struct moments_sum *sum[SUMS];
        sums_of(s, side, sum);
        ST_TRY(cursor_le64(in, &s->mean[side].n));
        ST_TRY(cursor_le_f64(in, &s->mean[side].min));
        ST_TRY(cursor_le_f64(in, &s->mean[side].max));
        ST_TRY(cursor_le64(in, &s->pair[side].n));
        for (unsigned k = 0; k < SUMS; k++)
            ST_TRY(take_sum(in, sum[k]));
    }
    return ST_OK;
}

enum status verify_decode(struct span bytes, struct verify *out)
{
    struct cursor in = {bytes};
    uint8_t format, signals;
    *out = (struct verify){0};
    ST_TRY(cursor_u8(&in, &format));
    if (format != FORMAT)
        return ST_VERSION;
    ST_TRY(cursor_le64(&in, &out->begun_ns));
    ST_TRY(cursor_le64(&in, &out->latest_ns));
    ST_TRY(cursor_u8(&in, &signals));
    if (signals > VERIFY_SIGNALS_MAX)
        return ST_CORRUPT;
    out->signals = signals;
    for (uint32_t i = 0; i < signals; i++)
        ST_TRY(decode_signal(&in, &out->signal[i]));
    return cursor_end(&in);
}
