// The running agent: opened from its folder, turned until it is told to stop.
//
// SPDX-License-Identifier: Apache-2.0
#include "agent/agent.h"

#include <limits.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "agent/trim.h"
#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/hash.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/text.h"

#define SPOOL_EVERY_NS NS_PER_S
#define TRIM_AFTER_NS NS_PER_S     // when the start is over
#define LAST_TURNS 16              // of the doors, then
#define FAREWELL_NS (2 * NS_PER_S) // for what is under way when it is told to stop

static void read_clocks(struct agent *a)
{
    a->now = (struct instant){clock_wall_ns(), clock_mono_ns(), clock_boot_ns()};
}

// --- Opening

static void choose_host(struct agent *a)
{
    const char *host =
        a->settings.host && a->settings.host[0] ? a->settings.host : a->grant->host;
    (void)snprintf(a->host, sizeof a->host, "%.128s", host);
    if (!a->host[0] && gethostname(a->host, sizeof a->host - 1) != 0)
        a->host[0] = '\0';
    if (!text_is_name(span_text(a->host)))
        (void)snprintf(a->host, sizeof a->host, "localhost");
}

static enum status open_spool(struct agent *a)
{
    char folder[PATH_MAX];
    ST_TRY(agent_path(a, "spool", folder, sizeof folder));
    ST_TRY(file_make_folder(folder, 0700));
    struct spool_settings s = {
        .folder = folder,
        .bytes_max = a->settings.spool.size_bytes,
        .memory_max = a->settings.spool.memory_bytes,
        .windows_max = (uint32_t)a->settings.spool.windows,
        .boot = a->boot,
    };
    return spool_open(&s, &a->spool);
}

// kedge-exec beside this program, or where packages put it; without it the agent starts
// itself for the same work.
static const char *find_helper(void)
{
    static char path[PATH_MAX];
    static const char name[] = "kedge-exec",
                      packaged[] = "/usr/libexec/kedge/kedge-exec";
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - sizeof name);
    while (n > 0 && path[n - 1] != '/')
        n--;
    if (n > 0) {
        memcpy(path + n, name, sizeof name);
        if (access(path, X_OK) == 0)
            return path;
    }
    return access(packaged, X_OK) == 0 ? packaged : "/proc/self/exe";
}

static void fill_act(struct agent *a, const struct settings *from,
                     struct act_settings *s)
{
    *s = (struct act_settings){
        .journal = a->journal,
        .executors = a->executors,
        .program = find_helper(),
        .sign_seed = a->grant->sign.secret,
        .ring = &a->grant->ring,
        .grant = a->grant->told.model,
        .grants = a->grant->told.models,
        .policy = &a->settings.policy,
        .model = a->model,
        .models = (uint32_t)from->models.count,
    };
    memcpy(s->fleet, a->grant->told.fleet, 16);
    memcpy(s->agent, a->grant->told.agent, 16);
    for (size_t i = 0; i < from->models.count; i++) {
        const struct model_section *m = settings_model(from, i);
        a->model[i] = (struct act_model){m->name, agent_text(m->executor)};
    }
}

static enum status open_act(struct agent *a, struct buf *why)
{
    char error[512];
    struct act_settings s;
    struct act_hooks hooks = agent_act_hooks(a);
    ST_TRY(agent_path(a, "journal", a->journal, sizeof a->journal));
    ST_TRY(agent_path(a, a->settings.executors, a->executors, sizeof a->executors));
    fill_act(a, &a->settings, &s);
    if (spool_state_get(a->spool, span_text(ACT_STATE_KEY), &s.issued) != ST_OK)
        s.issued = span_text("");
    enum status st = act_open(&s, &hooks, &a->act, error, sizeof error);
    if (st != ST_OK)
        buf_printf(why, "%s", error);
    return st;
}

