// Doors: what a row costs by the socket and by HTTP, into windows; and how soon a post
// is answered at 5,000 a second.
//
// usage: doors_bench [PORT]     with it, only the answers of the agent that listens
// there
//
// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/intake/post.h"
#include "agent/intake/unix.h"
#include "agent/model/registry.h"
#include "tests/bench/paced.h"

#define FEATURES 20
#define ROWS 200000
#define ROUNDS 5
#define EVENTS 20000
#define EVENT_EVERY_NS 200000 // 5,000 a second
#define LINKS 8
#define DAY_NS UINT64_C(86400000000000)

// Generous bounds: what the issue of speed is judged by is printed.
#define ROW_NS_MAX 10000.0
#define ANSWER_NS_MAX 5e6

static double thread_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static uint64_t wall_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void stamp(void *self, uint8_t boot[16], uint64_t *seq)
{
    (void)self;
    memset(boot, 0, 16);
    *seq = 1;
}

static struct registry *open_registry(const char *folder, uint64_t now_ns,
                                      struct observation_sink *sink)
{
    const struct registry_hooks hooks = {.stamp = stamp};
    const struct model_settings model = {.name = "bench", .window_ns = DAY_NS};
    struct registry *r;
    if (registry_open(folder, &hooks, &r) != ST_OK ||
        registry_add(r, &model, span_text(""), now_ns, NULL) != ST_OK)
        exit(1);
    registry_now(r, now_ns);
    registry_sink(r, ORIGIN_STREAM, sink);
    return r;
}

static uint64_t open_rows(const struct registry *r)
{
    size_t at = 0;
    struct model_view view;
    return registry_next(r, &at, &view) ? view.open_rows : 0;
}

// --- The socket

static char *lines;
static size_t lines_size;

static void make_lines(uint64_t now_ns)
{
    lines = malloc((size_t)ROWS * 512);
    if (!lines)
        exit(1);
    for (int i = 0; i < ROWS; i++) {
        char *at = lines + lines_size;
        int n = sprintf(
            at, "{\"model\":\"bench\",\"version\":\"v1\",\"ts\":%llu,\"features\":{",
            (unsigned long long)(now_ns / 1000000000u));
        for (int k = 0; k < FEATURES; k++)
            n += sprintf(at + n, "%s\"f%d\":%.3f", k ? "," : "", k,
                         (double)((i * 31 + k * 17) % 100000) / 1000);
        n += sprintf(at + n, "},\"prediction\":%.2f}\n", (double)(i % 1000) / 10);
        lines_size += (size_t)n;
    }
}

static void *write_lines(void *path)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    strcpy(to.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0)
        exit(1);
    for (size_t done = 0; done < lines_size;) {
        ssize_t n = write(fd, lines + done, lines_size - done);
        if (n <= 0)
            exit(1);
        done += (size_t)n;
    }
    close(fd);
    return NULL;
}

static double socket_ns(char *path, struct registry *r,
                        const struct observation_sink *sink, uint64_t now_ns)
{
    const struct unix_settings settings = {.path = path, .mode = 0600};
    struct unix_door *door;
    double round[ROUNDS];
    if (unix_open(&settings, sink, &door) != ST_OK)
        exit(1);
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t before = open_rows(r);
        pthread_t writer;
        if (pthread_create(&writer, NULL, write_lines, path) != 0)
            exit(1);
        double begin = thread_ns();
        while (open_rows(r) < before + ROWS) {
            struct pollfd p = {.fd = unix_fd(door), .events = POLLIN};
            (void)poll(&p, 1, 100);
            (void)unix_turn(door, now_ns);
        }
        round[i] = (thread_ns() - begin) / ROWS;
        pthread_join(writer, NULL);
    }
    unix_close(door);
    return paced_median(round, ROUNDS);
}

// --- HTTP

struct poster {
    unsigned port;
    double p50, p99, p999;
    _Atomic bool is_done;
};

static int connect_to(unsigned port)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0)
        exit(1);
    return fd;
}

static size_t make_event(char *out, int i)
{
    char body[512];
    int size = sprintf(body, "{\"instances\":[[");
    for (int k = 0; k < FEATURES; k++)
        size +=
            sprintf(body + size, "%s%.2f", k ? "," : "", (double)((i + k) % 1000) / 10);
    size += sprintf(body + size, "]]}");
    return (size_t)sprintf(
        out,
        "POST / HTTP/1.1\r\nHost: x\r\nCe-Specversion: 1.0\r\nCe-Id: e%d\r\n"
        "Ce-Source: http://x/\r\nCe-Type: org.kubeflow.serving.inference.request\r\n"
        "Ce-Inferenceservicename: bench\r\nContent-Type: application/json\r\n"
        "Content-Length: %d\r\n\r\n%s",
        i, size, body);
}

