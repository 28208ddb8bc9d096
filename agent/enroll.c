// SPDX-License-Identifier: Apache-2.0
#include "agent/enroll.h"

#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <zmq.h>

#include "agent/grant.h"
#include "agent/link/wire.h"
#include "agent/settings.h"
#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/trust/digest.h"
#include "common/trust/sign.h"

#define TRIES 3
#define PATIENCE_NS (10 * NS_PER_S)

struct enrolment {
    const struct enroll_ask *ask;
    struct buf *told;
    struct buf scratch; // of the token
    struct pool pool;
    uint8_t *memory;
    struct join_token token;
    char host[129];
    char staging[PATH_MAX];
    struct key_pair curve;
    struct key_pair sign;
    struct buf grant; // a joined envelope
};

static enum status say(struct enrolment *e, enum status st, const char *words)
{
    buf_clear(e->told);
    buf_printf(e->told, "%s", words);
    return st;
}

// --- The folder

static bool is_there(const char *folder, const char *name)
{
    char path[PATH_MAX];
    struct stat info;
    return file_join(folder, name, path, sizeof path) == ST_OK &&
           lstat(path, &info) == 0;
}

static enum status name_staging(struct enrolment *e)
{
    struct buf name;
    buf_init(&name, 64);
    buf_put_text(&name, ".enrol-");
    text_put_hex(&name, span_of(e->token.id, sizeof e->token.id));
    enum status st = name.failed;
    if (st == ST_OK)
        st = file_join(e->ask->folder, buf_cstr(&name), e->staging, sizeof e->staging);
    buf_fini(&name);
    return st;
}

// The keys of an earlier try with the same token are used again: the controller answers
// the same keys with the same grant.
static enum status stage_keys(struct enrolment *e)
{
    char folder[PATH_MAX];
    ST_TRY(file_make_folder(e->ask->folder, 0700));
    ST_TRY(file_make_folder(e->staging, 0700));
    ST_TRY(file_join(e->staging, "keys", folder, sizeof folder));
    struct {
        const char *name;
        enum key_purpose purpose;
        struct key_pair *pair;
    } keys[] = {{"curve", KEY_CURVE, &e->curve}, {"sign", KEY_SIGN, &e->sign}};
    for (size_t i = 0; i < 2; i++) {
        enum status st =
            keys_read(folder, keys[i].name, keys[i].purpose, keys[i].pair, NULL);
        if (st == ST_OK)
            continue;
        if (st != ST_NOTFOUND)
            return st;
        ST_TRY(keys_make(keys[i].purpose, keys[i].pair));
        ST_TRY(keys_write(folder, keys[i].name, keys[i].pair));
    }
    return ST_OK;
}

static enum status stage_file(struct enrolment *e, const char *name, struct span bytes)
{
    char path[PATH_MAX];
    ST_TRY(file_join(e->staging, name, path, sizeof path));
    return file_replace(path, bytes, FILE_PRIVATE);
}

static enum status stage_answer(struct enrolment *e)
{
    struct buf roots;
    buf_init(&roots, 4096);
    for (uint32_t i = 0; i < e->token.roots; i++) {
        text_put_hex(&roots, e->token.root[i]);
        buf_put_text(&roots, "\n");
    }
    enum status st = roots.failed;
    if (st == ST_OK)
        st = stage_file(e, "roots", buf_span(&roots));
    buf_fini(&roots);
    if (st == ST_OK)
        st = stage_file(e, "host", span_text(e->host));
    // The grant comes last: where it lies, everything else does.
    if (st == ST_OK)
        st = stage_file(e, "grant", buf_span(&e->grant));
    return st;
}

static enum status move_up(struct enrolment *e, const char *name)
{
    char from[PATH_MAX], to[PATH_MAX];
    ST_TRY(file_join(e->staging, name, from, sizeof from));
    ST_TRY(file_join(e->ask->folder, name, to, sizeof to));
    if (!is_there(e->staging, name))
        return ST_OK; // moved before a crash
    if (rename(from, to) != 0)
        return ST_IO;
    return file_sync_folder_of(to);
}

static enum status go_live(struct enrolment *e)
{
    ST_TRY(move_up(e, "keys"));
    ST_TRY(move_up(e, "roots"));
    ST_TRY(move_up(e, "host"));
    ST_TRY(move_up(e, "grant"));
    (void)rmdir(e->staging);
    return ST_OK;
}

