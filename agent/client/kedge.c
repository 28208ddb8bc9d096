// SPDX-License-Identifier: Apache-2.0
#include "agent/client/kedge.h"

#include <stdlib.h>

#include "agent/client/guest.h"

// --- Setting up

static uint32_t slots_of(size_t lane_bytes)
{
    uint32_t slots = LANE_SLOTS_MIN;
    while ((size_t)slots * LANE_SLOT_BYTES < lane_bytes)
        slots *= 2;
    return slots;
}

enum kedge_status kedge_setup(const char *socket_path, size_t lane_bytes)
{
    size_t most = (size_t)LANE_SLOTS_MAX * LANE_SLOT_BYTES;
    if (lane_bytes > most ||
        (lane_bytes > 0 && lane_bytes < (size_t)LANE_SLOTS_MIN * LANE_SLOT_BYTES) ||
        (socket_path && strlen(socket_path) >= GUEST_PATH_MAX))
        return KEDGE_RANGE;
    guest_begin();
    pthread_mutex_lock(&guest.lock);
    enum kedge_status st = guest.models > 0 ? KEDGE_RANGE : KEDGE_OK;
    if (st == KEDGE_OK && socket_path)
        memcpy(guest.path, socket_path, strlen(socket_path) + 1);
    if (st == KEDGE_OK && lane_bytes > 0)
        guest.slots = slots_of(lane_bytes);
    pthread_mutex_unlock(&guest.lock);
    return st;
}

// --- Models

static bool is_name(const char *text, bool may_be_empty)
{
    size_t size = text ? strlen(text) : 0;
    return size <= LANE_NAME_MAX && (size > 0 || may_be_empty);
}

static bool is_sound(const char *model, const char *version,
                     const struct kedge_feature *feature, size_t features)
{
    if (!is_name(model, false) || !is_name(version, true) || features == 0 ||
        features > KEDGE_FEATURES_MAX || !feature)
        return false;
    for (size_t i = 0; i < features; i++)
        if (!is_name(feature[i].name, false) || feature[i].kind > KEDGE_VECTOR ||
            feature[i].side > KEDGE_SIGNAL)
            return false;
    return true;
}

static uint8_t *put_text(uint8_t *to, const char *text)
{
    size_t size = text ? strlen(text) : 0;
    *to++ = (uint8_t)size;
    if (size > 0)
        memcpy(to, text, size);
    return to + size;
}

static uint8_t *put_le16(uint8_t *to, uint32_t v)
{
    *to++ = (uint8_t)v;
    *to++ = (uint8_t)(v >> 8);
    return to;
}

static size_t packet_size(const char *model, const char *version,
                          const struct kedge_feature *feature, size_t features)
{
    size_t size = 5 + 1 + strlen(model) + 1 + (version ? strlen(version) : 0);
    for (size_t i = 0; i < features; i++)
        size += 3 + strlen(feature[i].name);
    return size;
}

static void free_model(struct kedge_model *m)
{
    if (!m)
        return;
    free(m->kind);
    free(m->packet);
    free(m);
}

static struct kedge_model *make_model(uint32_t number, const char *model,
                                      const char *version,
                                      const struct kedge_feature *feature,
                                      size_t features)
{
    struct kedge_model *m = calloc(1, sizeof *m);
    if (!m)
        return NULL;
    m->number = number;
    m->features = (uint32_t)features;
    m->packet_size = packet_size(model, version, feature, features);
    m->kind = malloc(features);
    m->packet = malloc(m->packet_size);
    if (!m->kind || !m->packet) {
        free_model(m);
        return NULL;
    }
    uint8_t *to = m->packet;
    *to++ = LANE_HAS_MODEL;
    to = put_le16(to, number);
    to = put_le16(to, (uint32_t)features);
    to = put_text(to, model);
    to = put_text(to, version);
    for (size_t i = 0; i < features; i++) {
        m->kind[i] = (uint8_t)feature[i].kind;
        *to++ = (uint8_t)feature[i].side;
        *to++ = (uint8_t)feature[i].kind;
        to = put_text(to, feature[i].name);
    }
    return m;
}

// Packets of the same model differ in their number alone.
static struct kedge_model *find_model(const struct kedge_model *like)
{
    for (uint32_t i = 0; i < guest.models; i++) {
        struct kedge_model *m = guest.model[i];
        if (m->packet_size == like->packet_size &&
            memcmp(m->packet + 3, like->packet + 3, like->packet_size - 3) == 0)
            return m;
    }
    return NULL;
}

static enum kedge_status add_model(struct kedge_model *fresh, struct kedge_model **out)
{
    struct kedge_model *m = find_model(fresh);
    if (m) {
        free_model(fresh);
    } else if (guest.models == LANE_MODELS_MAX) {
        free_model(fresh);
        return KEDGE_FULL;
    } else {
        m = fresh;
        m->number = guest.models;
        (void)put_le16(m->packet + 1, m->number);
        guest.model[guest.models++] = m;
        if (guest.fd >= 0)
            attach_model(&guest, m);
        else
            attach_open(&guest, guest_now());
    }
    m->opened++;
    *out = m;
    return KEDGE_OK;
}

enum kedge_status kedge_open(const char *model, const char *version,
                             const struct kedge_feature *feature, size_t features,
                             struct kedge_model **out)
{
    if (!out || !is_sound(model, version, feature, features))
        return KEDGE_RANGE;
    struct kedge_model *m = make_model(0, model, version, feature, features);
    if (!m)
        return KEDGE_NOMEM;
    guest_begin();
    pthread_mutex_lock(&guest.lock);
    enum kedge_status st = add_model(m, out);
    pthread_mutex_unlock(&guest.lock);
    return st;
}

void kedge_close(struct kedge_model *m)
{
    if (!m)
        return;
    pthread_mutex_lock(&guest.lock);
    m->opened -= m->opened > 0;
    pthread_mutex_unlock(&guest.lock);
}

enum kedge_status kedge_thread_ready(void)
{
    guest_begin();
    return guest_mine || guest_take(guest_now()) ? KEDGE_OK : KEDGE_NOMEM;
}

// --- Looking

static void add_lane(const struct kedge_model *m, uint32_t i, struct kedge_stats *out)
{
    struct lane_head *head = guest.writer[i].head;
    if (!head)
        return;
    struct lane_losses *losses = &head->losses;
    uint64_t tail = atomic_load(&head->tail);
    out->observed += atomic_load(&guest.observed[i][m->number]);
    out->dropped += atomic_load(&losses->full[m->number]);
    out->refused += atomic_load(&losses->refused[m->number]);
    out->beside += atomic_load(&losses->beside[m->number]);
    out->waiting += (atomic_load(&head->head) - tail) * LANE_SLOT_BYTES;
    out->is_attached = out->is_attached || atomic_load(&head->beat) > 0;
}

void kedge_stats(struct kedge_model *m, struct kedge_stats *out)
{
    *out = (struct kedge_stats){0};
    if (!m)
        return;
    pthread_mutex_lock(&guest.lock);
    for (uint32_t i = 0; i < KEDGE_THREADS_MAX; i++)
        add_lane(m, i, out);
    out->dropped += atomic_load(&m->unsent);
    out->refused += atomic_load(&m->unsent_refused);
    out->beside += atomic_load(&m->unsent_beside);
    out->is_attached = out->is_attached && guest.fd >= 0 && !attach_is_lost(&guest);
    pthread_mutex_unlock(&guest.lock);
}

const char *kedge_version(void)
{
    return KEDGE_VERSION;
}
