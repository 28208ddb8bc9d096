// Observe: the calls that a model server makes for each prediction.
//
// SPDX-License-Identifier: Apache-2.0
#include "agent/client/record.h"
#include "agent/client/value.h"

static void count_unsent(_Atomic uint64_t *unsent, uint64_t rows)
{
    atomic_fetch_add(unsent, rows);
    atomic_store(&guest.has_unsent, 1);
}

void record_drop(struct kedge_model *m, enum lane_kind kind)
{
    struct writer *w = guest_mine;
    if (!w) {
        count_unsent(kind < LANE_LABEL ? &m->unsent : &m->unsent_beside, 1);
        return;
    }
    struct lane_losses *losses = &w->head->losses;
    writer_count(w, (kind < LANE_LABEL ? losses->full : losses->beside) + m->number, 1);
}

enum kedge_status record_refuse(struct kedge_model *m, uint64_t rows)
{
    struct writer *w = record_writer(guest_now());
    if (w)
        writer_count(w, &w->head->losses.refused[m->number], rows);
    else
        count_unsent(&m->unsent_refused, rows);
    return KEDGE_DROPPED;
}

// `size` bytes of numbers, as they are.
static inline enum kedge_status observe_plain(struct kedge_model *m,
                                              enum lane_kind kind, const void *value,
                                              size_t n, size_t size,
                                              const struct kedge_event *e)
{
    struct record r;
    const char *id = NULL;
    size_t id_size = 0;
    if (!m)
        return KEDGE_RANGE;
    if (n == 0 || n > m->features || (e && !record_id(e, &id, &id_size)))
        return record_refuse(m, 1);
    if (!record_begin(m, kind, n * size, id, id_size, e ? e->time_ns : 0, &r))
        return KEDGE_DROPPED;
    memcpy(r.payload, value, n * size);
    record_end_row(&r);
    return KEDGE_OK;
}

enum kedge_status kedge_observe_f32(struct kedge_model *m, const float *value, size_t n,
                                    const struct kedge_event *e)
{
    return observe_plain(m, LANE_F32, value, n, sizeof *value, e);
}

enum kedge_status kedge_observe_f64(struct kedge_model *m, const double *value,
                                    size_t n, const struct kedge_event *e)
{
    return observe_plain(m, LANE_F64, value, n, sizeof *value, e);
}

enum kedge_status kedge_observe(struct kedge_model *m, const struct kedge_value *value,
                                size_t n, const struct kedge_event *e)
{
    struct record r;
    const char *id = NULL;
    size_t id_size = 0, size = 0;
    if (!m)
        return KEDGE_RANGE;
    if (n == 0 || n > m->features || !record_id(e, &id, &id_size))
        return record_refuse(m, 1);
    for (size_t i = 0; i < n; i++)
        size += value_size((enum kedge_kind)m->kind[i], &value[i]);
    if (!record_begin(m, LANE_MIXED, size, id, id_size, e ? e->time_ns : 0, &r))
        return KEDGE_DROPPED;
    uint8_t *to = r.payload;
    for (size_t i = 0; i < n; i++)
        to = value_put(to, (enum kedge_kind)m->kind[i], &value[i]);
    record_end_row(&r);
    return KEDGE_OK;
}

enum kedge_status kedge_label(struct kedge_model *m, double value,
                              const struct kedge_event *e)
{
    struct record r;
    const char *id = NULL;
    size_t id_size = 0;
    if (!m)
        return KEDGE_RANGE;
    if (!record_id(e, &id, &id_size) || id_size == 0)
        return KEDGE_RANGE;
    if (!record_begin(m, LANE_LABEL, sizeof value, id, id_size, e->time_ns, &r))
        return KEDGE_DROPPED;
    memcpy(r.payload, &value, sizeof value);
    record_end(&r);
    return KEDGE_OK;
}

enum kedge_status kedge_metric(struct kedge_model *m, const char *name, double value,
                               const struct kedge_event *e)
{
    struct record r;
    size_t size = name ? strlen(name) : 0;
    if (!m || size == 0 || size > LANE_NAME_MAX)
        return KEDGE_RANGE;
    if (!record_begin(m, LANE_METRIC, sizeof value + size, NULL, 0, e ? e->time_ns : 0,
                      &r))
        return KEDGE_DROPPED;
    memcpy(r.payload, &value, sizeof value);
    memcpy(r.payload + sizeof value, name, size);
    record_end(&r);
    return KEDGE_OK;
}
