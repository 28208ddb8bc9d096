// Settings: reads the folder that `kedge ctl init` has made.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/settings.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "common/base/file.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "proto/envelope.h"
#include "proto/messages/keyring.h"

#define AT(member) offsetof(struct settings_file, member)

static const struct conf_row rows[] = {
    {"fleet", VALUE_TEXT, AT(fleet), NULL, "id of this fleet, 32 hex digits", NULL,
     NULL, false},
    {"listen", VALUE_TEXT, AT(listen), "127.0.0.1", "address to listen on", NULL, NULL,
     false},
    {"port", VALUE_NUMBER, AT(port), "7601",
     "port for agents; enrolment has the next, operators the one after", "1..65533",
     NULL, false},
    {"announce", VALUE_LIST, AT(announce), "",
     "hosts under which agents reach this controller; empty: `listen`", NULL, NULL,
     false},
    {"patience", VALUE_DURATION, AT(patience_ns), "30s",
     "how long a silent host holds up the windows of its model", "1s..1h", NULL, false},
    {"agent-silence", VALUE_DURATION, AT(agent_silence_ns), "35s",
     "an agent that says nothing for so long cannot be reached", "1s..1d", NULL, false},
    {"agent-grace", VALUE_DURATION, AT(agent_grace_ns), "15s",
     "an agent whose connection ended is dead when it is not back within this",
     "100ms..1d", NULL, false},
    {"model-silence", VALUE_DURATION, AT(model_silence_ns), "3m",
     "a model without a row for so long, and for three windows, is silent", "1s..7d",
     NULL, false},
    {"store-size", VALUE_SIZE, AT(store_bytes), "100GiB",
     "most that the store may take on disk", "16MiB..", NULL, false},
    {"keep-raw", VALUE_DURATION, AT(raw_ns), "48h",
     "how long windows of a minute are kept; of longer ones as many", "2h..400d", NULL,
     false},
    {"keep-hour", VALUE_DURATION, AT(hour_ns), "14d",
     "how long hours, merged of windows, are kept", "2h..3650d", NULL, false},
    {"keep-day", VALUE_DURATION, AT(day_ns), "400d",
     "how long days, merged of hours, are kept", "2h..3650d", NULL, false},
    {"pages-per-week", VALUE_REAL, AT(pages_per_week), "2",
     "pages that the whole fleet may send in a week", "0.01..10000", NULL, false},
};

const struct conf_table settings_table = {.name = "controller.conf",
                                          .help = "The controller of a fleet.",
                                          .size = sizeof(struct settings_file),
                                          .row = rows,
                                          .rows = sizeof rows / sizeof rows[0]};

enum status settings_path(const struct settings *s, const char *name,
                          char out[PATH_MAX])
{
    return file_join(s->folder, name, out, PATH_MAX);
}

static void set_endpoints(struct settings *s)
{
    const char *host = s->file.listen;
    uint64_t port = s->file.port;
    (void)snprintf(s->agent_endpoint, sizeof s->agent_endpoint, "tcp://%s:%" PRIu64,
                   host, port);
    (void)snprintf(s->enrol_endpoint, sizeof s->enrol_endpoint, "tcp://%s:%" PRIu64,
                   host, port + 1);
    (void)snprintf(s->op_endpoint, sizeof s->op_endpoint, "tcp://%s:%" PRIu64, host,
                   port + 2);
}

static enum status read_keys(struct settings *s, struct buf *why)
{
    char keys[PATH_MAX];
    ST_TRY(settings_path(s, "keys", keys));
    const struct {
        const char *name;
        enum key_purpose purpose;
        struct key_pair *out;
    } wanted[] = {{"agent", KEY_CURVE, &s->agent_key},
                  {"enrol", KEY_CURVE, &s->enrol_key},
                  {"op", KEY_CURVE, &s->op_key},
                  {"order", KEY_SIGN, &s->order_key},
                  {"log", KEY_SIGN, &s->log_key}};
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        enum status st =
            keys_read(keys, wanted[i].name, wanted[i].purpose, wanted[i].out, why);
        if (st != ST_OK) {
            if (why->size == 0)
                buf_printf(why, "%s/%s.key: %s", keys, wanted[i].name, status_text(st));
            return st;
        }
    }
    return keys_read_public(keys, "root", KEY_SIGN, s->root);
}

static enum status read_keyring(struct settings *s)
{
    char path[PATH_MAX];
    ST_TRY(settings_path(s, "keyring", path));
    buf_init(&s->keyring, KEYRING_BYTES_MAX + 4096);
    ST_TRY(file_read(path, &s->keyring));
    struct envelope e;
    ST_TRY(envelope_split(buf_span(&s->keyring), &e));
    void *memory = mem_zero(1, MESSAGE_POOL_BYTES);
    if (!memory)
        return ST_NOMEM;
    struct pool pool;
    struct keyring ring;
    pool_init(&pool, memory, MESSAGE_POOL_BYTES);
    enum status st = message_decode(&keyring_message, e.body, &pool, &ring);
    if (st == ST_OK)
        s->ring = ring.ring;
    mem_free(memory);
    return st;
}

static enum status read_all(struct settings *s, struct buf *why)
{
    char path[PATH_MAX];
    ST_TRY(settings_path(s, "controller.conf", path));
    enum status st = conf_read(path, &settings_table, &s->file, why);
    if (st == ST_NOTFOUND) {
        buf_clear(why);
        buf_printf(why, "%s: no controller here; make one: kedge ctl init %s",
                   s->folder, s->folder);
    }
    if (st != ST_OK)
        return st;
    if (text_hex(span_text(s->file.fleet), s->fleet, sizeof s->fleet) != ST_OK) {
        buf_printf(why, "controller.conf: fleet: 32 hex digits are needed");
        return ST_RANGE;
    }
    if (s->file.raw_ns > s->file.hour_ns || s->file.hour_ns > s->file.day_ns) {
        buf_printf(why, "controller.conf: keep-raw, keep-hour and keep-day must rise: "
                        "what is coarser is kept for longer");
        return ST_RANGE;
    }
    set_endpoints(s);
    ST_TRY(read_keys(s, why));
    st = read_keyring(s);
    if (st != ST_OK)
        buf_printf(why, "%s/keyring: %s", s->folder, status_text(st));
    return st;
}

enum status settings_open(const char *folder, struct settings *out, struct buf *why)
{
    memset(out, 0, sizeof *out);
    if (strlen(folder) >= sizeof out->folder)
        return ST_RANGE;
    strcpy(out->folder, folder);
    enum status st = read_all(out, why);
    if (st != ST_OK)
        settings_close(out);
    return st;
}

void settings_close(struct settings *s)
{
    conf_free(&settings_table, &s->file);
    keys_wipe(&s->agent_key);
    keys_wipe(&s->enrol_key);
    keys_wipe(&s->op_key);
    keys_wipe(&s->order_key);
    keys_wipe(&s->log_key);
    buf_fini(&s->keyring);
}
