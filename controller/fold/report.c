// Report: windows, attestations, notices and receipts, as agents send them.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/fold/expire.h"
#include "controller/fold/inside.h"

#include <string.h>

#include "common/sketch/profile.h"
#include "controller/log/progress.h"
#include "controller/log/blob.h"
#include "controller/log/keys.h"
#include "controller/log/names.h"
#include "controller/log/records.h"
#include "proto/messages/attest.h"
#include "proto/messages/window.h"

// Enough of a repeated report to see that it is one: agent, signatures' size, boot,
// seq.
#define CUT_BYTES 96u

// One window on its way through the fold.
struct arrival {
    struct admission a;
    struct window w;
    uint32_t model, version, series;
    bool is_new_host; // first part of this window from this host
};

static enum status refuse(struct fold *f, struct arrival *v, const char *code,
                          const char *why)
{
    v->a.is_welcome = false;
    return admit_refuse(f, &v->a, code, why);
}

// Everything that can be wrong with the window itself, before anything is changed.
static enum status read_window(struct fold *f, struct arrival *v)
{
    enum status st =
        message_decode(&window_message, v->a.report->body, &f->pool, &v->w);
    if (st == ST_OK)
        st = window_check(&v->w);
    if (st != ST_OK)
        return refuse(f, v, "corrupt", "not a window");
    if (!admit_model(&v->a.agent, v->w.model))
        return refuse(f, v, "scope", "the grant does not cover this model");
    st = panel_fill(f->part, &v->w);
    if (st == ST_NOMEM)
        return st;
    if (st != ST_OK)
        return refuse(f, v, "corrupt", "a profile cannot be read");
    return ST_OK;
}

static enum status name_window(struct fold *f, struct shelf *s, struct arrival *v)
{
    enum status st = names_model_new(s, v->w.model, &v->model);
    if (st == ST_OK)
        st = names_version_new(s, v->model, v->w.version, &v->version);
    if (st == ST_OK)
        st = names_series_new(s, v->model, v->version, v->a.report->agent, &v->series);
    if (st == ST_RANGE)
        return refuse(f, v, "full", "too many models or versions");
    if (st != ST_OK)
        return st;
    return history_seen(f, s, v->w.model, v->w.start, v->a.agent.host);
}

// Puts the report under its read key, and tells the driver where.
static enum status keep_window(struct fold *f, struct shelf *s, struct arrival *v,
                               struct span body, struct tape_home *home)
{
    struct shelf_key prefix = key_window_start(v->series, KEY_RAW, v->w.start);
    struct span last;
    unsigned part = 0;
    enum status st = shelf_last(s, SHELF_WINDOW, &prefix, &last, NULL);
    if (st == ST_OK)
        part = last.data[last.size - 1] + 1u;
    else if (st != ST_NOTFOUND)
        return st;
    if (part > UINT8_MAX)
        return ST_OK; // beyond 256 parts of one start it stays in the log alone
    buf_clear(&f->blob);
    blob_put(&f->blob, BLOB_REPORT, body, &v->w);
    if (f->blob.failed != ST_OK)
        return f->blob.failed;
    struct blob read;
    ST_TRY(blob_read(buf_span(&f->blob), &read));
    *home = (struct tape_home){
        .kind = HOME_SHELF,
        .table = SHELF_WINDOW,
        .key = key_window(v->series, KEY_RAW, v->w.start, (uint8_t)part),
        .offset = read.payload_offset,
        .size = (uint32_t)body.size};
    return shelf_put(s, SHELF_WINDOW, &home->key, buf_span(&f->blob));
}

static enum status add_drops(struct fold *f, struct record_instance *i,
                             const struct window *w)
{
    struct tally *sum = pool_take(&f->pool, i->drops + w->drops, sizeof *sum);
    if (!sum && i->drops + w->drops > 0)
        return ST_FULL;
    uint32_t n = i->drops;
    if (n > 0)
        memcpy(sum, i->dropped, n * sizeof *sum);
    for (uint32_t k = 0; k < w->drops; k++) {
        uint32_t at = 0;
        while (at < n && !span_equal(sum[at].key, w->dropped[k].key))
            at++;
        if (at == n) {
            if (n == WINDOW_DROPS_MAX)
                at = n - 1; // a flood of invented reasons: the last one takes the rest
            else
                sum[n++] = (struct tally){.key = w->dropped[k].key};
        }
        sum[at].count += w->dropped[k].count;
    }
    tally_sort(sum, n);
    i->dropped = sum;
    i->drops = n;
    return ST_OK;
}

// The totals of this host and version: observed = rows + late + dropped, for ever.
static enum status count_window(struct fold *f, struct shelf *s,
                                const struct arrival *v)
{
    const struct window *w = &v->w;
    struct shelf_key k = key_instance(v->model, v->version, v->a.report->agent);
    struct record_instance i;
    enum status st =
        records_get(s, SHELF_AGENT, &k, &record_instance_message, &f->pool, &i);
    if (st == ST_NOTFOUND) {
        i = (struct record_instance){.first_event = w->start};
        st = ST_OK;
    }
    if (st != ST_OK)
        return st;
    i.model = w->model;
    i.version = w->version;
    i.host = v->a.agent.host;
    memcpy(i.agent, v->a.report->agent, sizeof i.agent);
    if (w->watermark > i.watermark)
        i.watermark = w->watermark;
    if (w->end > i.last_end)
        i.last_end = w->end;
    i.last_tick = f->moment.now_ns;
    if (w->part == 0) {
        i.windows++;
        i.rows += w->rows;
        i.observed += w->observed;
        i.late += w->late;
        ST_TRY(add_drops(f, &i, w));
    }
    return records_put(s, SHELF_AGENT, &k, &record_instance_message, &i);
}

