// SPDX-License-Identifier: Apache-2.0
#include "controller/cli/client.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/setup/conf.h"
#include "common/trust/keys.h"
#include "proto/messages/catalog.h"
#include "proto/messages/query.h"

#define STANDARD_PATH "/etc/kedge/kedge.conf"
#define FRAMES_MAX 4

struct client_conf {
    char *endpoint;
    char *server_key;
    char *keys;
    char *operator_name;
};

#define AT(member) offsetof(struct client_conf, member)
static const struct conf_row rows[] = {
    {"controller", VALUE_TEXT, AT(endpoint), NULL, "the controller's operator port",
     NULL, NULL, false},
    {"server-key", VALUE_TEXT, AT(server_key), NULL, "its public key, Z85", NULL, NULL,
     false},
    {"keys", VALUE_TEXT, AT(keys), "operators", "folder of the operator's key", NULL,
     NULL, false},
    {"operator", VALUE_NAME, AT(operator_name), "admin", "whose key it is", NULL, NULL,
     false},
};
static const struct conf_table table = {
    .name = "kedge.conf",
    .help = "where the controller is and who asks",
    .size = sizeof(struct client_conf),
    .row = rows,
    .rows = sizeof rows / sizeof *rows,
};

struct client {
    struct client_conf conf;
    char keys[PATH_MAX]; // folder
    void *context;
    void *socket;
    uint64_t id;
    uint8_t *memory;
    struct pool pool;
};

static enum status connect_socket(struct client *c, const struct key_pair *own,
                                  const uint8_t server[32])
{
    int zero = 0;
    int64_t most = 8 << 20;
    c->context = zmq_ctx_new();
    c->socket = c->context ? zmq_socket(c->context, ZMQ_DEALER) : NULL;
    if (!c->socket)
        return ST_NOMEM;
    bool is_set =
        zmq_setsockopt(c->socket, ZMQ_CURVE_SERVERKEY, server, 32) == 0 &&
        zmq_setsockopt(c->socket, ZMQ_CURVE_PUBLICKEY, own->pub, 32) == 0 &&
        zmq_setsockopt(c->socket, ZMQ_CURVE_SECRETKEY, own->secret, 32) == 0 &&
        zmq_setsockopt(c->socket, ZMQ_LINGER, &zero, sizeof zero) == 0 &&
        zmq_setsockopt(c->socket, ZMQ_MAXMSGSIZE, &most, sizeof most) == 0;
    if (!is_set || zmq_connect(c->socket, c->conf.endpoint) != 0)
        return ST_IO;
    return ST_OK;
}

// The key folder is meant from the folder of the configuration on.
static enum status key_folder(const char *path, const char *keys, char out[PATH_MAX])
{
    const char *slash = strrchr(path, '/');
    if (keys[0] == '/' || !slash)
        return snprintf(out, PATH_MAX, "%s", keys) < PATH_MAX ? ST_OK : ST_RANGE;
    char folder[PATH_MAX];
    size_t size = (size_t)(slash - path);
    if (size >= sizeof folder)
        return ST_RANGE;
    memcpy(folder, path, size);
    folder[size] = '\0';
    return file_join(folder[0] ? folder : "/", keys, out, PATH_MAX);
}

static enum status read_keys(struct client *c, const char *path, struct buf *why)
{
    char *folder = c->keys;
    uint8_t server[32];
    struct key_pair own;
    if (keys_of_z85(span_text(c->conf.server_key), server) != ST_OK) {
        buf_printf(why, "%s: server-key is no Z85 key of 40 characters", path);
        return ST_RANGE;
    }
    ST_TRY(key_folder(path, c->conf.keys, folder));
    struct buf hint;
    buf_init(&hint, 1024);
    enum status st = keys_read(folder, c->conf.operator_name, KEY_CURVE, &own, &hint);
    if (st != ST_OK)
        buf_printf(why, "%s/%s.key: %s", folder, c->conf.operator_name,
                   hint.size ? buf_cstr(&hint) : status_text(st));
    else if ((st = connect_socket(c, &own, server)) != ST_OK)
        buf_printf(why, "%s: cannot connect: %s", c->conf.endpoint,
                   zmq_strerror(zmq_errno()));
    buf_fini(&hint);
    keys_wipe(&own);
    return st;
}

enum status client_open(const char *path, struct client **out, struct buf *why)
{
    if (!path)
        path = getenv("KEDGE_CONFIG");
    if (!path || !path[0])
        path = STANDARD_PATH;
    struct client *c = MEM_NEW(struct client);
    if (!c)
        return ST_NOMEM;
    c->id = random_os();
    c->memory = mem_zero(1, MESSAGE_POOL_BYTES);
    enum status st = c->memory ? conf_read(path, &table, &c->conf, why) : ST_NOMEM;
    if (st == ST_NOTFOUND)
        buf_printf(why, "%sname it by --config FILE or KEDGE_CONFIG",
                   why->size ? "; " : "");
    if (st == ST_OK) {
        pool_init(&c->pool, c->memory, MESSAGE_POOL_BYTES);
        st = read_keys(c, path, why);
    }
    if (st != ST_OK) {
        client_close(c);
        return st;
    }
    *out = c;
    return ST_OK;
}

