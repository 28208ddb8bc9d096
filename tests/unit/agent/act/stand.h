// Stand: a host to try orders on: folders, keys, executors, and a spool of one file.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_TESTS_UNIT_AGENT_ACT_STAND_H
#define KEDGE_TESTS_UNIT_AGENT_ACT_STAND_H

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/act/act.h"
#include "agent/act/job.h"
#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/hash.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/trust/digest.h"
#include "common/trust/sign.h"
#include "proto/messages/attest.h"
#include "proto/messages/receipt.h"
#include "proto/messages/signature.h"

#define STAND_PATH 512
#define STAND_RECEIPTS 64

// A receipt that the spool holds, with what a test wants to know of it.
struct stand_receipt {
    char state[24];
    char code[24];
    char before[64];
    char after[64];
    uint8_t order[16];
    uint8_t prev[32];
    uint8_t digest[32]; // of its body
};

struct stand {
    char folder[STAND_PATH];
    uint8_t fleet[16], agent[16], sess[16], hb[16];
    uint8_t order_seed[32], order_pub[32], agent_seed[32], agent_pub[32];
    struct keyring ring;
    struct keyring_key order_key;
    struct span action[12];
    struct span grant[1];
    struct policy policy;
    struct act_model model[1];
    struct instant now;
    struct act *act;
    // The spool: the group under way, and the numbers that it gives.
    struct buf group;
    uint8_t boot[16];
    uint64_t seq;
    bool is_full;
    int served;
    int fault; // at which point the process dies; -1 = none
    uint64_t patience_ns;
    uint64_t ahead_ns; // how far the monotonic clock is put forward
};

static inline void stand_path(const struct stand *s, const char *name, char *out)
{
    assert_true(snprintf(out, STAND_PATH, "%s/%s", s->folder, name) < STAND_PATH);
}

static inline void stand_write(const struct stand *s, const char *name,
                               const char *text, unsigned mode)
{
    char path[STAND_PATH];
    stand_path(s, name, path);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static inline void stand_folder(const struct stand *s, const char *name)
{
    char path[STAND_PATH];
    stand_path(s, name, path);
    assert_int_equal(file_make_folder(path, 0755), ST_OK);
}

// How many lines a file has; 0 when it is not there.
static inline int stand_lines(const struct stand *s, const char *name)
{
    char path[STAND_PATH];
    stand_path(s, name, path);
    FILE *f = fopen(path, "r");
    int lines = 0;
    for (int c; f && (c = fgetc(f)) != EOF;)
        lines += c == '\n';
    if (f)
        fclose(f);
    return lines;
}

// --- The spool: one write for each commit, so that it is there or it is not.

static inline void stand_stamp(void *self, uint8_t boot[16], uint64_t *seq)
{
    struct stand *s = self;
    memcpy(boot, s->boot, 16);
    *seq = s->seq;
}

static inline void stand_put(struct buf *out, struct span bytes)
{
    buf_put_le32(out, (uint32_t)bytes.size);
    buf_put_span(out, bytes);
}

static inline enum status stand_entry(void *self, const char *type, struct span body,
                                      struct span sigs)
{
    struct stand *s = self;
    buf_put_u8(&s->group, 'e');
    stand_put(&s->group, span_text(type));
    stand_put(&s->group, body);
    stand_put(&s->group, sigs);
    s->seq++;
    return s->group.failed;
}

static inline enum status stand_state(void *self, struct span key, struct span value)
{
    struct stand *s = self;
    buf_put_u8(&s->group, 's');
    stand_put(&s->group, key);
    stand_put(&s->group, value);
    return s->group.failed;
}

static inline void stand_abort(void *self)
{
    struct stand *s = self;
    buf_clear(&s->group);
}

static inline enum status stand_commit(void *self)
{
    struct stand *s = self;
    char path[STAND_PATH];
    if (s->is_full) {
        buf_clear(&s->group);
        return ST_FULL;
    }
    stand_path(s, "spool", path);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, s->group.data, s->group.size), s->group.size);
    close(fd);
    buf_clear(&s->group);
    return ST_OK;
}

static inline uint64_t stand_event_time(void *self, struct span model)
{
    (void)self;
    (void)model;
    return UINT64_C(1341100800) * NS_PER_S;
}

static inline void stand_serve(void *self, struct span model, struct span version)
{
    struct stand *s = self;
    assert_true(model.size > 0 && version.size > 0);
    s->served++;
}

static inline void stand_fault(void *self, enum act_fault point)
{
    struct stand *s = self;
    if ((int)point == s->fault)
        _exit(9);
}

