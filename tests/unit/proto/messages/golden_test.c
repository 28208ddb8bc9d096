// Golden: one sample of every message, compared byte for byte with proto/vectors.
//
// KEDGE_VECTORS=write writes them anew, which is right only when the wire was meant to
// change; tests/conformance holds the same samples in Python.
//
// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/base/file.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/trust/sign.h"
#include "proto/messages/attest.h"
#include "proto/messages/catalog.h"
#include "proto/messages/enrol.h"
#include "proto/messages/keyring.h"
#include "proto/messages/order.h"
#include "proto/messages/query.h"
#include "proto/messages/receipt.h"
#include "proto/messages/record.h"
#include "proto/messages/reference.h"
#include "proto/messages/session.h"
#include "proto/messages/window.h"

#define T(text)                                                                        \
    {                                                                                  \
        (const uint8_t *)(text), sizeof(text) - 1                                      \
    }
#define EVENT_NS UINT64_C(1344988800000000000) // 2012-08-15
#define WALL_MS UINT64_C(1795359600000)

static const struct span words[] = {T("order"), T("window")};
static const struct span globs[] = {T("bike-demand"), T("credit/*")};
static const struct span actions[] = {T("probe"), T("rollback")};
static const struct span endpoints[] = {T("tcp://ctl1:7602"), T("tcp://[::1]:7602")};
static const struct span roots[] = {T("root-key-root-key-root-key-root!")};
static const struct span agents[] = {T("a1000000000000000000000000000000")};
static const struct pair labels[] = {{T("env"), T("prod")}, {T("site"), T("fra")}};
static const struct pair params[] = {{T("alias"), T("champion")}};
static const struct tally drops[] = {{T("ancient"), 2}, {T("bad_row"), 70000}};
static const struct tally thresholds[] = {{T("promote"), 1}, {T("rollback"), 0}};

static const struct hello_executor executors[] = {
    {T("bike-symlink"), T("symlink"), {0xe1}}};
static const struct hello hello = {.boot = {0xb0},
                                   .sess = {0x5e},
                                   .host = T("web-17"),
                                   .software = T("0.1.0"),
                                   .time_ms = WALL_MS,
                                   .ring = 3,
                                   .executor = executors,
                                   .executors = 1,
                                   .can = words,
                                   .cans = 2};
static const struct welcome welcome = {.fleet = {0xf1},
                                       .agent = {0xa1},
                                       .server_ms = WALL_MS,
                                       .credit = 4,
                                       .window_max = 131072,
                                       .jitter_ms = 5000};
static const struct beat_model served[] = {
    {T("bike-demand"), T("v2"), {0xd2}, EVENT_NS}, {T("silent"), {0}, {0}, 0}};
static const struct beat beat = {.hb = {0xbe},
                                 .time_ms = WALL_MS,
                                 .spool_entries = 2,
                                 .spool_bytes = 4096,
                                 .model = served,
                                 .models = 2};
static const struct window_feature features[] = {
    {T("hr"), FEATURE_INPUT, FEATURE_NUMERIC, T("\x01\x02\x03")},
    {T("prediction"), FEATURE_OUTPUT, FEATURE_NUMERIC, T("")},
    {T("season"), FEATURE_INPUT, FEATURE_CATEGORICAL, T("\xff\x00")},
};
static const struct window window = {.boot = {0xb0},
                                     .seq = 4294967296,
                                     .model = T("bike-demand"),
                                     .version = T("v2"),
                                     .start = EVENT_NS,
                                     .end = EVENT_NS + 86400000000000,
                                     .watermark = EVENT_NS,
                                     .sent = WALL_MS * 1000000,
                                     .flags = WINDOW_MERGED,
                                     .rows = 24,
                                     .observed = 70026,
                                     .late = 0,
                                     .dropped = drops,
                                     .drops = 2,
                                     .feature = features,
                                     .features = 3};
static const struct window silence = {.boot = {0xb0},
                                      .seq = 1,
                                      .model = T("m"),
                                      .version = T("1"),
                                      .end = 60000000000,
                                      .watermark = 60000000000};