static void *post_events(void *self)
{
    static uint32_t taken[EVENTS];
    struct poster *p = self;
    int fd[LINKS];
    char text[2048];
    for (int i = 0; i < LINKS; i++)
        fd[i] = connect_to(p->port);
    uint64_t next = paced_ns();
    for (int i = 0; i < EVENTS; i++) {
        size_t size = make_event(text, i);
        while (paced_ns() < next)
            usleep(20);
        next += EVENT_EVERY_NS;
        uint64_t begin = paced_ns();
        if (write(fd[i % LINKS], text, size) != (ssize_t)size ||
            read(fd[i % LINKS], text, sizeof text) < 12 ||
            memcmp(text + 9, "200", 3) != 0)
            exit(1);
        taken[i] = (uint32_t)(paced_ns() - begin);
    }
    struct paced all = paced_of(taken, EVENTS);
    p->p50 = all.p50;
    p->p99 = all.p99;
    p->p999 = all.p999;
    for (int i = 0; i < LINKS; i++)
        close(fd[i]);
    p->is_done = true;
    return NULL;
}

// The share of a core that the door's thread took.
static double post_all(struct poster *p, const struct observation_sink *sink)
{
    const struct post_settings settings = {.listen = "127.0.0.1:0"};
    struct post *door;
    pthread_t poster;
    if (post_open(&settings, sink, &door) != ST_OK)
        exit(1);
    p->port = (unsigned)post_stats(door).port;
    if (pthread_create(&poster, NULL, post_events, p) != 0)
        exit(1);
    double begin = thread_ns();
    uint64_t from = paced_ns();
    bool is_more = false;
    while (!p->is_done) {
        struct pollfd f = {.fd = post_fd(door), .events = POLLIN};
        (void)poll(&f, 1, is_more ? 0 : 50);
        is_more = post_turn(door, wall_ns());
    }
    double share = (thread_ns() - begin) / (double)(paced_ns() - from);
    while (post_turn(door, wall_ns()))
        continue;
    struct post_stats s = post_stats(door);
    if (s.posts != EVENTS || s.shed != 0 || s.malformed != 0)
        exit(1);
    pthread_join(poster, NULL);
    post_close(door);
    return share;
}

static void print_answers(const struct poster *p)
{
    printf(
        "HTTP, 5,000 events/s of 20 features: answer p50 %.0f us, p99 %.0f us, p99.9 "
        "%.0f us\n",
        p->p50 / 1e3, p->p99 / 1e3, p->p999 / 1e3);
}

int main(int argc, char **argv)
{
    if (argc > 1) {
        struct poster other = {.port = (unsigned)atoi(argv[1])};
        post_events(&other);
        print_answers(&other);
        return 0;
    }
    char folder[] = "/tmp/kedge-bench-XXXXXX", path[64], state[64], command[128];
    if (!mkdtemp(folder))
        return 1;
    (void)snprintf(path, sizeof path, "%s/agent.sock", folder);
    (void)snprintf(state, sizeof state, "%s/state", folder);
    uint64_t now = wall_ns();
    struct observation_sink windows;
    struct registry *r = open_registry(state, now, &windows);
    make_lines(now);
    double row = socket_ns(path, r, &windows, now);
    printf(
        "JSON line of 20 features to window: %.0f ns, %.0f rows/s a core, %zu bytes\n",
        row, 1e9 / row, lines_size / ROWS);
    struct poster poster = {.port = 0};
    double share = post_all(&poster, &windows);
    print_answers(&poster);
    printf("its thread: %.1f %% of a core, %.1f us an event\n", share * 100,
           share * 200);
    registry_close(r);
    (void)snprintf(command, sizeof command, "rm -r %s", folder);
    if (system(command) != 0)
        return 1;
    free(lines);
    bool is_well = row <= ROW_NS_MAX && poster.p50 <= ANSWER_NS_MAX;
    printf("%s\n", is_well ? "within bounds" : "NOT AS IT SHOULD BE");
    return is_well ? 0 : 1;
}