void client_close(struct client *c)
{
    if (!c)
        return;
    if (c->socket)
        zmq_close(c->socket);
    if (c->context)
        zmq_ctx_term(c->context);
    conf_free(&table, &c->conf);
    mem_free(c->memory);
    mem_free(c);
}

const char *client_endpoint(const struct client *c)
{
    return c->conf.endpoint;
}

static enum status send_query(struct client *c, const char *verb, struct pair *arg,
                              uint32_t args, struct span blob)
{
    struct buf body;
    buf_init(&body, QUERY_BLOB_MAX + (64u << 10));
    pairs_sort(arg, args);
    const struct query q = {
        .id = c->id, .verb = span_text(verb), .arg = arg, .args = args, .blob = blob};
    enum status st = message_encode(&query_message, &q, &body, NULL);
    if (st == ST_OK) {
        const char *type = query_message.type;
        bool is_sent = zmq_send(c->socket, type, strlen(type), ZMQ_SNDMORE) >= 0 &&
                       zmq_send(c->socket, body.data, body.size, 0) >= 0;
        st = is_sent ? ST_OK : ST_IO;
    }
    buf_fini(&body);
    return st;
}

// All frames of one message; those beyond FRAMES_MAX are dropped and make it corrupt.
struct frames {
    zmq_msg_t part[FRAMES_MAX];
    uint32_t count;
    bool has_more;
};

static void frames_close(struct frames *f)
{
    for (uint32_t i = 0; i < f->count; i++)
        zmq_msg_close(&f->part[i]);
}

static enum status frames_take(struct client *c, struct frames *f)
{
    *f = (struct frames){0};
    for (;;) {
        zmq_msg_t spare;
        zmq_msg_t *part = f->count < FRAMES_MAX ? &f->part[f->count] : &spare;
        zmq_msg_init(part);
        if (zmq_msg_recv(part, c->socket, 0) < 0) {
            zmq_msg_close(part);
            frames_close(f);
            return ST_IO;
        }
        bool has_more = zmq_msg_more(part);
        if (part == &spare) {
            f->has_more = true;
            zmq_msg_close(part);
        } else {
            f->count++;
        }
        if (!has_more)
            return ST_OK;
    }
}

static enum status take_part(struct client *c, struct frames *f, struct buf *json,
                             uint32_t *part, bool *is_last, uint8_t *code)
{
    struct span frame[FRAMES_MAX];
    for (uint32_t i = 0; i < f->count; i++)
        frame[i] = span_of(zmq_msg_data(&f->part[i]), zmq_msg_size(&f->part[i]));
    struct envelope envelope;
    const struct wire_row *row;
    struct answer a;
    ST_TRY(wire_open(frame, f->count, &envelope, &row));
    if (row->kind != WIRE_ANSWER || f->has_more)
        return ST_CORRUPT;
    pool_clear(&c->pool);
    ST_TRY(message_decode(&answer_message, envelope.body, &c->pool, &a));
    // An answer to an earlier question that had timed out.
    if (a.id != c->id)
        return ST_OK;
    if (a.part != *part)
        return ST_CORRUPT;
    (*part)++;
    buf_put_span(json, a.json);
    *is_last = a.last;
    *code = a.code;
    return json->failed;
}

static enum status take_answer(struct client *c, struct buf *json, uint8_t *code)
{
    uint64_t deadline = clock_mono_ns() + CLIENT_WAIT_MS * NS_PER_MS;
    uint32_t part = 0;
    bool is_last = false;
    while (!is_last) {
        uint64_t now = clock_mono_ns();
        long left = now >= deadline ? 0 : (long)((deadline - now) / NS_PER_MS) + 1;
        zmq_pollitem_t item = {.socket = c->socket, .events = ZMQ_POLLIN};
        int ready = zmq_poll(&item, 1, left);
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready <= 0)
            return ready == 0 ? ST_TIMEOUT : ST_IO;
        struct frames f;
        ST_TRY(frames_take(c, &f));
        enum status st = take_part(c, &f, json, &part, &is_last, code);
        frames_close(&f);
        ST_TRY(st);
    }
    return ST_OK;
}

enum status client_ask(struct client *c, const char *verb, struct pair *arg,
                       uint32_t args, struct span blob, struct buf *json, uint8_t *code)
{
    c->id++;
    buf_clear(json);
    ST_TRY(send_query(c, verb, arg, args, blob));
    return take_answer(c, json, code);
}

const char *client_keys(const struct client *c)
{
    return c->keys;
}