static enum status write_example(struct enrolment *e)
{
    char path[PATH_MAX];
    struct buf text;
    buf_init(&text, 65536);
    conf_example(&settings_table, &text);
    enum status st = text.failed;
    if (st == ST_OK)
        st = file_join(e->ask->folder, "agent.conf", path, sizeof path);
    if (st == ST_OK)
        st = file_create(path, buf_span(&text), FILE_PUBLIC);
    buf_fini(&text);
    return st == ST_EXISTS ? ST_OK : st;
}

// --- The talk

// Waits for one message; watches the monitor meanwhile.
static enum status await(struct enrolment *e, struct wire *w, uint64_t until,
                         struct envelope *out)
{
    for (;;) {
        enum status st = wire_take(w, out);
        if (st != ST_EMPTY)
            return st;
        switch (wire_watch(w)) {
        case WIRE_REFUSED:
            return say(e, ST_DENIED, "the door refuses connections from this host");
        case WIRE_BROKEN:
            return say(e, ST_CLOSED,
                       "the handshake failed: the join line is for "
                       "another controller, or it has new keys");
        default:
            break;
        }
        uint64_t now = clock_mono_ns();
        if (now >= until)
            return say(e, ST_TIMEOUT, "no answer from the controller");
        wire_wait(w, NULL, 0, 50);
    }
}

static enum status send_out(struct wire *w, const struct message *m, const void *in,
                            uint64_t until)
{
    struct buf body;
    buf_init(&body, 65536);
    enum status st = message_encode(m, in, &body, NULL);
    struct envelope out = {.type = span_text(m->type), .body = buf_span(&body)};
    while (st == ST_OK) {
        st = wire_send(w, &out);
        if (st != ST_AGAIN || clock_mono_ns() >= until)
            break;
        st = ST_OK;
        wire_wait(w, NULL, 0, 20);
    }
    buf_fini(&body);
    return st == ST_AGAIN ? ST_TIMEOUT : st;
}

static enum status refused(struct enrolment *e, struct span body)
{
    struct enrol_refusal r;
    if (message_decode(&enrol_refusal_message, body, &e->pool, &r) != ST_OK)
        return say(e, ST_CORRUPT, "the controller's answer cannot be read");
    buf_clear(e->told);
    buf_printf(e->told, "refused by the controller: %u %.*s", r.code, (int)r.why.size,
               r.why.size ? (const char *)r.why.data : "");
    return ST_DENIED;
}

static void read_word(const char *path, const char *key, struct buf *out)
{
    struct buf text;
    buf_init(&text, 8192);
    if (file_read(path, &text) == ST_OK) {
        const char *found = strstr(buf_cstr(&text), key);
        found = found ? found + strlen(key) : "";
        size_t size = strcspn(found, "\"\n");
        buf_put(out, found, size < 100 ? size : 100);
    }
    buf_fini(&text);
}

static enum status send_hello(struct enrolment *e, struct wire *w, uint64_t until)
{
    struct buf os, machine;
    buf_init(&os, 128);
    buf_init(&machine, 128);
    read_word("/etc/os-release", "PRETTY_NAME=\"", &os);
    read_word("/etc/machine-id", "", &machine);
    struct enrol_hello hello = {
        .facts = {.hostname = span_text(e->host),
                  .os = buf_span(&os),
                  .software = span_text(KEDGE_VERSION)},
    };
    memcpy(hello.token_id, e->token.id, sizeof hello.token_id);
    enum status st = ST_OK;
    if (machine.size > 0)
        st = digest_of(buf_span(&machine), hello.facts.machine_hash);
    if (st == ST_OK)
        st = send_out(w, &enrol_hello_message, &hello, until);
    buf_fini(&os);
    buf_fini(&machine);
    return st;
}

