// Service: a signalfd, and datagrams to the socket that systemd names.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/setup/service.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/span.h"
#include "common/base/text.h"

#define NOTICE_BYTES 512

struct service {
    int signals;
    int notices; // -1 without systemd
    struct sockaddr_un address;
    socklen_t address_size;
    uint64_t watchdog_ns; // 0: none is asked for
    uint64_t alive_ns;    // when the last sign was given
    sigset_t mask_before;
    struct sigaction pipe_before;
};

// Reads a whole number from the environment; 0 when it is not there or no number.
static uint64_t number_of(const char *name)
{
    const char *text = getenv(name);
    uint64_t v;
    return text && text_u64(span_text(text), &v) == ST_OK ? v : 0;
}

static void find_watchdog(struct service *s)
{
    uint64_t us = number_of("WATCHDOG_USEC"), pid = number_of("WATCHDOG_PID");
    bool is_ours = !getenv("WATCHDOG_PID") || pid == (uint64_t)getpid();
    if (is_ours && us <= UINT64_MAX / NS_PER_US)
        s->watchdog_ns = us * NS_PER_US;
}

// Takes the address from NOTIFY_SOCKET: a path, or '@' and a name in the abstract
// space.
static void find_socket(struct service *s)
{
    const char *name = getenv("NOTIFY_SOCKET");
    size_t size = name ? strlen(name) : 0;
    if (size < 2 || size >= sizeof s->address.sun_path ||
        (name[0] != '/' && name[0] != '@'))
        return;
    s->address.sun_family = AF_UNIX;
    memcpy(s->address.sun_path, name, size);
    if (name[0] == '@')
        s->address.sun_path[0] = '\0';
    s->address_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size);
    s->notices = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

enum status service_open(struct service **out)
{
    struct service *s = MEM_NEW(struct service);
    if (!s)
        return ST_NOMEM;
    s->notices = -1;
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGTERM);
    sigaddset(&mask, SIGINT);
    sigaddset(&mask, SIGHUP);
    s->signals = signalfd(-1, &mask, SFD_NONBLOCK | SFD_CLOEXEC);
    if (s->signals < 0) {
        mem_free(s);
        return ST_IO;
    }
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGPIPE, &ignore, &s->pipe_before);
    pthread_sigmask(SIG_BLOCK, &mask, &s->mask_before);
    find_socket(s);
    find_watchdog(s);
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    *out = s;
    return ST_OK;
}

void service_close(struct service *s)
{
    if (!s)
        return;
    close(s->signals);
    if (s->notices >= 0)
        close(s->notices);
    service_reset_child(s);
    mem_free(s);
}

void service_reset_child(const struct service *s)
{
    sigaction(SIGPIPE, &s->pipe_before, NULL);
    pthread_sigmask(SIG_SETMASK, &s->mask_before, NULL);
}

int service_fd(const struct service *s)
{
    return s->signals;
}

enum service_event service_take(struct service *s)
{
    struct signalfd_siginfo info;
    if (read(s->signals, &info, sizeof info) != (ssize_t)sizeof info)
        return SERVICE_NOTHING;
    return info.ssi_signo == SIGHUP ? SERVICE_RELOAD : SERVICE_STOP;
}

// A notice that cannot be sent is lost: systemd's own time limits speak then.
static void send_notice(struct service *s, const char *text)
{
    if (s->notices < 0)
        return;
    ssize_t ignored = sendto(s->notices, text, strlen(text), MSG_NOSIGNAL,
                             (const struct sockaddr *)&s->address, s->address_size);
    (void)ignored;
}

// `state` and a status of one line: a line break in `words` would begin another field.
static void send_with_words(struct service *s, const char *state, const char *words)
{
    char text[NOTICE_BYTES];
    snprintf(text, sizeof text, "%sSTATUS=%.*s", state, (int)strcspn(words, "\n"),
             words);
    send_notice(s, text);
}

void service_ready(struct service *s, const char *words)
{
    send_with_words(s, "READY=1\n", words);
}

void service_status(struct service *s, const char *words)
{
    send_with_words(s, "", words);
}

void service_reloading(struct service *s, uint64_t mono_ns)
{
    char text[NOTICE_BYTES];
    snprintf(text, sizeof text, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
             mono_ns / NS_PER_US);
    send_notice(s, text);
}

void service_stopping(struct service *s, const char *words)
{
    send_with_words(s, "STOPPING=1\n", words);
}

void service_alive(struct service *s, uint64_t mono_ns)
{
    if (s->watchdog_ns == 0)
        return;
    bool is_first = s->alive_ns == 0;
    if (!is_first && mono_ns - s->alive_ns < s->watchdog_ns / 2)
        return;
    s->alive_ns = mono_ns;
    send_notice(s, "WATCHDOG=1");
}