static enum status open_link(struct agent *a, struct buf *why)
{
    static char endpoint[ENROL_ENDPOINTS_MAX][256];
    const struct enrol_grant *told = &a->grant->told;
    struct link_settings s = {
        .host = a->host,
        .backoff_min_ns = a->settings.link.backoff_min_ns,
        .backoff_max_ns = a->settings.link.backoff_max_ns,
        .start_jitter_ns = a->settings.link.start_jitter_ns,
        .beat_ns = a->settings.link.beat_ns,
    };
    memcpy(s.server_key, told->server_curve, 32);
    memcpy(s.public_key, a->grant->curve.pub, 32);
    memcpy(s.secret_key, a->grant->curve.secret, 32);
    memcpy(s.fleet, told->fleet, 16);
    memcpy(s.agent, told->agent, 16);
    memcpy(s.boot, a->boot, 16);
    for (uint32_t i = 0; i < told->endpoints && i < ENROL_ENDPOINTS_MAX; i++) {
        if (told->endpoint[i].size >= sizeof endpoint[0])
            continue;
        memcpy(endpoint[i], told->endpoint[i].data, told->endpoint[i].size);
        s.endpoint[s.endpoints++] = endpoint[i];
    }
    struct link_hooks hooks = agent_link_hooks(a);
    enum status st = link_open(&s, &hooks, &a->link);
    mem_wipe(s.secret_key, sizeof s.secret_key);
    if (st != ST_OK)
        buf_printf(why, "link: %s", status_text(st));
    return st;
}

static void answer(void *self, struct span line, struct buf *out);

static enum status open_parts(struct agent *a, struct buf *why)
{
    char path[PATH_MAX];
    random_os_bytes(a->boot, sizeof a->boot);
    read_clocks(a);
    a->started_ns = a->now.wall_ns;
    ST_TRY(grant_open(a->folder, &a->grant, why));
    ST_TRY(settings_read(a->folder, &a->settings, why));
    choose_host(a);
    ST_TRY(service_open(&a->service));
    ST_TRY(open_spool(a));
    ST_TRY(agent_open_models(a, why));
    ST_TRY(open_act(a, why));
    ST_TRY(open_link(a, why));
    ST_TRY(agent_path(a, "status.sock", path, sizeof path));
    return status_open(path, answer, a, &a->status);
}

enum status agent_open(const char *folder, struct agent **out, struct buf *why)
{
    struct agent *a = MEM_NEW(struct agent);
    if (!a)
        return ST_NOMEM;
    a->folder = folder;
    enum status st = open_parts(a, why);
    if (st != ST_OK) {
        if (why->size == 0)
            buf_printf(why, "%s: %s", folder, status_text(st));
        agent_close(a);
        return st;
    }
    *out = a;
    return ST_OK;
}

void agent_close(struct agent *a)
{
    if (!a)
        return;
    status_close(a->status);
    link_close(a->link);
    act_close(a->act);
    doors_close(a->doors);
    registry_close(a->registry);
    spool_close(a->spool);
    service_close(a->service);
    settings_free(&a->settings);
    grant_close(a->grant);
    mem_free(a);
}

enum status agent_check(const char *folder, struct buf *why)
{
    struct settings settings = {0};
    struct grant *grant = NULL;
    struct executors executors = {0};
    char path[PATH_MAX], error[512] = "";
    enum status st = settings_read(folder, &settings, why);
    if (st != ST_OK)
        return st;
    const char *name = settings.executors;
    st = name[0] == '/' ? (snprintf(path, sizeof path, "%s", name), ST_OK)
                        : file_join(folder, name, path, sizeof path);
    if (st == ST_OK)
        st = executors_open(path, &executors, error, sizeof error);
    for (size_t i = 0; st == ST_OK && i < settings.models.count; i++) {
        const struct model_section *m = settings_model(&settings, i);
        if (agent_text(m->executor) &&
            !executors_find(&executors, span_text(m->executor))) {
            (void)snprintf(error, sizeof error, "model %.128s: no executor %.128s",
                           m->name, m->executor);
            st = ST_RANGE;
        }
    }
    if (st != ST_OK)
        buf_printf(why, "%s", error);
    else
        st = grant_open(folder, &grant, why);
    grant_close(grant);
    executors_close(&executors);
    settings_free(&settings);
    return st;
}

// --- Status

