// SPDX-License-Identifier: Apache-2.0
#include "agent/settings.h"

#include <limits.h>
#include <string.h>

#include "common/base/file.h"
#include "common/base/span.h"
#include "common/base/text.h"
#include "proto/messages/window.h"

#define AT(type, member) .offset = offsetof(type, member)
#define MODEL(member) AT(struct model_section, member)
#define DOOR(member) AT(struct door_section, member)
#define LINK(member) AT(struct link_section, member)
#define SPOOL(member) AT(struct spool_section, member)
#define LIMITS(member) AT(struct limits_section, member)

static const struct conf_row model_rows[] = {
    {"window", VALUE_DURATION, MODEL(window_ns), "60s", "length of one summary",
     "10s..4w", NULL, false},
    {"lateness", VALUE_DURATION, MODEL(lateness_ns), "30s",
     "how long a window waits for rows that come late", "0s..4w", NULL, false},
    {"label_wait", VALUE_DURATION, MODEL(label_wait_ns), "1d",
     "how long a prediction waits for its label", "0s..52w", NULL, false},
    {"label_capacity", VALUE_NUMBER, MODEL(label_capacity), "65536",
     "predictions that wait for a label at once", "64..67108864", NULL, false},
    {"performance", VALUE_WORD, MODEL(performance), "none",
     "what a label makes of a prediction", "none|regression|binary", NULL, false},
    {"output", VALUE_NAME, MODEL(output), "", "the output that is the prediction", NULL,
     NULL, false},
    {"version", VALUE_NAME, MODEL(version), "", "of rows that name none", NULL, NULL,
     false},
    {"executor", VALUE_NAME, MODEL(executor), "",
     "what switches its version: a file in executors.d", NULL, NULL, false},
    {"columns", VALUE_LIST, MODEL(columns), "",
     "its columns in their order, as NAME:number, NAME:category or "
     "NAME:number:output; learned from the first 1,000 rows when nothing is said",
     NULL, NULL, false},
    {"reveal", VALUE_LIST, MODEL(reveal), "",
     "columns whose categories leave this host in clear text; all others as keyed "
     "hashes",
     NULL, NULL, false},
};
static const struct conf_table model_table = {
    .name = "model",
    .help = "A model that is served on this host.",
    .size = sizeof(struct model_section),
    .row = model_rows,
    .rows = sizeof model_rows / sizeof model_rows[0],
    .has_title = true,
    .title_offset = offsetof(struct model_section, name),
};

#define DOOR_WORDS "name|unix|tail|lane|http|statsd|scrape|probe"

static const struct conf_row door_rows[] = {
    {"kind", VALUE_WORD, DOOR(kind), "name", "what it is; name: as it is called",
     DOOR_WORDS, NULL, false},
    {"path", VALUE_TEXT, DOOR(path), "",
     "socket or file; relative to the agent's folder", NULL, NULL, false},
    {"mode", VALUE_NUMBER, DOOR(mode), "660", "unix, lane: mode of the socket, octal",
     "0..777", NULL, false},
    {"model", VALUE_NAME, DOOR(model), "", "of rows that name none", NULL, NULL, false},
    {"format", VALUE_WORD, DOOR(format), "rows", "tail: how its lines are written",

     "rows|jsonl|csv|sagemaker|azureml|vertex|nginx|envoy|torchserve|labels|bentoml",
     NULL, false},
    {"from_end", VALUE_FLAG, DOOR(from_end), "no",
     "tail: the first time, skip what is there", NULL, NULL, false},
    {"time", VALUE_TEXT, DOOR(time), "", "tail: column or JSON pointer of the time",
     NULL, NULL, false},
    {"id", VALUE_TEXT, DOOR(id), "", "tail: of the id", NULL, NULL, false},
    {"version", VALUE_NAME, DOOR(version), "",
     "tail, http: version of rows that name none", NULL, NULL, false},
    {"version_column", VALUE_TEXT, DOOR(version_column), "",
     "tail: column or JSON pointer of the version", NULL, NULL, false},
    {"inputs", VALUE_LIST, DOOR(inputs), "",
     "tail: columns of inputs, as PATH or PATH=NAME; all others when nothing is said",
     NULL, NULL, false},
    {"outputs", VALUE_LIST, DOOR(outputs), "", "tail: columns of outputs", NULL, NULL,
     false},
    {"labels", VALUE_LIST, DOOR(labels), "", "tail: columns of labels", NULL, NULL,
     false},
    {"listen", VALUE_TEXT, DOOR(listen), "",
     "http, statsd: address and port; 127.0.0.1:9412 and 127.0.0.1:8125 when nothing "
     "is "
     "said",
     NULL, NULL, false},
    {"token", VALUE_TEXT, DOOR(token), "",
     "http: wanted of senders, as Authorization: Bearer TOKEN", NULL, NULL, false},
    {"body", VALUE_SIZE, DOOR(body), "16MiB", "http: longest body", "1KiB..1TiB", NULL,
     false},
    {"answer_wait", VALUE_DURATION, DOOR(answer_wait_ns), "60s",
     "http: how long a request waits for its answer", "1s..1h", NULL, false},
    {"prefix", VALUE_TEXT, DOOR(prefix), "model.<model>.<signal>",
     "statsd: how a name is made up", NULL, NULL, false},
    {"url", VALUE_TEXT, DOOR(url), "", "scrape: page of metrics, http://HOST:PORT/PATH",
     NULL, NULL, false},
    {"interval", VALUE_DURATION, DOOR(interval_ns), "10s",
     "scrape, probe: from one look to the next", "1s..1h", NULL, false},
    {"pidfile", VALUE_TEXT, DOOR(pidfile), "",
     "probe: holds the number of the server's process", NULL, NULL, false},
    {"cgroup", VALUE_TEXT, DOOR(cgroup), "", "probe: folder of the server's cgroup",
     NULL, NULL, false},
    {"users", VALUE_LIST, DOOR(users), "",
     "unix: who may write, by name or number; all whom the mode lets in when nothing "
     "is "
     "said",
     NULL, NULL, false},
    {"schema", VALUE_TEXT, DOOR(schema), "", "tail, bentoml: its schema log", NULL,
     NULL, false},
};
static const struct conf_table door_table = {
    .name = "door",
    .help =
        "Where rows come in. Without any, a unix door at agent.sock and a lane door "
        "at lane.sock.",
    .size = sizeof(struct door_section),
    .row = door_rows,
    .rows = sizeof door_rows / sizeof door_rows[0],
    .has_title = true,
    .title_offset = offsetof(struct door_section, name),
};

