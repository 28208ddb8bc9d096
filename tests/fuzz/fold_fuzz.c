// Fold: entries whose bodies are anything at all. None may stop the fold, and the same
// entries must give the same bytes, also when everything in memory is lost on the way.
//
// Input: runs of u8 kind, le16 size, body. Bodies of reports get the prefix that a gate
// writes, in the name of an agent that is enrolled.
//
// SPDX-License-Identifier: Apache-2.0
#include <assert.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/cursor.h"
#include "common/base/hash.h"
#include "common/base/mem.h"
#include "controller/fold/fold.h"
#include "controller/log/memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ENTRIES_MAX 32
#define MEMORY_BYTES (256u << 20)
#define NOW (UINT64_C(1800000000) * NS_PER_S)

static const uint8_t token[8] = {1}, curve[32] = {2}, sign[32] = {3}, fleet[16] = {4};
static struct fold *fold;
static struct effects *effects;

static void open_fold(void)
{
    struct fold_options o = {.effects = effects};
    enum status st = fold_open(&o, &fold);
    assert(st == ST_OK);
}

static void open_once(void)
{
    if (effects)
        return;
    enum status st = effects_open(&effects);
    assert(st == ST_OK);
    open_fold();
}

static uint64_t seq;

static void feed(struct memory *m, uint16_t kind, struct span body)
{
    struct tape_entry e = {
        .kind = kind, .at_ns = NOW + seq * NS_PER_S, .body = body, .pos = {1, ++seq}};
    struct tape_home home = {0};
    memory_begin(m);
    enum status st = fold_entry(fold, memory_shelf(m), &e, &home);
    assert(st == ST_OK);
    st = fold_flush(fold, memory_shelf(m));
    assert(st == ST_OK);
    st = memory_commit(m);
    assert(st == ST_OK);
    assert(home.kind != HOME_CUT || home.size <= body.size || body.size < 96);
}

static void command(struct memory *m, const char *verb, struct entry_arg *arg,
                    uint32_t n)
{
    struct entry_command c = {.verb = span_text(verb),
                              .actor = span_text("system"),
                              .role = span_text("system"),
                              .args = n};
    memcpy(c.arg, arg, n * sizeof *arg);
    struct buf b;
    buf_init(&b, 4096);
    entry_put_command(&b, &c);
    feed(m, TAPE_COMMAND, buf_span(&b));
    buf_fini(&b);
}

// The agent's id; a fleet with one model and that agent.
static void begin(struct memory *m, uint8_t agent[16])
{
    struct entry_arg model[] = {{span_text("model"), span_text("m")}};
    struct entry_arg mint[] = {
        {span_text("id"), span_text("0100000000000000")},
        {span_text("pub"),
         span_text("000000000000000000000000000000000000000000000000000"
                   "0000000000001")}};
    feed(m, TAPE_META, span_of(fleet, sizeof fleet));
    command(m, "model.add", model, 1);
    command(m, "agent.token", mint, 2);
    struct entry_agent e = {.token = token,
                            .curve = curve,
                            .sign = sign,
                            .host = span_text("h"),
                            .software = span_text("1")};
    struct buf b;
    buf_init(&b, 4096);
    entry_put_agent(&b, &e);
    feed(m, TAPE_AGENT, buf_span(&b));
    buf_fini(&b);
    memset(agent, 0, 16);
    for (uint32_t i = 0; i < effects_len(effects); i++) {
        if (effects_at(effects, i)->kind == EFFECT_GRANT)
            memcpy(agent, effects_at(effects, i)->agent, 16);
    }
}

// Mostly the caches alone are lost: to open a fold anew takes long under sanitizers.
static void restart(struct span in)
{
    fold_dropped(fold);
    if (in.data[in.size - 1] % 256 == 0) {
        fold_close(fold);
        open_fold();
    }
}

static void feed_input(struct memory *m, const uint8_t agent[16], struct span in,
                       uint32_t restart_at)
{
    struct cursor c = {in};
    for (uint32_t n = 0; n < ENTRIES_MAX; n++) {
        uint8_t kind;
        uint16_t size;
        struct span body;
        if (cursor_u8(&c, &kind) != ST_OK || cursor_le16(&c, &size) != ST_OK)
            return;
        if (size > c.left.size)
            size = (uint16_t)c.left.size;
        if (cursor_bytes(&c, size, &body) != ST_OK)
            return;
        if (n == restart_at)
            restart(in);
        struct buf b;
        buf_init(&b, 1u << 20);
        struct entry_report r = {.agent = agent, .body = body};
        if (kind >= TAPE_WINDOW && kind <= TAPE_RECEIPT)
            entry_put_report(&b, &r);
        else
            buf_put_span(&b, body);
        feed(m, kind, buf_span(&b));
        buf_fini(&b);
    }
}

static uint64_t hash_of(struct shelf *s)
{
    static const uint8_t key[16];
    uint64_t sum = 0;
    for (unsigned t = 0; t < SHELF_COUNT; t++) {
        uint8_t from[SHELF_KEY_MAX + 1] = {0};
        size_t size = 1;
        struct span k, v;
        while (s->seek(s->self, (enum shelf_table)t, span_of(from, size), &k, &v) ==
               ST_OK) {
            sum = sum * 1000003 + hash_sip(key, k) * 31 + hash_sip(key, v) + t;
            memcpy(from, k.data, k.size);
            from[k.size] = 0;
            size = k.size + 1;
        }
    }
    return sum;
}

static uint64_t run(struct span in, uint32_t restart_at)
{
    struct memory *m;
    uint8_t agent[16];
    enum status st = memory_open(MEMORY_BYTES, &m);
    assert(st == ST_OK);
    seq = 0;
    fold_dropped(fold); // nothing of the run before
    begin(m, agent);
    feed_input(m, agent, in, restart_at);
    uint64_t sum = hash_of(memory_shelf(m));
    memory_close(m);
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 4)
        return 0;
    open_once();
    struct span in = span_of(data + 1, size - 1);
    uint64_t once = run(in, UINT32_MAX), again = run(in, data[0] % 8);
    assert(once == again);
    return 0;
}