static inline struct span stand_take(struct span *from)
{
    uint32_t size = load_le32(from->data);
    struct span taken = span_of(from->data + 4, size);
    *from = span_of(from->data + 4 + size, from->size - 4 - size);
    return taken;
}

static inline void stand_copy(char *out, size_t size, struct span text)
{
    assert_true(text.size < size);
    memcpy(out, text.size ? text.data : (const uint8_t *)"", text.size);
    out[text.size] = '\0';
}

static inline void stand_see_receipt(const struct stand *s, struct span body,
                                     struct span sigs, struct stand_receipt *out)
{
    static uint8_t memory[65536];
    struct pool pool;
    struct receipt r;
    const void *items;
    uint32_t count;
    pool_init(&pool, memory, sizeof memory);
    assert_int_equal(
        message_decode_list(&signature_message, sigs, 1, &pool, &items, &count), ST_OK);
    const struct signature *sig = items;
    assert_int_equal(count, 1);
    assert_int_equal(sign_check(s->agent_pub, span_text(RECEIPT_TYPE), body, sig->sig),
                     ST_OK);
    assert_int_equal(message_decode(&receipt_message, body, &pool, &r), ST_OK);
    stand_copy(out->state, sizeof out->state, r.state);
    stand_copy(out->code, sizeof out->code, r.code);
    stand_copy(out->before, sizeof out->before, r.before_version);
    stand_copy(out->after, sizeof out->after, r.after_version);
    memcpy(out->order, r.order, 16);
    memcpy(out->prev, r.prev_receipt, 32);
    assert_int_equal(digest_of(body, out->digest), ST_OK);
}

// Reads the whole spool: its receipts, how many attestations, and the newest state.
static inline int stand_receipts(const struct stand *s, struct stand_receipt *out,
                                 int *attests, struct buf *state)
{
    char path[STAND_PATH];
    struct buf all;
    buf_init(&all, 1 << 22);
    stand_path(s, "spool", path);
    int n = 0;
    if (attests)
        *attests = 0;
    if (file_read(path, &all) == ST_OK) {
        struct span rest = buf_span(&all);
        while (rest.size > 0) {
            uint8_t what = rest.data[0];
            rest = span_of(rest.data + 1, rest.size - 1);
            struct span first = stand_take(&rest), second = stand_take(&rest);
            struct span third = what == 'e' ? stand_take(&rest) : span_text("");
            if (what == 's' && state) {
                buf_clear(state);
                buf_put_span(state, second);
            } else if (what == 'e' && span_is(first, RECEIPT_TYPE)) {
                assert_true(n < STAND_RECEIPTS);
                stand_see_receipt(s, second, third, &out[n++]);
            } else if (what == 'e' && attests) {
                *attests += span_is(first, "kedge.attest.v1");
            }
        }
    }
    buf_fini(&all);
    return n;
}

// --- The host

static inline void stand_version(const struct stand *s, const char *version)
{
    char name[64], text[256], line[256];
    uint8_t digest[32];
    (void)snprintf(name, sizeof name, "srv/versions/%s", version);
    stand_folder(s, name);
    (void)snprintf(text, sizeof text, "model %s\n", version);
    (void)snprintf(name, sizeof name, "srv/versions/%s/model.json", version);
    stand_write(s, name, text, 0644);
    assert_int_equal(digest_of(span_text(text), digest), ST_OK);
    for (int i = 0; i < 32; i++)
        (void)snprintf(line + 2 * i, 3, "%02x", digest[i]);
    (void)snprintf(line + 64, sizeof line - 64, "  model.json\n");
    (void)snprintf(name, sizeof name, "srv/versions/%s/MANIFEST", version);
    stand_write(s, name, line, 0644);
}

static inline void stand_point(const struct stand *s, const char *version)
{
    char path[STAND_PATH], target[64];
    stand_path(s, "srv/current", path);
    (void)unlink(path);
    (void)snprintf(target, sizeof target, "versions/%s", version);
    assert_int_equal(symlink(target, path), 0);
}

// Which version the link names.
static inline const char *stand_link(const struct stand *s)
{
    static char target[64];
    char path[STAND_PATH];
    stand_path(s, "srv/current", path);
    ssize_t n = readlink(path, target, sizeof target - 1);
    assert_true(n > 0);
    target[n] = '\0';
    return strrchr(target, '/') + 1;
}

