// Scrape: fetches the page.
//
// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "common/base/file.h"
#include "controller/cli/scrape.h"

#define WAIT_S 10
#define HOST_MAX 256
#define CHUNK 16384u

struct address {
    char host[HOST_MAX], port[8];
    const char *path;
};

// "http://HOST[:PORT][/PATH]".
static bool read_address(const char *text, struct address *a)
{
    const char *host = text + strlen("http://");
    size_t n = strcspn(host, ":/");
    if (n == 0 || n >= sizeof a->host)
        return false;
    memcpy(a->host, host, n);
    a->host[n] = '\0';
    (void)snprintf(a->port, sizeof a->port, "80");
    const char *rest = host + n;
    if (*rest == ':') {
        size_t digits = strspn(rest + 1, "0123456789");
        if (digits == 0 || digits >= sizeof a->port)
            return false;
        memcpy(a->port, rest + 1, digits);
        a->port[digits] = '\0';
        rest += 1 + digits;
    }
    a->path = *rest == '/' ? rest : "/";
    return *rest == '\0' || *rest == '/';
}

static int dial(const struct address *a)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    const struct timeval wait = {.tv_sec = WAIT_S};
    int fd = -1;
    if (getaddrinfo(a->host, a->port, &hints, &list) != 0)
        return -1;
    for (struct addrinfo *i = list; i && fd < 0; i = i->ai_next) {
        fd = socket(i->ai_family, i->ai_socktype | SOCK_CLOEXEC, i->ai_protocol);
        if (fd < 0)
            continue;
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
        if (connect(fd, i->ai_addr, i->ai_addrlen) != 0) {
            (void)close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(list);
    return fd;
}

// HTTP/1.0 has no chunks: the body ends with the connection.
static enum status exchange(int fd, const struct address *a, struct buf *answer)
{
    struct buf request;
    buf_init(&request, 8192);
    buf_printf(&request,
               "GET %s HTTP/1.0\r\nHost: %s\r\nAccept: text/plain\r\n"
               "User-Agent: kedge\r\nConnection: close\r\n\r\n",
               a->path, a->host);
    bool is_sent =
        request.failed == ST_OK &&
        send(fd, request.data, request.size, MSG_NOSIGNAL) == (ssize_t)request.size;
    buf_fini(&request);
    if (!is_sent)
        return ST_IO;
    for (;;) {
        uint8_t chunk[CHUNK];
        ssize_t n = recv(fd, chunk, sizeof chunk, 0);
        if (n == 0)
            return answer->failed;
        if (n < 0 && errno != EINTR)
            return errno == EAGAIN ? ST_TIMEOUT : ST_IO;
        if (n > 0)
            buf_put(answer, chunk, (size_t)n);
        if (answer->failed != ST_OK)
            return answer->failed;
    }
}

// The body behind the empty line; the status must be 200.
static enum status take_body(const struct buf *answer, struct buf *page)
{
    struct span s = buf_span(answer);
    static const char good[] = "HTTP/1.";
    bool is_fine = s.size > 12 && memcmp(s.data, good, sizeof good - 1) == 0 &&
                   memcmp(s.data + 8, " 200", 4) == 0;
    const uint8_t *end = is_fine ? memmem(s.data, s.size, "\r\n\r\n", 4) : NULL;
    if (!end)
        return ST_DENIED;
    size_t head = (size_t)(end - s.data) + 4;
    buf_put(page, s.data + head, s.size - head);
    return page->failed;
}

static enum status fetch(const char *from, struct buf *page, struct buf *why)
{
    struct address a;
    struct buf answer;
    if (!read_address(from, &a)) {
        buf_printf(why, "%s: write it like http://127.0.0.1:9100/metrics", from);
        return ST_RANGE;
    }
    int fd = dial(&a);
    if (fd < 0) {
        buf_printf(why, "%s: nobody answers at %s port %s", from, a.host, a.port);
        return ST_NOTFOUND;
    }
    buf_init(&answer, SCRAPE_PAGE_MAX);
    enum status st = exchange(fd, &a, &answer);
    (void)close(fd);
    if (st == ST_OK)
        st = take_body(&answer, page);
    buf_fini(&answer);
    if (st != ST_OK)
        buf_printf(why, "%s: %s", from,
                   st == ST_DENIED ? "it did not answer with 200 and a page"
                                   : status_text(st));
    return st;
}

static enum status read_input(struct buf *page)
{
    uint8_t chunk[CHUNK];
    size_t n;
    while ((n = fread(chunk, 1, sizeof chunk, stdin)) > 0 && page->failed == ST_OK)
        buf_put(page, chunk, n);
    return ferror(stdin) ? ST_IO : page->failed;
}

enum status scrape_page(const char *from, struct buf *page, struct buf *why)
{
    if (strncmp(from, "http://", 7) == 0)
        return fetch(from, page, why);
    enum status st = strcmp(from, "-") == 0 ? read_input(page) : file_read(from, page);
    if (st != ST_OK)
        buf_printf(why, "%s: %s", from, status_text(st));
    return st;
}