static enum status send_request(struct enrolment *e, struct wire *w,
                                const uint8_t nonce[32], uint64_t until)
{
    struct enrol_claim claim = {
        .model = e->ask->model,
        .models = e->ask->models,
        .agent_time_ms = clock_wall_ns() / NS_PER_MS,
        .host = span_text(e->host),
    };
    memcpy(claim.fleet, e->token.fleet, 16);
    memcpy(claim.token_id, e->token.id, 8);
    memcpy(claim.nonce, nonce, 32);
    memcpy(claim.agent_curve, e->curve.pub, 32);
    memcpy(claim.agent_sign, e->sign.pub, 32);
    memcpy(claim.server_curve, e->token.server_curve, 32);
    struct buf body;
    buf_init(&body, 8192);
    struct enrol_request request = {0};
    struct span type = span_text(ENROL_CLAIM_TYPE);
    enum status st = message_encode(&enrol_claim_message, &claim, &body, NULL);
    request.body = buf_span(&body);
    if (st == ST_OK)
        st = sign_body(e->token.seed, type, request.body, request.sig_token);
    if (st == ST_OK)
        st = sign_body(e->sign.secret, type, request.body, request.sig_agent);
    if (st == ST_OK)
        st = send_out(w, &enrol_request_message, &request, until);
    buf_fini(&body);
    return st;
}

static enum status take_challenge(struct enrolment *e, const struct envelope *in,
                                  uint8_t nonce[32])
{
    struct enrol_challenge challenge;
    struct keyring ring;
    if (span_is(in->type, enrol_refusal_message.type))
        return refused(e, in->body);
    if (!span_is(in->type, enrol_challenge_message.type) ||
        message_decode(&enrol_challenge_message, in->body, &e->pool, &challenge) !=
            ST_OK)
        return say(e, ST_CORRUPT, "the controller's challenge cannot be read");
    if (grant_check_ring(challenge.keyring, e->token.fleet, e->token.root,
                         e->token.roots, &e->pool, &ring) != ST_OK)
        return say(e, ST_DENIED,
                   "the controller's keyring is not signed by the root keys "
                   "that the join line names");
    memcpy(nonce, challenge.nonce, 32);
    return ST_OK;
}

static enum status take_grant(struct enrolment *e, const struct envelope *in)
{
    struct enrol_grant grant;
    struct keyring ring;
    if (span_is(in->type, enrol_refusal_message.type))
        return refused(e, in->body);
    buf_clear(&e->grant);
    envelope_join(in, &e->grant);
    enum status st = e->grant.failed;
    if (st == ST_OK)
        st = grant_check(buf_span(&e->grant), e->sign.pub, e->token.root,
                         e->token.roots, &e->pool, &grant, &ring);
    if (st == ST_OK && memcmp(grant.fleet, e->token.fleet, 16) != 0)
        st = ST_DENIED;
    return st == ST_OK ? ST_OK
                       : say(e, ST_DENIED, "the grant is not signed by this fleet");
}

static enum status talk(struct enrolment *e, struct wire *w, uint64_t until)
{
    struct envelope in;
    uint8_t nonce[32];
    ST_TRY(send_hello(e, w, until));
    ST_TRY(await(e, w, until, &in));
    ST_TRY(take_challenge(e, &in, nonce));
    ST_TRY(send_request(e, w, nonce, until));
    ST_TRY(await(e, w, until, &in));
    return take_grant(e, &in);
}

static enum status try_endpoint(struct enrolment *e, void *context,
                                struct span endpoint)
{
    char address[256];
    if (endpoint.size >= sizeof address)
        return say(e, ST_RANGE, "the join line names an endpoint that is too long");
    memcpy(address, endpoint.data, endpoint.size);
    address[endpoint.size] = '\0';
    struct wire_settings s = {
        .endpoint = address, .reconnect_min_ms = 100, .reconnect_max_ms = 1000};
    memcpy(s.server_key, e->token.server_curve, 32);
    memcpy(s.public_key, e->curve.pub, 32);
    memcpy(s.secret_key, e->curve.secret, 32);
    uint64_t patience = e->ask->patience_ns ? e->ask->patience_ns : PATIENCE_NS;
    struct wire *w = NULL;
    struct pool mark = e->pool;
    enum status st = wire_open(context, &s, &w);
    if (st != ST_OK)
        st = say(e, st, "the endpoint of the join line cannot be connected to");
    else
        st = talk(e, w, clock_mono_ns() + patience);
    if (st == ST_TIMEOUT) {
        buf_clear(e->told);
        buf_printf(e->told, "no answer from %s", address);
    }
    e->pool.used = mark.used;
    wire_close(w);
    mem_wipe(s.secret_key, sizeof s.secret_key);
    return st;
}