static inline void stand_executors(const struct stand *s)
{
    char text[4096];
    (void)snprintf(text, sizeof text,
                   "executor \"links\" {\n kind = symlink\n models = {\"bike-*\"}\n"
                   " root = \"%s/srv\"\n reload = {\"%s/reload\"}\n timeout = 10s\n}\n",
                   s->folder, s->folder);
    stand_write(s, "executors.d/links.conf", text, 0644);
    (void)snprintf(text, sizeof text,
                   "executor \"words\" {\n kind = exec\n models = {\"bike-*\"}\n"
                   " actions = {\"rollback\", \"probe\"}\n versions = {\"v*\"}\n"
                   " probe = {\"%s/probe\"}\n apply = {\"%s/apply\", \"{from}\", "
                   "\"{to}\"}\n timeout = 10s\n}\n",
                   s->folder, s->folder);
    stand_write(s, "executors.d/words.conf", text, 0644);
    (void)snprintf(text, sizeof text, "#!/bin/sh\necho x >> %s/reloads\n", s->folder);
    stand_write(s, "reload", text, 0755);
    (void)snprintf(text, sizeof text, "#!/bin/sh\ncat %s/version\n", s->folder);
    stand_write(s, "probe", text, 0755);
    (void)snprintf(text, sizeof text,
                   "#!/bin/sh\necho x >> %s/applies\necho $2 > %s/version.new\n"
                   "mv %s/version.new %s/version\n",
                   s->folder, s->folder, s->folder, s->folder);
    stand_write(s, "apply", text, 0755);
    stand_write(s, "version", "v2\n", 0644);
}

static inline void stand_keys(struct stand *s)
{
    random_os_bytes(s->fleet, 16);
    random_os_bytes(s->agent, 16);
    random_os_bytes(s->sess, 16);
    random_os_bytes(s->hb, 16);
    assert_int_equal(sign_make(s->order_seed), ST_OK);
    assert_int_equal(sign_public(s->order_seed, s->order_pub), ST_OK);
    assert_int_equal(sign_make(s->agent_seed), ST_OK);
    assert_int_equal(sign_public(s->agent_seed, s->agent_pub), ST_OK);
    s->action[0] = span_text("rollback");
    s->action[1] = span_text("probe");
    s->action[2] = span_text("retrain");
    s->order_key = (struct keyring_key){.action = s->action, .actions = 3};
    memcpy(s->order_key.pub, s->order_pub, 32);
    assert_int_equal(sign_kid(s->order_pub, s->order_key.kid), ST_OK);
    s->ring = (struct keyring){.ring = 7, .order_key = &s->order_key, .order_keys = 1};
    memcpy(s->ring.fleet, s->fleet, 16);
    s->grant[0] = span_text("bike-*");
    s->policy = (struct policy){.max_per_hour = 4, .max_per_hour_all = 20};
    s->model[0] = (struct act_model){"bike-demand", "links"};
}

// Takes the clocks as they are: children live by them.
static inline void stand_tick(struct stand *s)
{
    s->now = (struct instant){clock_wall_ns(), clock_mono_ns() + s->ahead_ns,
                              clock_boot_ns()};
}

static inline enum status stand_try_open(struct stand *s, char *error, size_t size)
{
    static char journal[STAND_PATH], executors[STAND_PATH];
    struct buf state;
    static struct stand_receipt ignored[STAND_RECEIPTS];
    stand_path(s, "journal", journal);
    stand_path(s, "executors.d", executors);
    buf_init(&state, 4096);
    (void)stand_receipts(s, ignored, NULL, &state);
    struct act_settings settings = {
        .journal = journal,
        .executors = executors,
        .sign_seed = s->agent_seed,
        .ring = &s->ring,
        .grant = s->grant,
        .grants = 1,
        .policy = &s->policy,
        .model = s->model,
        .models = 1,
        .issued = buf_span(&state),
    };
    memcpy(settings.fleet, s->fleet, 16);
    memcpy(settings.agent, s->agent, 16);
    struct act_hooks hooks = {
        .self = s,
        .stamp = stand_stamp,
        .entry = stand_entry,
        .state = stand_state,
        .commit = stand_commit,
        .abort = stand_abort,
        .event_time = stand_event_time,
        .serve = stand_serve,
        .fault = stand_fault,
    };
    random_os_bytes(s->boot, 16);
    s->seq = 1;
    stand_tick(s);
    enum status st = act_open(&settings, &hooks, &s->act, error, size);
    buf_fini(&state);
    return st;
}

// Connects as well: a session, and a beat just sent.
static inline void stand_open(struct stand *s)
{
    char error[512];
    enum status st = stand_try_open(s, error, sizeof error);
    if (st != ST_OK)
        fail_msg("%s", error);
    act_session(s->act, s->sess);
    act_beat(s->act, s->hb, s->now.boot_ns);
}

static inline void stand_close(struct stand *s)
{
    act_close(s->act);
    s->act = NULL;
}

