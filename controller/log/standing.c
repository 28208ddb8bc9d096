// SPDX-License-Identifier: Apache-2.0
#include "controller/log/standing.h"

#include <math.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/cursor.h"
#include "controller/log/keys.h"

#define FORMAT 1
#define TAG 'g'
#define BYTES_MAX 4096u
#define WINDOWS_MIN 5 // before a band around the mean lead says anything

enum { HAS_WATCH = 1, IS_OVER = 2, WITHHELD = 4 };

// --- The contest

void standing_add(struct standing *s, double champion_loss, double challenger_loss,
                  uint64_t rows)
{
    double sum = champion_loss + challenger_loss;
    if (!(champion_loss >= 0) || !(challenger_loss >= 0) || !isfinite(sum))
        return;
    double lead = sum > 0 ? (champion_loss - challenger_loss) / sum : 0;
    (void)contest_window(&s->contest, champion_loss, challenger_loss, CONTEST_LEVEL);
    s->rows += rows;
    s->loss[0] += champion_loss;
    s->loss[1] += challenger_loss;
    s->lead += lead;
    s->lead_square += lead * lead;
}

// The mean lead of the challenger, and two standard errors of it.
static double mean_lead(const struct standing *s, double *band)
{
    double n = fmax((double)s->contest.windows, 1), mean = s->lead / n;
    double variance = fmax(s->lead_square / n - mean * mean, 0);
    *band = s->contest.windows < WINDOWS_MIN ? INFINITY
                                             : 2 * sqrt(variance / (n - 1)) + 1e-12;
    return mean;
}

enum standing_contest standing_contest(const struct standing *s)
{
    double band, lead = mean_lead(s, &band);
    if (s->contest.windows == 0)
        return STANDING_NONE;
    if (s->contest.verdict == CONTEST_CHALLENGER_BETTER)
        return STANDING_BETTER;
    if (s->contest.verdict == CONTEST_CHAMPION_BETTER)
        return STANDING_WORSE;
    return fabs(lead) + band < CONTEST_MARGIN ? STANDING_NO_DIFFERENCE
                                              : STANDING_INSUFFICIENT;
}

// A band shrinks by the root of the windows; a lead beyond the margin needs the bets to
// reach their level, which takes about 2 ln(level) / (lead / sd)^2 windows.
uint64_t standing_rows_needed(const struct standing *s)
{
    double band, lead = fabs(mean_lead(s, &band)), n = (double)s->contest.windows;
    if (standing_contest(s) != STANDING_INSUFFICIENT || !isfinite(band))
        return 0;
    double gap = fabs(lead - CONTEST_MARGIN), sd = band / 2 * sqrt(n);
    if (!(gap > 1e-6))
        return 0;
    double windows = lead > CONTEST_MARGIN
                         ? fmax(2 * log(CONTEST_LEVEL) * (sd / gap) * (sd / gap),
                                log(CONTEST_LEVEL) / gap)
                         : n * (band / gap) * (band / gap);
    double more = fmax(windows - n, 1) * (double)s->rows / n;
    return more < 1e15 ? (uint64_t)more : 0;
}

const char *standing_contest_name(enum standing_contest c)
{
    static const char *const names[STANDING_COUNT] = {"none", "insufficient evidence",
                                                      "better", "worse",
                                                      "no difference beyond tolerance"};
    return c < STANDING_COUNT ? names[c] : "none";
}

// --- Bytes

static void put_name(struct buf *b, const char *name)
{
    buf_put_u8(b, (uint8_t)strlen(name));
    buf_put_text(b, name);
}

static enum status take_name(struct cursor *in, char out[STANDING_NAME_MAX + 1])
{
    uint8_t size;
    struct span text;
    ST_TRY(cursor_u8(in, &size));
    ST_TRY(cursor_bytes(in, size, &text));
    if (size > STANDING_NAME_MAX)
        return ST_CORRUPT;
    if (size)
        memcpy(out, text.data, size);
    out[size] = '\0';
    return ST_OK;
}

