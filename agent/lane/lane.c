// SPDX-License-Identifier: Apache-2.0
#include "agent/lane/lane.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/lane/visitor.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"

#define EVENTS 64
#define HEARINGS 4 // of a turn
#define LISTENER UINT32_MAX
#define RECORDS_A_TURN 8192  // of one lane
#define RECORDS_A_GIVING 512 // then their slots are the writer's again
#define CROWDED 0.25
#define BUSY 0.125
#define SLOW_NS (50 * NS_PER_MS) // between looks at a quiet lane of SLOW_SLOTS
#define SLOW_SLOTS 16384

struct lane_door {
    char *path;
    int listener;
    int epoll;
    bool is_ours; // the socket file
    struct observation_sink sink;
    struct visitor_hooks hooks;
    struct visitor_rooms rooms;
    struct lane_stats stats;
    uint64_t patience_ns;
    uint32_t places; // of `visitor` that were in use: the others are not looked at
    struct visitor visitor[LANE_VISITORS_MAX];
};

// --- Opening

static bool may_add(void *self, struct tap *fresh);

// A socket file without a listener is left over from an agent that was killed.
static enum status remove_stale(const struct sockaddr_un *address)
{
    struct stat st;
    if (lstat(address->sun_path, &st) != 0)
        return errno == ENOENT ? ST_OK : ST_IO;
    if (!S_ISSOCK(st.st_mode))
        return ST_EXISTS;
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return ST_IO;
    int failed = connect(fd, (const struct sockaddr *)address, sizeof *address);
    int why = errno;
    close(fd);
    if (failed == 0 || why != ECONNREFUSED)
        return ST_EXISTS;
    return unlink(address->sun_path) == 0 ? ST_OK : ST_IO;
}

static enum status listen_at(struct lane_door *d, unsigned mode)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(d->path) >= sizeof address.sun_path)
        return ST_RANGE;
    strcpy(address.sun_path, d->path);
    ST_TRY(remove_stale(&address));
    d->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (d->listener < 0)
        return ST_IO;
    // The mode is set on the socket first: between bind and chmod the file would
    // otherwise be open to whomever the umask lets in.
    if (fchmod(d->listener, mode) != 0 ||
        bind(d->listener, (struct sockaddr *)&address, sizeof address) != 0)
        return ST_IO;
    d->is_ours = true;
    if (chmod(d->path, mode) != 0 || listen(d->listener, 128) != 0)
        return ST_IO;
    d->epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = LISTENER};
    if (d->epoll < 0 || epoll_ctl(d->epoll, EPOLL_CTL_ADD, d->listener, &event) != 0)
        return ST_IO;
    return ST_OK;
}

enum status lane_open(const struct lane_settings *settings,
                      const struct observation_sink *sink, struct lane_door **out)
{
    struct lane_door *d = MEM_NEW(struct lane_door);
    if (!d)
        return ST_NOMEM;
    d->listener = d->epoll = -1;
    d->sink = *sink;
    d->hooks = (struct visitor_hooks){d, may_add};
    d->patience_ns = NS_PER_S;
    d->path = mem_text(span_text(settings->path));
    enum status st = d->path ? listen_at(d, settings->mode) : ST_NOMEM;
    if (st != ST_OK) {
        lane_close(d);
        return st;
    }
    *out = d;
    return ST_OK;
}

void lane_close(struct lane_door *d)
{
    if (!d)
        return;
    for (uint32_t i = 0; i < d->places; i++)
        if (d->visitor[i].is_here)
            visitor_fini(&d->visitor[i]);
    if (d->listener >= 0)
        close(d->listener);
    if (d->epoll >= 0)
        close(d->epoll);
    if (d->is_ours)
        unlink(d->path);
    mem_free(d->path);
    mem_free(d);
}

int lane_fd(const struct lane_door *d)
{
    return d->epoll;
}

uint64_t lane_patience_ns(const struct lane_door *d)
{
    return d->patience_ns;
}

struct lane_stats lane_stats(const struct lane_door *d)
{
    struct lane_stats s = d->stats;
    for (uint32_t i = 0; i < d->places; i++) {
        s.visitors += d->visitor[i].is_here;
        s.lanes += d->visitor[i].lanes;
    }
    return s;
}

// --- Who comes and goes

