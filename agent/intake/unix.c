// SPDX-License-Identifier: Apache-2.0
#include "agent/intake/unix.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/intake/lines.h"
#include "agent/intake/packets.h"
#include "agent/intake/rows.h"
#include "common/base/log.h"
#include "common/base/mem.h"

#define READ_BYTES (64u << 10)
#define TURN_BYTES (4u << 20)
#define EVENTS 64
#define LISTENER UINT32_MAX

// Partial lines of all clients together; a client that would exceed it has its line
// passed over as one that is too long.
#define HELD_BYTES_MAX (16u << 20)

struct client {
    int fd;         // -1: the place is free
    bool has_begun; // its first byte has come, which says what it writes
    bool is_packed;
    struct lines lines;
    struct packets packets;
    size_t held; // of its lines, as counted in the door
    char model[OBSERVATION_NAME_MAX];
    uint32_t model_size; // of its last good line
    struct ucred peer;
    bool has_complained; // one bad line of each connection is logged
};

struct unix_door {
    char *path;
    int listener;
    int epoll;
    int spare; // given up when file descriptors run out, so that a client can be
               // refused
    struct observation_sink sink;
    struct rows *rows;
    struct unix_stats stats;
    size_t held;
    uint8_t *buffer; // READ_BYTES
    uint32_t uid[UNIX_UIDS_MAX];
    uint32_t uids; // 0: any
    struct client client[UNIX_CLIENTS_MAX];
};

// --- Opening

// A socket file without a listener is left over from an agent that was killed.
static enum status remove_stale(const struct sockaddr_un *address)
{
    struct stat st;
    if (lstat(address->sun_path, &st) != 0)
        return errno == ENOENT ? ST_OK : ST_IO;
    if (!S_ISSOCK(st.st_mode))
        return ST_EXISTS;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return ST_IO;
    int failed = connect(fd, (const struct sockaddr *)address, sizeof *address);
    int why = errno;
    close(fd);
    if (failed == 0 || why != ECONNREFUSED)
        return ST_EXISTS;
    return unlink(address->sun_path) == 0 ? ST_OK : ST_IO;
}

static enum status listen_at(struct unix_door *d, unsigned mode)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(d->path) >= sizeof address.sun_path)
        return ST_RANGE;
    strcpy(address.sun_path, d->path);
    ST_TRY(remove_stale(&address));
    d->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (d->listener < 0)
        return ST_IO;
    // The mode is set on the socket first: between bind and chmod the file would
    // otherwise be open to whomever the umask lets in.
    if (fchmod(d->listener, mode) != 0 ||
        bind(d->listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        chmod(d->path, mode) != 0 || listen(d->listener, 128) != 0)
        return ST_IO;
    d->epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = LISTENER};
    if (d->epoll < 0 || epoll_ctl(d->epoll, EPOLL_CTL_ADD, d->listener, &event) != 0)
        return ST_IO;
    return ST_OK;
}

enum status unix_open(const struct unix_settings *settings,
                      const struct observation_sink *sink, struct unix_door **out)
{
    if (settings->uids > UNIX_UIDS_MAX)
        return ST_RANGE;
    struct unix_door *d = MEM_NEW(struct unix_door);
    if (!d)
        return ST_NOMEM;
    d->uids = settings->uids;
    if (d->uids > 0)
        memcpy(d->uid, settings->uid, d->uids * sizeof d->uid[0]);
    d->listener = d->epoll = -1;
    d->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
    d->sink = *sink;
    for (uint32_t i = 0; i < UNIX_CLIENTS_MAX; i++)
        d->client[i].fd = -1;
    enum status st = ST_NOMEM;
    d->buffer = mem_zero(READ_BYTES, 1);
    char *path = mem_text(span_text(settings->path));
    if (!d->buffer || !path)
        goto done;
    st = rows_open(settings->model, &d->rows);
    if (st != ST_OK)
        goto done;
    d->path = path;
    st = listen_at(d, settings->mode);
    if (st != ST_OK && d->listener < 0)
        d->path = NULL; // it is not ours to remove
done:
    if (st != ST_OK) {
        if (!d->path)
            mem_free(path);
        unix_close(d);
        return st;
    }
    *out = d;
    return ST_OK;
}