static inline int stand_setup(void **state)
{
    struct stand *s = MEM_NEW(struct stand);
    assert_non_null(s);
    log_setup("test", LOG_ERROR, false);
    (void)snprintf(s->folder, sizeof s->folder, "/tmp/kedge-act-XXXXXX");
    assert_non_null(mkdtemp(s->folder));
    buf_init(&s->group, 1 << 20);
    s->fault = -1;
    s->patience_ns = 20 * NS_PER_S;
    stand_keys(s);
    stand_folder(s, "srv/versions");
    stand_folder(s, "executors.d");
    stand_version(s, "v1");
    stand_version(s, "v2");
    stand_version(s, "v3");
    stand_point(s, "v2");
    stand_executors(s);
    *state = s;
    return 0;
}

static inline int stand_teardown(void **state)
{
    struct stand *s = *state;
    char line[STAND_PATH + 16];
    stand_close(s);
    (void)snprintf(line, sizeof line, "rm -rf %s", s->folder);
    assert_int_equal(system(line), 0);
    buf_fini(&s->group);
    mem_free(s);
    return 0;
}

// --- Orders

// A good order: roll bike-demand back from v2 to v1.
static inline struct order stand_order(const struct stand *s, uint64_t seq)
{
    struct order o = {
        .token = {1, seq},
        .ring = 7,
        .issued_ms = 1,
        .ttl_ms = 60000,
        .action = span_text("rollback"),
        .model = span_text("bike-demand"),
        .if_version = span_text("v2"),
        .to_version = span_text("v1"),
        .executor = span_text(s->model[0].executor),
        .run_ms = 5000,
        .step = 1,
        .attempt = (uint16_t)seq,
    };
    char path[STAND_PATH], name[128];
    struct buf file;
    memcpy(o.fleet, s->fleet, 16);
    memcpy(o.agent, s->agent, 16);
    assert_int_equal(sign_kid(s->agent_pub, o.agent_key), ST_OK);
    memcpy(o.sess, s->sess, 16);
    memcpy(o.hb, s->hb, 16);
    memset(o.plan, 2, 16);
    memset(o.incident, 3, 16);
    memset(o.prev, 4, 32);
    (void)snprintf(name, sizeof name, "executors.d/%s.conf", s->model[0].executor);
    stand_path(s, name, path);
    buf_init(&file, 65536);
    assert_int_equal(file_read(path, &file), ST_OK);
    assert_int_equal(digest_of(buf_span(&file), o.exec_digest), ST_OK);
    buf_fini(&file);
    return o;
}

// Gives the order the id that follows from it.
static inline void stand_name(struct order *o)
{
    struct order_cause cause = {
        .model = o->model, .action = o->action, .step = o->step, .attempt = o->attempt};
    memcpy(cause.fleet, o->fleet, 16);
    memcpy(cause.incident, o->incident, 16);
    memcpy(cause.plan, o->plan, 16);
    assert_int_equal(order_id(&cause, o->order), ST_OK);
}

// Encodes and signs: body and sigs are appended to the two buffers.
static inline void stand_seal(const struct stand *s, const struct order *o,
                              struct buf *body, struct buf *sigs)
{
    const char *fault = NULL;
    struct signature sig = {.alg = span_text("ed25519")};
    if (message_encode(&order_message, o, body, &fault) != ST_OK)
        fail_msg("order: %s", fault);
    memcpy(sig.kid, s->order_key.kid, 8);
    assert_int_equal(
        sign_body(s->order_seed, span_text(ORDER_TYPE), buf_span(body), sig.sig),
        ST_OK);
    assert_int_equal(message_encode_list(&signature_message, &sig, 1, sigs, NULL),
                     ST_OK);
}

static inline void stand_send(struct stand *s, const struct order *o)
{
    struct buf body, sigs;
    buf_init(&body, ORDER_BYTES_MAX);
    buf_init(&sigs, 4096);
    stand_seal(s, o, &body, &sigs);
    struct envelope e = {.type = span_text(ORDER_TYPE),
                         .body = buf_span(&body),
                         .sigs = buf_span(&sigs)};
    stand_tick(s);
    act_order(s->act, &e, s->now);
    buf_fini(&body);
    buf_fini(&sigs);
}

// Turns until so many receipts are spooled, or patience is over.
static inline int stand_wait(struct stand *s, int receipts, struct stand_receipt *out)
{
    uint64_t end = clock_mono_ns() + s->patience_ns, next;
    int n = 0;
    do {
        stand_tick(s);
        act_turn(s->act, s->now, &next);
        n = stand_receipts(s, out, NULL, NULL);
        (void)usleep(1000);
    } while (n < receipts && clock_mono_ns() < end);
    return n;
}

#endif