static const struct attest attest = {.boot = {0xb0},
                                     .seq = 2,
                                     .model = T("bike-demand"),
                                     .version = T("v2"),
                                     .digest = {0xd2},
                                     .at = EVENT_NS,
                                     .wall = WALL_MS * 1000000,
                                     .cause = T("switch")};
static const struct notice notice = {.boot = {0xb0},
                                     .seq = 3,
                                     .model = T("bike-demand"),
                                     .at = EVENT_NS,
                                     .kind = T("schema_changed"),
                                     .detail = T("temp: number -> text (\xc3\xa4)")};
static const struct ack_refusal refusals[] = {{9, T("scope"), T("not your model")}};
static const uint64_t dones[] = {1, 255, 65536};
static const struct ack ack = {
    .boot = {0xb0}, .done = dones, .dones = 3, .refused = refusals, .refusals = 1};
static const struct reference_feature cells[] = {
    {T("hr"), FEATURE_INPUT, FEATURE_NUMERIC, T("grid")}, {T("label"), 2, 0, {0}}};
static const struct reference reference = {.model = T("bike-demand"),
                                           .version = T("v1"),
                                           .baseline = {0xba},
                                           .key = {0x1e},
                                           .window_ns = 86400000000000,
                                           .sketch_every = 10,
                                           .feature = cells,
                                           .features = 2};
static const struct approval approvals[] = {{{0x61}, WALL_MS, {0x51}}};
static const struct order order = {.fleet = {0xf1},
                                   .agent = {0xa1},
                                   .agent_key = {0xa2},
                                   .order = {0x0d},
                                   .token = {1, 42},
                                   .sess = {0x5e},
                                   .hb = {0xbe},
                                   .ring = 3,
                                   .issued_ms = WALL_MS,
                                   .ttl_ms = 600000,
                                   .action = T("rollback"),
                                   .model = T("bike-demand"),
                                   .if_version = T("v2"),
                                   .if_digest = {0xd2},
                                   .to_version = T("v1"),
                                   .executor = T("bike-symlink"),
                                   .exec_digest = {0xe1},
                                   .param = params,
                                   .params = 1,
                                   .run_ms = 60000,
                                   .plan = {0x91},
                                   .step = 0,
                                   .attempt = 1,
                                   .incident = {0x1c},
                                   .reason = labels,
                                   .reasons = 2,
                                   .approval = approvals,
                                   .approvals = 1,
                                   .dry = false,
                                   .prev = {0x9e}};
static const struct decision decision = {.fleet = {0xf1},
                                         .plan = {0x91},
                                         .agent = agents,
                                         .agents = 1,
                                         .action = T("rollback"),
                                         .model = T("bike-demand"),
                                         .if_version = T("v2"),
                                         .to_version = T("v1"),
                                         .executor = T("bike-symlink"),
                                         .exec_digest = {0xe1},
                                         .not_after_ms = WALL_MS};
static const struct receipt receipt = {
    .boot = {0xb0},
    .seq = 5,
    .order = {0x0d},
    .agent = {0xa1},
    .sess = {0x5e},
    .token = {1, 42},
    .state = T("done"),
    .model = T("bike-demand"),
    .before_version = T("v2"),
    .after_version = T("v1"),
    .after_digest = {0xd1},
    .started_ms = WALL_MS,
    .ended_ms = WALL_MS + 12,
    .mono_ms = 1000,
    .exec = {.exit = -1, .signal = 15, .timeout = true, .out_tail = T("switched")},
    .probe = {.ok = true},
    .prev_receipt = {0x9c}};
static const struct key_ref root_refs[] = {{{0x11}, {0x12}}};
static const struct keyring_curve curves[] = {{T("agent"), {0xc1}, 0, WALL_MS}};
static const struct keyring_key order_keys[] = {{{0x21}, {0x22}, actions, 2, 0}};
static const struct keyring_approver approvers[] = {
    {{0x31}, {0x32}, T("ada"), globs, 2, actions, 2}};
