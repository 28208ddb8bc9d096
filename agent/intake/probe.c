// SPDX-License-Identifier: Apache-2.0
#include "agent/intake/probe.h"

#include <limits.h>
#include <math.h>
#include <string.h>

#include "agent/intake/process.h"
#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/mem.h"
#include "common/base/text.h"

#define FIGURES_MAX 16
#define CGROUP_BYTES_MAX (16u << 10)

struct cgroup {
    double usage_s, periods, throttled, oom_kills; // totals; NaN: not known
    double memory_mib;
};

struct probe {
    struct probe_settings settings;
    struct observation_sink sink;
    uint64_t next_ns;
    uint64_t looked_ns; // the last time; 0: never
    uint64_t seen_ns;   // when the server was there last; 0: never
    bool is_up;
    struct process last; // valid while is_up
    struct cgroup group;
    struct datum datum[FIGURES_MAX];
    uint32_t n;
    struct probe_stats stats;
};

enum status probe_open(const struct probe_settings *settings,
                       const struct observation_sink *sink, struct probe **out)
{
    if (!settings->model || (!settings->pidfile && !settings->cgroup))
        return ST_RANGE;
    struct probe *p = MEM_NEW(struct probe);
    if (!p)
        return ST_NOMEM;
    p->settings = *settings;
    p->sink = *sink;
    *out = p;
    return ST_OK;
}

void probe_close(struct probe *p)
{
    mem_free(p);
}

struct probe_stats probe_stats(const struct probe *p)
{
    return p->stats;
}

static void add(struct probe *p, const char *name, double v)
{
    if (!isfinite(v) || p->n == FIGURES_MAX)
        return;
    p->datum[p->n++] = (struct datum){.name = span_text(name),
                                      .side = SIDE_SIGNAL,
                                      .kind = DATUM_NUMBER,
                                      .number = v};
}

// --- The processes

static void tell_present(struct probe *p, const struct process *now, uint64_t now_ns)
{
    bool is_same = p->is_up && now->began == p->last.began;
    bool is_restart = p->seen_ns != 0 && now->began != p->last.began;
    double seconds = (double)(now_ns - p->looked_ns) / 1e9;
    p->stats.restarts += is_restart;
    add(p, "up", 1);
    add(p, "restart", is_restart);
    if (is_restart)
        add(p, "recovery_s", (double)(now_ns - p->seen_ns) / 1e9);
    if (is_same && now->cpu_s >= p->last.cpu_s && seconds > 0)
        add(p, "cpu", (now->cpu_s - p->last.cpu_s) / seconds);
    add(p, "rss_mib", now->rss_mib);
    add(p, "fds", now->fds);
    add(p, "threads", now->threads);
    add(p, "processes", now->processes);
    p->last = *now;
    p->is_up = true;
    p->seen_ns = now_ns;
}

static void look_at_processes(struct probe *p, uint64_t now_ns)
{
    struct process now;
    uint64_t pid;
    enum status st = process_of_file(p->settings.pidfile, &pid);
    if (st == ST_OK)
        st = process_look(pid, PROBE_PROCESSES_MAX, PROBE_FDS_MAX, &now);
    p->stats.pid = st == ST_OK ? pid : 0;
    p->stats.processes = st == ST_OK ? (uint64_t)now.processes : 0;
    if (st == ST_OK) {
        tell_present(p, &now, now_ns);
        return;
    }
    p->stats.absences++;
    p->is_up = false;
    add(p, "up", 0);
    add(p, "restart", 0);
}

// --- The cgroup

static enum status read_file(const struct probe *p, const char *name, struct buf *out)
{
    char path[PATH_MAX];
    buf_init(out, CGROUP_BYTES_MAX);
    enum status st = file_join(p->settings.cgroup, name, path, sizeof path);
    return st == ST_OK ? file_read(path, out) : st;
}

// "NAME NUMBER" on a line of its own; NaN when it is not there.
static double find(struct span text, const char *name)
{
    size_t size = strlen(name);
    double v = NAN;
    while (text.size > 0) {
        const uint8_t *nl = memchr(text.data, '\n', text.size);
        size_t line = nl ? (size_t)(nl - text.data) : text.size;
        if (line > size + 1 && memcmp(text.data, name, size) == 0 &&
            text.data[size] == ' ' &&
            text_f64(span_of(text.data + size + 1, line - size - 1), &v) == ST_OK)
            return v;
        line += nl != NULL;
        text = span_of(text.data + line, text.size - line);
    }
    return NAN;
}

static struct cgroup read_cgroup(const struct probe *p)
{
    struct cgroup g = {NAN, NAN, NAN, NAN, NAN};
    struct buf text;
    if (read_file(p, "cpu.stat", &text) == ST_OK) {
        g.usage_s = find(buf_span(&text), "usage_usec") / 1e6;
        g.periods = find(buf_span(&text), "nr_periods");
        g.throttled = find(buf_span(&text), "nr_throttled");
    }
    buf_fini(&text);
    if (read_file(p, "memory.events", &text) == ST_OK)
        g.oom_kills = find(buf_span(&text), "oom_kill");
    buf_fini(&text);
    if (read_file(p, "memory.current", &text) == ST_OK) {
        struct span s = buf_span(&text);
        double v;
        s.size -= s.size > 0 && s.data[s.size - 1] == '\n';
        g.memory_mib = text_f64(s, &v) == ST_OK ? v / 1048576 : NAN;
    }
    buf_fini(&text);
    return g;
}

static void look_at_cgroup(struct probe *p, uint64_t now_ns)
{
    struct cgroup now = read_cgroup(p);
    const struct cgroup *last = &p->group;
    double seconds = (double)(now_ns - p->looked_ns) / 1e9;
    add(p, "cgroup.memory_mib", now.memory_mib);
    if (p->looked_ns != 0 && seconds > 0) {
        double used = now.usage_s - last->usage_s;
        double periods = now.periods - last->periods;
        double kills = now.oom_kills - last->oom_kills;
        add(p, "cgroup.cpu", used >= 0 ? used / seconds : NAN);
        add(p, "cgroup.throttled",
            periods > 0 ? (now.throttled - last->throttled) / periods : NAN);
        add(p, "cgroup.oom_kills", kills >= 0 ? kills : NAN);
    }
    p->group = now;
}

void probe_turn(struct probe *p, uint64_t now_ns)
{
    uint64_t interval = p->settings.interval_ns;
    if (now_ns < p->next_ns && now_ns + interval >= p->next_ns)
        return; // the second: the clock was not set back
    p->next_ns = now_ns + interval;
    p->n = 0;
    if (p->settings.pidfile)
        look_at_processes(p, now_ns);
    if (p->settings.cgroup)
        look_at_cgroup(p, now_ns);
    p->looked_ns = now_ns;
    p->stats.looks++;
    const struct observation o = {.model = span_text(p->settings.model),
                                  .version = span_text(p->settings.version),
                                  .t = now_ns,
                                  .weight = 1,
                                  .value = p->datum,
                                  .values = p->n};
    if (p->n > 0)
        p->sink.row(p->sink.self, &o);
    p->sink.settle(p->sink.self);
}
