// Fleet: a table by agent id, one by agent and model, and a wheel.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/fleet/fleet.h"

#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/table.h"

#define TWIN_AGAIN_NS (3600 * NS_PER_S)
#define WINDOWS_SILENT 3u

struct fleet {
    struct table *agent, *model;
    struct wheel wheel;
    struct fleet_times times;
    uint64_t wall_ns, mono_ns;
};

enum status fleet_open(const struct fleet_times *times, struct fleet **out)
{
    struct fleet *f = MEM_NEW(struct fleet);
    if (!f)
        return ST_NOMEM;
    if (times)
        f->times = *times;
    if (f->times.silence_ns == 0)
        f->times.silence_ns = FLEET_SILENCE_NS;
    if (f->times.grace_ns == 0)
        f->times.grace_ns = FLEET_GRACE_NS;
    if (f->times.model_silence_ns == 0)
        f->times.model_silence_ns = FLEET_MODEL_SILENCE_NS;
    enum status st = table_open(FLEET_AGENTS_MAX, &f->agent);
    if (st == ST_OK)
        st = table_open(FLEET_MODELS_MAX, &f->model);
    if (st != ST_OK) {
        fleet_close(f);
        return st;
    }
    *out = f;
    return ST_OK;
}

void fleet_close(struct fleet *f)
{
    if (!f)
        return;
    if (f->model)
        table_close(f->model, mem_free);
    if (f->agent)
        table_close(f->agent, mem_free);
    mem_free(f);
}

void fleet_now(struct fleet *f, uint64_t wall_ns, uint64_t mono_ns)
{
    if (f->mono_ns == 0)
        wheel_init(&f->wheel, mono_ns);
    f->wall_ns = wall_ns;
    f->mono_ns = mono_ns;
}

static struct fleet_agent *find(const struct fleet *f, const uint8_t agent[16])
{
    return table_get(f->agent, span_of(agent, 16));
}

static void enter(struct fleet *f, struct fleet_agent *a, enum fleet_state state)
{
    if (a->state != state)
        a->state_ns = f->wall_ns;
    a->state = state;
}

static bool is_skewed(const struct fleet_agent *a)
{
    return a->skew_ms > FLEET_SKEW_MS || a->skew_ms < -FLEET_SKEW_MS;
}

// A sign of life. The timer stays where it is: when it is met it looks at this.
static void see(struct fleet *f, struct fleet_agent *a)
{
    a->seen_ns = f->wall_ns;
    a->seen_mono = f->mono_ns;
    enter(f, a, is_skewed(a) ? FLEET_SKEWED : FLEET_ALIVE);
    if (!a->timer.link)
        wheel_set(&f->wheel, &a->timer, f->mono_ns + f->times.silence_ns);
}

static int64_t skew(uint64_t theirs_ms, uint64_t wall_ns)
{
    return (int64_t)(theirs_ms - wall_ns / NS_PER_MS);
}

// --- Sessions

// Whether this start was followed by another one already: then both are running.
static bool is_back(const struct fleet_agent *a, const uint8_t boot[16])
{
    static const uint8_t none[16];
    for (uint32_t i = 1; i < FLEET_BOOTS; i++)
        if (memcmp(a->known[i].boot, boot, 16) == 0 && memcmp(boot, none, 16) != 0)
            return true;
    return false;
}

static void put_first(struct fleet_agent *a, const struct fleet_boot *boot)
{
    uint32_t at = 0;
    while (at + 1 < FLEET_BOOTS && memcmp(a->known[at].boot, boot->boot, 16) != 0)
        at++;
    memmove(&a->known[1], &a->known[0], at * sizeof a->known[0]);
    a->known[0] = *boot;
}

static bool note_boot(struct fleet *f, struct fleet_agent *a, const struct hello *h,
                      const char *address)
{
    struct fleet_boot boot = {0};
    memcpy(boot.boot, h->boot, sizeof boot.boot);
    (void)snprintf(boot.host, sizeof boot.host, "%s", a->host);
    (void)snprintf(boot.address, sizeof boot.address, "%s", address ? address : "");
    bool is_twin = is_back(a, h->boot), is_news = false;
    if (is_twin) {
        is_news = a->twin_ns == 0 || f->wall_ns - a->twin_ns > TWIN_AGAIN_NS;
        a->twin = a->known[0];
        a->twin_ns = f->wall_ns;
    }
    put_first(a, &boot);
    return is_news;
}