static const struct keyring keyring = {.ring = 3,
                                       .issued_ms = WALL_MS,
                                       .expires_ms = WALL_MS + 1,
                                       .fleet = {0xf1},
                                       .root = root_refs,
                                       .roots = 1,
                                       .root_threshold = 1,
                                       .server_curve = curves,
                                       .server_curves = 1,
                                       .order_key = order_keys,
                                       .order_keys = 1,
                                       .approver = approvers,
                                       .approvers = 1,
                                       .threshold = thresholds,
                                       .thresholds = 2};
static const struct enrol_hello enrol_hello = {.token_id = {0x70},
                                               .facts = {.hostname = T("web-17"),
                                                         .machine_hash = {0x3a},
                                                         .os = T("Debian 12"),
                                                         .software = T("0.1.0")}};
static const struct enrol_challenge challenge = {
    .nonce = {0x4e}, .server_ms = WALL_MS, .keyring = T("a joined envelope")};
static const struct enrol_claim claim = {.fleet = {0xf1},
                                         .token_id = {0x70},
                                         .nonce = {0x4e},
                                         .agent_curve = {0xac},
                                         .agent_sign = {0xa5},
                                         .server_curve = {0xc2},
                                         .model = globs,
                                         .models = 2,
                                         .label = labels,
                                         .labels = 2,
                                         .agent_time_ms = WALL_MS,
                                         .host = T("web-17")};
static const struct enrol_request request = {
    .body = T("claim"), .sig_token = {0x61}, .sig_agent = {0x62}};
static const struct enrol_grant grant = {.fleet = {0xf1},
                                         .agent = {0xa1},
                                         .state = T("active"),
                                         .model = globs,
                                         .models = 2,
                                         .label = labels,
                                         .labels = 2,
                                         .endpoint = endpoints,
                                         .endpoints = 2,
                                         .server_curve = {0xc1},
                                         .keyring = T("a joined envelope")};
static const struct enrol_refusal refusal = {.code = 409, .why = T("used")};
static const struct join_token join = {.fleet = {0xf1},
                                       .id = {0x70},
                                       .seed = {0x5d},
                                       .endpoint = endpoints,
                                       .endpoints = 2,
                                       .server_curve = {0xc2},
                                       .root = roots,
                                       .roots = 1,
                                       .expires_s = 1795363200};
static const struct query query = {
    .id = 7, .verb = T("model.list"), .arg = labels, .args = 2, .blob = T("file")};
static const struct answer answer = {.id = 7, .code = 3, .json = T("{}"), .last = true};
static const struct record_head head = {.fleet = {0xf1},
                                        .log_id = T("main"),
                                        .size = 1000,
                                        .root = {0x77},
                                        .ts_ms = WALL_MS};

static const struct golden {
    const char *name;
    const struct message *message;
    const void *sample;
    bool is_signed;
} goldens[] = {
    {"hello", &hello_message, &hello, false},
    {"welcome", &welcome_message, &welcome, false},
    {"beat", &beat_message, &beat, false},
    {"window", &window_message, &window, false},
    {"silence", &window_message, &silence, false},
    {"attest", &attest_message, &attest, false},
    {"notice", &notice_message, &notice, false},
    {"receipt", &receipt_message, &receipt, true},
    {"ack", &ack_message, &ack, false},
    {"reference", &reference_message, &reference, false},
    {"order", &order_message, &order, true},
    {"decision", &decision_message, &decision, false},
    {"keyring", &keyring_message, &keyring, true},
    {"enrol-hello", &enrol_hello_message, &enrol_hello, false},
    {"enrol-challenge", &enrol_challenge_message, &challenge, false},
    {"enrol-claim", &enrol_claim_message, &claim, false},
    {"enrol-request", &enrol_request_message, &request, false},
    {"enrol-grant", &enrol_grant_message, &grant, true},
    {"enrol-refusal", &enrol_refusal_message, &refusal, false},
    {"join-token", &join_token_message, &join, false},
    {"query", &query_message, &query, false},
    {"answer", &answer_message, &answer, false},
    {"head", &record_head_message, &head, true},
};

static void path_of(const struct golden *g, char *path, size_t size)
{
    snprintf(path, size, "proto/vectors/%s.txt", g->name);
}

