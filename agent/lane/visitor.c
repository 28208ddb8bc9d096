// SPDX-License-Identifier: Apache-2.0
#include "agent/lane/visitor.h"

#include <errno.h>
#include <unistd.h>

#include "common/base/cursor.h"
#include "common/base/mem.h"

#define PACKETS_A_TURN 512
#define FDS_MAX 4 // of a packet; more than the one that is wanted are closed

void visitor_init(struct visitor *v, int fd)
{
    *v = (struct visitor){.is_here = true, .fd = fd};
    socklen_t size = sizeof v->peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &v->peer, &size) != 0)
        v->peer = (struct ucred){0};
}

static void hang_up(struct visitor *v)
{
    if (v->fd >= 0)
        close(v->fd);
    v->fd = -1;
}

void visitor_fini(struct visitor *v)
{
    hang_up(v);
    for (uint32_t i = 0; i < v->lanes; i++)
        tap_fini(&v->lane[i]);
    for (uint32_t i = 0; i < LANE_MODELS_MAX; i++)
        form_close(v->form[i]);
    mem_free(v->lane);
    *v = (struct visitor){.fd = -1};
}

void visitor_drop_lane(struct visitor *v, uint32_t i)
{
    tap_fini(&v->lane[i]);
    v->lane[i] = v->lane[--v->lanes];
}

// --- Packets

static enum status take_hello(struct visitor *v, struct span packet)
{
    struct cursor c = {packet};
    uint8_t type;
    uint64_t magic;
    uint32_t version;
    ST_TRY(cursor_u8(&c, &type));
    ST_TRY(cursor_le64(&c, &magic));
    ST_TRY(cursor_le32(&c, &version));
    if (magic != LANE_MAGIC || v->has_hello)
        return ST_CORRUPT;
    v->has_hello = true;
    return version == LANE_VERSION ? ST_OK : ST_VERSION;
}

// A number stands for one model as long as the connection lives.
static enum status take_model(struct visitor *v, struct span packet)
{
    struct form *f;
    uint32_t number;
    ST_TRY(form_open(packet, &number, &f));
    if (v->form[number]) {
        form_close(f);
        return ST_EXISTS;
    }
    v->form[number] = f;
    return ST_OK;
}

static enum status take_lane(struct visitor *v, struct visitor_rooms *rooms, int fd,
                             const struct visitor_hooks *hooks)
{
    struct tap fresh;
    if (fd < 0)
        return ST_CORRUPT;
    if (v->lanes == VISITOR_LANES_MAX)
        return ST_FULL;
    ST_TRY(tap_open(fd, rooms->record, &fresh));
    struct tap *grown = NULL;
    bool may = hooks->may_add(hooks->self, &fresh);
    if (may)
        grown = mem_resize(v->lane, v->lanes + 1, sizeof *grown);
    if (!grown) {
        tap_fini(&fresh);
        return may ? ST_NOMEM : ST_FULL;
    }
    v->lane = grown;
    v->lane[v->lanes++] = fresh;
    return ST_OK;
}

static enum status take_packet(struct visitor *v, struct visitor_rooms *rooms,
                               struct span packet, int fd,
                               const struct visitor_hooks *hooks)
{
    if (packet.size == 0 || (!v->has_hello && packet.data[0] != LANE_HELLO))
        return ST_CORRUPT;
    switch (packet.data[0]) {
    case LANE_HELLO:
        return take_hello(v, packet);
    case LANE_HAS_MODEL:
        return take_model(v, packet);
    case LANE_HAS_LANE:
        return take_lane(v, rooms, fd, hooks);
    default:
        return ST_OK; // of a later version
    }
}

// The first descriptor that came along; the others are closed.
static int take_fd(struct msghdr *message)
{
    int found = -1;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
            if (found < 0)
                found = fd;
            else
                close(fd);
        }
    }
    return found;
}

static enum status hear_one(struct visitor *v, struct visitor_rooms *rooms,
                            const struct visitor_hooks *hooks)
{
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(FDS_MAX * sizeof(int))];
    } control;
    struct iovec part = {.iov_base = rooms->packet, .iov_len = sizeof rooms->packet};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control.bytes};
    ssize_t n = recvmsg(v->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? ST_AGAIN : ST_CLOSED;
    int fd = take_fd(&message);
    enum status st = ST_CLOSED; // an empty packet is the end, and nobody sends one
    if (n > 0)
        st = (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
                 ? ST_CORRUPT
                 : take_packet(v, rooms, span_of(rooms->packet, (size_t)n), fd, hooks);
    if (fd >= 0)
        close(fd);
    return st;
}

enum status visitor_hear(struct visitor *v, struct visitor_rooms *rooms,
                         const struct visitor_hooks *hooks)
{
    enum status st = v->fd < 0 ? ST_CLOSED : ST_OK;
    for (int i = 0; st == ST_OK && i < PACKETS_A_TURN; i++)
        st = hear_one(v, rooms, hooks);
    if (st == ST_CLOSED)
        hang_up(v);
    return st == ST_AGAIN ? ST_OK : st;
}
