// Attach: the connection on which a process makes its models and lanes known. Nothing
// here waits; whatever does not go at once is tried again on a new connection.
//
// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/client/guest.h"

#define SEND_BUFFER (256 << 10) // the largest packet must fit, as the kernel counts it

void attach_close(struct guest *g)
{
    if (g->fd >= 0)
        close(g->fd);
    g->fd = -1;
}

bool attach_is_lost(const struct guest *g)
{
    char byte;
    ssize_t n = recv(g->fd, &byte, 1, MSG_DONTWAIT);
    return n >= 0 || (errno != EAGAIN && errno != EINTR);
}

// `fd` may be -1.
static bool send_packet(const struct guest *g, const void *data, size_t size, int fd)
{
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec part = {.iov_base = (void *)(uintptr_t)data, .iov_len = size};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (fd >= 0) {
        message.msg_control = &control;
        message.msg_controllen = sizeof control.bytes;
        struct cmsghdr *c = CMSG_FIRSTHDR(&message);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof fd);
        memcpy(CMSG_DATA(c), &fd, sizeof fd);
    }
    return sendmsg(g->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)size;
}

void attach_model(struct guest *g, const struct kedge_model *m)
{
    if (g->fd >= 0 && !send_packet(g, m->packet, m->packet_size, -1))
        attach_close(g);
}

void attach_lane(struct guest *g, const struct writer *w)
{
    static const uint8_t packet[] = {LANE_HAS_LANE};
    if (g->fd >= 0 && !send_packet(g, packet, sizeof packet, w->fd))
        attach_close(g);
}

static bool send_hello(const struct guest *g)
{
    uint8_t packet[13] = {LANE_HELLO};
    for (int i = 0; i < 8; i++)
        packet[1 + i] = (uint8_t)(LANE_MAGIC >> (8 * i));
    for (int i = 0; i < 4; i++)
        packet[9 + i] = (uint8_t)(LANE_VERSION >> (8 * i));
    return send_packet(g, packet, sizeof packet, -1);
}

static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t size = strlen(path);
    if (size == 0 || size >= sizeof address.sun_path)
        return -1;
    memcpy(address.sun_path, path, size);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    const int bytes = SEND_BUFFER;
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    close(fd);
    return -1;
}

// A lane that its thread is making at this moment is told by that thread.
void attach_open(struct guest *g, uint64_t now_ns)
{
    g->tried_ns = now_ns;
    g->fd = connect_to(g->path);
    if (g->fd < 0)
        return;
    if (!send_hello(g)) {
        attach_close(g);
        return;
    }
    for (uint32_t i = 0; i < g->models; i++)
        attach_model(g, g->model[i]);
    for (uint32_t i = 0; i < KEDGE_THREADS_MAX; i++)
        if (g->writer[i].head)
            attach_lane(g, &g->writer[i]);
}