// The vector's key is 32 bytes of 0x07; a real one would never stand in a file like
// this.
static void put_sigs(const struct golden *g, struct span body, struct buf *out)
{
    uint8_t seed[SIGN_SEED_BYTES], pub[SIGN_KEY_BYTES];
    struct signature s = {.alg = T("ed25519")};
    memset(seed, 7, sizeof seed);
    assert_int_equal(sign_public(seed, pub), ST_OK);
    assert_int_equal(sign_kid(pub, s.kid), ST_OK);
    assert_int_equal(sign_body(seed, span_text(g->message->type), body, s.sig), ST_OK);
    assert_int_equal(message_encode_list(&signature_message, &s, 1, out, NULL), ST_OK);
}

// "type: ...", "body: <hex>" and for what is signed "sigs: <hex>".
static void render(const struct golden *g, struct buf *page)
{
    struct buf body, sigs;
    const char *fault = NULL;
    buf_init(&body, 65536);
    buf_init(&sigs, 65536);
    enum status st = message_encode(g->message, g->sample, &body, &fault);
    if (st != ST_OK)
        print_error("%s: %s\n", g->name, fault ? fault : "?");
    assert_int_equal(st, ST_OK);
    buf_printf(page, "type: %s\nbody: ", g->message->type);
    text_put_hex(page, buf_span(&body));
    if (g->is_signed) {
        put_sigs(g, buf_span(&body), &sigs);
        buf_put_text(page, "\nsigs: ");
        text_put_hex(page, buf_span(&sigs));
    }
    buf_put_text(page, "\n");
    buf_fini(&body);
    buf_fini(&sigs);
}

static void samples_encode_to_the_vectors(void **state)
{
    (void)state;
    const char *mode = getenv("KEDGE_VECTORS");
    for (size_t i = 0; i < sizeof goldens / sizeof goldens[0]; i++) {
        char path[128];
        struct buf now, kept;
        buf_init(&now, 65536);
        buf_init(&kept, 65536);
        path_of(&goldens[i], path, sizeof path);
        render(&goldens[i], &now);
        if (mode && strcmp(mode, "write") == 0)
            assert_int_equal(file_replace(path, buf_span(&now), FILE_PUBLIC), ST_OK);
        assert_int_equal(file_read(path, &kept), ST_OK);
        if (!span_equal(buf_span(&now), buf_span(&kept)))
            print_error("%s differs from what is encoded now\n", path);
        assert_true(span_equal(buf_span(&now), buf_span(&kept)));
        buf_fini(&now);
        buf_fini(&kept);
    }
}

static void vectors_decode_to_the_samples(void **state)
{
    (void)state;
    void *memory = mem_zero(MESSAGE_POOL_BYTES, 1);
    for (size_t i = 0; i < sizeof goldens / sizeof goldens[0]; i++) {
        const struct golden *g = &goldens[i];
        struct buf body, again;
        struct pool pool;
        void *out = mem_zero(g->message->size, 1);
        buf_init(&body, 65536);
        buf_init(&again, 65536);
        pool_init(&pool, memory, MESSAGE_POOL_BYTES);
        assert_int_equal(message_encode(g->message, g->sample, &body, NULL), ST_OK);
        assert_int_equal(message_decode(g->message, buf_span(&body), &pool, out),
                         ST_OK);
        assert_int_equal(message_encode(g->message, out, &again, NULL), ST_OK);
        assert_true(span_equal(buf_span(&body), buf_span(&again)));
        buf_fini(&body);
        buf_fini(&again);
        mem_free(out);
    }
    mem_free(memory);
}

static void every_message_of_the_wire_has_a_sample(void **state)
{
    (void)state;
    size_t count;
    const struct message *const *m = wire_messages(&count);
    for (size_t i = 0; i < count; i++) {
        bool is_there = false;
        for (size_t j = 0; j < sizeof goldens / sizeof goldens[0]; j++)
            is_there |= goldens[j].message == m[i];
        if (!is_there)
            print_error("%s has no sample\n", m[i]->type);
        assert_true(is_there);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(samples_encode_to_the_vectors),
        cmocka_unit_test(vectors_decode_to_the_samples),
        cmocka_unit_test(every_message_of_the_wire_has_a_sample),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
