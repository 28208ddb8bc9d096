// SPDX-License-Identifier: Apache-2.0
#include "agent/act/deed.h"

#include "agent/act/record.h"
#include "common/base/cursor.h"
#include "common/base/mem.h"
#include "common/base/table.h"

// --- The image in memory

static enum status model_of(struct deeds *d, const char *name, struct deed_model **out)
{
    *out = table_get(d->models, span_text(name));
    if (*out)
        return ST_OK;
    struct deed_model *m = MEM_NEW(struct deed_model);
    if (!m)
        return ST_NOMEM;
    memcpy(m->name, name, strlen(name) + 1);
    enum status st = table_put(d->models, span_text(name), m);
    if (st != ST_OK) {
        mem_free(m);
        return st;
    }
    *out = m;
    return ST_OK;
}

static bool token_above(struct token a, struct token b)
{
    return a.gen != b.gen ? a.gen > b.gen : a.seq > b.seq;
}

static void raise_fence(struct deed_model *m, struct token token,
                        const uint8_t order[16])
{
    if (!token_above(token, m->fence))
        return;
    m->fence = token;
    memcpy(m->fence_order, order, 16);
}

// The oldest finished one makes room.
static void forget_one(struct deeds *d)
{
    size_t at = 0;
    void *value;
    while (table_next(d->by_order, &at, NULL, &value)) {
        struct deed *deed = value;
        if (deed->stage != DEED_DONE)
            continue;
        mem_free(table_take(d->by_order, span_of(deed->order, 16)));
        return;
    }
}

static enum status add_deed(struct deeds *d, const struct deed *from, struct deed **out)
{
    if (table_len(d->by_order) >= DEEDS_MAX)
        forget_one(d);
    struct deed *deed = MEM_NEW(struct deed);
    if (!deed)
        return ST_NOMEM;
    *deed = *from;
    enum status st = table_put(d->by_order, span_of(deed->order, 16), deed);
    if (st != ST_OK) {
        mem_free(deed);
        return st;
    }
    *out = deed;
    return ST_OK;
}

static void note_effect(struct deed_model *m, uint64_t wall_ns)
{
    m->effect_ns[m->effects++ % DEED_EFFECTS_MAX] = wall_ns;
}

static enum status see_received(struct deeds *d, const struct journal_record *r)
{
    struct cursor c = {r->body};
    struct deed deed = {.stage = DEED_RECEIVED, .order_at = r->at}, *kept;
    struct deed_model *m;
    ST_TRY(record_get_received(&c, &deed));
    ST_TRY(model_of(d, deed.model, &m));
    if (deeds_find(d, deed.order))
        return ST_OK;
    ST_TRY(add_deed(d, &deed, &kept));
    raise_fence(m, deed.token, deed.order);
    d->waiting++;
    return ST_OK;
}

static enum status see_begun(struct deeds *d, const struct journal_record *r)
{
    struct cursor c = {r->body};
    uint8_t order[16];
    uint64_t wall_ns;
    ST_TRY(record_get_id(&c, order));
    ST_TRY(cursor_le64(&c, &wall_ns));
    struct deed *deed = deeds_find(d, order);
    struct deed_model *m;
    if (!deed)
        return ST_OK;
    deed->stage = DEED_BEGUN;
    ST_TRY(model_of(d, deed->model, &m));
    note_effect(m, wall_ns);
    return ST_OK;
}

static void set_done(struct deeds *d, struct deed *deed, const struct deed *done,
                     uint64_t at)
{
    if (deed->stage != DEED_DONE && d->waiting > 0)
        d->waiting--;
    deed->stage = DEED_DONE;
    deed->number = done->number;
    deed->wall_ns = done->wall_ns;
    deed->outcome_at = at;
    if (d->last_number < done->number)
        d->last_number = done->number;
}

static enum status see_done(struct deeds *d, const struct journal_record *r)
{
    struct cursor c = {r->body};
    struct deed done = {0};
    static _Thread_local struct outcome outcome;
    ST_TRY(record_get_done(&c, &done));
    ST_TRY(outcome_get(c.left, &outcome));
    struct deed *deed = deeds_find(d, done.order);
    if (!deed) { // its earlier records went when the journal was tidied
        d->waiting++;
        ST_TRY(add_deed(d, &done, &deed));
    }
    set_done(d, deed, &done, r->at);
    struct deed_model *m;
    ST_TRY(model_of(d, deed->model, &m));
    m->is_locked = m->is_locked || outcome.state == RECEIPT_UNCERTAIN;
    return ST_OK;
}

