// Settings: agent.conf, read and checked as a whole.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_SETTINGS_H
#define KEDGE_AGENT_SETTINGS_H

#include <stdint.h>

#include "agent/act/policy.h"
#include "common/base/buf.h"
#include "common/base/span.h"
#include "common/base/status.h"
#include "common/setup/conf.h"

#define SETTINGS_MODELS_MAX 256
#define SETTINGS_DOORS_MAX 64
#define SETTINGS_SOCKET_MODE 660 // octal digits

struct model_section {
    char *name;
    uint64_t window_ns;
    uint64_t lateness_ns;
    uint64_t label_wait_ns;
    uint64_t label_capacity;
    unsigned performance; // enum performance_kind
    char *output;
    char *version;
    char *executor;
    struct value_list columns; // NAME:KIND or NAME:KIND:SIDE
    struct value_list reveal;
};

// In the order of its words in agent.conf; by name: a door called unix is one.
enum door_kind {
    DOOR_BY_NAME,
    DOOR_UNIX,
    DOOR_TAIL,
    DOOR_LANE,
    DOOR_HTTP,
    DOOR_STATSD,
    DOOR_SCRAPE,
    DOOR_PROBE,
    DOOR_KINDS
};

struct door_section {
    char *name;
    unsigned kind; // enum door_kind
    char *path;
    uint64_t mode; // octal digits read as a decimal number: 660
    char *model;
    unsigned format; // enum tail_format
    bool from_end;
    char *time;
    char *id;
    char *version;
    char *version_column;
    struct value_list inputs;
    struct value_list outputs;
    struct value_list labels;
    char *listen;
    char *token;
    uint64_t body; // bytes
    uint64_t answer_wait_ns;
    char *prefix;
    char *url;
    char *pidfile;
    char *cgroup;
    char *schema;
    uint64_t interval_ns;
    struct value_list users;
};

struct link_section {
    uint64_t backoff_min_ns;
    uint64_t backoff_max_ns;
    uint64_t start_jitter_ns;
    uint64_t beat_ns;
};

struct spool_section {
    uint64_t size_bytes;
    uint64_t memory_bytes;
    uint64_t windows;
};

struct limits_section {
    uint64_t memory_bytes;
    uint64_t cpu_percent;
    uint64_t features;
};

struct settings {
    char *host;
    char *executors; // folder; relative to the agent's
    struct conf_many models;
    struct conf_many doors;
    struct link_section link;
    struct spool_section spool;
    struct limits_section limits;
    struct policy policy;
};
extern const struct conf_table settings_table;

// Reads DIR/agent.conf. A file that is not there is fine and means all standards. `why`
// gets "agent.conf:12: ..." on ST_RANGE; ST_IO, ST_FULL, ST_NOMEM.
MUST_USE enum status settings_read(const char *folder, struct settings *out,
                                   struct buf *why);
void settings_free(struct settings *s);

// Reads a declared column, NAME:number|category[:input|output]; *name is its part of
// `text`. False: it is none.
bool settings_column(const char *text, struct span *name, bool *is_output,
                     bool *is_category);

const struct model_section *settings_model(const struct settings *s, size_t i);
const struct door_section *settings_door(const struct settings *s, size_t i);
enum door_kind settings_door_kind(const struct door_section *d);

#endif
