// Init: a dozen files, the configuration last.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/init.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/hash.h"
#include "common/base/text.h"
#include "common/setup/command.h"
#include "common/trust/keys.h"
#include "common/trust/sign.h"
#include "proto/envelope.h"
#include "proto/messages/catalog.h"
#include "proto/messages/keyring.h"

struct making {
    const struct init_options *o;
    struct key_pair agent, enrol, op, order, root, log, admin;
    uint8_t fleet[16];
    struct buf *told;
};

static enum status path_of(const struct making *m, const char *name, char out[PATH_MAX])
{
    return file_join(m->o->folder, name, out, PATH_MAX);
}

static enum status make_keys(struct making *m)
{
    ST_TRY(keys_make(KEY_CURVE, &m->agent));
    ST_TRY(keys_make(KEY_CURVE, &m->enrol));
    ST_TRY(keys_make(KEY_CURVE, &m->op));
    ST_TRY(keys_make(KEY_CURVE, &m->admin));
    ST_TRY(keys_make(KEY_SIGN, &m->order));
    ST_TRY(keys_make(KEY_SIGN, &m->root));
    ST_TRY(keys_make(KEY_SIGN, &m->log));
    random_os_bytes(m->fleet, sizeof m->fleet);
    return ST_OK;
}

static enum status write_keys(const struct making *m)
{
    char keys[PATH_MAX], operators[PATH_MAX];
    ST_TRY(path_of(m, "keys", keys));
    ST_TRY(path_of(m, "operators", operators));
    ST_TRY(keys_write(keys, "agent", &m->agent));
    ST_TRY(keys_write(keys, "enrol", &m->enrol));
    ST_TRY(keys_write(keys, "op", &m->op));
    ST_TRY(keys_write(keys, "order", &m->order));
    ST_TRY(keys_write(keys, "root", &m->root));
    ST_TRY(keys_write(keys, "log", &m->log));
    return keys_write(operators, "admin", &m->admin);
}

// --- The keyring

static enum status fill_key(struct keyring_key *k, const struct key_pair *pair,
                            const struct span *action)
{
    memcpy(k->pub, pair->pub, sizeof k->pub);
    k->action = action;
    k->actions = 1;
    return sign_kid(pair->pub, k->kid);
}

static enum status sign_ring(const struct making *m, const struct keyring *ring,
                             struct buf *out)
{
    struct buf body, sigs;
    buf_init(&body, KEYRING_BYTES_MAX);
    buf_init(&sigs, 1024);
    struct signature sig = {.alg = span_text("ed25519")};
    enum status st = message_encode(&keyring_message, ring, &body, NULL);
    if (st == ST_OK)
        st = sign_kid(m->root.pub, sig.kid);
    if (st == ST_OK)
        st = sign_body(m->root.secret, span_text(KEYRING_TYPE), buf_span(&body),
                       sig.sig);
    if (st == ST_OK)
        st = message_encode_list(&signature_message, &sig, 1, &sigs, NULL);
    if (st == ST_OK) {
        struct envelope e = {.type = span_text(KEYRING_TYPE),
                             .body = buf_span(&body),
                             .sigs = buf_span(&sigs)};
        envelope_join(&e, out);
        st = out->failed;
    }
    buf_fini(&body);
    buf_fini(&sigs);
    return st;
}

static enum status make_ring(const struct making *m, struct buf *out)
{
    const struct span any = span_text("*"), heads = span_text("head");
    uint64_t now_ms = clock_wall_ns() / NS_PER_MS;
    struct key_ref root;
    struct keyring_key order = {0}, log = {0};
    struct keyring_curve curve[] = {{.role = span_text("agent")},
                                    {.role = span_text("enrol")},
                                    {.role = span_text("op")}};
    memcpy(curve[0].pub, m->agent.pub, 32);
    memcpy(curve[1].pub, m->enrol.pub, 32);
    memcpy(curve[2].pub, m->op.pub, 32);
    memcpy(root.pub, m->root.pub, 32);
    ST_TRY(sign_kid(root.pub, root.kid));
    ST_TRY(fill_key(&order, &m->order, &any));
    ST_TRY(fill_key(&log, &m->log, &heads));
    struct keyring ring = {
        .ring = 1,
        .issued_ms = now_ms,
        // Ten years: a fleet that renews its ring does so long before.
        .expires_ms = now_ms + UINT64_C(315360000000),
        .root = &root,
        .roots = 1,
        .root_threshold = 1,
        .server_curve = curve,
        .server_curves = 3,
        .order_key = &order,
        .order_keys = 1,
        .log_key = &log,
        .log_keys = 1};
    memcpy(ring.fleet, m->fleet, sizeof ring.fleet);
    return sign_ring(m, &ring, out);
}

static enum status write_ring(const struct making *m)
{
    char path[PATH_MAX];
    struct buf b;
    buf_init(&b, KEYRING_BYTES_MAX + 4096);
    enum status st = path_of(m, "keyring", path);
    if (st == ST_OK)
        st = make_ring(m, &b);
    if (st == ST_OK)
        st = file_replace(path, buf_span(&b), FILE_PUBLIC);
    buf_fini(&b);
    return st;
}

