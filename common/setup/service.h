// Service: life as a service: signals as events, and notices to systemd.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_COMMON_SETUP_SERVICE_H
#define KEDGE_COMMON_SETUP_SERVICE_H

#include <stdint.h>

#include "common/base/status.h"

struct service;

enum service_event {
    SERVICE_NOTHING,
    SERVICE_STOP,   // SIGTERM or SIGINT
    SERVICE_RELOAD, // SIGHUP
};

// Blocks SIGTERM, SIGINT and SIGHUP in this thread and those it starts from now on, and
// ignores SIGPIPE: call it first in main. Takes NOTIFY_SOCKET and WATCHDOG_USEC from
// the environment, so that children do not inherit them. Without systemd the notices go
// nowhere. Errors: ST_IO, ST_NOMEM.
MUST_USE enum status service_open(struct service **out);
void service_close(struct service *s);

// For poll or a zloop: readable when service_take has something. Lent.
int service_fd(const struct service *s);

// The next event, without waiting.
enum service_event service_take(struct service *s);

// Notices; `words` is one line for `systemctl status`.
void service_ready(struct service *s, const char *words);
void service_status(struct service *s, const char *words);
void service_reloading(struct service *s, uint64_t mono_ns);
void service_stopping(struct service *s, const char *words);

// Says "alive" when half of the watchdog's time has passed since the last one. Call it
// once a turn of the loop that must not hang.
void service_alive(struct service *s, uint64_t mono_ns);

// In a forked child, before exec: gives back the signal mask and SIGPIPE as they were.
void service_reset_child(const struct service *s);

#endif