// A process that lost sight of the agent hands in the same lane again. One reader only
// may stand at it.
static bool may_add(void *self, struct tap *fresh)
{
    struct lane_door *d = self;
    uint32_t lanes = 0;
    for (uint32_t i = 0; i < d->places; i++) {
        struct visitor *v = &d->visitor[i];
        for (uint32_t k = v->lanes; k-- > 0;)
            if (memcmp(v->lane[k].key, fresh->key, sizeof fresh->key) == 0)
                visitor_drop_lane(v, k);
        lanes += v->lanes;
    }
    struct source_mark mark;
    if (d->sink.resume && d->sink.resume(d->sink.self, fresh->key, &mark))
        tap_resume(fresh, &mark);
    return lanes < LANE_LANES_MAX;
}

static void send_away(struct lane_door *d, struct visitor *v, enum status why)
{
    if (why == ST_FULL)
        d->stats.refused++;
    else
        d->stats.faults++;
    log_line(LOG_WARN, "a process was sent away from its lane", "pid=%d uid=%u why=%s",
             (int)v->peer.pid, (unsigned)v->peer.uid, status_name(why));
    visitor_fini(v);
}

static struct visitor *free_place(struct lane_door *d)
{
    for (uint32_t i = 0; i < d->places; i++)
        if (!d->visitor[i].is_here)
            return &d->visitor[i];
    return d->places < LANE_VISITORS_MAX ? &d->visitor[d->places++] : NULL;
}