static void drop_client(struct unix_door *d, struct client *c)
{
    close(c->fd); // which takes it out of the epoll set
    c->fd = -1;
    d->held -= c->held;
    c->held = 0;
    lines_fini(&c->lines);
    packets_fini(&c->packets);
    d->stats.clients--;
}

void unix_close(struct unix_door *d)
{
    if (!d)
        return;
    for (uint32_t i = 0; i < UNIX_CLIENTS_MAX; i++)
        if (d->client[i].fd >= 0)
            drop_client(d, &d->client[i]);
    if (d->listener >= 0)
        close(d->listener);
    if (d->epoll >= 0)
        close(d->epoll);
    if (d->spare >= 0)
        close(d->spare);
    if (d->path)
        unlink(d->path);
    rows_close(d->rows);
    mem_free(d->path);
    mem_free(d->buffer);
    mem_free(d);
}

int unix_fd(const struct unix_door *d)
{
    return d->epoll;
}

struct unix_stats unix_stats(const struct unix_door *d)
{
    return d->stats;
}

// --- Reading

static void complain(struct client *c, const char *what)
{
    if (c->has_complained)
        return;
    c->has_complained = true;
    log_line(LOG_WARN, what, "pid=%d uid=%u model=%.*s", (int)c->peer.pid,
             (unsigned)c->peer.uid, (int)c->model_size, c->model);
}

static void drop_line(struct unix_door *d, struct client *c, enum drop_reason why,
                      struct span named)
{
    struct span model = named.size ? named : span_of(c->model, c->model_size);
    d->sink.drop(d->sink.self, model, why, 1);
}

static void take_line(struct unix_door *d, struct client *c, struct span line,
                      uint64_t now_ns)
{
    struct observation o;
    d->stats.lines++;
    enum status st = c->is_packed ? rows_unpack(d->rows, line, now_ns, &o)
                                  : rows_read(d->rows, line, now_ns, &o);
    if (st == ST_OK) {
        c->model_size = (uint32_t)o.model.size;
        memcpy(c->model, o.model.data, o.model.size);
        d->sink.row(d->sink.self, &o);
        return;
    }
    d->stats.malformed++;
    complain(c, "a line that is no observation");
    drop_line(d, c,
              st == ST_FULL    ? DROP_FEATURES
              : st == ST_NOMEM ? DROP_MEMORY
                               : DROP_MALFORMED,
              rows_blame(d->rows));
}

static void take_kind(struct unix_door *d, struct client *c, enum line_kind kind,
                      struct span line, uint64_t now_ns)
{
    if (kind == LINE_OVERSIZE) {
        d->stats.lines++;
        d->stats.oversize++;
        complain(c, "a line that is too long");
        drop_line(d, c, DROP_OVERSIZE, (struct span){0});
    } else if (line.size > 0) {
        take_line(d, c, line, now_ns);
    } else {
        return; // an empty line is nothing
    }
    d->sink.settle(d->sink.self);
}

// Keeps the door's sum of partial lines, and its limit.
static void count_held(struct unix_door *d, struct client *c)
{
    size_t held = (c->lines.is_lent ? 0 : c->lines.held.size) +
                  (c->packets.is_lent ? 0 : c->packets.held.size);
    d->held = d->held - c->held + held;
    c->held = held;
    if (d->held <= HELD_BYTES_MAX)
        return;
    if (c->is_packed) {
        packets_give_up(&c->packets);
    } else {
        lines_clear(&c->lines);
        c->lines.is_skipping = true;
    }
    d->held -= c->held;
    c->held = 0;
}

// False: what it writes cannot be read any more.
static bool take_packets(struct unix_door *d, struct client *c, struct span bytes,
                         uint64_t now_ns)
{
    for (;;) {
        struct span packet = {0};
        switch (packets_next(&c->packets, &bytes, &packet)) {
        case PACKET_NONE:
            count_held(d, c);
            return true;
        case PACKET_WHOLE:
            take_kind(d, c, LINE_WHOLE, packet, now_ns);
            break;
        case PACKET_OVERSIZE:
            take_kind(d, c, LINE_OVERSIZE, packet, now_ns);
            break;
        case PACKET_BROKEN:
            d->stats.lines++;
            d->stats.malformed++;
            complain(c, "bytes that are no msgpack map; the connection is ended");
            drop_line(d, c, DROP_MALFORMED, (struct span){0});
            d->sink.settle(d->sink.self);
            return false;
        }
    }
}

