// The executor `haproxy`: the weights of a backend's servers, one server a version.
//
// SPDX-License-Identifier: Apache-2.0
#include "agent/act/remote.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/text.h"

#define ANSWER_MAX 65536
#define NAME_AT 3   // columns of "show servers state"
#define WEIGHT_AT 7 // what people set; the next one is what the file says

static int reach(struct remote *r)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    const char *path = r->e->remote.socket;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || strlen(path) >= sizeof to.sun_path)
        return fd >= 0 ? close(fd), -1 : -1;
    memcpy(to.sun_path, path, strlen(path) + 1);
    const struct timeval limit = {.tv_sec = 5};
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0)
        return fd;
    close(fd);
    return -1;
}

// One command; the runtime interface answers and closes.
static enum job_code command(struct remote *r, struct span words, struct buf *answer)
{
    int fd = reach(r);
    if (fd < 0)
        return remote_fail(r, JOB_FAILED, "%.100s: %s", r->e->remote.socket,
                           strerror(errno));
    ssize_t n = send(fd, words.data, words.size, MSG_NOSIGNAL);
    bool is_sent = n == (ssize_t)words.size;
    while (is_sent && clock_mono_ns() < r->deadline_ns) {
        char chunk[4096];
        n = recv(fd, chunk, sizeof chunk, 0);
        if (n <= 0)
            break;
        buf_put(answer, chunk, (size_t)n);
    }
    close(fd);
    bool is_whole = is_sent && n == 0 && answer->failed == ST_OK;
    return is_whole ? JOB_DONE
                    : remote_fail(r, JOB_FAILED, "the runtime socket went away");
}

static struct span word_of(struct span line, int at)
{
    size_t begin = 0, end = 0;
    for (int i = 0; i <= at; i++) {
        begin = end;
        while (begin < line.size && line.data[begin] == ' ')
            begin++;
        end = begin;
        while (end < line.size && line.data[end] != ' ')
            end++;
    }
    return span_of(line.data + begin, end - begin);
}

struct weights {
    struct span first, second; // servers that get traffic
    uint32_t heavy;
    bool has_target;
};

static void read_weights(struct remote *r, struct span text, struct weights *out)
{
    *out = (struct weights){0};
    while (text.size > 0) {
        size_t size = 0;
        while (size < text.size && text.data[size] != '\n')
            size++;
        struct span line = span_of(text.data, size);
        text = span_of(text.data + size + (size < text.size),
                       text.size - size - (size < text.size));
        uint64_t weight;
        struct span name = word_of(line, NAME_AT);
        if (line.size == 0 || line.data[0] == '#' || !text_is_name(name) ||
            text_u64(word_of(line, WEIGHT_AT), &weight) != ST_OK)
            continue;
        out->has_target = out->has_target || span_equal(name, r->ask->to);
        if (weight == 0)
            continue;
        out->second = out->first;
        out->first = name;
        out->heavy++;
    }
}

static enum job_code show(struct remote *r, struct buf *answer, struct weights *out)
{
    char words[256];
    (void)snprintf(words, sizeof words, "show servers state %s\n",
                   r->e->remote.backend);
    enum job_code code = command(r, span_text(words), answer);
    if (code == JOB_DONE)
        read_weights(r, buf_span(answer), out);
    return code;
}

// Between raising one and lowering the other both get traffic: then it is still the one
// that is left.
static enum job_code probe(struct remote *r)
{
    struct buf answer;
    struct weights w;
    buf_init(&answer, ANSWER_MAX);
    enum job_code code = show(r, &answer, &w);
    bool is_between =
        w.heavy == 2 && r->ask->from.size && code == JOB_DONE &&
        ((span_equal(w.first, r->ask->from) && span_equal(w.second, r->ask->to)) ||
         (span_equal(w.second, r->ask->from) && span_equal(w.first, r->ask->to)));
    if (code == JOB_DONE && w.heavy != 1 && !is_between)
        code = remote_fail(r, JOB_FAILED, "%u servers of %.60s get traffic", w.heavy,
                           r->e->remote.backend);
    if (code == JOB_DONE)
        code = remote_found(r, is_between ? r->ask->from : w.first);
    buf_fini(&answer);
    return code;
}

static enum job_code find(struct remote *r)
{
    struct buf answer;
    struct weights w;
    buf_init(&answer, ANSWER_MAX);
    enum job_code code = show(r, &answer, &w);
    buf_fini(&answer);
    if (code == JOB_DONE && !w.has_target)
        return remote_fail(r, JOB_TARGET, "the backend has no such server");
    return code;
}

// Success says nothing; anything else is what is wrong.
static enum job_code set(struct remote *r, struct span server, int weight)
{
    char words[512];
    struct buf answer;
    (void)snprintf(words, sizeof words, "set weight %s/%.*s %d\n", r->e->remote.backend,
                   (int)server.size, (const char *)server.data, weight);
    buf_init(&answer, ANSWER_MAX);
    enum job_code code = command(r, span_text(words), &answer);
    struct span said = buf_span(&answer);
    while (said.size > 0 && (said.data[said.size - 1] == '\n'))
        said.size--;
    if (code == JOB_DONE && said.size > 0)
        code =
            remote_fail(r, JOB_REFUSED, "%.*s", said.size < 100 ? (int)said.size : 100,
                        (const char *)said.data);
    buf_fini(&answer);
    return code;
}

// Raised before the other is lowered, so that no request finds nobody.
static enum job_code apply(struct remote *r)
{
    enum job_code code = set(r, r->ask->to, 100);
    return code == JOB_DONE ? set(r, r->ask->from, 0) : code;
}

const struct remote_kind remote_haproxy = {probe, find, apply};
