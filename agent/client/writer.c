// SPDX-License-Identifier: Apache-2.0
#include "agent/client/writer.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

static size_t bytes_of(uint32_t slots)
{
    return LANE_HEAD_BYTES + (size_t)slots * LANE_SLOT_BYTES;
}

// Sealed, so that the agent, which maps it too, cannot be killed by a shorter file.
static int make_file(size_t size)
{
    int fd = memfd_create("kedge-lane", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return -1;
    if (fallocate(fd, 0, 0, (off_t)size) != 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

// Populating maps the pages for reading; the first store to each would still fault.
static void touch(uint8_t *memory, size_t size)
{
    for (size_t at = 0; at < size; at += 4096)
        *(volatile uint8_t *)(memory + at) = 0;
}

enum status writer_open(struct writer *w, uint32_t slots)
{
    size_t size = bytes_of(slots);
    int fd = make_file(size);
    if (fd < 0)
        return ST_NOMEM;
    void *memory =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
    if (memory == MAP_FAILED) {
        close(fd);
        return ST_NOMEM;
    }
    touch(memory, size);
    w->head = memory;
    w->head->magic = LANE_MAGIC;
    w->head->version = LANE_VERSION;
    w->head->slots = slots;
    w->slot = (uint8_t *)memory + LANE_HEAD_BYTES;
    w->mask = slots - 1;
    w->at = w->tail = 0;
    w->fd = fd;
    w->looked_ns = w->beat = 0;
    return ST_OK;
}

void writer_fini(struct writer *w)
{
    if (!w->head)
        return;
    munmap(w->head, bytes_of(w->mask + 1));
    close(w->fd);
    w->head = NULL;
}