static enum status see_model(struct deeds *d, const struct journal_record *r)
{
    struct cursor c = {r->body};
    struct deed_model found = {0}, *m;
    ST_TRY(record_get_model(&c, &found));
    ST_TRY(model_of(d, found.name, &m));
    *m = found;
    return ST_OK;
}

static enum status see(void *self, const struct journal_record *r)
{
    static enum status (*const by_kind[JOURNAL_KINDS])(
        struct deeds *, const struct journal_record *) = {
        [JOURNAL_MODEL] = see_model,
        [JOURNAL_RECEIVED] = see_received,
        [JOURNAL_BEGUN] = see_begun,
        [JOURNAL_DONE] = see_done,
    };
    return by_kind[r->kind] ? by_kind[r->kind](self, r) : ST_VERSION;
}

enum status deeds_open(const char *journal_path, struct journal_report *report,
                       struct deeds **out)
{
    struct deeds *d = MEM_NEW(struct deeds);
    if (!d)
        return ST_NOMEM;
    enum status st = table_open(DEEDS_MAX + DEED_QUEUE_MAX, &d->by_order);
    if (st == ST_OK)
        st = table_open(DEED_MODELS_MAX, &d->models);
    if (st == ST_OK)
        st = journal_open(journal_path, see, d, report, &d->journal);
    d->tidy_bytes = TIDY_BYTES;
    if (st != ST_OK) {
        deeds_close(d);
        return st;
    }
    *out = d;
    return ST_OK;
}

void deeds_close(struct deeds *d)
{
    if (!d)
        return;
    journal_close(d->journal);
    if (d->by_order)
        table_close(d->by_order, mem_free);
    if (d->models)
        table_close(d->models, mem_free);
    mem_free(d);
}

// --- Questions

struct deed *deeds_find(struct deeds *d, const uint8_t order[16])
{
    return table_get(d->by_order, span_of(order, 16));
}

struct deed_model *deeds_model(struct deeds *d, struct span model)
{
    return table_get(d->models, model);
}

uint32_t deeds_waiting(const struct deeds *d)
{
    return d->waiting;
}

struct deed_model *deeds_each_model(struct deeds *d, size_t *at)
{
    void *value;
    return table_next(d->models, at, NULL, &value) ? value : NULL;
}

// Removals may move entries, so the oldest is the one with the least token of its
// model, and among models the one that came first.
struct deed *deeds_next(struct deeds *d, struct span model)
{
    size_t at = 0;
    void *value;
    struct deed *best = NULL;
    while (d->waiting > 0 && table_next(d->by_order, &at, NULL, &value)) {
        struct deed *deed = value;
        if (deed->stage == DEED_DONE ||
            (model.size > 0 && !span_is(model, deed->model)))
            continue;
        if (!best || deed->order_at < best->order_at)
            best = deed;
    }
    return best;
}

struct deed *deeds_unanswered(struct deeds *d, uint64_t number)
{
    if (number >= d->last_number)
        return NULL;
    size_t at = 0;
    void *value;
    struct deed *best = NULL;
    while (table_next(d->by_order, &at, NULL, &value)) {
        struct deed *deed = value;
        if (deed->stage == DEED_DONE && deed->number > number &&
            (!best || deed->number < best->number))
            best = deed;
    }
    return best;
}

struct deed *deeds_newest(struct deeds *d, struct span model)
{
    size_t at = 0;
    void *value;
    struct deed *best = NULL;
    while (table_next(d->by_order, &at, NULL, &value)) {
        struct deed *deed = value;
        if (deed->stage == DEED_DONE && span_is(model, deed->model) &&
            (!best || deed->number > best->number))
            best = deed;
    }
    return best;
}

uint64_t deeds_last_number(const struct deeds *d)
{
    return d->last_number;
}

uint64_t deeds_journal_bytes(const struct deeds *d)
{
    return journal_bytes(d->journal);
}

// An effect from the future means that the clock was set back; it counts as recent.
static uint32_t recent(const struct deed_model *m, uint64_t now, uint64_t span_ns,
                       uint64_t *last_ns)
{
    uint32_t n = 0;
    for (int i = 0; i < DEED_EFFECTS_MAX; i++) {
        uint64_t at = m->effect_ns[i];
        if (at > *last_ns)
            *last_ns = at;
        if (at != 0 && (at > now || now - at < span_ns))
            n++;
    }
    return n;
}

uint32_t deeds_effects(struct deeds *d, struct span model, uint64_t now_wall_ns,
                       uint64_t span_ns, uint64_t *last_ns)
{
    *last_ns = 0;
    if (model.size > 0) {
        const struct deed_model *m = deeds_model(d, model);
        return m ? recent(m, now_wall_ns, span_ns, last_ns) : 0;
    }
    uint32_t n = 0;
    const struct deed_model *m;
    for (size_t at = 0; (m = deeds_each_model(d, &at));)
        n += recent(m, now_wall_ns, span_ns, last_ns);
    return n;
}

