// Door: one way in which rows reach the agent, as doors.c sees each kind of it.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_DOOR_H
#define KEDGE_AGENT_DOOR_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "agent/intake/chart.h"
#include "agent/settings.h"
#include "common/base/json.h"
#include "common/base/status.h"
#include "proto/observation.h"

struct door;

struct door_sinks {
    struct observation_sink stream; // rows that a kill takes with it
    struct observation_sink file;   // rows that come again
};

// What a kind can do; members that may be NULL say so.
struct door_kind_row {
    const char *name;
    const char *path; // where it is when its section names no path; NULL: nowhere
    enum status (*open)(struct door *d, const struct door_section *s,
                        const struct door_sinks *sinks);
    void (*close)(void *self);
    int (*fd)(const void *self); // to poll for reading; NULL: there is none
    // Reads a bounded share; true when there is more.
    bool (*turn)(void *self, uint64_t now_ns);
    uint64_t (*patience)(
        const void *self); // how long it may wait for a turn; NULL: 1 s
    void (*status)(const void *self, struct json *out);
    // The agent ends: hands on what waits in it. NULL: nothing ever does.
    void (*end)(void *self);
};

// What is open borrows its path and its columns from here.
struct door {
    const char *name;
    const struct door_kind_row *kind;
    void *self;
    char path[PATH_MAX];
    struct chart chart;
};

// The row of a kind; never NULL.
const struct door_kind_row *door_kind(enum door_kind kind);

// NULL when there is none.
static inline const char *door_text(const char *text)
{
    return text && text[0] ? text : NULL;
}

#endif
