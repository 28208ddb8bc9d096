// Stage: a lane door, and a process that visits it with bytes of the test's making.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_TESTS_UNIT_AGENT_LANE_STAGE_H
#define KEDGE_TESTS_UNIT_AGENT_LANE_STAGE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/lane/lane.h"
#include "common/base/mem.h"
#include "proto/lane.h"
#include "tests/unit/agent/intake/said.h"

#define NOW UINT64_C(1700000000000000000)
#define MS UINT64_C(1000000)
#define LANE_BYTES (LANE_HEAD_BYTES + LANE_SLOTS_MIN * LANE_SLOT_BYTES)
#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

struct stage {
    char folder[64];
    char path[128];
    struct said said;
    struct observation_sink sink;
    struct lane_door *door;
    int fd;   // the visitor's end
    int file; // its lane
    struct lane_head *head;
    uint64_t at;
};

static inline void open_lane_file(struct stage *s)
{
    s->file = memfd_create("lane", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_true(s->file >= 0);
    assert_int_equal(ftruncate(s->file, LANE_BYTES), 0);
    s->head = mmap(NULL, LANE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, s->file, 0);
    assert_true(s->head != MAP_FAILED);
    s->head->magic = LANE_MAGIC;
    s->head->version = LANE_VERSION;
    s->head->slots = LANE_SLOTS_MIN;
    s->at = 0;
}

static inline void close_lane_file(struct stage *s)
{
    munmap(s->head, LANE_BYTES);
    close(s->file);
}

static inline int open_stage(void **state)
{
    struct stage *s = MEM_NEW(struct stage);
    strcpy(s->folder, "/tmp/kedge-lane-XXXXXX");
    assert_non_null(mkdtemp(s->folder));
    snprintf(s->path, sizeof s->path, "%s/lane.sock", s->folder);
    said_init(&s->said, &s->sink);
    const struct lane_settings settings = {.path = s->path, .mode = 0600};
    assert_int_equal(lane_open(&settings, &s->sink, &s->door), ST_OK);
    s->fd = -1;
    open_lane_file(s);
    *state = s;
    return 0;
}

static inline int close_stage(void **state)
{
    struct stage *s = *state;
    lane_close(s->door);
    if (s->fd >= 0)
        close(s->fd);
    close_lane_file(s);
    buf_fini(&s->said.text);
    unlink(s->path);
    rmdir(s->folder);
    mem_free(s);
    return 0;
}

static inline void come(struct stage *s)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, s->path);
    s->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0);
    assert_int_equal(connect(s->fd, (struct sockaddr *)&address, sizeof address), 0);
}

static inline void send_with(struct stage *s, const void *data, size_t size, int file)
{
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec part = {(void *)(uintptr_t)data, size};
    struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};
    if (file >= 0) {
        m.msg_control = &control;
        m.msg_controllen = sizeof control.bytes;
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof file);
        memcpy(CMSG_DATA(c), &file, sizeof file);
    }
    assert_int_equal(sendmsg(s->fd, &m, 0), size);
}

static inline void send_hello(struct stage *s, uint32_t version)
{
    uint8_t packet[13] = {LANE_HELLO};
    store_le64(packet + 1, LANE_MAGIC);
    store_le32(packet + 9, version);
    send_with(s, packet, sizeof packet, -1);
}

// Model m/v, number 0: a number x, a category c, a text t, a vector e, an output y.
static inline void send_model(struct stage *s)
{
    static const uint8_t packet[] = {LANE_HAS_MODEL,
                                     0,
                                     0,
                                     5,
                                     0,
                                     1,
                                     'm',
                                     1,
                                     'v', //
                                     0,
                                     LANE_IS_NUMBER,
                                     1,
                                     'x', //
                                     0,
                                     LANE_IS_CATEGORY,
                                     1,
                                     'c', //
                                     0,
                                     LANE_IS_TEXT,
                                     1,
                                     't', //
                                     0,
                                     LANE_IS_VECTOR,
                                     1,
                                     'e', //
                                     1,
                                     LANE_IS_NUMBER,
                                     1,
                                     'y'};
    send_with(s, packet, sizeof packet, -1);
}

static inline void send_lane(struct stage *s)
{
    static const uint8_t packet[] = {LANE_HAS_LANE};
    send_with(s, packet, sizeof packet, s->file);
}

static inline void seal(const struct stage *s)
{
    assert_int_equal(fcntl(s->file, F_ADD_SEALS, SEALS), 0);
}

static inline void attach(struct stage *s)
{
    seal(s);
    come(s);
    send_hello(s, LANE_VERSION);
    send_model(s);
    send_lane(s);
}

static inline uint8_t *slot_at(struct stage *s)
{
    return (uint8_t *)s->head + LANE_HEAD_BYTES +
           (s->at % LANE_SLOTS_MIN) * LANE_SLOT_BYTES;
}

// Writes head and payload as they are, and shows `slots` slots of it.
static inline void put_raw(struct stage *s, const struct lane_record *head,
                           const void *payload, size_t size, uint64_t slots)
{
    memcpy(slot_at(s), head, sizeof *head);
    if (size > 0)
        memcpy(slot_at(s) + sizeof *head, payload, size);
    s->at += slots;
    atomic_store(&s->head->head, s->at);
}

static inline void put(struct stage *s, uint8_t kind, const void *payload, size_t size)
{
    const struct lane_record head = {
        .size = (uint32_t)(sizeof head + size), .kind = kind, .t = 1000 * MS};
    put_raw(s, &head, payload, size,
            (head.size + LANE_SLOT_BYTES - 1) / LANE_SLOT_BYTES);
}

static inline void assert_said(struct stage *s, const char *wanted)
{
    assert_string_equal(buf_cstr(&s->said.text), wanted);
}

#endif