// --- Changes: on disk first

enum status deeds_receive(struct deeds *d, const struct order *order, struct span body,
                          const uint8_t kernel[16], uint64_t hb_boot_ns,
                          uint64_t now_wall_ns, struct deed **out)
{
    struct deed deed = {
        .stage = DEED_RECEIVED,
        .token = order->token,
        .hb_boot_ns = hb_boot_ns,
        .wall_ns = now_wall_ns,
    };
    if (order->model.size > JOB_NAME_MAX)
        return ST_RANGE;
    memcpy(deed.order, order->order, 16);
    memcpy(deed.sess, order->sess, 16);
    memcpy(deed.kernel, kernel, 16);
    memcpy(deed.model, order->model.data, order->model.size);
    struct deed_model *m;
    ST_TRY(model_of(d, deed.model, &m));

    struct buf record;
    buf_init(&record, JOURNAL_BODY_MAX);
    record_put_received(&record, &deed, body);
    enum status st = record.failed;
    if (st == ST_OK)
        st = journal_append(d->journal, JOURNAL_RECEIVED, buf_span(&record),
                            &deed.order_at);
    buf_fini(&record);
    if (st == ST_OK)
        st = add_deed(d, &deed, out);
    if (st != ST_OK)
        return st;
    raise_fence(m, deed.token, deed.order);
    d->waiting++;
    return ST_OK;
}

enum status deeds_begin(struct deeds *d, struct deed *deed, const char *before,
                        uint64_t now_wall_ns)
{
    struct deed_model *m;
    ST_TRY(model_of(d, deed->model, &m));
    struct buf record;
    buf_init(&record, JOURNAL_BODY_MAX);
    buf_put(&record, deed->order, 16);
    buf_put_le64(&record, now_wall_ns);
    record_put_token(&record, deed->token);
    record_put_name(&record, before);
    enum status st = record.failed;
    if (st == ST_OK)
        st = journal_append(d->journal, JOURNAL_BEGUN, buf_span(&record), NULL);
    buf_fini(&record);
    if (st != ST_OK)
        return st;
    deed->stage = DEED_BEGUN;
    note_effect(m, now_wall_ns);
    return ST_OK;
}

enum status deeds_finish(struct deeds *d, struct deed *deed,
                         const struct outcome *outcome, uint64_t now_wall_ns)
{
    struct deed done = *deed;
    done.number = d->last_number + 1;
    done.wall_ns = now_wall_ns;
    uint64_t at;
    struct buf record;
    buf_init(&record, JOURNAL_BODY_MAX);
    record_put_done(&record, &done);
    outcome_put(&record, outcome);
    enum status st = record.failed;
    if (st == ST_OK)
        st = journal_append(d->journal, JOURNAL_DONE, buf_span(&record), &at);
    buf_fini(&record);
    if (st != ST_OK)
        return st;
    set_done(d, deed, &done, at);
    struct deed_model *m = deeds_model(d, span_text(deed->model));
    if (m && outcome->state == RECEIPT_UNCERTAIN)
        m->is_locked = true;
    return ST_OK;
}

enum status deeds_unlock(struct deeds *d, struct deed_model *model)
{
    struct deed_model open = *model;
    open.is_locked = false;
    ST_TRY(record_append_model(d->journal, &open));
    model->is_locked = false;
    return ST_OK;
}

enum status deeds_order(struct deeds *d, const struct deed *deed, struct buf *out)
{
    struct buf record;
    buf_init(&record, JOURNAL_BODY_MAX);
    enum status st = journal_read(d->journal, deed->order_at, &record);
    struct deed same;
    struct cursor c = {buf_span(&record)};
    if (st == ST_OK)
        st = record_get_received(&c, &same);
    if (st == ST_OK) {
        buf_put_span(out, c.left);
        st = out->failed;
    }
    buf_fini(&record);
    return st;
}

enum status deeds_outcome(struct deeds *d, const struct deed *deed, struct outcome *out)
{
    struct buf record;
    buf_init(&record, JOURNAL_BODY_MAX);
    enum status st = journal_read(d->journal, deed->outcome_at, &record);
    struct deed same;
    struct cursor c = {buf_span(&record)};
    if (st == ST_OK)
        st = record_get_done(&c, &same);
    if (st == ST_OK)
        st = outcome_get(c.left, out);
    buf_fini(&record);
    return st;
}
