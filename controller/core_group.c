// Core, group: entries gathered, appended in one transaction, and their agents told.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/core.h"

#include <string.h>

#include "common/base/log.h"
#include "controller/store/embedded.h"

struct outcome {
    enum status st;
    struct tape_pos last;
};

static enum status gather_packed(struct core *c, enum tape_kind kind,
                                 const uint8_t *agent)
{
    struct gathered *g = &c->group[c->gathered];
    if (g->body.failed != ST_OK)
        return g->body.failed;
    g->entry = (struct tape_entry){
        .kind = (uint16_t)kind, .at_ns = c->wall_ns, .body = buf_span(&g->body)};
    g->is_report = agent != NULL;
    if (agent)
        memcpy(g->agent, agent, sizeof g->agent);
    c->gathered++;
    return ST_OK;
}

enum status core_gather(struct core *c, enum tape_kind kind, struct span body,
                        const uint8_t *agent)
{
    if (c->gathered == TAPE_APPEND_MAX)
        return ST_FULL;
    buf_clear(&c->group[c->gathered].body);
    buf_put_span(&c->group[c->gathered].body, body);
    return gather_packed(c, kind, agent);
}

enum status core_gather_report(struct core *c, enum tape_kind kind,
                               const struct entry_report *r)
{
    if (c->gathered == TAPE_APPEND_MAX)
        return ST_FULL;
    buf_clear(&c->group[c->gathered].body);
    entry_put_report(&c->group[c->gathered].body, r);
    return gather_packed(c, kind, r->agent);
}

static void note_outcome(void *keep, enum status st, struct tape_pos last)
{
    *(struct outcome *)keep = (struct outcome){st, last};
}

static enum status append(struct core *c, uint32_t from, uint32_t n)
{
    struct outcome o = {.st = ST_UNKNOWN};
    for (uint32_t i = 0; i < n; i++)
        c->entry[i] = c->group[from + i].entry;
    struct tape_append a = {.expect = TAPE_ANY, .entry = c->entry, .entries = n};
    enum status st = tape_embedded.append(c->tape, &a, note_outcome, &o);
    return st == ST_OK ? o.st : st;
}

void core_append_alone(struct core *c, enum tape_kind kind, struct span body)
{
    struct outcome o = {.st = ST_UNKNOWN};
    struct tape_entry e = {.kind = (uint16_t)kind, .at_ns = c->wall_ns, .body = body};
    struct tape_append a = {.expect = TAPE_ANY, .entry = &e, .entries = 1};
    if (tape_embedded.append(c->tape, &a, note_outcome, &o) == ST_OK && o.st == ST_OK)
        core_carry_out(c);
}

// The disk's trouble, not the entry's: everything waits until it is over.
static bool is_stores_fault(enum status st)
{
    return st == ST_FULL || st == ST_IO || st == ST_NOMEM;
}

// What follows from `n` entries that are durable now.
static void settle(struct core *c, uint32_t from, uint32_t n)
{
    c->commits++;
    mail_acks(c, from, n);
    core_carry_out(c);
}

// One entry breaks the fold: it is a fault of ours. The others must not suffer, so each
// is tried alone, and the culprit is named and refused.
static enum status append_one_by_one(struct core *c)
{
    for (uint32_t i = 0; i < c->gathered; i++) {
        enum status st = append(c, i, 1);
        if (is_stores_fault(st)) {
            // What is done leaves the group; the rest waits.
            core_drop_first(c, i);
            return st;
        }
        if (st == ST_OK) {
            settle(c, i, 1);
            continue;
        }
        c->refused++;
        log_line(LOG_ERROR, "an entry could not be folded", "kind=%u why=%s",
                 c->group[i].entry.kind, status_text(st));
        mail_poison(c, &c->group[i]);
    }
    c->gathered = 0;
    return ST_OK;
}

// Moves entries to the front; each keeps its own bytes.
void core_drop_first(struct core *c, uint32_t n)
{
    for (uint32_t i = n; i < c->gathered; i++) {
        struct gathered kept = c->group[i - n];
        c->group[i - n] = c->group[i];
        c->group[i] = kept;
    }
    c->gathered -= n;
}

static enum status note_stuck(struct core *c, enum status st)
{
    if (!c->is_stuck)
        log_line(LOG_ERROR, "nothing is acknowledged until the store takes it again",
                 "why=%s waiting=%u", status_text(st), c->gathered);
    c->is_stuck = true;
    return st;
}

enum status core_commit(struct core *c)
{
    uint32_t n = c->gathered;
    enum status st = append(c, 0, n);
    if (st != ST_OK && !is_stores_fault(st))
        st = append_one_by_one(c);
    if (st != ST_OK)
        return note_stuck(c, st);
    if (c->is_stuck)
        log_line(LOG_INFO, "the store takes entries again", "waited=%u", n);
    c->is_stuck = false;
    n = c->gathered; // 0 when they went one by one
    if (n > 0) {
        // Effects may append: what they add stands behind these.
        settle(c, 0, n);
        core_drop_first(c, n);
    }
    return ST_OK;
}

struct waiter *core_wait(struct core *c)
{
    for (uint32_t i = 0; i < CORE_WAITERS; i++) {
        struct waiter *w = &c->waiter[i];
        if (w->request == 0) {
            w->request = ++c->requests;
            return w;
        }
    }
    return NULL;
}

struct waiter *core_waiter(struct core *c, uint64_t request)
{
    for (uint32_t i = 0; request != 0 && i < CORE_WAITERS; i++) {
        if (c->waiter[i].request == request)
            return &c->waiter[i];
    }
    return NULL;
}