static enum status note_progress(struct fold *f, struct shelf *s, struct arrival *v)
{
    struct progress_host h;
    ST_TRY(progress_get_host(s, v->model, v->a.report->agent, &h));
    bool is_flash =
        v->w.flags & WINDOW_FLASH; // the rest of its window is still to come
    v->is_new_host = v->w.part == 0 && !is_flash && v->w.end > h.last_end;
    if (v->w.watermark > h.watermark)
        h.watermark = v->w.watermark;
    if (v->w.end > h.last_end && !is_flash)
        h.last_end = v->w.end;
    h.seen_ns = f->moment.now_ns;
    return progress_put_host(s, v->model, v->a.report->agent, &h);
}

static struct judged_window host_window(const struct fold *f, const struct arrival *v)
{
    return (struct judged_window){.model = v->w.model,
                                  .version = v->w.version,
                                  .model_no = v->model,
                                  .version_no = v->version,
                                  .agent = v->a.report->agent,
                                  .host = v->a.agent.host,
                                  .start_ns = v->w.start,
                                  .end_ns = v->w.end,
                                  .rows = v->w.rows,
                                  .hosts = 1,
                                  .is_flash = v->w.flags & WINDOW_FLASH,
                                  .feature = f->part->feature,
                                  .features = f->part->features};
}

static enum status show_window(struct fold *f, struct shelf *s, const struct arrival *v)
{
    struct judged_window w = host_window(f, v);
    if (w.is_flash && f->judge.flash) {
        uint8_t alert[16] = {0};
        ST_TRY(f->judge.flash(f->judge.self, s, &w, &f->moment, f->o.effects, alert));
        ST_TRY(judging_told(f, s, alert));
    }
    if (f->act.instance_window)
        ST_TRY(f->act.instance_window(f->act.self, s, &w, &f->moment, f->o.effects));
    return ST_OK;
}

enum status report_window(struct fold *f, struct shelf *s, const struct tape_entry *e,
                          const struct entry_report *r, struct tape_home *home)
{
    struct arrival v = {0};
    ST_TRY(admit_report(f, s, r, &v.a));
    if (!v.a.is_welcome)
        return ST_OK;
    if (v.a.is_repeated) {
        *home = (struct tape_home){.kind = HOME_CUT, .size = CUT_BYTES};
        return admit_done(f, s, &v.a);
    }
    ST_TRY(read_window(f, &v));
    if (v.a.is_welcome)
        ST_TRY(name_window(f, s, &v));
    if (!v.a.is_welcome)
        return ST_OK;
    ST_TRY(keep_window(f, s, &v, e->body, home));
    ST_TRY(count_window(f, s, &v));
    ST_TRY(note_progress(f, s, &v));
    ST_TRY(show_window(f, s, &v));
    struct judging_part part = {.window = &v.w,
                                .model = v.model,
                                .version = v.version,
                                .is_new_host = v.is_new_host,
                                .key = home->kind == HOME_SHELF ? &home->key : NULL};
    ST_TRY(judging_add(f, s, &part));
    ST_TRY(judging_due(f, s, v.model));
    struct rollup_series host = {v.model, v.version, v.series};
    ST_TRY(expire_host(f, s, &host, v.w.start, v.w.end));
    return admit_done(f, s, &v.a);
}

enum status report_notice(struct fold *f, struct shelf *s, const struct entry_report *r)
{
    struct admission a;
    struct notice n;
    ST_TRY(admit_report(f, s, r, &a));
    if (!a.is_welcome)
        return ST_OK;
    if (a.is_repeated)
        return admit_done(f, s, &a);
    if (message_decode(&notice_message, r->body, &f->pool, &n) != ST_OK)
        return admit_refuse(f, &a, "corrupt", "not a notice");
    if (n.model.size > 0 && !admit_model(&a.agent, n.model))
        return admit_refuse(f, &a, "scope", "the grant does not cover this model");
    struct record_event e = {.at = n.at,
                             .kind = n.kind,
                             .model = n.model,
                             .host = a.agent.host,
                             .actor = a.agent.host,
                             .text = n.detail};
    ST_TRY(history_event(f, s, &e));
    ST_TRY(fold_audit(f, s, ACTOR_AGENT, a.agent.host, "notice", n.model, n.detail));
    return admit_done(f, s, &a);
}

enum status report_receipt(struct fold *f, struct shelf *s,
                           const struct entry_report *r)
{
    struct admission a;
    ST_TRY(admit_report(f, s, r, &a));
    if (!a.is_welcome)
        return ST_OK;
    if (!a.is_repeated && f->act.receipt)
        ST_TRY(f->act.receipt(f->act.self, s, r, &f->moment, f->o.effects));
    return admit_done(f, s, &a);
}
