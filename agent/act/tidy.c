// Tidying: the journal written anew without what is no longer needed.
//
// SPDX-License-Identifier: Apache-2.0
#include "agent/act/record.h"

#include "common/base/mem.h"

static enum status copy_done(struct deeds *d, struct deed *deed, struct journal *fresh)
{
    struct buf record;
    buf_init(&record, JOURNAL_BODY_MAX);
    enum status st = journal_read(d->journal, deed->outcome_at, &record);
    if (st == ST_OK)
        st = journal_append(fresh, JOURNAL_DONE, buf_span(&record), &deed->moved_at);
    buf_fini(&record);
    return st;
}

// The models come last: what they say of locks stands above what the outcomes say.
static enum status fill_fresh(void *self, struct journal *fresh)
{
    struct deeds *d = self;
    void *value;
    for (size_t at = 0; table_next(d->by_order, &at, NULL, &value);)
        ST_TRY(copy_done(d, value, fresh));
    const struct deed_model *m;
    for (size_t at = 0; (m = deeds_each_model(d, &at));)
        ST_TRY(record_append_model(fresh, m));
    return ST_OK;
}

static void forget_old(struct deeds *d, uint64_t now_wall_ns)
{
    for (size_t at = 0;;) {
        size_t before = at;
        void *value;
        if (!table_next(d->by_order, &at, NULL, &value))
            return;
        struct deed *deed = value;
        if (deed->stage != DEED_DONE || deed->number == d->last_number ||
            deed->wall_ns + DEED_KEEP_NS > now_wall_ns)
            continue;
        mem_free(table_take(d->by_order, span_of(deed->order, 16)));
        at = before; // the last one may have moved here
    }
}

// Only while nothing waits: then every record to be kept is a model's or a finished
// deed's.
enum status deeds_tidy(struct deeds *d, uint64_t now_wall_ns)
{
    if (d->waiting > 0 || journal_bytes(d->journal) < d->tidy_bytes)
        return ST_OK;
    forget_old(d, now_wall_ns);
    enum status st = journal_rewrite(d->journal, fill_fresh, d);
    void *value;
    for (size_t at = 0; st == ST_OK && table_next(d->by_order, &at, NULL, &value);) {
        struct deed *deed = value;
        deed->outcome_at = deed->moved_at;
    }
    // What could not be made smaller is tried again when it has doubled.
    d->tidy_bytes = journal_bytes(d->journal) * 2;
    if (d->tidy_bytes < TIDY_BYTES)
        d->tidy_bytes = TIDY_BYTES;
    return st;
}