static void unlock(struct agent *a, struct span model, struct json *out)
{
    enum status st = act_unlock(a->act, model);
    json_object(out);
    json_key_text(out, "model", model);
    json_key_bool(out, "unlocked", st == ST_OK);
    json_key_cstr(out, "error", st == ST_OK ? NULL : status_text(st));
    json_object_end(out);
}

static void accept(struct agent *a, struct span model, struct json *out)
{
    enum status st = registry_accept(a->registry, model);
    json_object(out);
    json_key_text(out, "model", model);
    json_key_bool(out, "accepted", st == ST_OK);
    json_key_cstr(out, "error", st == ST_OK ? NULL : status_text(st));
    json_object_end(out);
}

static void describe(struct agent *a, struct json *out)
{
    json_object(out);
    json_key_cstr(out, "version", KEDGE_VERSION);
    json_key_cstr(out, "host", a->host);
    json_key_hex(out, "agent", span_of(a->grant->told.agent, 16));
    json_key_hex(out, "fleet", span_of(a->grant->told.fleet, 16));
    json_key_hex(out, "boot", span_of(a->boot, 16));
    json_key_time(out, "started", a->started_ns);
    json_key(out, "link");
    link_status(a->link, out);
    json_key(out, "spool");
    spool_status(a->spool, out);
    json_key(out, "intake");
    registry_status(a->registry, out);
    json_key(out, "doors");
    doors_status(a->doors, out);
    json_key(out, "limits");
    limits_status(&a->limits, out);
    json_key(out, "orders");
    act_status(a->act, out);
    json_object_end(out);
}

// Whether the line is that verb; *rest is the word behind it.
static bool is_verb(struct span line, const char *verb, struct span *rest)
{
    size_t size = strlen(verb);
    if (line.size <= size + 1 || memcmp(line.data, verb, size) != 0 ||
        line.data[size] != ' ')
        return false;
    *rest = span_of(line.data + size + 1, line.size - size - 1);
    return true;
}

static void answer(void *self, struct span line, struct buf *out)
{
    struct agent *a = self;
    struct span model;
    struct json j;
    json_init(&j, out);
    if (is_verb(line, "unlock", &model))
        unlock(a, model, &j);
    else if (is_verb(line, "accept", &model))
        accept(a, model, &j);
    else
        describe(a, &j);
    buf_put_text(out, "\n");
}

// --- Turning

static void take_limits(struct agent *a)
{
    a->limits.memory_bytes = a->settings.limits.memory_bytes;
    a->limits.cpu_percent = a->settings.limits.cpu_percent;
}

