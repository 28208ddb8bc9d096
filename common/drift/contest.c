// Contest: a bettor who stakes a share of what it has on the next window's winner.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/drift/contest.h"

#include <math.h>

#define CONTEST_LIMIT 1e30

static const double bets[CONTEST_BETS] = {0.5, 1, 2, 3};

static const char *const names[CONTEST_COUNT] = {
    [CONTEST_UNDECIDED] = "undecided",
    [CONTEST_CHAMPION_BETTER] = "champion better",
    [CONTEST_CHALLENGER_BETTER] = "challenger better",
};

double contest_lead(double worse_loss, double better_loss)
{
    double sum = worse_loss + better_loss;
    double d = sum > 0 ? (worse_loss - better_loss) / sum : 0;
    return fmin(fmax(d, -CONTEST_CLIP), CONTEST_CLIP) - CONTEST_MARGIN;
}

static void bet(double *m, double lead)
{
    for (uint32_t i = 0; i < CONTEST_BETS; i++)
        m[i] = fmin(CONTEST_LIMIT, (m[i] + 1) * (1 + bets[i] * lead));
}

static double mean(const double *m)
{
    double sum = 0;
    for (uint32_t i = 0; i < CONTEST_BETS; i++)
        sum += m[i];
    return sum / CONTEST_BETS;
}

static void forget(double *m)
{
    for (uint32_t i = 0; i < CONTEST_BETS; i++)
        m[i] = 0;
}

enum contest_verdict contest_window(struct contest *c, double champion_loss,
                                    double challenger_loss, double level)
{
    if (!(champion_loss >= 0 && challenger_loss >= 0) ||
        isinf(champion_loss + challenger_loss))
        return CONTEST_UNDECIDED;
    c->windows++;
    bet(c->challenger, contest_lead(champion_loss, challenger_loss));
    bet(c->champion, contest_lead(challenger_loss, champion_loss));
    enum contest_verdict v = CONTEST_UNDECIDED;
    if (mean(c->challenger) >= level) {
        v = CONTEST_CHALLENGER_BETTER;
        forget(c->challenger);
    } else if (mean(c->champion) >= level) {
        v = CONTEST_CHAMPION_BETTER;
        forget(c->champion);
    }
    if (v != CONTEST_UNDECIDED)
        c->verdict = v;
    return v;
}

double contest_champion_evidence(const struct contest *c)
{
    return mean(c->champion);
}

double contest_challenger_evidence(const struct contest *c)
{
    return mean(c->challenger);
}

void contest_encode(const struct contest *c, struct buf *out)
{
    for (uint32_t i = 0; i < CONTEST_BETS; i++) {
        buf_put_le_f64(out, c->challenger[i]);
        buf_put_le_f64(out, c->champion[i]);
    }
    buf_put_varint(out, c->windows);
    buf_put_u8(out, (uint8_t)c->verdict);
}

static bool is_evidence(double m)
{
    return m >= 0 && m <= CONTEST_LIMIT;
}

enum status contest_decode(struct cursor *in, struct contest *out)
{
    struct contest c = {.windows = 0};
    for (uint32_t i = 0; i < CONTEST_BETS; i++) {
        ST_TRY(cursor_le_f64(in, &c.challenger[i]));
        ST_TRY(cursor_le_f64(in, &c.champion[i]));
        if (!is_evidence(c.challenger[i]) || !is_evidence(c.champion[i]))
            return ST_CORRUPT;
    }
    uint8_t verdict;
    ST_TRY(cursor_varint(in, &c.windows));
    ST_TRY(cursor_u8(in, &verdict));
    if (verdict >= CONTEST_COUNT)
        return ST_CORRUPT;
    c.verdict = verdict;
    *out = c;
    return ST_OK;
}

const char *contest_name(enum contest_verdict v)
{
    return v < CONTEST_COUNT ? names[v] : "unknown";
}
