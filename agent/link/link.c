// SPDX-License-Identifier: Apache-2.0
#include "agent/link/link.h"

#include <zmq.h>

#include "agent/link/wire.h"
#include "common/base/clock.h"
#include "common/base/hash.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "proto/codec.h"

#define RECONNECT_MIN_NS (NS_PER_S / 2) // for a connection that was lost, not refused
#define RECONNECT_MAX_NS (30 * NS_PER_S)
#define GREETING_NS (10 * NS_PER_S) // a welcome must come within this
#define ACK_NS (60 * NS_PER_S)      // and an acknowledgement within that
#define SKEW_MS 5000                // clocks further apart are reported
#define MESSAGES_A_TURN 64
#define BODY_MAX (256u * 1024u)
#define REPORT_NS (60 * NS_PER_S) // the same trouble is logged once in this

struct flight {
    struct link_place place;
    uint64_t sent_ns;
};

enum trouble {
    TROUBLE_CONNECT,
    TROUBLE_AWAY,
    TROUBLE_REFUSED,
    TROUBLE_BROKEN,
    TROUBLES
};

struct link {
    struct link_settings settings;
    struct link_hooks hooks;
    void *context;
    struct wire *wire;
    struct link_stats stats;
    uint32_t endpoint;   // which of them
    uint32_t failures;   // in a row, for the back-off
    uint64_t greeted_ns; // mono, when the hello went out
    uint64_t until_ns;   // mono: end of the wait, or of the greeting
    uint64_t next_beat_ns;
    uint64_t next_report_ns[TROUBLES];
    uint32_t credit;
    uint32_t entry_max;
    struct link_cursor cursor;
    struct flight flight[LINK_CREDIT_MAX];
    struct buf body;
    struct pool pool;
    uint8_t *memory;
    // The instants of this turn.
    uint64_t wall_ns, mono_ns, boot_ns;
};

enum status link_open(const struct link_settings *settings,
                      const struct link_hooks *hooks, struct link **out)
{
    if (settings->endpoints == 0 || settings->endpoints > LINK_ENDPOINTS_MAX)
        return ST_RANGE;
    struct link *l = MEM_NEW(struct link);
    if (!l)
        return ST_NOMEM;
    l->settings = *settings;
    l->hooks = *hooks;
    buf_init(&l->body, BODY_MAX);
    l->memory = mem_zero(1, MESSAGE_POOL_BYTES);
    l->context = zmq_ctx_new();
    if (!l->memory || !l->context) {
        link_close(l);
        return ST_NOMEM;
    }
    pool_init(&l->pool, l->memory, MESSAGE_POOL_BYTES);
    if (l->settings.backoff_min_ns == 0)
        l->settings.backoff_min_ns = NS_PER_S;
    if (l->settings.backoff_max_ns == 0)
        l->settings.backoff_max_ns = 300 * NS_PER_S;
    if (l->settings.beat_ns == 0)
        l->settings.beat_ns = 10 * NS_PER_S;
    l->stats.endpoint = l->settings.endpoint[0];
    *out = l;
    return ST_OK;
}