static enum status find_or_make(struct fleet *f, const uint8_t agent[16],
                                struct fleet_agent **out)
{
    *out = find(f, agent);
    if (*out)
        return ST_OK;
    struct fleet_agent *a = MEM_NEW(struct fleet_agent);
    if (!a)
        return ST_NOMEM;
    memcpy(a->agent, agent, sizeof a->agent);
    enum status st = table_put(f->agent, span_of(agent, 16), a);
    if (st != ST_OK) {
        mem_free(a);
        return st;
    }
    a->state_ns = f->wall_ns;
    *out = a;
    return ST_OK;
}

enum status fleet_hello(struct fleet *f, const uint8_t agent[16], const struct hello *h,
                        const char *address, bool *is_twin)
{
    struct fleet_agent *a;
    ST_TRY(find_or_make(f, agent, &a));
    memcpy(a->boot, h->boot, sizeof a->boot);
    memcpy(a->sess, h->sess, sizeof a->sess);
    memset(a->hb, 0, sizeof a->hb);
    size_t size = h->host.size < sizeof a->host ? h->host.size : sizeof a->host - 1;
    if (size > 0)
        memcpy(a->host, h->host.data, size);
    a->host[size] = '\0';
    a->told = 0;
    a->gone_mono = 0;
    a->hello_ns = f->wall_ns;
    a->skew_ms = skew(h->time_ms, f->wall_ns);
    *is_twin = note_boot(f, a, h, address);
    see(f, a);
    return ST_OK;
}

bool fleet_beat(struct fleet *f, const uint8_t agent[16], const struct beat *b)
{
    struct fleet_agent *a = find(f, agent);
    if (!a)
        return false;
    bool is_first = !fleet_has_beat(a);
    memcpy(a->hb, b->hb, sizeof a->hb);
    a->skew_ms = skew(b->time_ms, f->wall_ns);
    a->spool_entries = b->spool_entries;
    a->spool_bytes = b->spool_bytes;
    see(f, a);
    // What it says that it serves is expected to speak, from now on.
    for (uint32_t i = 0; i < b->models; i++)
        fleet_window(f, agent, b->model[i].model, 0, 0);
    return is_first;
}

bool fleet_has_beat(const struct fleet_agent *a)
{
    static const uint8_t none[16];
    return memcmp(a->hb, none, sizeof none) != 0;
}

void fleet_told(struct fleet *f, const uint8_t agent[16], uint32_t models)
{
    struct fleet_agent *a = find(f, agent);
    if (a)
        a->told = models;
}

void fleet_seen(struct fleet *f, const uint8_t agent[16])
{
    struct fleet_agent *a = find(f, agent);
    if (a)
        see(f, a);
}

void fleet_gone(struct fleet *f, const uint8_t agent[16])
{
    struct fleet_agent *a = find(f, agent);
    if (!a)
        return;
    a->gone_mono = f->mono_ns;
    wheel_set(&f->wheel, &a->timer, f->mono_ns + f->times.grace_ns);
}

// --- Models

static struct span model_key(uint8_t out[16 + 128], const uint8_t agent[16],
                             struct span name)
{
    size_t size = name.size < 128 ? name.size : 128;
    memcpy(out, agent, 16);
    if (size > 0)
        memcpy(out + 16, name.data, size);
    return span_of(out, 16 + size);
}

static struct fleet_model *want_model(struct fleet *f, struct fleet_agent *a,
                                      struct span name)
{
    uint8_t raw[16 + 128];
    struct span key = model_key(raw, a->agent, name);
    struct fleet_model *m = table_get(f->model, key);
    if (m)
        return m;
    m = MEM_NEW(struct fleet_model);
    if (!m || table_put(f->model, key, m) != ST_OK) {
        mem_free(m);
        return NULL;
    }
    m->is_model = true;
    m->agent = a;
    m->next = a->models;
    a->models = m;
    memcpy(m->name, raw + 16, key.size - 16);
    m->rows_mono = f->mono_ns;
    m->limit_ns = f->times.model_silence_ns;
    wheel_set(&f->wheel, &m->timer, f->mono_ns + m->limit_ns);
    return m;
}