static const struct conf_row link_rows[] = {
    {"backoff_min", VALUE_DURATION, LINK(backoff_min_ns), "1s",
     "first delay after the controller refused or failed", "50ms..5m", NULL, false},
    {"backoff_max", VALUE_DURATION, LINK(backoff_max_ns), "5m", "longest delay",
     "50ms..1h", NULL, false},
    {"start_jitter", VALUE_DURATION, LINK(start_jitter_ns), "0s",
     "the first connect is spread over this", "0s..10m", NULL, false},
    {"beat", VALUE_DURATION, LINK(beat_ns), "10s", "from one sign of life to the next",
     "1s..60s", NULL, false},
};
static const struct conf_table link_table = {
    .name = "link",
    .help = "The connection to the controller.",
    .size = sizeof(struct link_section),
    .row = link_rows,
    .rows = sizeof link_rows / sizeof link_rows[0],
};

static const struct conf_row spool_rows[] = {
    {"size", VALUE_SIZE, SPOOL(size_bytes), "64MiB", "kept on disk while cut off",
     "1MiB..64GiB", NULL, false},
    {"memory", VALUE_SIZE, SPOOL(memory_bytes), "4MiB",
     "kept in memory while the disk is full", "64KiB..1GiB", NULL, false},
    {"windows", VALUE_NUMBER, SPOOL(windows), "64",
     "of one model, before the oldest are merged", "2..100000", NULL, false},
};
static const struct conf_table spool_table = {
    .name = "spool",
    .help = "What the controller has not confirmed yet.",
    .size = sizeof(struct spool_section),
    .row = spool_rows,
    .rows = sizeof spool_rows / sizeof spool_rows[0],
};

static const struct conf_row limits_rows[] = {
    {"memory", VALUE_SIZE, LIMITS(memory_bytes), "64MiB",
     "resident; over it windows become longer", "8MiB..64GiB", NULL, false},
    {"cpu", VALUE_NUMBER, LIMITS(cpu_percent), "50",
     "percent of a core; over it rows wait where they come from", "1..1000", NULL,
     false},
    {"features", VALUE_NUMBER, LIMITS(features), "512", "of one model", "1..512", NULL,
     false},
};
static const struct conf_table limits_table = {
    .name = "limits",
    .help = "What the agent may take of this host.",
    .size = sizeof(struct limits_section),
    .row = limits_rows,
    .rows = sizeof limits_rows / sizeof limits_rows[0],
};

static const struct conf_row rows[] = {
    {"host", VALUE_NAME, AT(struct settings, host), "",
     "name of this host; as enrolled when nothing is said", NULL, NULL, false},
    {"executors", VALUE_TEXT, AT(struct settings, executors), "executors.d",
     "folder of the executors' files", NULL, NULL, false},
    {.name = "model",
     AT(struct settings, models),
     .table = &model_table,
     .is_many = true},
    {.name = "door", AT(struct settings, doors), .table = &door_table, .is_many = true},
    {.name = "link", AT(struct settings, link), .table = &link_table},
    {.name = "spool", AT(struct settings, spool), .table = &spool_table},
    {.name = "limits", AT(struct settings, limits), .table = &limits_table},
    {.name = "local_policy", AT(struct settings, policy), .table = &policy_table},
};
const struct conf_table settings_table = {
    .name = "agent.conf",
    .help = "The Kedge agent of this host.",
    .size = sizeof(struct settings),
    .row = rows,
    .rows = sizeof rows / sizeof rows[0],
};

const struct model_section *settings_model(const struct settings *s, size_t i)
{
    return (const struct model_section *)s->models.item + i;
}

