// SPDX-License-Identifier: Apache-2.0
#include "agent/status.h"

#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/file.h"
#include "common/base/mem.h"

struct client {
    int fd; // -1: free
    uint64_t since_ns;
    char line[STATUS_LINE_MAX];
    size_t size;
    struct buf answer;
    size_t written;
};

struct status_door {
    int poll;
    int listener;
    char path[108];
    status_answer *answer;
    void *self;
    struct client client[STATUS_CLIENTS_MAX];
};

static enum status address_of(const char *path, struct sockaddr_un *out)
{
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof out->sun_path)
        return ST_RANGE;
    memcpy(out->sun_path, path, strlen(path) + 1);
    return ST_OK;
}

static int connect_to(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof *address) == 0)
        return fd;
    int error = errno;
    if (fd >= 0)
        close(fd);
    errno = error;
    return -1;
}

static enum status listen_at(struct status_door *s, const char *path)
{
    struct sockaddr_un address;
    ST_TRY(address_of(path, &address));
    int other = connect_to(&address);
    if (other >= 0) {
        close(other);
        return ST_EXISTS;
    }
    struct stat info;
    if (lstat(path, &info) == 0 && (!S_ISSOCK(info.st_mode) || unlink(path) != 0))
        return ST_EXISTS;
    s->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s->listener < 0)
        return ST_IO;
    mode_t old = umask(0177);
    int bound = bind(s->listener, (const struct sockaddr *)&address, sizeof address);
    (void)umask(old);
    if (bound != 0 || listen(s->listener, STATUS_CLIENTS_MAX) != 0)
        return ST_IO;
    memcpy(s->path, path, strlen(path) + 1);
    return ST_OK;
}

static bool watch(struct status_door *s, int fd, uint32_t events, int op, uint64_t who)
{
    struct epoll_event event = {.events = events, .data.u64 = who};
    return epoll_ctl(s->poll, op, fd, &event) == 0;
}

enum status status_open(const char *path, status_answer *answer, void *self,
                        struct status_door **out)
{
    struct status_door *s = MEM_NEW(struct status_door);
    if (!s)
        return ST_NOMEM;
    s->answer = answer;
    s->self = self;
    s->listener = -1;
    for (int i = 0; i < STATUS_CLIENTS_MAX; i++) {
        s->client[i].fd = -1;
        buf_init(&s->client[i].answer, STATUS_ANSWER_MAX);
    }
    s->poll = epoll_create1(EPOLL_CLOEXEC);
    enum status st = s->poll >= 0 ? listen_at(s, path) : ST_IO;
    if (st == ST_OK &&
        !watch(s, s->listener, EPOLLIN, EPOLL_CTL_ADD, STATUS_CLIENTS_MAX))
        st = ST_IO;
    if (st != ST_OK) {
        status_close(s);
        return st;
    }
    *out = s;
    return ST_OK;
}

static void drop_client(struct client *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    buf_fini(&c->answer);
    buf_init(&c->answer, STATUS_ANSWER_MAX);
}

void status_close(struct status_door *s)
{
    if (!s)
        return;
    for (int i = 0; i < STATUS_CLIENTS_MAX; i++) {
        if (s->client[i].fd >= 0)
            close(s->client[i].fd);
        buf_fini(&s->client[i].answer);
    }
    if (s->listener >= 0)
        close(s->listener);
    if (s->path[0])
        (void)unlink(s->path);
    if (s->poll >= 0)
        close(s->poll);
    mem_free(s);
}

int status_fd(const struct status_door *s)
{
    return s->poll;
}

static void accept_one(struct status_door *s, uint64_t now)
{
    int fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return;
    for (uint64_t i = 0; i < STATUS_CLIENTS_MAX; i++) {
        struct client *c = &s->client[i];
        if (c->fd >= 0)
            continue;
        if (!watch(s, fd, EPOLLIN, EPOLL_CTL_ADD, i))
            break;
        c->fd = fd;
        c->since_ns = now;
        c->size = c->written = 0;
        return;
    }
    close(fd);
}

static void read_client(struct status_door *s, struct client *c, uint64_t who)
{
    ssize_t n = recv(c->fd, c->line + c->size, sizeof c->line - c->size, 0);
    if (n <= 0) {
        if (n == 0 || errno != EAGAIN)
            drop_client(c);
        return;
    }
    c->size += (size_t)n;
    const char *end = memchr(c->line, '\n', c->size);
    if (!end && c->size == sizeof c->line)
        drop_client(c);
    if (!end)
        return;
    s->answer(s->self, span_of(c->line, (size_t)(end - c->line)), &c->answer);
    if (!watch(s, c->fd, EPOLLOUT, EPOLL_CTL_MOD, who))
        drop_client(c);
}

static void write_client(struct client *c)
{
    ssize_t n = send(c->fd, c->answer.data + c->written, c->answer.size - c->written,
                     MSG_NOSIGNAL);
    if (n < 0 && errno == EAGAIN)
        return;
    c->written += n > 0 ? (size_t)n : 0;
    if (n < 0 || c->written == c->answer.size)
        drop_client(c);
}

void status_turn(struct status_door *s, uint64_t now)
{
    struct epoll_event event[STATUS_CLIENTS_MAX + 1];
    int n = epoll_wait(s->poll, event, STATUS_CLIENTS_MAX + 1, 0);
    for (int i = 0; i < n; i++) {
        uint64_t who = event[i].data.u64;
        if (who == STATUS_CLIENTS_MAX)
            accept_one(s, now);
        else if (s->client[who].fd >= 0 && (event[i].events & EPOLLOUT))
            write_client(&s->client[who]);
        else if (s->client[who].fd >= 0)
            read_client(s, &s->client[who], who);
    }
    for (int i = 0; i < STATUS_CLIENTS_MAX; i++)
        if (s->client[i].fd >= 0 && now - s->client[i].since_ns > STATUS_PATIENCE_NS)
            drop_client(&s->client[i]);
}

enum status status_ask(const char *path, const char *line, struct buf *out)
{
    struct sockaddr_un address;
    ST_TRY(address_of(path, &address));
    int fd = connect_to(&address);
    if (fd < 0)
        return errno == ENOENT || errno == ECONNREFUSED ? ST_NOTFOUND : ST_IO;
    struct timeval patience = {.tv_sec = 5};
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    enum status st = file_write_all(fd, span_text(line));
    if (st == ST_OK)
        st = file_write_all(fd, span_text("\n"));
    while (st == ST_OK) {
        uint8_t chunk[8192];
        ssize_t n = recv(fd, chunk, sizeof chunk, 0);
        if (n == 0)
            break;
        if (n > 0)
            buf_put(out, chunk, (size_t)n);
        else if (errno != EINTR)
            st = errno == EAGAIN ? ST_TIMEOUT : ST_IO;
    }
    close(fd);
    return st == ST_OK ? out->failed : st;
}
