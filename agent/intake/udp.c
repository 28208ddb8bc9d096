// SPDX-License-Identifier: Apache-2.0
#include "agent/intake/udp.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/intake/address.h"
#include "agent/intake/decoder.h"
#include "agent/intake/meter.h"
#include "common/base/mem.h"

#define DATAGRAM_BYTES (64u << 10)
#define KERNEL_BYTES (1 << 20) // asked for; the kernel may give less

struct udp {
    int fd;
    struct mapping mapping;
    struct observation_sink sink;
    struct observation_sink rows; // through the meter
    struct meter *meter;
    struct decoder decoder;
    uint8_t *datagram; // DATAGRAM_BYTES
    struct udp_stats stats;
};

static enum status listen_at(struct udp *u, const char *listen)
{
    struct address at;
    int yes = 1, room = KERNEL_BYTES;
    ST_TRY(address_of(listen, &at));
    u->fd = socket(at.at.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (u->fd < 0)
        return ST_IO;
    (void)setsockopt(u->fd, SOL_SOCKET, SO_RXQ_OVFL, &yes, sizeof yes);
    (void)setsockopt(u->fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    if (bind(u->fd, (const struct sockaddr *)&at.at, at.size) != 0)
        return errno == EADDRINUSE ? ST_EXISTS : ST_IO;
    u->stats.port = address_port(u->fd);
    return ST_OK;
}

enum status udp_open(const struct udp_settings *settings,
                     const struct observation_sink *sink, struct udp **out)
{
    struct udp *u = MEM_NEW(struct udp);
    if (!u)
        return ST_NOMEM;
    u->fd = -1;
    u->mapping = settings->mapping;
    u->sink = *sink;
    u->datagram = mem_zero(DATAGRAM_BYTES, 1);
    enum status st = u->datagram ? meter_open(sink, &u->meter) : ST_NOMEM;
    if (st == ST_OK) {
        u->rows = meter_sink(u->meter);
        st = decoder_statsd(&u->mapping, &u->decoder);
    }
    if (st == ST_OK)
        st = listen_at(u, settings->listen);
    if (st != ST_OK) {
        udp_close(u);
        return st;
    }
    *out = u;
    return ST_OK;
}

void udp_close(struct udp *u)
{
    if (!u)
        return;
    if (u->fd >= 0)
        close(u->fd);
    if (u->decoder.close)
        u->decoder.close(u->decoder.self);
    meter_close(u->meter);
    mem_free(u->datagram);
    mem_free(u);
}

int udp_fd(const struct udp *u)
{
    return u->fd;
}

struct udp_stats udp_stats(const struct udp *u)
{
    struct udp_stats stats = u->stats;
    stats.rates = meter_stats(u->meter).rates;
    return stats;
}

static void take_line(struct udp *u, struct span line, uint64_t now_ns)
{
    if (line.size > 0 && line.data[line.size - 1] == '\r')
        line.size--;
    if (line.size == 0)
        return;
    u->stats.lines++;
    enum status st = u->decoder.line(u->decoder.self, line, now_ns, &u->rows);
    if (st == ST_OK)
        return;
    u->stats.malformed++;
    u->sink.drop(u->sink.self, span_text(u->mapping.model),
                 st == ST_NOMEM ? DROP_MEMORY : DROP_MALFORMED, 1);
}

static void take_datagram(struct udp *u, struct span all, uint64_t now_ns)
{
    while (all.size > 0) {
        const uint8_t *nl = memchr(all.data, '\n', all.size);
        size_t size = nl ? (size_t)(nl - all.data) : all.size;
        take_line(u, span_of(all.data, size), now_ns);
        size += nl != NULL;
        all = span_of(all.data + size, all.size - size);
    }
    u->sink.settle(u->sink.self);
}

// How many the kernel has dropped since the socket was opened, as it says beside a
// datagram.
static void see_lost(struct udp *u, struct msghdr *m)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        uint32_t lost;
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SO_RXQ_OVFL)
            continue;
        memcpy(&lost, CMSG_DATA(c), sizeof lost);
        u->stats.lost = lost;
    }
}

bool udp_turn(struct udp *u, uint64_t now_ns)
{
    for (int i = 0; i < UDP_DATAGRAMS_A_TURN; i++) {
        _Alignas(struct cmsghdr) char control[64];
        struct iovec part = {u->datagram, DATAGRAM_BYTES};
        struct msghdr m = {.msg_iov = &part,
                           .msg_iovlen = 1,
                           .msg_control = control,
                           .msg_controllen = sizeof control};
        ssize_t n = recvmsg(u->fd, &m, 0);
        if (n < 0) {
            meter_turn(u->meter, now_ns);
            return false;
        }
        see_lost(u, &m);
        u->stats.datagrams++;
        u->stats.bytes += (uint64_t)n;
        take_datagram(u, span_of(u->datagram, (size_t)n), now_ns);
    }
    meter_turn(u->meter, now_ns);
    return true;
}
