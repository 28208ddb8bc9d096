// Judge bytes: a detector's state, packed. Only what moves; the rest is the baseline's.
//
// SPDX-License-Identifier: Apache-2.0
#include <math.h>

#include "common/base/cursor.h"
#include "common/drift/court.h"

#define STATE_FORMAT 1

static void put_f32(struct buf *out, float v)
{
    uint8_t bytes[4];
    store_le_f32(bytes, v);
    buf_put(out, bytes, sizeof bytes);
}

static void put_evidence(const struct subject *s, const struct evidence *of,
                         struct buf *out)
{
    for (uint32_t i = 0; i < s->tests; i++)
        for (uint32_t d = 0; d < EVIDENCE_SIZES; d++)
            put_f32(out, of[i].m[d]);
}

static void put_memory(const struct subject_memory *m, struct buf *out)
{
    put_f32(out, m->lag);
    put_f32(out, m->smooth);
    put_f32(out, m->value);
    put_f32(out, m->mean);
    put_f32(out, m->spread);
    put_f32(out, m->shift);
    put_f32(out, m->squares);
}

static void put_subject(const struct judge *j, uint32_t i, struct buf *out)
{
    const struct subject *s = &j->subject[i];
    const struct subject_state *t = &j->state[i];
    buf_put_varint(out, t->windows);
    if (s->kind == SUBJECT_SCALAR) {
        buf_put_le_f64(out, t->carried_rows);
        buf_put_le_f64(out, t->carried_sum);
    }
    if (t->windows == 0)
        return;
    put_evidence(s, t->fast, out);
    put_evidence(s, t->capped, out);
    put_evidence(s, t->start, out);
    for (uint32_t c = 0; c < s->components; c++)
        put_memory(&t->memory[c], out);
    const uint64_t numbers[] = {t->age,      t->block,     t->since,      t->opened,
                                t->gross_at, t->rows,      t->dead_run,   t->stuck_run,
                                t->calm_run, t->gross_run, t->second_seen};
    for (size_t k = 0; k < sizeof numbers / sizeof numbers[0]; k++)
        buf_put_varint(out, numbers[k]);
    put_f32(out, t->evidence);
    put_f32(out, t->missing);
    put_f32(out, t->opened_effect);
    put_f32(out, t->held);
    const uint8_t bytes[] = {t->tier, t->signal, (uint8_t)(t->direction < 0), t->gross};
    buf_put(out, bytes, sizeof bytes);
    if (t->opened > 0)
        put_evidence(s, t->second, out);
    for (uint32_t c = 0; c < j->pool[i].cells; c++)
        buf_put_varint(out, j->pool[i].cell[c]);
    if (j->pool[i].cell)
        buf_put_varint(out, j->pool[i].missing);
}

void judge_encode(const struct judge *j, struct buf *out)
{
    buf_put_u8(out, STATE_FORMAT);
    buf_put_le64(out, j->fingerprint);
    buf_put_varint(out, j->windows);
    buf_put_le64(out, j->last_end);
    buf_put_varint(out, j->subjects);
    for (uint32_t i = 0; i < j->subjects; i++)
        put_subject(j, i, out);
}

static enum status get_f32(struct cursor *in, float *out)
{
    struct span s;
    ST_TRY(cursor_bytes(in, 4, &s));
    *out = load_le_f32(s.data);
    return isfinite(*out) ? ST_OK : ST_CORRUPT;
}

static enum status get_evidence(struct cursor *in, const struct subject *s,
                                struct evidence *of)
{
    for (uint32_t i = 0; i < s->tests; i++) {
        for (uint32_t d = 0; d < EVIDENCE_SIZES; d++) {
            ST_TRY(get_f32(in, &of[i].m[d]));
            if (of[i].m[d] < 0 || of[i].m[d] > EVIDENCE_LIMIT)
                return ST_CORRUPT;
        }
    }
    return ST_OK;
}

static enum status get_memory(struct cursor *in, struct subject_memory *m)
{
    ST_TRY(get_f32(in, &m->lag));
    ST_TRY(get_f32(in, &m->smooth));
    ST_TRY(get_f32(in, &m->value));
    ST_TRY(get_f32(in, &m->mean));
    ST_TRY(get_f32(in, &m->spread));
    ST_TRY(get_f32(in, &m->shift));
    ST_TRY(get_f32(in, &m->squares));
    return m->spread >= 0 && m->squares >= 0 ? ST_OK : ST_CORRUPT;
}

static enum status get_u32(struct cursor *in, uint32_t *out)
{
    uint64_t v;
    ST_TRY(cursor_varint(in, &v));
    if (v > UINT32_MAX)
        return ST_CORRUPT;
    *out = (uint32_t)v;
    return ST_OK;
}