static void put_watch(struct buf *b, const struct standing *s)
{
    buf_put_u8(b, (uint8_t)((s->has_watch ? HAS_WATCH : 0) |
                            (s->is_over ? IS_OVER : 0) | (s->withheld ? WITHHELD : 0)));
    buf_put_u8(b, (uint8_t)s->verdict);
    buf_put_le32(b, s->windows);
    buf_put_le32(b, s->beside);
    buf_put_le64(b, s->rows_needed);
    put_name(b, s->mover);
    buf_put_u8(b, (uint8_t)s->direction);
    buf_put_le_f64(b, s->effect);
    buf_put_le_f64(b, s->evidence);
}

static enum status take_watch(struct cursor *in, struct standing *s)
{
    uint8_t flags, verdict, direction;
    ST_TRY(cursor_u8(in, &flags));
    ST_TRY(cursor_u8(in, &verdict));
    ST_TRY(cursor_le32(in, &s->windows));
    ST_TRY(cursor_le32(in, &s->beside));
    ST_TRY(cursor_le64(in, &s->rows_needed));
    ST_TRY(take_name(in, s->mover));
    ST_TRY(cursor_u8(in, &direction));
    ST_TRY(cursor_le_f64(in, &s->effect));
    ST_TRY(cursor_le_f64(in, &s->evidence));
    if (verdict >= DEPLOY_COUNT)
        return ST_CORRUPT;
    s->has_watch = flags & HAS_WATCH;
    s->is_over = flags & IS_OVER;
    s->withheld = flags & WITHHELD;
    s->verdict = (enum deploy_verdict)verdict;
    s->direction = (int8_t)direction;
    return ST_OK;
}

static enum status decode(struct span bytes, struct standing *s)
{
    struct cursor in = {bytes};
    uint8_t format;
    *s = (struct standing){.verdict = DEPLOY_INSUFFICIENT};
    ST_TRY(cursor_u8(&in, &format));
    if (format != FORMAT)
        return ST_VERSION;
    ST_TRY(take_name(&in, s->version));
    ST_TRY(take_name(&in, s->against));
    ST_TRY(cursor_le64(&in, &s->deployed_ns));
    ST_TRY(cursor_le64(&in, &s->judged_ns));
    ST_TRY(take_watch(&in, s));
    ST_TRY(contest_decode(&in, &s->contest));
    ST_TRY(cursor_le64(&in, &s->rows));
    double *const sums[] = {&s->loss[0], &s->loss[1], &s->lead, &s->lead_square};
    for (size_t i = 0; i < sizeof sums / sizeof *sums; i++)
        ST_TRY(cursor_le_f64(&in, sums[i]));
    return cursor_end(&in);
}

enum status standing_get(struct shelf *s, uint32_t model, struct standing *out)
{
    struct shelf_key key = key_state(TAG, model);
    struct span v;
    ST_TRY(shelf_get(s, SHELF_STATE, &key, &v));
    return decode(v, out);
}

enum status standing_put(struct shelf *s, uint32_t model, const struct standing *in)
{
    struct shelf_key key = key_state(TAG, model);
    struct buf b;
    buf_init(&b, BYTES_MAX);
    buf_put_u8(&b, FORMAT);
    put_name(&b, in->version);
    put_name(&b, in->against);
    buf_put_le64(&b, in->deployed_ns);
    buf_put_le64(&b, in->judged_ns);
    put_watch(&b, in);
    contest_encode(&in->contest, &b);
    buf_put_le64(&b, in->rows);
    buf_put_le_f64(&b, in->loss[0]);
    buf_put_le_f64(&b, in->loss[1]);
    buf_put_le_f64(&b, in->lead);
    buf_put_le_f64(&b, in->lead_square);
    enum status st =
        b.failed ? b.failed : shelf_put(s, SHELF_STATE, &key, buf_span(&b));
    buf_fini(&b);
    return st;
}
