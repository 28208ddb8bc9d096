// SPDX-License-Identifier: Apache-2.0
#include "agent/model/seal.h"

#include <stdlib.h>
#include <string.h>

#include "agent/model/inspect.h"
#include "common/base/hash.h"
#include "common/base/mem.h"
#include "proto/codec.h"
#include "proto/messages/window.h"

// Of profiles in one message; the rest of WINDOW_BYTES_MAX is names and figures.
#define PART_BYTES (WINDOW_BYTES_MAX - 16 * 1024)

struct packed {
    struct span name;
    uint32_t slot;
    size_t at; // of its bytes
    size_t size;
};

struct work {
    const struct seal_window *window;
    struct packed *packed;
    uint32_t packs;
    struct buf bytes;
    struct window_feature *feature;
};

// --- Profiles

static bool is_travelling(const struct seal_window *w)
{
    if (!w->pane->yardstick)
        return true;
    uint32_t every = yardstick_sketch_every(w->pane->yardstick);
    return every > 0 && w->version->windows + 1 >= every;
}

// The sketches of several windows are kept in the version, and the counts of this one
// alone are put beside them.
static enum status encode_with_carry(const struct seal_window *w, uint32_t slot,
                                     const struct profile *p, bool travels,
                                     struct buf *out)
{
    struct profile **carry = &w->version->carry[slot];
    if (!*carry || profile_kind(*carry) != profile_kind(p) ||
        profile_width(*carry) != profile_width(p)) {
        const struct profile_options options = {.kind = profile_kind(p),
                                                .width = profile_width(p),
                                                .sketches = PROFILE_WITH_SKETCHES,
                                                .seed = random_os()};
        profile_close(*carry);
        *carry = NULL;
        ST_TRY(profile_open(&options, NULL, carry));
    }
    // The grid is the yardstick's: it is lent for this moment only.
    enum status st = profile_set_grid(*carry, profile_grid(p));
    if (st == ST_OK)
        st = profile_merge(*carry, p);
    if (st == ST_OK)
        profile_encode(*carry, travels ? PROFILE_WITH_SKETCHES : PROFILE_PLAIN, out);
    if (profile_set_grid(*carry, NULL) != ST_OK && st == ST_OK)
        st = ST_RANGE;
    if (travels)
        profile_reset_sketches(*carry);
    return st == ST_OK ? out->failed : st;
}

static enum status encode_profile(const struct seal_window *w, uint32_t slot,
                                  struct buf *out)
{
    const struct profile *p = w->pane->column[slot]->profile;
    bool has_sketches = profile_kind(p) != PROFILE_SIGNAL;
    bool is_alone =
        !w->pane->yardstick || yardstick_sketch_every(w->pane->yardstick) <= 1;
    bool travels = has_sketches && is_travelling(w);
    size_t before = out->size;
    if (has_sketches && !is_alone)
        ST_TRY(encode_with_carry(w, slot, p, travels, out));
    else
        profile_encode(p, travels ? PROFILE_WITH_SKETCHES : PROFILE_PLAIN, out);
    if (out->size - before > WINDOW_PROFILE_MAX) {
        out->size = before;
        profile_encode(p, PROFILE_PLAIN, out);
    }
    return out->failed;
}

static int by_name(const void *a, const void *b)
{
    const struct packed *x = a, *y = b;
    return span_compare(x->name, y->name);
}

// An id that was taken for a feature until the columns were known does not leave.
static bool is_left_out(const struct pane *p, uint32_t slot)
{
    return p->schema->feature[slot].is_left_out && !pane_known(p, slot);
}

static enum status pack(struct work *k)
{
    const struct pane *p = k->window->pane;
    k->packed = mem_zero(p->columns + 1, sizeof *k->packed);
    k->feature = mem_zero(p->columns + 1, sizeof *k->feature);
    if (!k->packed || !k->feature)
        return ST_NOMEM;
    for (uint32_t i = 0; i < p->columns; i++)
        if (p->column[i] && !is_left_out(p, i))
            k->packed[k->packs++] =
                (struct packed){.name = schema_name(p->schema, i), .slot = i};
    qsort(k->packed, k->packs, sizeof *k->packed, by_name);
    for (uint32_t i = 0; i < k->packs; i++) {
        struct packed *one = &k->packed[i];
        one->at = k->bytes.size;
        ST_TRY(encode_profile(k->window, one->slot, &k->bytes));
        one->size = k->bytes.size - one->at;
    }
    return ST_OK;
}

