// SPDX-License-Identifier: Apache-2.0
#include "agent/intake/pull.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/intake/address.h"
#include "agent/intake/rates.h"
#include "agent/intake/scrape.h"
#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"

#define READ_BYTES (32u << 10)
#define HOST_BYTES 256
#define REQUEST_BYTES 8192
#define BUSY_NS (10 * NS_PER_MS) // until a connection stands

enum step { STEP_IDLE, STEP_SEND, STEP_HEAD, STEP_BODY };

struct pull {
    struct pull_settings settings;
    struct address address;
    char host[HOST_BYTES];
    const char *path; // in the URL
    struct rates *rates;
    struct observation_sink rows;
    struct observation_sink sink;
    struct scrape scrape;
    bool has_scrape;
    enum step step;
    int fd; // -1: none
    uint64_t next_ns;
    uint64_t began_ns;
    uint64_t page_bytes;
    struct buf head;
    bool was_told; // a failure is logged once, until a page comes
    struct pull_stats stats;
};

// --- Opening

// "http://HOST:PORT/PATH"; without a port 80, without a path /metrics.
static enum status take_url(struct pull *p, const char *url)
{
    static const char scheme[] = "http://";
    char text[2 * HOST_BYTES];
    if (strncmp(url, scheme, sizeof scheme - 1) != 0)
        return ST_RANGE;
    const char *host = url + sizeof scheme - 1;
    const char *path = strchr(host, '/');
    int size = (int)(path ? (size_t)(path - host) : strlen(host));
    if (size == 0 || size >= HOST_BYTES - 16 || strlen(url) > REQUEST_BYTES / 2 ||
        strpbrk(url, " \t\r\n"))
        return ST_RANGE;
    (void)snprintf(p->host, sizeof p->host, "%.*s", size, host);
    p->path = path ? path : "/metrics";
    const char *colon = strrchr(p->host, ':');
    bool has_port = colon && !strchr(colon, ']');
    bool is_local = strncmp(p->host, "localhost", 9) == 0 &&
                    (p->host[9] == ':' || p->host[9] == '\0');
    (void)snprintf(text, sizeof text, "%s%s%s", is_local ? "127.0.0.1" : p->host,
                   is_local ? p->host + 9 : "", has_port ? "" : ":80");
    return address_of(text, &p->address);
}

enum status pull_open(const struct pull_settings *settings,
                      const struct observation_sink *sink, struct pull **out)
{
    struct pull *p = MEM_NEW(struct pull);
    if (!p)
        return ST_NOMEM;
    p->fd = -1;
    p->settings = *settings;
    p->sink = *sink;
    buf_init(&p->head, PULL_HEAD_BYTES_MAX + READ_BYTES);
    enum status st = settings->url ? take_url(p, settings->url) : ST_RANGE;
    if (st == ST_OK)
        st = rates_open(sink, span_text(settings->version), &p->rates);
    if (st == ST_OK) {
        p->rows = rates_sink(p->rates);
        p->has_scrape = true;
        st = scrape_init(&p->scrape, &p->rows);
    }
    if (st == ST_OK)
        st = scrape_only(&p->scrape, span_text(settings->model));
    if (st != ST_OK) {
        pull_close(p);
        return st;
    }
    *out = p;
    return ST_OK;
}

static void hang_up(struct pull *p)
{
    if (p->fd >= 0)
        close(p->fd);
    p->fd = -1;
    p->step = STEP_IDLE;
}

void pull_close(struct pull *p)
{
    if (!p)
        return;
    hang_up(p);
    if (p->has_scrape)
        scrape_fini(&p->scrape);
    rates_close(p->rates);
    buf_fini(&p->head);
    mem_free(p);
}

int pull_fd(const struct pull *p)
{
    return p->step >= STEP_HEAD ? p->fd : -1;
}

uint64_t pull_patience_ns(const struct pull *p)
{
    return p->step == STEP_SEND ? BUSY_NS : NS_PER_S;
}

struct pull_stats pull_stats(const struct pull *p)
{
    struct pull_stats stats = p->stats;
    stats.strangers = p->scrape.strangers;
    stats.malformed = p->scrape.malformed;
    stats.resets = rates_resets(p->rates);
    return stats;
}

// --- One page