static enum status ask_controller(struct enrolment *e)
{
    void *context = zmq_ctx_new();
    if (!context)
        return ST_NOMEM;
    enum status st = ST_TIMEOUT;
    for (int i = 0; i < TRIES && st != ST_OK && st != ST_DENIED; i++)
        for (uint32_t k = 0; k < e->token.endpoints; k++) {
            st = try_endpoint(e, context, e->token.endpoint[k]);
            if (st == ST_OK || st == ST_DENIED)
                break;
        }
    (void)zmq_ctx_term(context);
    return st;
}

// --- The whole

static enum status choose_host(struct enrolment *e)
{
    struct utsname system;
    const char *name = e->ask->host;
    if (!name)
        name = uname(&system) == 0 ? system.nodename : "localhost";
    if (!text_is_name(span_text(name)) || strlen(name) >= sizeof e->host)
        return say(e, ST_RANGE,
                   "the host's name has characters that a name may not have: "
                   "give one with --host");
    memcpy(e->host, name, strlen(name) + 1);
    return ST_OK;
}

static enum status tell_grant(struct enrolment *e, const char *how, uint64_t begin)
{
    struct grant *g = NULL;
    struct buf why;
    buf_init(&why, 1024);
    enum status st = grant_open(e->ask->folder, &g, &why);
    if (st != ST_OK) {
        st = say(e, st, buf_cstr(&why));
    } else if (memcmp(g->told.fleet, e->token.fleet, 16) != 0) {
        st = say(e, ST_EXISTS, "this host is enrolled in another fleet");
    } else {
        buf_clear(e->told);
        buf_printf(e->told, "%s ", how);
        text_put_hex(e->told, span_of(g->told.agent, 16));
        buf_printf(e->told, " host=%s state=%.*s models=", e->host,
                   (int)g->told.state.size, (const char *)g->told.state.data);
        for (uint32_t i = 0; i < g->told.models; i++) {
            buf_put_text(e->told, i ? "," : "");
            buf_put_span(e->told, g->told.model[i]);
        }
        buf_printf(e->told, " in %llu ms",
                   (unsigned long long)((clock_mono_ns() - begin) / NS_PER_MS));
    }
    grant_close(g);
    buf_fini(&why);
    return st;
}

static enum status run(struct enrolment *e)
{
    uint64_t begin = clock_mono_ns();
    enum status st = join_token_read(e->ask->line, &e->scratch, &e->pool, &e->token);
    if (st != ST_OK)
        return say(e, ST_CORRUPT, "that is not a join line, or it was mistyped");
    ST_TRY(choose_host(e));
    ST_TRY(name_staging(e));
    if (is_there(e->ask->folder, "grant"))
        return tell_grant(e, "already enrolled", begin);
    if (!is_there(e->staging, "grant")) {
        if (is_there(e->ask->folder, "keys"))
            return say(e, ST_EXISTS,
                       "keys/ is left from an earlier enrolment: move it "
                       "away first");
        st = stage_keys(e);
        if (st != ST_OK)
            return say(e, st, "the keys could not be written into the agent's folder");
        ST_TRY(ask_controller(e));
        st = stage_answer(e);
    }
    if (st == ST_OK)
        st = go_live(e);
    if (st == ST_OK)
        st = write_example(e);
    if (st != ST_OK)
        return say(e, st, "the agent's folder could not be written");
    return tell_grant(e, "enrolled", begin);
}

enum status enroll(const struct enroll_ask *ask, struct buf *told)
{
    struct enrolment e = {.ask = ask, .told = told};
    buf_init(&e.scratch, JOIN_TOKEN_LINE_MAX);
    buf_init(&e.grant, GRANT_BYTES_MAX);
    e.memory = mem_zero(1, MESSAGE_POOL_BYTES);
    pool_init(&e.pool, e.memory, e.memory ? MESSAGE_POOL_BYTES : 0);
    enum status st = e.memory ? run(&e) : ST_NOMEM;
    if (st != ST_OK && told->size == 0)
        buf_printf(told, "%s", status_text(st));
    keys_wipe(&e.curve);
    keys_wipe(&e.sign);
    mem_wipe(e.token.seed, sizeof e.token.seed);
    if (e.scratch.data)
        mem_wipe(e.scratch.data, e.scratch.capacity);
    buf_fini(&e.scratch);
    buf_fini(&e.grant);
    mem_free(e.memory);
    return st;
}
