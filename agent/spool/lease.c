// SPDX-License-Identifier: Apache-2.0
#include "agent/spool/lease.h"

#include <fcntl.h>
#include <unistd.h>

#include "common/base/file.h"
#include "common/base/hash.h"
#include "common/base/span.h"

#define SLOT_BYTES 32
#define SLOT_MARK 0x4b4c4541u

static void encode(const struct lease *l, uint8_t out[SLOT_BYTES])
{
    store_le32(out, SLOT_MARK);
    store_le64(out + 4, l->turn);
    store_le64(out + 12, l->start);
    store_le64(out + 20, l->seq);
    store_le32(out + 28, hash_crc32c(0, span_of(out, 28)));
}

static void take_newer(struct lease *l, const uint8_t slot[SLOT_BYTES])
{
    if (load_le32(slot) != SLOT_MARK ||
        load_le32(slot + 28) != hash_crc32c(0, span_of(slot, 28)) ||
        load_le64(slot + 4) <= l->turn)
        return;
    l->turn = load_le64(slot + 4);
    l->start = load_le64(slot + 12);
    l->seq = load_le64(slot + 20);
}

enum status lease_open(const char *path, struct lease *out)
{
    uint8_t slots[2 * SLOT_BYTES] = {0};
    struct lease l = {.start = UINT64_MAX, .seq = UINT64_MAX};
    l.fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (l.fd < 0)
        return ST_IO;
    if (pread(l.fd, slots, sizeof slots, 0) == (ssize_t)sizeof slots) {
        take_newer(&l, slots);
        take_newer(&l, slots + SLOT_BYTES);
    }
    enum status st = ST_OK;
    if (l.turn == 0) {
        st = lease_set(&l, UINT64_MAX, UINT64_MAX);
        if (st == ST_OK)
            st = lease_set(&l, UINT64_MAX, UINT64_MAX);
        if (st == ST_OK)
            st = file_sync_folder_of(path);
    }
    if (st != ST_OK) {
        lease_close(&l);
        return st;
    }
    *out = l;
    return ST_OK;
}

void lease_close(struct lease *l)
{
    if (l->fd >= 0)
        close(l->fd);
    l->fd = -1;
}

enum status lease_set(struct lease *l, uint64_t start, uint64_t seq)
{
    uint8_t slot[SLOT_BYTES];
    struct lease next = {l->fd, l->turn + 1, start, seq};
    encode(&next, slot);
    off_t at = next.turn % 2 ? 0 : SLOT_BYTES;
    if (pwrite(l->fd, slot, sizeof slot, at) != (ssize_t)sizeof slot ||
        fdatasync(l->fd) != 0)
        return ST_IO;
    *l = next;
    return ST_OK;
}