// --- Messages

// How many features, from `first` on, go into one message.
static uint32_t part_from(const struct work *k, uint32_t first)
{
    size_t size = 0;
    uint32_t n = 0;
    while (first + n < k->packs) {
        const struct packed *one = &k->packed[first + n];
        size += one->size + one->name.size + 16;
        if (n > 0 && size > PART_BYTES)
            break;
        n++;
    }
    return n;
}

static uint32_t count_parts(const struct work *k)
{
    uint32_t parts = 1;
    for (uint32_t at = part_from(k, 0); at < k->packs; at += part_from(k, at))
        parts++;
    return parts;
}

static void add_news(struct window *w, const struct seal_news *news, struct tally *drop)
{
    w->late = news->late;
    w->observed = w->rows + w->late;
    for (uint32_t i = 0; i < DROP_REASONS; i++) {
        if (news->dropped[i] == 0)
            continue;
        drop[w->drops++] =
            (struct tally){.key = span_text(drop_reason_name((enum drop_reason)i)),
                           .count = news->dropped[i]};
        w->observed += news->dropped[i];
    }
    tally_sort(drop, w->drops);
    w->dropped = drop;
}

static void fill_features(struct work *k, uint32_t first, uint32_t n)
{
    const struct pane *p = k->window->pane;
    for (uint32_t i = 0; i < n; i++) {
        const struct packed *one = &k->packed[first + i];
        k->feature[i] = (struct window_feature){
            .name = one->name,
            .role = p->schema->feature[one->slot].role,
            .kind = p->schema->feature[one->slot].kind,
            .profile = span_of(k->bytes.data + one->at, one->size)};
    }
}

static enum status send_part(struct work *k, const struct registry_hooks *hooks,
                             uint32_t part, uint32_t parts, uint32_t first, uint32_t n,
                             const struct seal_news *news)
{
    const struct seal_window *s = k->window;
    struct tally drop[DROP_REASONS];
    struct window w = {.model = s->model->name,
                       .version = s->version->name,
                       .start = s->start,
                       .end = s->end,
                       .watermark = s->watermark,
                       .sent = s->now_ns,
                       .flags = s->is_merged ? WINDOW_MERGED : 0,
                       .part = (uint16_t)part,
                       .parts = (uint16_t)(parts > 1 ? parts : 0),
                       .feature = k->feature,
                       .features = n};
    hooks->stamp(hooks->self, w.boot, &w.seq);
    if (part == 0) {
        w.rows = s->pane ? s->pane->rows : 0;
        add_news(&w, news, drop);
    }
    fill_features(k, first, n);
    struct buf body;
    buf_init(&body, WINDOW_BYTES_MAX);
    enum status st = message_encode(&window_message, &w, &body, NULL);
    if (st == ST_OK)
        st = hooks->entry(hooks->self, window_message.type, buf_span(&body));
    buf_fini(&body);
    return st;
}

static void close_work(struct work *k)
{
    mem_free(k->packed);
    mem_free(k->feature);
    buf_fini(&k->bytes);
}

enum status seal_window(const struct seal_window *w, const struct registry_hooks *hooks,
                        struct seal_news *news)
{
    struct work k = {.window = w};
    enum status st = ST_OK;
    buf_init(&k.bytes, (size_t)WINDOW_FEATURES_MAX * WINDOW_PROFILE_MAX);
    if (w->pane) {
        inspect_pane(w->pane);
        st = pack(&k);
    }
    uint32_t parts = st == ST_OK ? count_parts(&k) : 0;
    for (uint32_t part = 0, at = 0; st == ST_OK && part < parts; part++) {
        uint32_t n = part_from(&k, at);
        st = send_part(&k, hooks, part, parts, at, n, news);
        at += n;
    }
    if (st == ST_OK)
        *news = (struct seal_news){0};
    if (st == ST_OK && w->pane)
        w->version->windows = is_travelling(w) ? 0 : w->version->windows + 1;
    close_work(&k);
    return st;
}
