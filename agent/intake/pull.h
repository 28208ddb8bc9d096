// Pull: the scrape door. It fetches a server's own page of metrics, time and again.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_INTAKE_PULL_H
#define KEDGE_AGENT_INTAKE_PULL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/status.h"
#include "proto/observation.h"

#define PULL_PAGE_BYTES_MAX (16u << 20)
#define PULL_HEAD_BYTES_MAX (16u << 10)
#define PULL_TIMEOUT_S 5

struct pull_settings {
    const char *url;     // "http://127.0.0.1:8002/metrics": an address in figures, or
                         // localhost; borrowed until close
    const char *model;   // only this one's samples, and those that name none; NULL: all
    const char *version; // of all rows; NULL: as the page says
    uint64_t interval_ns; // from one page to the next
};

struct pull_stats {
    uint64_t pages;
    uint64_t failures; // no connection, no answer in time, another status, too long
    uint64_t bytes;
    uint64_t strangers; // samples of other metrics or models
    uint64_t malformed; // lines
    uint64_t resets;    // the server began anew
};

struct pull;

// Connects when pull_turn is called. Keeps the sink. ST_RANGE (no such URL), ST_NOMEM.
MUST_USE enum status pull_open(const struct pull_settings *settings,
                               const struct observation_sink *sink, struct pull **out);
void pull_close(struct pull *p); // NULL is fine

int pull_fd(const struct pull *p); // for poll; -1: nothing is under way
uint64_t pull_patience_ns(const struct pull *p);

// Never waits. Reads a bounded share; true when there may be more.
bool pull_turn(struct pull *p, uint64_t now_ns);

struct pull_stats pull_stats(const struct pull *p);

#endif