static void take_bytes(struct unix_door *d, struct client *c, struct span bytes,
                       uint64_t now_ns)
{
    for (;;) {
        struct span line = {0};
        enum line_kind kind = lines_next(&c->lines, &bytes, &line);
        if (kind == LINE_NONE)
            break;
        take_kind(d, c, kind, line, now_ns);
    }
    count_held(d, c);
}

// How many bytes came; the client is gone at its end or on an error.
static size_t read_client(struct unix_door *d, struct client *c, uint64_t now_ns)
{
    ssize_t n = read(c->fd, d->buffer, READ_BYTES);
    if (n > 0) {
        d->stats.bytes += (uint64_t)n;
        struct span bytes = span_of(d->buffer, (size_t)n);
        if (!c->has_begun)
            c->is_packed = packets_begin_with(d->buffer[0]);
        c->has_begun = true;
        if (!c->is_packed)
            take_bytes(d, c, bytes, now_ns);
        else if (!take_packets(d, c, bytes, now_ns))
            drop_client(d, c);
        return (size_t)n;
    }
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    struct span line = {0};
    enum line_kind kind = lines_last(&c->lines, &line);
    if (c->packets.is_skipping)
        kind = LINE_OVERSIZE;
    if (c->packets.held.size > 0 && !c->packets.is_lent) {
        kind = LINE_WHOLE; // cut off, and so malformed
        line = buf_span(&c->packets.held);
    }
    if (kind != LINE_NONE)
        take_kind(d, c, kind, line, now_ns);
    drop_client(d, c);
    return 0;
}

static struct client *free_client(struct unix_door *d)
{
    for (uint32_t i = 0; i < UNIX_CLIENTS_MAX; i++)
        if (d->client[i].fd < 0)
            return &d->client[i];
    return NULL;
}

// Without this a client for whom there is no descriptor would keep the door readable,
// and the loop spinning.
static bool refuse_without_descriptor(struct unix_door *d)
{
    if ((errno != EMFILE && errno != ENFILE) || d->spare < 0)
        return false;
    close(d->spare);
    int fd = accept4(d->listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0)
        close(fd);
    d->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
    d->stats.refused += fd >= 0;
    return fd >= 0;
}

// Who it is, as the kernel says; nobody whom it cannot name gets past a list.
static bool is_allowed(const struct unix_door *d, int fd, struct ucred *peer)
{
    socklen_t size = sizeof *peer;
    bool is_known = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, peer, &size) == 0;
    if (!is_known)
        *peer = (struct ucred){0};
    bool is_listed = d->uids == 0 || (is_known && peer->uid == geteuid());
    for (uint32_t i = 0; i < d->uids && !is_listed; i++)
        is_listed = is_known && d->uid[i] == peer->uid;
    return is_listed;
}

static void accept_all(struct unix_door *d)
{
    for (;;) {
        int fd = accept4(d->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0 && refuse_without_descriptor(d))
            continue;
        if (fd < 0)
            return;
        struct ucred peer;
        if (!is_allowed(d, fd, &peer)) {
            d->stats.denied++;
            close(fd);
            continue;
        }
        struct client *c = free_client(d);
        uint32_t index = c ? (uint32_t)(c - d->client) : 0;
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = index};
        if (!c || epoll_ctl(d->epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
            d->stats.refused++;
            close(fd);
            continue;
        }
        *c = (struct client){.fd = fd, .peer = peer};
        lines_init(&c->lines);
        packets_init(&c->packets);
        d->stats.accepted++;
        d->stats.clients++;
    }
}

bool unix_turn(struct unix_door *d, uint64_t now_ns)
{
    struct epoll_event event[EVENTS];
    size_t done = 0;
    while (done < TURN_BYTES) {
        int n = epoll_wait(d->epoll, event, EVENTS, 0);
        if (n <= 0)
            return false;
        size_t before = done;
        for (int i = 0; i < n; i++) {
            uint32_t index = event[i].data.u32;
            if (index == LISTENER)
                accept_all(d);
            else if (d->client[index].fd >= 0)
                done += read_client(d, &d->client[index], now_ns);
        }
        if (done == before)
            return false;
    }
    return true;
}