static void accept_all(struct lane_door *d)
{
    for (;;) {
        int fd = accept4(d->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        struct visitor *v = free_place(d);
        struct epoll_event event = {.events = EPOLLIN,
                                    .data.u32 = v ? (uint32_t)(v - d->visitor) : 0};
        if (!v || epoll_ctl(d->epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
            d->stats.refused++;
            close(fd);
            continue;
        }
        visitor_init(v, fd);
        d->stats.accepted++;
    }
}

// How many of them had something to say.
static int hear_some(struct lane_door *d)
{
    struct epoll_event event[EVENTS];
    int n = epoll_wait(d->epoll, event, EVENTS, 0);
    for (int i = 0; i < n; i++) {
        uint32_t index = event[i].data.u32;
        if (index == LISTENER) {
            accept_all(d);
            continue;
        }
        struct visitor *v = &d->visitor[index];
        if (!v->is_here || v->fd < 0)
            continue;
        enum status st = visitor_hear(v, &d->rooms, &d->hooks);
        if (st != ST_OK && st != ST_CLOSED)
            send_away(d, v, st);
    }
    return n;
}

// Who is let in is heard in the same turn.
static void hear(struct lane_door *d)
{
    for (int i = 0; i < HEARINGS && hear_some(d) > 0;)
        i++;
}

// --- Rows

// Everything that was read from a lane becomes known at once: first to the sink, for
// good, then to the writer. A kill in between is mended when the lane comes back.
static void give(struct lane_door *d, struct tap *r)
{
    if (d->sink.taken)
        d->sink.taken(d->sink.self, tap_mark(r));
    tap_give(r);
    d->sink.settle(d->sink.self);
}

static bool is_due(const struct lane_door *d)
{
    return !d->sink.is_due || d->sink.is_due(d->sink.self);
}

static void take_record(struct lane_door *d, struct form *f,
                        const struct lane_record *head, struct span rest,
                        uint64_t now_ns)
{
    struct observation o;
    if (form_read(f, head, rest, now_ns, &o) == ST_OK) {
        d->stats.rows++;
        d->sink.row(d->sink.self, &o);
    } else {
        d->stats.malformed++;
        d->sink.drop(d->sink.self, f->model, DROP_MALFORMED, 1);
    }
}

static void tell(struct lane_door *d, struct span model, enum drop_reason why,
                 uint64_t rows, uint64_t *sum)
{
    *sum += rows;
    if (rows > 0)
        d->sink.drop(d->sink.self, model, why, rows);
}

static void take_losses(struct lane_door *d, const struct visitor *v, struct tap *r)
{
    struct tap_losses l;
    if (!tap_has_losses(r))
        return;
    for (uint32_t i = 0; i < LANE_MODELS_MAX; i++) {
        if (!tap_losses(r, i, &l)) {
            give(d, r);
            (void)tap_losses(r, i, &l);
        }
        struct span model = v->form[i] ? v->form[i]->model : span_text("");
        tell(d, model, DROP_LANE, l.full, &d->stats.full);
        tell(d, model, DROP_MALFORMED, l.refused, &d->stats.malformed);
        d->stats.beside += l.beside;
        if (l.full + l.refused > 0 && is_due(d))
            give(d, r);
    }
    give(d, r);
}

// Up to `most` records. As read_lane.
static enum status read_some(struct lane_door *d, const struct visitor *v,
                             struct tap *r, uint64_t now_ns, uint32_t most)
{
    for (uint32_t i = 0; i < most; i++) {
        struct lane_record head;
        struct span rest;
        ST_TRY(tap_next(r, &head, &rest));
        if (head.model >= LANE_MODELS_MAX)
            return ST_CORRUPT;
        if (!v->form[head.model])
            return ST_NOTFOUND;
        tap_pass(r, &head);
        take_record(d, v->form[head.model], &head, rest, now_ns);
        if (is_due(d))
            return ST_OK;
    }
    return ST_OK;
}

// ST_OK: more is there; ST_EMPTY: it is read to its end; ST_NOTFOUND: a row of a model
// that is not known yet; ST_CORRUPT.
static enum status read_lane(struct lane_door *d, const struct visitor *v,
                             struct tap *r, uint64_t now_ns)
{
    ST_TRY(tap_look(r));
    take_losses(d, v, r);
    uint64_t begin = r->tail, records = d->stats.rows + d->stats.malformed;
    for (;;) {
        uint64_t before = r->tail;
        enum status st = read_some(d, v, r, now_ns, RECORDS_A_GIVING);
        if (r->tail != before)
            give(d, r);
        bool is_enough =
            d->stats.rows + d->stats.malformed - records >= RECORDS_A_TURN ||
            r->tail - begin > r->slots;
        if (st != ST_OK || is_enough)
            return st;
    }
}

// A model is made known before its first row is written, so a row of an unknown one
// has to wait for a turn at most. After that somebody lies.
static bool is_at_fault(struct visitor *v, struct tap *r, enum status st)
{
    bool waited = r->is_waiting;
    r->is_waiting = st == ST_NOTFOUND && v->fd >= 0;
    return st == ST_CORRUPT || (r->is_waiting && waited);
}

// Raises the pace to what this lane needs. Many rows at a time are cheaper, since each
// turn finds the processor's caches cold; but a burst must find room until the next.
static void keep_pace(struct lane_door *d, uint64_t taken, uint32_t slots)
{
    double share = (double)taken / slots;
    uint64_t slow = SLOW_NS * slots / SLOW_SLOTS;
    uint64_t wish = share > CROWDED  ? NS_PER_MS
                    : share > BUSY   ? 10 * NS_PER_MS
                    : slow < SLOW_NS ? slow
                                     : SLOW_NS;
    if (wish < d->patience_ns)
        d->patience_ns = wish;
}

// Whether more is to be read.
static bool read_visitor(struct lane_door *d, struct visitor *v, uint64_t now_ns)
{
    bool is_more = false;
    for (uint32_t i = v->lanes; i-- > 0;) {
        struct tap *r = &v->lane[i];
        uint64_t before = r->tail;
        enum status st = read_lane(d, v, r, now_ns);
        is_more = is_more || st == ST_OK;
        keep_pace(d, r->tail - before, r->slots);
        if (is_at_fault(v, r, st)) {
            d->stats.faults++;
            log_line(LOG_WARN, "a lane makes no sense and is left", "pid=%d uid=%u",
                     (int)v->peer.pid, (unsigned)v->peer.uid);
            visitor_drop_lane(v, i);
        } else if (v->fd < 0 && st != ST_OK) {
            visitor_drop_lane(v, i); // read to its end, and nobody writes any more
        }
    }
    if (v->fd < 0 && v->lanes == 0)
        visitor_fini(v);
    return is_more;
}

bool lane_turn(struct lane_door *d, uint64_t now_ns)
{
    bool is_more = false;
    d->patience_ns = NS_PER_S;
    hear(d);
    for (uint32_t i = 0; i < d->places; i++)
        if (d->visitor[i].is_here)
            is_more = read_visitor(d, &d->visitor[i], now_ns) || is_more;
    return is_more;
}
