// SPDX-License-Identifier: Apache-2.0
#include "controller/replay_fold.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "controller/fold/fold.h"
#include "controller/log/entry.h"
#include "controller/log/keys.h"
#include "controller/log/memory.h"
#include "controller/log/records.h"
#include "controller/watch/watch.h"
#include "proto/messages/record.h"
#include "proto/messages/window.h"

#define SHELF_BYTES (UINT64_C(2) << 30)
#define ENTRY_BYTES TAPE_BODY_MAX
#define SLOTS_MAX 16u

struct replay_slot {
    char model[64], version[64];
    uint64_t last_end;
    uint64_t windows;
};

struct replay_fold {
    struct memory *memory;
    struct shelf *shelf;
    struct watch *watch;
    struct fold *fold;
    struct buf entry, body, profiles;
    struct replay_slot slot[SLOTS_MAX];
    uint32_t slots;
    struct tape_pos pos;
    struct window_feature feature[WINDOW_FEATURES_MAX];
    // What to call, and how it went, while a window is folded.
    replay_heard *heard;
    void *heard_self;
    enum status heard_status;
};

static const uint8_t own_agent[16] = "replay";

static void hear(void *self, const struct judged_window *w, const struct judge *judge,
                 const struct judgement *judgement)
{
    struct replay_fold *f = self;
    (void)w;
    if (f->heard_status == ST_OK)
        f->heard_status = f->heard(f->heard_self, judge, judgement);
}

// The one agent of a replay: it may report every model.
static enum status put_agent(struct replay_fold *f)
{
    static const struct span all = {(const uint8_t *)"*", 1};
    struct record_agent a = {.host = span_text("replay"),
                             .state = AGENT_ACTIVE,
                             .gen = 1,
                             .model = &all,
                             .models = 1};
    memcpy(a.agent, own_agent, sizeof a.agent);
    struct shelf_key key = key_agent(own_agent);
    return records_put(f->shelf, SHELF_AGENT, &key, &record_agent_message, &a);
}

enum status replay_fold_open(struct replay_fold **out)
{
    struct replay_fold *f = MEM_NEW(struct replay_fold);
    if (!f)
        return ST_NOMEM;
    buf_init(&f->entry, ENTRY_BYTES);
    buf_init(&f->body, ENTRY_BYTES);
    buf_init(&f->profiles, ENTRY_BYTES);
    struct watch_options options = watch_defaults();
    options.heard = hear;
    options.heard_self = f;
    enum status st = memory_open(SHELF_BYTES, &f->memory);
    if (st == ST_OK)
        st = watch_open(&options, &f->watch);
    if (st == ST_OK) {
        const struct fold_judge judge = {.self = f->watch,
                                         .window = watch_window,
                                         .flash = watch_flash,
                                         .attest = watch_attest,
                                         .baseline = watch_baseline,
                                         .command = watch_command,
                                         .dropped = watch_dropped};
        st = fold_open(&(struct fold_options){.judge = &judge}, &f->fold);
    }
    if (st == ST_OK) {
        f->shelf = memory_shelf(f->memory);
        st = put_agent(f);
    }
    if (st != ST_OK) {
        replay_fold_close(f);
        return st;
    }
    *out = f;
    return ST_OK;
}

void replay_fold_close(struct replay_fold *f)
{
    if (!f)
        return;
    fold_close(f->fold);
    watch_close(f->watch);
    memory_close(f->memory);
    buf_fini(&f->entry);
    buf_fini(&f->body);
    buf_fini(&f->profiles);
    mem_free(f);
}

static enum status fold_one(struct replay_fold *f, enum tape_kind kind, uint64_t at_ns)
{
    ST_TRY(f->entry.failed);
    f->pos.seq++;
    const struct tape_entry entry = {.kind = (uint16_t)kind,
                                     .at_ns = at_ns,
                                     .body = buf_span(&f->entry),
                                     .pos = f->pos};
    struct tape_home home = {0};
    ST_TRY(fold_entry(f->fold, f->shelf, &entry, &home));
    return fold_flush(f->fold, f->shelf);
}