// Validated as a whole before anything changes; what cannot change while running is
// said.
static void reload(struct agent *a)
{
    char error[512];
    struct buf why;
    struct settings fresh = {0}, old;
    struct act_settings s;
    buf_init(&why, 4096);
    service_reloading(a->service, a->now.mono_ns);
    enum status st = settings_read(a->folder, &fresh, &why);
    if (st != ST_OK) {
        log_line(LOG_ERROR, "the old configuration stays", "%s", buf_cstr(&why));
    } else {
        old = a->settings;
        a->settings = fresh;
        fill_act(a, &a->settings, &s);
        st = act_reload(a->act, &s, error, sizeof error);
        if (st != ST_OK) {
            log_line(LOG_ERROR, "the old configuration stays", "%s", error);
            a->settings = old;
            fill_act(a, &a->settings, &s);
            settings_free(&fresh);
        }
    }
    for (size_t i = 0; st == ST_OK && i < a->settings.models.count; i++)
        if (agent_add_model(a, settings_model(&a->settings, i)) == ST_OK)
            log_line(LOG_INFO, "model added", "model=%s",
                     settings_model(&a->settings, i)->name);
    if (st == ST_OK) {
        take_limits(a);
        // The doors and the link keep what they were opened with until a restart, and
        // the doors borrow their texts from the old settings: these move to the new
        // ones.
        struct conf_many doors = old.doors;
        old.doors = a->settings.doors;
        a->settings.doors = doors;
        settings_free(&old);
        log_line(
            LOG_INFO, "configuration read again",
            "new models, executors, limits and local_policy are in force; doors, link, "
            "spool and what is said of known models want a restart");
    }
    buf_fini(&why);
    service_ready(a->service, "running");
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

// One turn of everything; gives how long it may sleep afterwards, in ns.
static uint64_t turn(struct agent *a)
{
    uint64_t next_wall, next_act, next_link;
    read_clocks(a);
    registry_now(a->registry, a->now.wall_ns);
    bool is_more = doors_turn(a->doors, a->now.wall_ns);
    registry_turn(a->registry, a->now.wall_ns, &next_wall);
    if (a->now.mono_ns >= a->next_spool_ns) {
        spool_turn(a->spool, a->now.wall_ns);
        a->next_spool_ns = a->now.mono_ns + SPOOL_EVERY_NS;
    }
    act_turn(a->act, a->now, &next_act);
    link_turn(a->link, a->now.wall_ns, a->now.mono_ns, a->now.boot_ns, &next_link);
    status_turn(a->status, a->now.mono_ns);
    limits_turn(&a->limits, a->now.mono_ns);
    registry_strain(a->registry, limits_coarseness(&a->limits), a->limits.level >= 2);
    service_alive(a->service, a->now.mono_ns);
    if (is_more)
        return 0;
    uint64_t until = earlier(earlier(next_act, next_link), a->next_spool_ns);
    uint64_t sleep = until > a->now.mono_ns ? until - a->now.mono_ns : 0;
    uint64_t wall = next_wall > a->now.wall_ns ? next_wall - a->now.wall_ns : 0;
    return earlier(earlier(sleep, wall), doors_patience_ns(a->doors));
}

// What this second may not take any more waits, whoever calls.
static void rest(struct agent *a)
{
    uint64_t pause = limits_pause_ns(&a->limits, clock_mono_ns());
    const struct timespec time = {0, (long)(pause < NS_PER_S ? pause : NS_PER_S - 1)};
    if (pause > 0)
        (void)nanosleep(&time, NULL);
}

static void wait(struct agent *a, uint64_t sleep_ns)
{
    rest(a);
    int fd[DOORS_FDS_MAX + ACT_JOBS_MAX + 2];
    uint32_t fds = doors_fds(a->doors, fd);
    fds += act_fds(a->act, fd + fds);
    fd[fds++] = service_fd(a->service);
    fd[fds++] = status_fd(a->status);
    link_wait(a->link, fd, fds, (int)((sleep_ns + NS_PER_MS - 1) / NS_PER_MS));
}

// What has come in is counted, as far as that ends; what stands in open windows is kept
// on disk, and goes on after the next start.
static void farewell(struct agent *a)
{
    service_stopping(a->service, "stopping");
    for (int i = 0; i < LAST_TURNS && doors_turn(a->doors, a->now.wall_ns);)
        i++;
    doors_end(a->doors);
    registry_pause(a->registry, a->now.wall_ns);
    uint64_t until = a->now.mono_ns + FAREWELL_NS;
    for (;;) {
        struct link_stats s = link_stats(a->link);
        uint64_t next;
        if (s.state != LINK_UP || s.in_flight == 0 || a->now.mono_ns >= until)
            return;
        link_wait(a->link, NULL, 0, 20);
        read_clocks(a);
        link_turn(a->link, a->now.wall_ns, a->now.mono_ns, a->now.boot_ns, &next);
    }
}

int agent_run(struct agent *a)
{
    take_limits(a);
    service_ready(a->service, "running");
    log_line(LOG_INFO, "running", "folder=%s host=%s models=%zu executors=%u",
             a->folder, a->host, a->settings.models.count,
             act_executors(a->act)->count);
    uint64_t trim_ns = clock_mono_ns() + TRIM_AFTER_NS;
    for (;;) {
        wait(a, turn(a));
        if (a->now.mono_ns >= trim_ns) {
            trim_now();
            trim_ns = UINT64_MAX;
        }
        switch (service_take(a->service)) {
        case SERVICE_NOTHING:
            break;
        case SERVICE_RELOAD:
            reload(a);
            break;
        case SERVICE_STOP:
            read_clocks(a);
            farewell(a);
            log_line(LOG_INFO, "stopped", "folder=%s", a->folder);
            return 0;
        }
    }
}