static enum status get_numbers(struct cursor *in, struct subject_state *t)
{
    uint64_t *wide[] = {&t->age,    &t->block,    &t->since,
                        &t->opened, &t->gross_at, &t->rows};
    for (size_t k = 0; k < sizeof wide / sizeof wide[0]; k++)
        ST_TRY(cursor_varint(in, wide[k]));
    uint32_t *narrow[] = {&t->dead_run, &t->stuck_run, &t->calm_run, &t->gross_run,
                          &t->second_seen};
    for (size_t k = 0; k < sizeof narrow / sizeof narrow[0]; k++)
        ST_TRY(get_u32(in, narrow[k]));
    return ST_OK;
}

static enum status get_flags(struct cursor *in, struct subject_state *t)
{
    uint8_t down;
    ST_TRY(get_f32(in, &t->evidence));
    ST_TRY(get_f32(in, &t->missing));
    ST_TRY(get_f32(in, &t->opened_effect));
    ST_TRY(get_f32(in, &t->held));
    ST_TRY(cursor_u8(in, &t->tier));
    ST_TRY(cursor_u8(in, &t->signal));
    ST_TRY(cursor_u8(in, &down));
    ST_TRY(cursor_u8(in, &t->gross));
    if (t->tier >= TIER_COUNT || t->signal >= SIGNAL_COUNT || down > 1 ||
        t->gross >= 2 * GROSS_DEAD)
        return ST_CORRUPT;
    t->direction = down ? -1 : 1;
    return ST_OK;
}

static enum status get_pool(struct cursor *in, struct court_pool *p)
{
    if (!p->cell)
        return ST_OK;
    for (uint32_t c = 0; c < p->cells; c++) {
        ST_TRY(cursor_varint(in, &p->cell[c]));
        if (p->cell[c] > COURT_POOL_MAX - p->rows)
            return ST_CORRUPT;
        p->rows += p->cell[c];
    }
    ST_TRY(cursor_varint(in, &p->missing));
    if (p->missing > COURT_POOL_MAX - p->rows)
        return ST_CORRUPT;
    p->rows += p->missing;
    return ST_OK;
}

static enum status get_subject(struct cursor *in, struct judge *j, uint32_t i)
{
    const struct subject *s = &j->subject[i];
    struct subject_state *t = &j->state[i];
    ST_TRY(cursor_varint(in, &t->windows));
    if (s->kind == SUBJECT_SCALAR) {
        ST_TRY(cursor_le_f64(in, &t->carried_rows));
        ST_TRY(cursor_le_f64(in, &t->carried_sum));
        if (!(t->carried_rows >= 0) || !isfinite(t->carried_rows + t->carried_sum))
            return ST_CORRUPT;
    }
    if (t->windows == 0)
        return ST_OK;
    ST_TRY(get_evidence(in, s, t->fast));
    ST_TRY(get_evidence(in, s, t->capped));
    ST_TRY(get_evidence(in, s, t->start));
    for (uint32_t c = 0; c < s->components; c++)
        ST_TRY(get_memory(in, &t->memory[c]));
    ST_TRY(get_numbers(in, t));
    ST_TRY(get_flags(in, t));
    if (t->second_seen > s->second || t->age > t->windows)
        return ST_CORRUPT;
    if (t->opened > 0)
        ST_TRY(get_evidence(in, s, t->second));
    return get_pool(in, &j->pool[i]);
}

static enum status get_judge(struct cursor *in, struct judge *j)
{
    uint8_t format;
    uint64_t fingerprint, subjects;
    ST_TRY(cursor_u8(in, &format));
    if (format != STATE_FORMAT)
        return ST_VERSION;
    ST_TRY(cursor_le64(in, &fingerprint));
    if (fingerprint != j->fingerprint)
        return ST_CONFLICT;
    ST_TRY(cursor_varint(in, &j->windows));
    ST_TRY(cursor_le64(in, &j->last_end));
    ST_TRY(cursor_varint(in, &subjects));
    if (subjects != j->subjects)
        return ST_CONFLICT;
    for (uint32_t i = 0; i < j->subjects; i++)
        ST_TRY(get_subject(in, j, i));
    return cursor_end(in);
}

enum status judge_decode(const struct baseline *b,
                         const struct judge_settings *settings, struct span bytes,
                         struct judge **out)
{
    struct judge *j;
    ST_TRY(judge_open(b, settings, &j));
    struct cursor in = {bytes};
    enum status st = get_judge(&in, j);
    if (st != ST_OK) {
        judge_close(j);
        return st;
    }
    *out = j;
    return ST_OK;
}