static enum status command(struct replay_fold *f, const char *verb,
                           const struct replay_slot *slot, struct span blob)
{
    struct entry_command c = {.verb = span_text(verb),
                              .actor = span_text("system"),
                              .role = span_text("system"),
                              .arg = {{span_text("model"), span_text(slot->model)},
                                      {span_text("version"), span_text(slot->version)}},
                              .args = 2,
                              .blob = blob};
    buf_clear(&f->entry);
    entry_put_command(&f->entry, &c);
    return fold_one(f, TAPE_COMMAND, 1);
}

enum status replay_fold_version(struct replay_fold *f, const char *model,
                                const char *version, const struct baseline *b,
                                uint32_t *slot)
{
    if (f->slots == SLOTS_MAX)
        return ST_FULL;
    struct replay_slot *m = &f->slot[f->slots];
    *m = (struct replay_slot){0};
    snprintf(m->model, sizeof m->model, "%s", model);
    snprintf(m->version, sizeof m->version, "%s", version);
    buf_clear(&f->body);
    baseline_encode(b, &f->body);
    ST_TRY(f->body.failed);
    if (f->body.size > RECORD_BASELINE_MAX)
        return ST_RANGE;
    ST_TRY(command(f, "model.add", m, span_text("")));
    ST_TRY(command(f, "version.add", m, span_text("")));
    ST_TRY(command(f, "baseline.seal", m, buf_span(&f->body)));
    *slot = f->slots++;
    return ST_OK;
}

static int by_name(const void *a, const void *b)
{
    const struct window_feature *x = a, *y = b;
    return span_compare(x->name, y->name);
}

// Encodes the profiles one behind the other; the spans are set when all stand still.
static enum status put_features(struct replay_fold *f, const struct drift_window *w,
                                struct window *out)
{
    size_t offset[WINDOW_FEATURES_MAX + 1] = {0};
    uint32_t n = 0;
    buf_clear(&f->profiles);
    for (uint32_t i = 0; i < w->features; i++) {
        const struct drift_feature *from = &w->feature[i];
        if (!from->profile)
            continue;
        if (n == WINDOW_FEATURES_MAX)
            return ST_FULL;
        f->feature[n] = (struct window_feature){
            .name = from->name, .role = from->role, .kind = from->kind};
        offset[n++] = f->profiles.size;
        profile_encode(from->profile, PROFILE_PLAIN, &f->profiles);
        uint64_t rows = profile_counters(from->profile)->rows;
        if (from->role == ROLE_INPUT && rows > out->rows)
            out->rows = rows;
    }
    ST_TRY(f->profiles.failed);
    offset[n] = f->profiles.size;
    for (uint32_t i = 0; i < n; i++)
        f->feature[i].profile =
            span_of(f->profiles.data + offset[i], offset[i + 1] - offset[i]);
    qsort(f->feature, n, sizeof *f->feature, by_name);
    out->feature = f->feature;
    out->features = n;
    out->observed = out->rows;
    return ST_OK;
}

enum status replay_fold_window(struct replay_fold *f, uint32_t slot,
                               const struct drift_window *w, replay_heard *heard,
                               void *self)
{
    struct replay_slot *m = &f->slot[slot];
    struct window window = {.model = span_text(m->model),
                            .version = span_text(m->version),
                            .start = w->start,
                            .end = w->end > m->last_end ? w->end : m->last_end + 1,
                            .seq = ++m->windows};
    window.boot[0] = (uint8_t)(slot + 1);
    window.watermark = window.end;
    window.sent = window.end;
    m->last_end = window.end;
    ST_TRY(put_features(f, w, &window));
    buf_clear(&f->body);
    ST_TRY(message_encode(&window_message, &window, &f->body, NULL));
    buf_clear(&f->entry);
    entry_put_report(&f->entry, &(struct entry_report){.agent = own_agent,
                                                       .body = buf_span(&f->body)});
    f->heard = heard;
    f->heard_self = self;
    f->heard_status = ST_OK;
    ST_TRY(fold_one(f, TAPE_WINDOW, window.end));
    return f->heard_status;
}