const struct door_section *settings_door(const struct settings *s, size_t i)
{
    return (const struct door_section *)s->doors.item + i;
}

enum door_kind settings_door_kind(const struct door_section *d)
{
    unsigned kind = d->kind;
    struct buf none;
    buf_init(&none, 0);
    if (kind == DOOR_BY_NAME &&
        value_store(VALUE_WORD, DOOR_WORDS, span_text(d->name), &kind, &none) != ST_OK)
        kind = DOOR_BY_NAME;
    buf_fini(&none);
    return (enum door_kind)kind;
}

static bool is_octal(uint64_t digits)
{
    for (; digits > 0; digits /= 10)
        if (digits % 10 > 7)
            return false;
    return true;
}

bool settings_column(const char *text, struct span *name, bool *is_output,
                     bool *is_category)
{
    const char *kind = strchr(text, ':');
    const char *side = kind ? strchr(kind + 1, ':') : NULL;
    if (!kind || kind == text)
        return false;
    struct span word =
        side ? span_of(kind + 1, (size_t)(side - kind - 1)) : span_text(kind + 1);
    *name = span_of(text, (size_t)(kind - text));
    *is_category = span_is(word, "category");
    *is_output = side && strcmp(side, ":output") == 0;
    return (*is_category || span_is(word, "number")) &&
           (!side || *is_output || strcmp(side, ":input") == 0) &&
           name->size <= FIELD_NAME_MAX;
}

static bool are_columns_sound(const struct model_section *m, struct buf *why)
{
    struct span name;
    bool is_output, is_category;
    for (size_t i = 0; i < m->columns.count; i++)
        if (!settings_column(m->columns.item[i], &name, &is_output, &is_category)) {
            buf_printf(why,
                       "agent.conf: model %s: columns: \"%s\" is none: write one like "
                       "hr:number, season:category or score:number:output",
                       m->name, m->columns.item[i]);
            return false;
        }
    if (m->columns.count <= WINDOW_FEATURES_MAX)
        return true;
    buf_printf(why, "agent.conf: model %s: more than %d columns", m->name,
               WINDOW_FEATURES_MAX);
    return false;
}

static bool is_said(const char *text)
{
    return text && text[0];
}

// What a door of this kind cannot be without; NULL: nothing is missing.
static const char *lacking(const struct door_section *d)
{
    switch (settings_door_kind(d)) {
    case DOOR_TAIL:
        return is_said(d->path) && is_said(d->model) ? NULL
                                                     : "tail needs path and model";
    case DOOR_SCRAPE:
        return is_said(d->url) ? NULL : "scrape needs an url";
    case DOOR_PROBE:
        return is_said(d->model) && (is_said(d->pidfile) || is_said(d->cgroup))
                   ? NULL
                   : "probe needs a model, and a pidfile or a cgroup";
    default:
        return NULL;
    }
}

// What a table of single options cannot say.
static bool is_sound(const struct settings *s, struct buf *why)
{
    if (s->models.count > SETTINGS_MODELS_MAX || s->doors.count > SETTINGS_DOORS_MAX) {
        buf_printf(why, "agent.conf: more than %d models or %d doors",
                   SETTINGS_MODELS_MAX, SETTINGS_DOORS_MAX);
        return false;
    }
    for (size_t i = 0; i < s->models.count; i++) {
        const char *name = settings_model(s, i)->name;
        if (!text_is_name(span_text(name))) {
            buf_printf(why, "agent.conf: model \"%s\": that is no name", name);
            return false;
        }
        if (!are_columns_sound(settings_model(s, i), why))
            return false;
    }
    for (size_t i = 0; i < s->doors.count; i++) {
        const struct door_section *d = settings_door(s, i);
        if (settings_door_kind(d) == DOOR_BY_NAME) {
            buf_printf(why, "agent.conf: door %s: say its kind, one of %s", d->name,
                       &DOOR_WORDS[sizeof "name|" - 1]);
            return false;
        }
        const char *lacks = lacking(d);
        if (lacks) {
            buf_printf(why, "agent.conf: door %s: a %s", d->name, lacks);
            return false;
        }
        if (!is_octal(d->mode)) {
            buf_printf(why, "agent.conf: door %s: mode has octal digits, as in 660",
                       d->name);
            return false;
        }
    }
    if (s->link.backoff_max_ns < s->link.backoff_min_ns) {
        buf_printf(why, "agent.conf: link: backoff_max is below backoff_min");
        return false;
    }
    return true;
}

enum status settings_read(const char *folder, struct settings *out, struct buf *why)
{
    char path[PATH_MAX];
    ST_TRY(file_join(folder, "agent.conf", path, sizeof path));
    enum status st = conf_read(path, &settings_table, out, why);
    if (st == ST_NOTFOUND) {
        buf_clear(why);
        st = conf_parse("agent.conf", span_text(""), &settings_table, out, why);
    }
    if (st == ST_OK && !is_sound(out, why)) {
        settings_free(out);
        st = ST_RANGE;
    }
    return st;
}

void settings_free(struct settings *s)
{
    conf_free(&settings_table, s);
}