void fleet_window(struct fleet *f, const uint8_t agent[16], struct span model,
                  uint64_t length_ns, uint64_t rows)
{
    struct fleet_agent *a = find(f, agent);
    struct fleet_model *m = a ? want_model(f, a, model) : NULL;
    if (!m || rows == 0)
        return;
    uint64_t limit = length_ns < UINT64_MAX / WINDOWS_SILENT
                         ? WINDOWS_SILENT * length_ns
                         : UINT64_MAX / 2;
    m->limit_ns = limit > f->times.model_silence_ns ? limit : f->times.model_silence_ns;
    m->rows_mono = f->mono_ns;
    m->rows_ns = f->wall_ns;
    m->is_silent = false;
    if (!m->timer.link)
        wheel_set(&f->wheel, &m->timer, f->mono_ns + m->limit_ns);
}

static void drop_models(struct fleet *f, const struct fleet_agent *a)
{
    struct fleet_model *m = a->models;
    while (m) {
        uint8_t raw[16 + 128];
        struct fleet_model *next = m->next;
        wheel_cancel(&m->timer);
        (void)table_take(f->model, model_key(raw, a->agent, span_text(m->name)));
        mem_free(m);
        m = next;
    }
}

void fleet_forget(struct fleet *f, const uint8_t agent[16])
{
    struct fleet_agent *a = table_take(f->agent, span_of(agent, 16));
    if (!a)
        return;
    drop_models(f, a);
    wheel_cancel(&a->timer);
    mem_free(a);
}

// --- Time goes by

static bool judge_agent(struct fleet *f, struct fleet_agent *a)
{
    enum fleet_state before = a->state;
    uint64_t silent = f->mono_ns - a->seen_mono;
    bool has_gone = a->gone_mono != 0 && f->mono_ns - a->gone_mono >= f->times.grace_ns;
    // An end that was seen long after the last sign of life is the system's own, given
    // up after its probes went unanswered: that is the link.
    bool was_alive =
        a->gone_mono != 0 && a->gone_mono - a->seen_mono < f->times.silence_ns;
    if (has_gone && was_alive)
        enter(f, a, FLEET_DEAD);
    else if (has_gone || silent >= f->times.silence_ns)
        enter(f, a, FLEET_LINK_DOWN);
    else
        wheel_set(&f->wheel, &a->timer,
                  a->gone_mono ? a->gone_mono + f->times.grace_ns
                               : a->seen_mono + f->times.silence_ns);
    return a->state != before;
}

// Of an agent that is not there it is the agent that is told, not each of its models.
static bool judge_model(struct fleet *f, struct fleet_model *m)
{
    bool is_there = m->agent->state <= FLEET_SKEWED && m->agent->gone_mono == 0;
    if (is_there && f->mono_ns - m->rows_mono >= m->limit_ns) {
        m->is_silent = true;
        return true;
    }
    uint64_t due = m->rows_mono + m->limit_ns;
    if (due <= f->mono_ns)
        due = f->mono_ns + m->limit_ns;
    wheel_set(&f->wheel, &m->timer, due);
    return false;
}

bool fleet_turn(struct fleet *f, struct fleet_change *out)
{
    struct wheel_timer *t;
    while ((t = wheel_next(&f->wheel, f->mono_ns))) {
        // Both begin with their timer and say behind it which of the two they are.
        struct fleet_agent *a = (struct fleet_agent *)(void *)t;
        struct fleet_model *m = (struct fleet_model *)(void *)t;
        *out = (struct fleet_change){0};
        if (!a->is_model && judge_agent(f, a)) {
            out->agent = a;
            return true;
        }
        if (a->is_model && judge_model(f, m)) {
            out->model = m;
            return true;
        }
    }
    return false;
}

// --- Looking

const struct fleet_agent *fleet_get(const struct fleet *f, const uint8_t agent[16])
{
    return find(f, agent);
}

const struct fleet_agent *fleet_next(const struct fleet *f, size_t *at)
{
    void *value;
    return table_next(f->agent, at, NULL, &value) ? value : NULL;
}

const struct fleet_model *fleet_next_model(const struct fleet *f, size_t *at)
{
    void *value;
    return table_next(f->model, at, NULL, &value) ? value : NULL;
}

bool fleet_is_alive(const struct fleet_agent *a, uint64_t wall_ns)
{
    return wall_ns < a->seen_ns || wall_ns - a->seen_ns < FLEET_SILENCE_NS;
}

const char *fleet_state_name(enum fleet_state s)
{
    static const char *const names[FLEET_STATES] = {"alive", "skewed", "link down",
                                                    "dead"};
    return s < FLEET_STATES ? names[s] : "unknown";
}