static void fail(struct pull *p, const char *why)
{
    p->stats.failures++;
    if (!p->was_told)
        log_line(LOG_WARN, "a page of metrics did not come", "url=%s: %s",
                 p->settings.url, why);
    p->was_told = true;
    hang_up(p);
}

static void begin(struct pull *p, uint64_t now_ns)
{
    p->began_ns = now_ns;
    p->next_ns = now_ns + p->settings.interval_ns;
    p->page_bytes = 0;
    buf_clear(&p->head);
    scrape_begin(&p->scrape, now_ns);
    p->fd =
        socket(p->address.at.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (p->fd < 0) {
        fail(p, strerror(errno));
        return;
    }
    p->step = STEP_SEND;
    if (connect(p->fd, (const struct sockaddr *)&p->address.at, p->address.size) != 0 &&
        errno != EINPROGRESS)
        fail(p, strerror(errno));
}

// HTTP/1.0, so that the page ends with the connection and comes in one piece.
static void send_request(struct pull *p)
{
    char text[REQUEST_BYTES];
    int size = snprintf(text, sizeof text,
                        "GET %s HTTP/1.0\r\nHost: %s\r\nAccept: text/plain\r\n"
                        "User-Agent: kedge-agent\r\nConnection: close\r\n\r\n",
                        p->path, p->host);
    ssize_t n = send(p->fd, text, (size_t)size, MSG_NOSIGNAL);
    if (n < 0 && (errno == EAGAIN || errno == ENOTCONN))
        return; // the connection does not stand yet
    if (n != size)
        fail(p, n < 0 ? strerror(errno) : "the request did not fit");
    else
        p->step = STEP_HEAD;
}

static bool is_fine(struct span head)
{
    return head.size > 12 && memcmp(head.data, "HTTP/1.", 7) == 0 &&
           memcmp(head.data + 8, " 200", 4) == 0 &&
           !memmem(head.data, head.size, "chunked", 7);
}

static bool take_body(struct pull *p, struct span bytes)
{
    p->page_bytes += bytes.size;
    p->stats.bytes += bytes.size;
    if (p->page_bytes > PULL_PAGE_BYTES_MAX) {
        fail(p, "it is too long");
        return false;
    }
    if (scrape_bytes(&p->scrape, bytes) == ST_OK)
        return true;
    fail(p, "it has too many models");
    return false;
}

static bool take_head(struct pull *p, struct span bytes)
{
    buf_put_span(&p->head, bytes);
    const uint8_t *end = memmem(p->head.data, p->head.size, "\r\n\r\n", 4);
    if (!end && p->head.size <= PULL_HEAD_BYTES_MAX && p->head.failed == ST_OK)
        return true;
    if (!end || !is_fine(span_of(p->head.data, (size_t)(end - p->head.data)))) {
        fail(p, "its answer is not 200");
        return false;
    }
    size_t size = (size_t)(end + 4 - p->head.data);
    p->step = STEP_BODY;
    return take_body(p, span_of(p->head.data + size, p->head.size - size));
}

static void end_page(struct pull *p)
{
    if (p->step != STEP_BODY) {
        fail(p, "the connection ended");
        return;
    }
    if (scrape_end(&p->scrape) != ST_OK) {
        fail(p, "it could not be read");
        return;
    }
    p->sink.settle(p->sink.self);
    p->stats.pages++;
    p->was_told = false;
    hang_up(p);
}

// True when there may be more.
static bool read_some(struct pull *p)
{
    uint8_t bytes[READ_BYTES];
    ssize_t n = recv(p->fd, bytes, sizeof bytes, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (n < 0)
        fail(p, strerror(errno));
    else if (n == 0)
        end_page(p);
    else if (p->step == STEP_HEAD)
        return take_head(p, span_of(bytes, (size_t)n));
    else
        return take_body(p, span_of(bytes, (size_t)n));
    return false;
}

bool pull_turn(struct pull *p, uint64_t now_ns)
{
    bool was_set_back = now_ns + p->settings.interval_ns < p->next_ns; // the clock
    if (p->step == STEP_IDLE && (now_ns >= p->next_ns || was_set_back))
        begin(p, now_ns);
    if (p->step == STEP_SEND)
        send_request(p);
    bool is_more = p->step >= STEP_HEAD && read_some(p);
    if (p->step != STEP_IDLE && now_ns > p->began_ns + PULL_TIMEOUT_S * NS_PER_S)
        fail(p, "it did not come in time");
    return is_more;
}
