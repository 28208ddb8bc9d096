// SPDX-License-Identifier: Apache-2.0
#include "controller/watch/jury.h"

#include "common/base/mem.h"
#include "common/base/table.h"
#include "controller/log/keys.h"
#include "proto/messages/record.h"

#define STATE_BYTES_MAX (8u << 20)
#define POOL_BYTES 4096u

struct seat {
    struct baseline *baseline;
    struct judge *judge;
};

struct jury {
    struct judge_settings settings;
    struct table *seats;
    struct drift_feature feature[JUDGED_FEATURES_MAX];
    struct buf state;
};

static void drop_seat(void *value)
{
    struct seat *seat = value;
    judge_close(seat->judge);
    baseline_close(seat->baseline);
    mem_free(seat);
}

enum status jury_open(const struct judge_settings *settings, struct jury **out)
{
    struct jury *j = MEM_NEW(struct jury);
    if (!j)
        return ST_NOMEM;
    j->settings = *settings;
    buf_init(&j->state, STATE_BYTES_MAX);
    enum status st = table_open(JURY_SEATS_MAX, &j->seats);
    if (st != ST_OK) {
        jury_close(j);
        return st;
    }
    *out = j;
    return ST_OK;
}

void jury_close(struct jury *j)
{
    if (!j)
        return;
    if (j->seats)
        table_close(j->seats, drop_seat);
    buf_fini(&j->state);
    mem_free(j);
}

static struct span seat_key(uint8_t out[8], uint32_t model, uint32_t version)
{
    store_be32(out, model);
    store_be32(out + 4, version);
    return span_of(out, 8);
}

static enum status read_baseline(struct shelf *s, uint32_t model, uint32_t version,
                                 struct baseline **out)
{
    struct shelf_key key = key_baseline(model, version);
    struct span bytes;
    ST_TRY(shelf_get(s, SHELF_CATALOG, &key, &bytes));
    uint8_t memory[POOL_BYTES];
    struct pool pool;
    pool_init(&pool, memory, sizeof memory);
    struct record_baseline record;
    ST_TRY(message_decode(&record_baseline_message, bytes, &pool, &record));
    return baseline_decode(record.sealed, out);
}

static enum status read_judge(struct jury *j, struct shelf *s, uint32_t model,
                              uint32_t version, struct seat *seat)
{
    struct shelf_key key = key_detector(model, version);
    struct span bytes;
    enum status st = shelf_get(s, SHELF_STATE, &key, &bytes);
    if (st == ST_OK)
        st = judge_decode(seat->baseline, &j->settings, bytes, &seat->judge);
    // A state over another baseline is of no use any more: begin again.
    if (st == ST_NOTFOUND || st == ST_CONFLICT)
        st = judge_open(seat->baseline, &j->settings, &seat->judge);
    return st;
}

enum status jury_find(struct jury *j, struct shelf *s, uint32_t model, uint32_t version,
                      struct judge **out)
{
    uint8_t raw[8];
    struct span key = seat_key(raw, model, version);
    struct seat *seat = table_get(j->seats, key);
    if (seat) {
        *out = seat->judge;
        return ST_OK;
    }
    if (table_len(j->seats) == JURY_SEATS_MAX)
        jury_drop(j);
    seat = MEM_NEW(struct seat);
    if (!seat)
        return ST_NOMEM;
    enum status st = read_baseline(s, model, version, &seat->baseline);
    if (st == ST_OK)
        st = read_judge(j, s, model, version, seat);
    if (st == ST_OK)
        st = table_put(j->seats, key, seat);
    if (st != ST_OK) {
        drop_seat(seat);
        return st;
    }
    *out = seat->judge;
    return ST_OK;
}

enum status jury_store(struct jury *j, struct shelf *s, uint32_t model,
                       uint32_t version)
{
    uint8_t raw[8];
    struct seat *seat = table_get(j->seats, seat_key(raw, model, version));
    if (!seat)
        return ST_NOTFOUND;
    buf_clear(&j->state);
    judge_encode(seat->judge, &j->state);
    ST_TRY(j->state.failed);
    struct shelf_key key = key_detector(model, version);
    return shelf_put(s, SHELF_STATE, &key, buf_span(&j->state));
}

enum status jury_forget(struct jury *j, struct shelf *s, uint32_t model,
                        uint32_t version)
{
    uint8_t raw[8];
    struct seat *seat = table_take(j->seats, seat_key(raw, model, version));
    if (seat)
        drop_seat(seat);
    struct shelf_key key = key_detector(model, version);
    enum status st = shelf_del(s, SHELF_STATE, &key);
    return st == ST_NOTFOUND ? ST_OK : st;
}

void jury_drop(struct jury *j)
{
    size_t at = 0;
    struct span key;
    void *value;
    while (table_next(j->seats, &at, &key, &value)) {
        uint8_t raw[8];
        if (key.size != sizeof raw)
            continue;
        memcpy(raw, key.data, sizeof raw);
        drop_seat(table_take(j->seats, span_of(raw, sizeof raw)));
        at = 0;
    }
}

void jury_window(struct jury *j, const struct judged_window *w,
                 struct drift_window *out)
{
    uint32_t n = w->features < JUDGED_FEATURES_MAX ? w->features : JUDGED_FEATURES_MAX;
    for (uint32_t i = 0; i < n; i++) {
        const struct judged_feature *f = &w->feature[i];
        j->feature[i] = (struct drift_feature){
            .name = f->name, .role = f->role, .kind = f->kind, .profile = f->profile};
    }
    *out = (struct drift_window){
        .start = w->start_ns,
        .end = w->end_ns,
        .flags = w->is_flash ? DRIFT_FLASH : 0,
        .features = n,
        .feature = j->feature,
    };
}
