// Lane: whatever a process tells of its models and writes into its lane, the agent
// reads rows or leaves it.
//
// SPDX-License-Identifier: Apache-2.0
#include <assert.h>
#include <fcntl.h>
#include <math.h>
#include <sys/mman.h>
#include <unistd.h>

#include "agent/lane/form.h"
#include "agent/lane/tap.h"

#define SLOTS LANE_SLOTS_MIN
#define LANE_BYTES (LANE_HEAD_BYTES + SLOTS * LANE_SLOT_BYTES)

static uint8_t scratch[LANE_RECORD_MAX];

static void check(const struct observation *o)
{
    assert(o->model.size > 0 && o->model.size <= LANE_NAME_MAX);
    assert(o->id.size <= LANE_NAME_MAX && o->values <= LANE_FEATURES_MAX);
    for (uint32_t i = 0; i < o->values; i++) {
        const struct datum *d = &o->value[i];
        assert(d->name.size > 0 && d->name.size <= LANE_NAME_MAX);
        assert(d->kind <= DATUM_VECTOR);
        if (d->kind == DATUM_CATEGORY)
            assert(d->text.size <= OBSERVATION_CATEGORY_MAX);
        if (d->kind == DATUM_NUMBER)
            assert(!isnan(d->number));
    }
}

// One lane for all runs: its head is set anew, its slots keep what was there.
static struct lane_head *lane(int *fd)
{
    static struct lane_head *head;
    static int file = -1;
    if (file < 0) {
        file = memfd_create("lane", MFD_ALLOW_SEALING);
        if (file < 0 || ftruncate(file, LANE_BYTES) != 0 ||
            fcntl(file, F_ADD_SEALS, F_SEAL_SHRINK) != 0)
            return NULL;
        head = mmap(NULL, LANE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        if (head == MAP_FAILED)
            return NULL;
    }
    *head = (struct lane_head){
        .magic = LANE_MAGIC, .version = LANE_VERSION, .slots = SLOTS};
    *fd = file;
    return head;
}

static void read_lane(struct form *f, struct span bytes, uint64_t start)
{
    struct tap tap;
    struct lane_record record;
    struct span rest;
    struct observation o;
    int fd = -1;
    struct lane_head *head = lane(&fd);
    assert(head);
    uint64_t slots = (bytes.size + LANE_SLOT_BYTES - 1) / LANE_SLOT_BYTES;
    uint8_t *slot = (uint8_t *)head + LANE_HEAD_BYTES;
    for (size_t i = 0; i < bytes.size; i++)
        slot[(start * LANE_SLOT_BYTES + i) % (SLOTS * LANE_SLOT_BYTES)] = bytes.data[i];
    atomic_store(&head->tail, start);
    atomic_store(&head->head, start + slots);
    if (tap_open(fd, scratch, &tap) != ST_OK)
        return;
    if (tap_look(&tap) == ST_OK)
        while (tap_next(&tap, &record, &rest) == ST_OK) {
            assert(rest.size <= LANE_RECORD_MAX);
            if (form_read(f, &record, rest, 1, &o) == ST_OK)
                check(&o);
            tap_pass(&tap, &record);
        }
    assert(tap.tail <= start + slots);
    tap_fini(&tap);
}

// u16 size of the packet, the packet, u8 how near to the end it begins, the slots.
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct form *f;
    uint32_t number;
    if (size < 3)
        return 0;
    size_t packet = load_le16(data);
    if (packet > size - 3)
        packet = size - 3;
    if (form_open(span_of(data + 2, packet), &number, &f) != ST_OK)
        return 0;
    assert(number < LANE_MODELS_MAX);
    read_lane(f, span_of(data + 3 + packet, size - 3 - packet),
              SLOTS - data[2 + packet] % 64);
    form_close(f);
    return 0;
}
