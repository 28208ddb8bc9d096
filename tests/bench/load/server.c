// Server: a model server in C, one thread, HTTP on a kept connection, which observes.
//
// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/client/kedge.h"

#define FEATURES 20
#define CLIENTS 16

static struct kedge_model *model; // NULL: it serves without observing

static void open_model(void)
{
    static struct kedge_feature feature[FEATURES + 1];
    static char name[FEATURES][16];
    for (int i = 0; i < FEATURES; i++) {
        (void)snprintf(name[i], sizeof name[i], "f%d", i);
        feature[i] = (struct kedge_feature){name[i], KEDGE_NUMBER, KEDGE_INPUT};
    }
    feature[FEATURES] =
        (struct kedge_feature){"prediction", KEDGE_NUMBER, KEDGE_OUTPUT};
    if (kedge_open("bike-demand", "v2", feature, FEATURES + 1, &model) != KEDGE_OK)
        exit(1);
}

// Some arithmetic in place of a model; the answer goes out, then Kedge is told.
static void serve(int fd)
{
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    static uint32_t turn;
    float row[FEATURES + 1] = {0};
    for (int k = 0; k < 200; k++)
        for (int i = 0; i < FEATURES; i++)
            row[i] = row[i] * 0.5f + (float)((turn + (uint32_t)(i * k)) % 97);
    turn++;
    for (int i = 0; i < FEATURES; i++)
        row[FEATURES] += row[i];
    if (model)
        (void)kedge_observe_f32(model, row, FEATURES + 1, NULL);
    if (write(fd, answer, sizeof answer - 1) != (ssize_t)sizeof answer - 1)
        exit(1);
}

static int listen_anywhere(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) != 0 ||
        listen(fd, CLIENTS) != 0 ||
        getsockname(fd, (struct sockaddr *)&at, &size) != 0)
        exit(1);
    printf("%d\n", ntohs(at.sin_port));
    fflush(stdout);
    return fd;
}

static void tell(void)
{
    struct kedge_stats s = {0};
    if (model)
        kedge_stats(model, &s);
    printf("%llu %llu\n", (unsigned long long)s.observed,
           (unsigned long long)s.dropped);
    fflush(stdout);
}

// usage: server [observe]   prints its port; a line on stdin asks for the figures
int main(int argc, char **argv)
{
    struct pollfd p[CLIENTS + 2] = {{.fd = 0, .events = POLLIN}};
    nfds_t n = 2;
    char in[4096];
    (void)argv;
    if (argc > 1)
        open_model();
    p[1] = (struct pollfd){.fd = listen_anywhere(), .events = POLLIN};
    while (poll(p, n, -1) >= 0) {
        if (p[0].revents) {
            if (read(0, in, sizeof in) <= 0)
                return 0;
            tell();
        }
        if (p[1].revents && n < CLIENTS + 2) {
            int on = 1, fd = accept(p[1].fd, NULL, NULL);
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            p[n++] = (struct pollfd){.fd = fd, .events = POLLIN};
        }
        for (nfds_t i = 2; i < n; i++)
            if (p[i].revents && read(p[i].fd, in, sizeof in) > 0)
                serve(p[i].fd);
            else if (p[i].revents) {
                close(p[i].fd);
                p[i] = p[--n];
            }
    }
    return 1;
}