void link_close(struct link *l)
{
    if (!l)
        return;
    wire_close(l->wire);
    if (l->context)
        (void)zmq_ctx_term(l->context);
    buf_fini(&l->body);
    mem_free(l->memory);
    mem_wipe(l->settings.secret_key, sizeof l->settings.secret_key);
    mem_free(l);
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t random_below(uint64_t n)
{
    return n ? random_os() % n : 0;
}

static void enter(struct link *l, enum link_state state)
{
    if (l->stats.state == LINK_UP && state != LINK_UP)
        l->hooks.online(l->hooks.self, false);
    if (l->stats.state != state)
        l->stats.since_ns = l->wall_ns;
    l->stats.state = state;
}

// Trouble that repeats is told once a minute.
static bool may_report(struct link *l, enum trouble what)
{
    if (l->mono_ns < l->next_report_ns[what])
        return false;
    l->next_report_ns[what] = l->mono_ns + REPORT_NS;
    return true;
}

static void lose_session(struct link *l)
{
    if (l->stats.state >= LINK_GREETING)
        l->hooks.session(l->hooks.self, NULL);
    l->stats.in_flight = 0;
}

// Gives the socket up for a while. Half of the delay is chance, so that a fleet does
// not come back in step.
static void back_off(struct link *l)
{
    lose_session(l);
    wire_close(l->wire);
    l->wire = NULL;
    uint64_t delay = l->settings.backoff_min_ns;
    for (uint32_t i = 0; i < l->failures && delay < l->settings.backoff_max_ns; i++)
        delay *= 2;
    if (delay > l->settings.backoff_max_ns)
        delay = l->settings.backoff_max_ns;
    l->failures++;
    l->until_ns = l->mono_ns + delay / 2 + random_below(delay);
    l->endpoint = (l->endpoint + 1) % l->settings.endpoints;
    enter(l, LINK_WAITING);
}

static void connect(struct link *l)
{
    struct wire_settings s = {
        .endpoint = l->settings.endpoint[l->endpoint],
        .reconnect_min_ms =
            least(l->settings.backoff_min_ns, RECONNECT_MIN_NS) / NS_PER_MS,
        .reconnect_max_ms =
            least(l->settings.backoff_max_ns, RECONNECT_MAX_NS) / NS_PER_MS,
    };
    memcpy(s.server_key, l->settings.server_key, 32);
    memcpy(s.public_key, l->settings.public_key, 32);
    memcpy(s.secret_key, l->settings.secret_key, 32);
    l->stats.endpoint = s.endpoint;
    enum status st = wire_open(l->context, &s, &l->wire);
    mem_wipe(s.secret_key, sizeof s.secret_key);
    if (st == ST_OK) {
        enter(l, LINK_CONNECTING);
        return;
    }
    if (may_report(l, TROUBLE_CONNECT))
        log_line(LOG_ERROR, "the controller cannot be reached", "endpoint=%s: %s",
                 s.endpoint, status_text(st));
    back_off(l);
}

static enum status send_message(struct link *l, const struct message *m, const void *in)
{
    buf_clear(&l->body);
    const char *fault = NULL;
    enum status st = message_encode(m, in, &l->body, &fault);
    if (st != ST_OK) {
        log_line(LOG_ERROR, "a message could not be written", "type=%s field=%s: %s",
                 m->type, fault ? fault : "-", status_text(st));
        return st;
    }
    struct envelope e = {.type = span_text(m->type), .body = buf_span(&l->body)};
    return wire_send(l->wire, &e);
}

static void greet(struct link *l)
{
    struct hello h = {
        .host = span_text(l->settings.host),
        .software = span_text(KEDGE_VERSION),
        .time_ms = l->wall_ns / NS_PER_MS,
    };
    memcpy(h.boot, l->settings.boot, 16);
    random_os_bytes(h.sess, sizeof h.sess);
    l->stats.connects++;
    l->cursor = (struct link_cursor){0};
    l->stats.in_flight = 0;
    l->hooks.session(l->hooks.self, h.sess);
    l->hooks.hello(l->hooks.self, &h);
    enter(l, LINK_GREETING);
    l->until_ns = l->mono_ns + GREETING_NS;
    l->greeted_ns = l->mono_ns;
    if (send_message(l, &hello_message, &h) != ST_OK)
        back_off(l);
}

static void watch(struct link *l)
{
    for (int i = 0; i < MESSAGES_A_TURN && l->wire; i++) {
        switch (wire_watch(l->wire)) {
        case WIRE_NOTHING:
            return;
        case WIRE_READY:
            greet(l);
            break;
        case WIRE_LOST:
            l->stats.losses += l->stats.state >= LINK_GREETING;
            lose_session(l);
            enter(l, LINK_CONNECTING);
            if (may_report(l, TROUBLE_AWAY))
                log_line(LOG_WARN, "the controller is away; entries are spooled",
                         "endpoint=%s", l->stats.endpoint);
            break;
        case WIRE_REFUSED:
            l->stats.refusals++;
            if (may_report(l, TROUBLE_REFUSED))
                log_line(LOG_ERROR, "the controller refused this agent's key",
                         "endpoint=%s: revoked, suspended, or not approved yet",
                         l->stats.endpoint);
            back_off(l);
            break;
        case WIRE_BROKEN:
            l->stats.breaks++;
            if (may_report(l, TROUBLE_BROKEN))
                log_line(LOG_ERROR,
                         "the handshake failed: server key mismatch, or no "
                         "controller at that address",
                         "endpoint=%s", l->stats.endpoint);
            back_off(l);
            break;
        }
    }
}

// --- What comes in

static void take_welcome(struct link *l, struct span body)
{
    struct welcome w;
    if (message_decode(&welcome_message, body, &l->pool, &w) != ST_OK) {
        l->stats.malformed++;
        return;
    }
    if (memcmp(w.fleet, l->settings.fleet, 16) != 0 ||
        memcmp(w.agent, l->settings.agent, 16) != 0) {
        log_line(LOG_ERROR, "the controller knows this agent by another name",
                 "endpoint=%s: enrol again", l->stats.endpoint);
        back_off(l);
        return;
    }
    l->failures = 0;
    memset(l->next_report_ns, 0, sizeof l->next_report_ns);
    l->credit = w.credit > LINK_CREDIT_MAX ? LINK_CREDIT_MAX : w.credit;
    l->entry_max = w.window_max < LINK_ENTRY_MAX ? w.window_max : LINK_ENTRY_MAX;
    // The controller read its clock somewhere between the two messages; in the middle
    // is wrong by half of the way there and back at most.
    uint64_t trip_ms = (l->mono_ns - l->greeted_ns) / NS_PER_MS;
    l->stats.offset_ms = (int64_t)(w.server_ms + trip_ms / 2 - l->wall_ns / NS_PER_MS);
    l->stats.offset_error_ms = trip_ms / 2 + 1;
    if (l->stats.offset_ms > SKEW_MS || l->stats.offset_ms < -SKEW_MS)
        log_line(LOG_WARN, "this host's clock differs from the controller's",
                 "offset_ms=%lld", (long long)l->stats.offset_ms);
    log_line(LOG_INFO, "connected", "endpoint=%s credit=%u", l->stats.endpoint,
             l->credit);
    enter(l, LINK_UP);
    l->next_beat_ns = l->mono_ns;
    l->hooks.online(l->hooks.self, true);
    l->hooks.welcome(l->hooks.self, &w);
}

// Takes it out of what is under way; false when it was not there.
static bool land(struct link *l, const struct link_place *place)
{
    for (uint32_t i = 0; i < l->stats.in_flight; i++) {
        struct flight *f = &l->flight[i];
        if (f->place.seq != place->seq || memcmp(f->place.boot, place->boot, 16) != 0)
            continue;
        l->flight[i] = l->flight[--l->stats.in_flight];
        return true;
    }
    return false;
}

static void take_ack(struct link *l, struct span body)
{
    struct ack ack;
    if (message_decode(&ack_message, body, &l->pool, &ack) != ST_OK) {
        l->stats.malformed++;
        return;
    }
    struct link_place place;
    memcpy(place.boot, ack.boot, 16);
    for (uint32_t i = 0; i < ack.dones; i++) {
        place.seq = ack.done[i];
        l->stats.acked += land(l, &place);
        l->hooks.done(l->hooks.self, &place);
    }
    for (uint32_t i = 0; i < ack.refusals; i++) {
        const struct ack_refusal *r = &ack.refused[i];
        place.seq = r->seq;
        (void)land(l, &place);
        l->stats.rejected++;
        log_line(LOG_WARN, "the controller refused an entry", "seq=%llu code=%.*s %.*s",
                 (unsigned long long)r->seq, (int)r->code.size,
                 (const char *)r->code.data, (int)r->why.size,
                 r->why.size ? (const char *)r->why.data : "");
        l->hooks.done(l->hooks.self, &place);
    }
}

static void take_one(struct link *l, const struct envelope *e)
{
    pool_clear(&l->pool);
    if (span_is(e->type, welcome_message.type) && l->stats.state == LINK_GREETING)
        take_welcome(l, e->body);
    else if (l->stats.state != LINK_UP)
        l->stats.strange++;
    else if (span_is(e->type, ack_message.type))
        take_ack(l, e->body);
    else if (span_is(e->type, "kedge.reference.v1"))
        l->hooks.reference(l->hooks.self, e->body);
    else if (span_is(e->type, "kedge.order.v1"))
        l->hooks.order(l->hooks.self, e);
    else
        l->stats.strange++;
}

static void take_all(struct link *l)
{
    for (int i = 0; i < MESSAGES_A_TURN && l->wire; i++) {
        struct envelope e;
        enum status st = wire_take(l->wire, &e);
        if (st == ST_EMPTY)
            return;
        if (st == ST_OK)
            take_one(l, &e);
        else
            l->stats.malformed++;
    }
}

// --- What goes out

static void breathe(struct link *l)
{
    if (l->mono_ns < l->next_beat_ns)
        return;
    struct beat b = {.time_ms = l->wall_ns / NS_PER_MS};
    random_os_bytes(b.hb, sizeof b.hb);
    l->hooks.beat(l->hooks.self, &b, l->boot_ns);
    l->next_beat_ns = l->mono_ns + l->settings.beat_ns;
    if (send_message(l, &beat_message, &b) == ST_OK)
        l->stats.beats++;
    else
        l->next_beat_ns = l->mono_ns + NS_PER_S;
}

// An entry that no frame can carry would close the connection each time it is sent.
static bool is_oversize(struct link *l, const struct link_item *item)
{
    size_t most = l->entry_max;
    if (item->body.size <= most && item->sigs.size <= most)
        return false;
    l->stats.oversize++;
    log_line(LOG_ERROR, "an entry is too large to be sent; it is dropped",
             "type=%.*s seq=%llu bytes=%zu most=%zu", (int)item->type.size,
             (const char *)item->type.data, (unsigned long long)item->seq,
             item->body.size, most);
    struct link_place place = {.seq = item->seq};
    memcpy(place.boot, item->boot, 16);
    l->hooks.done(l->hooks.self, &place);
    return true;
}

static void send_entries(struct link *l)
{
    while (l->stats.in_flight < l->credit) {
        struct link_cursor before = l->cursor;
        struct link_item item;
        if (l->hooks.offer(l->hooks.self, &l->cursor, &item) != ST_OK)
            return;
        if (is_oversize(l, &item))
            continue;
        struct envelope e = {.type = item.type, .body = item.body, .sigs = item.sigs};
        if (wire_send(l->wire, &e) != ST_OK) {
            l->cursor = before;
            return;
        }
        struct flight *f = &l->flight[l->stats.in_flight++];
        f->place.seq = item.seq;
        memcpy(f->place.boot, item.boot, 16);
        f->sent_ns = l->mono_ns;
        l->stats.sent++;
    }
}

static bool is_overdue(const struct link *l)
{
    if (l->stats.state == LINK_GREETING)
        return l->mono_ns >= l->until_ns;
    for (uint32_t i = 0; l->stats.state == LINK_UP && i < l->stats.in_flight; i++)
        if (l->mono_ns - l->flight[i].sent_ns >= ACK_NS)
            return true;
    return false;
}

void link_turn(struct link *l, uint64_t wall_ns, uint64_t mono_ns, uint64_t boot_ns,
               uint64_t *next_ns)
{
    l->wall_ns = wall_ns;
    l->boot_ns = boot_ns;
    if (l->mono_ns == 0)
        l->until_ns = mono_ns + random_below(l->settings.start_jitter_ns);
    l->mono_ns = mono_ns;
    if (!l->wire && mono_ns >= l->until_ns)
        connect(l);
    if (l->wire)
        watch(l);
    if (l->wire)
        take_all(l);
    if (l->wire && is_overdue(l)) {
        log_line(LOG_WARN, "the controller does not answer", "endpoint=%s",
                 l->stats.endpoint);
        back_off(l);
    }
    if (l->stats.state == LINK_UP) {
        breathe(l);
        send_entries(l);
    }
    *next_ns = mono_ns + NS_PER_S;
    if (!l->wire && l->until_ns < *next_ns)
        *next_ns = l->until_ns;
    if (l->stats.state == LINK_UP && l->next_beat_ns < *next_ns)
        *next_ns = l->next_beat_ns;
}

void link_wait(struct link *l, const int *fd, uint32_t fds, int timeout_ms)
{
    wire_wait(l->wire, fd, fds, timeout_ms);
}

struct link_stats link_stats(const struct link *l)
{
    return l->stats;
}

void link_status(const struct link *l, struct json *out)
{
    static const char *const names[] = {"waiting", "connecting", "greeting", "up"};
    const struct link_stats *s = &l->stats;
    json_object(out);
    json_key_cstr(out, "state", names[s->state]);
    json_key_time(out, "since", s->since_ns);
    json_key_cstr(out, "endpoint", s->endpoint);
    json_key_u64(out, "connects", s->connects);
    json_key_u64(out, "refusals", s->refusals);
    json_key_u64(out, "breaks", s->breaks);
    json_key_u64(out, "losses", s->losses);
    json_key_u64(out, "sent", s->sent);
    json_key_u64(out, "acked", s->acked);
    json_key_u64(out, "rejected", s->rejected);
    json_key_u64(out, "oversize", s->oversize);
    json_key_u64(out, "malformed", s->malformed);
    json_key_u64(out, "strange", s->strange);
    json_key_u64(out, "beats", s->beats);
    json_key_u64(out, "in_flight", s->in_flight);
    json_key_i64(out, "clock_offset_ms", s->offset_ms);
    json_key_u64(out, "clock_offset_error_ms", s->offset_error_ms);
    json_object_end(out);
}