// --- Configuration

static enum status write_text(const struct making *m, const char *name,
                              struct buf *text, enum file_secrecy secrecy)
{
    char path[PATH_MAX];
    ST_TRY(path_of(m, name, path));
    ST_TRY(text->failed);
    return file_replace(path, buf_span(text), secrecy);
}

static enum status write_client(const struct making *m)
{
    char server[KEY_Z85_CHARS + 1];
    struct buf b;
    buf_init(&b, 8192);
    keys_to_z85(m->op.pub, server);
    buf_printf(&b, "# How the command `kedge` reaches this controller.\n");
    buf_printf(&b, "controller = \"tcp://%s:%" PRIu64 "\"\n", m->o->listen,
               m->o->port + 2);
    buf_printf(&b, "server-key = \"%s\"\n", server);
    buf_printf(&b, "operator = \"admin\"\n");
    buf_printf(&b, "# operators/admin.key beside this file\nkeys = \"operators\"\n");
    enum status st = write_text(m, "kedge.conf", &b, FILE_PRIVATE);
    buf_fini(&b);
    return st;
}

static enum status write_conf(const struct making *m)
{
    struct buf b;
    buf_init(&b, 8192);
    buf_printf(&b, "# The controller of a fleet; see kedge.conf(5).\nfleet = \"");
    text_put_hex(&b, span_of(m->fleet, sizeof m->fleet));
    buf_printf(&b, "\"\nlisten = \"%s\"\nport = %" PRIu64 "\n", m->o->listen,
               m->o->port);
    if (m->o->announce)
        buf_printf(&b, "announce = {\"%s\"}\n", m->o->announce);
    enum status st = write_text(m, "controller.conf", &b, FILE_PRIVATE);
    buf_fini(&b);
    return st;
}

static enum status make_folders(const struct making *m)
{
    static const char *const names[] = {"keys", "operators", "store", "run"};
    char path[PATH_MAX];
    ST_TRY(file_make_folder(m->o->folder, 0700));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        ST_TRY(path_of(m, names[i], path));
        ST_TRY(file_make_folder(path, 0700));
    }
    return ST_OK;
}

static enum status make_all(struct making *m)
{
    ST_TRY(make_folders(m));
    ST_TRY(make_keys(m));
    ST_TRY(write_keys(m));
    ST_TRY(write_ring(m));
    ST_TRY(write_client(m));
    return write_conf(m);
}

static void wipe(struct making *m)
{
    struct key_pair *const pairs[] = {&m->agent, &m->enrol, &m->op,   &m->order,
                                      &m->root,  &m->log,   &m->admin};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        keys_wipe(pairs[i]);
}

enum status init_folder(const struct init_options *o, struct buf *told)
{
    struct making m = {.o = o, .told = told};
    char path[PATH_MAX];
    ST_TRY(path_of(&m, "controller.conf", path));
    if (access(path, F_OK) == 0) {
        buf_printf(told, "%s: there is a controller already\n", o->folder);
        return ST_EXISTS;
    }
    enum status st = make_all(&m);
    wipe(&m);
    if (st == ST_EXISTS)
        buf_printf(told, "%s: it holds keys of an earlier try; remove it first\n",
                   o->folder);
    else if (st != ST_OK)
        buf_printf(told, "%s: %s\n", o->folder, status_text(st));
    else
        buf_printf(
            told,
            "made %s\nfleet keys: %s/keys (move root.key away: only a new keyring "
            "needs it)\nstart it:   kedge-controller run --dir %s\nuse it:     "
            "kedge --config %s/kedge.conf fleet status\n",
            o->folder, o->folder, o->folder, o->folder);
    return st;
}

// --- The verb

static int run(void *program, const struct command_line *line)
{
    (void)program;
    struct init_options o = {.folder = command_operand(line, 0),
                             .listen = command_text(line, "listen"),
                             .port = command_u64(line, "port"),
                             .announce = command_text(line, "announce")};
    struct buf told;
    buf_init(&told, 8192);
    enum status st = init_folder(&o, &told);
    (void)fputs(buf_cstr(&told), st == ST_OK ? stdout : stderr);
    buf_fini(&told);
    return st == ST_OK ? 0 : st == ST_EXISTS ? 6 : 1;
}

int init_main(int argc, char **argv)
{
    static const struct option_row options[] = {
        {"listen", 0, VALUE_TEXT, "127.0.0.1", "address to listen on", NULL, "ADDRESS"},
        {"port", 0, VALUE_NUMBER, "7601",
         "port for agents; the next two are for enrolment and operators", "1..65533",
         NULL},
        {"announce", 0, VALUE_TEXT, NULL, "host under which agents reach it", NULL,
         "HOST"},
    };
    static const struct verb_row verb = {
        "",  "DIR",   "Makes the folder of a new controller.",
        run, options, sizeof options / sizeof options[0],
        NULL};
    static const struct command command = {
        .program = "kedge ctl init",
        .purpose = "Makes keys, keyring and configuration of a new controller.",
        .verb = &verb,
        .verbs = 1};
    return command_main(&command, NULL, argc, argv);
}
