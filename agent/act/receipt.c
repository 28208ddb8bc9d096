// Receipts: the outcome of an order in the agent's own hand, each bound to the one
// before.
//
// SPDX-License-Identifier: Apache-2.0
#include "agent/act/desk.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/trust/digest.h"
#include "common/trust/sign.h"
#include "proto/messages/receipt.h"

#define BODY_MAX 16384

// What a program printed, or a file was called, may be anything; a receipt carries
// printable text.
static struct span printable(struct span from, uint8_t *out)
{
    for (size_t i = 0; i < from.size; i++) {
        uint8_t c = from.data[i];
        out[i] = (c >= 0x20 && c < 0x7f) || c == '\n' || c == '\t' ? c : '?';
    }
    return span_of(out, from.size);
}

static void fill_exec(const struct outcome *o, uint8_t tail[JOB_TAIL_MAX],
                      struct receipt_exec *out)
{
    out->exit = o->exit_code;
    out->signal = (uint32_t)o->signal;
    out->timeout = o->is_timeout;
    memcpy(out->out_sha256, o->output_digest, 32);
    out->out_tail = printable(span_of(o->tail, o->tail_size), tail);
}

static enum status sign(struct act *a, struct span body, struct buf *sigs)
{
    struct signature sig = {.alg = span_text("ed25519")};
    memcpy(sig.kid, a->agent_key, sizeof sig.kid);
    ST_TRY(sign_body(a->settings.sign_seed, span_text(RECEIPT_TYPE), body, sig.sig));
    return message_encode_list(&signature_message, &sig, 1, sigs, NULL);
}

// The entry and the new end of the chain are one group: after a crash both are there,
// or neither is and the receipt is made anew.
static enum status spool(struct act *a, struct span body, struct span sigs,
                         uint64_t number)
{
    uint8_t tip[32], state[DESK_ISSUED_BYTES];
    ST_TRY(digest_of(body, tip));
    uint64_t issued = number > a->issued ? number : a->issued;
    store_le64(state, issued);
    memcpy(state + 8, tip, 32);
    enum status st = a->hooks.entry(a->hooks.self, RECEIPT_TYPE, body, sigs);
    if (st == ST_OK)
        st = a->hooks.state(a->hooks.self, span_text(ACT_STATE_KEY),
                            span_of(state, sizeof state));
    if (st != ST_OK) {
        a->hooks.abort(a->hooks.self);
        return st;
    }
    ST_TRY(a->hooks.commit(a->hooks.self));
    a->issued = issued;
    memcpy(a->tip, tip, sizeof a->tip);
    return ST_OK;
}

enum status receipt_issue(struct act *a, const uint8_t order[16],
                          const uint8_t sess[16], struct token token, struct span model,
                          uint64_t number, const struct outcome *o)
{
    uint8_t tail[JOB_TAIL_MAX], detail[sizeof o->detail];
    struct receipt r = {
        .token = token,
        .state = span_text(receipt_state_name(o->state)),
        .code = span_text(o->code),
        .model = model,
        .before_version = span_text(o->before),
        .after_version = span_text(o->after),
        .started_ms = o->started_ms,
        .ended_ms = o->ended_ms,
        .mono_ms = o->mono_ms,
        .probe = {o->is_probed, printable(span_text(o->detail), detail)},
    };
    memcpy(r.order, order, 16);
    memcpy(r.sess, sess, 16);
    memcpy(r.agent, a->settings.agent, 16);
    memcpy(r.after_digest, o->after_digest, 32);
    memcpy(r.prev_receipt, a->tip, 32);
    fill_exec(o, tail, &r.exec);
    a->hooks.stamp(a->hooks.self, r.boot, &r.seq);

    desk_fault(a, ACT_FAULT_BEFORE_RECEIPT);
    struct buf body, sigs;
    buf_init(&body, BODY_MAX);
    buf_init(&sigs, BODY_MAX);
    const char *fault = NULL;
    enum status st = message_encode(&receipt_message, &r, &body, &fault);
    if (st == ST_OK)
        st = sign(a, buf_span(&body), &sigs);
    if (st == ST_OK)
        st = spool(a, buf_span(&body), buf_span(&sigs), number);
    buf_fini(&body);
    buf_fini(&sigs);
    if (st == ST_OK) {
        a->stats.receipts++;
        desk_fault(a, ACT_FAULT_AFTER_RECEIPT);
    } else {
        a->stats.unspooled++;
        log_line(LOG_WARN, "a receipt was not spooled",
                 "model=%.*s state=%s field=%s: %s", (int)model.size,
                 (const char *)model.data, receipt_state_name(o->state),
                 fault ? fault : "", status_text(st));
    }
    return st;
}

void receipt_catch_up(struct act *a, struct instant now)
{
    for (;;) {
        struct deed *deed = deeds_unanswered(a->deeds, a->issued);
        if (!deed)
            return;
        if (deed->answered_ns != 0 && now.mono_ns - deed->answered_ns < NS_PER_S)
            return; // the spool refused it a moment ago
        deed->answered_ns = now.mono_ns;
        if (deeds_outcome(a->deeds, deed, &a->scratch) != ST_OK ||
            receipt_issue(a, deed->order, deed->sess, deed->token,
                          span_text(deed->model), deed->number, &a->scratch) != ST_OK)
            return;
    }
}
