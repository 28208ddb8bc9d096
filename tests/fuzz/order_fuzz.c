// Order: whatever a controller signs, the checks answer, and only a right one passes.
//
// SPDX-License-Identifier: Apache-2.0
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/act/check.h"
#include "common/base/clock.h"

static struct deeds *open_deeds(void)
{
    static char path[] = "/tmp/kedge-order-fuzz-XXXXXX";
    struct journal_report report;
    struct deeds *d = NULL;
    int fd = mkstemp(path);
    assert(fd >= 0 && close(fd) == 0 && unlink(path) == 0);
    assert(deeds_open(path, &report, &d) == ST_OK);
    assert(unlink(path) == 0);
    return d;
}

// The fleet, agent, session and beat of the corpus' orders: so that a mutation reaches
// the later questions too.
static void fill_facts(struct check_facts *f)
{
    static const struct policy policy = {.max_per_hour = 4, .max_per_hour_all = 20};
    static const struct span any = {(const uint8_t *)"*", 1};
    static struct keyring_key key;
    static struct keyring ring = {.ring = 7, .order_key = &key, .order_keys = 1};
    static struct check_beat beat = {.boot_ns = NS_PER_S};
    static const struct executors none;
    static struct deeds *deeds;
    if (!deeds)
        deeds = open_deeds();
    key.action = &any;
    key.actions = 1;
    memset(beat.hb, 'h', 16);
    *f = (struct check_facts){
        .has_session = true,
        .beat = &beat,
        .beats = 1,
        .ring = &ring,
        .model = &any,
        .models = 1,
        .policy = &policy,
        .executors = &none,
        .deeds = deeds,
        .now = {NS_PER_S, NS_PER_S, 2 * NS_PER_S},
    };
    memset(f->fleet, 'f', 16);
    memset(f->agent, 'a', 16);
    memset(f->agent_key, 'k', 8);
    memset(f->sess, 's', 16);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t memory[MESSAGE_POOL_BYTES];
    static const uint8_t zero[32];
    struct pool pool;
    struct order order;
    struct check_facts facts;
    struct verdict verdict;
    const struct check_signers signers = {.count = 1};
    fill_facts(&facts);

    // As bytes that claim to be sealed, by a key that is nobody's.
    struct check_signers found;
    struct envelope e = {.type = span_text(ORDER_TYPE)};
    size_t half = size / 2;
    e.body = span_of(data, half);
    e.sigs = span_of(data + half, size - half);
    pool_init(&pool, memory, sizeof memory);
    assert(check_seals(&e, facts.ring, &pool, &found) != ST_OK);

    // And as an order whose seal was good.
    pool_clear(&pool);
    if (message_decode(&order_message, span_of(data, size), &pool, &order) != ST_OK)
        return 0;
    check_order(&order, &signers, &facts, &verdict);
    assert(verdict.state != RECEIPT_ACCEPTED &&
           verdict.code[0]); // there is no executor
    assert(memcmp(order.fleet, zero, 16) != 0);
    if (strcmp(verdict.code, "E_FLEET") != 0)
        assert(memcmp(order.fleet, facts.fleet, 16) == 0);
    return 0;
}
