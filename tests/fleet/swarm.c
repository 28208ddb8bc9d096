// Swarm: the program: workers, phases and the figures at the end.
//
// SPDX-License-Identifier: Apache-2.0
#include "tests/fleet/swarm.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/setup/command.h"
#include "tests/fleet/crew.h"
#include "tests/fleet/muster.h"
#include "tests/fleet/recording.h"
#include "tests/fleet/server.h"

#define PATIENCE_NS (300 * NS_PER_S) // for one phase
#define LOOK_US 20000
#define BACK_NS (UINT64_C(12) * 3600 * NS_PER_S) // the first window lies so far back

struct swarm {
    struct swarm_plan plan;
    struct swarm_ground *ground;
    struct recording *recording;
    struct server server;
    pid_t worker[SWARM_WORKERS_MAX];
    struct server_use before, after;
    uint64_t anon_peak;
    double enrol_s, enter_s, connect_s, attest_s, report_s, ready_s, return_s;
    uint64_t acked, bytes; // within the reporting
};

void swarm_die(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    (void)fputs("kedge-swarm: ", stderr);
    (void)vfprintf(stderr, fmt, args);
    (void)fputc('\n', stderr);
    va_end(args);
    exit(1);
}

// --- Workers

static void work(const struct swarm *s, uint32_t worker)
{
    struct swarm_share share = {.plan = &s->plan,
                                .ground = s->ground,
                                .recording = s->recording,
                                .worker = worker};
    muster_enrol(&share);
    s->ground->done[worker] = SWARM_ENROL + 1;
    while (s->ground->phase == SWARM_ENROL)
        (void)usleep(LOOK_US);
    if (s->ground->phase == SWARM_ENTER) {
        muster_enter(&share);
        s->ground->done[worker] = SWARM_ENTER + 1;
    }
    while (s->ground->phase == SWARM_ENTER)
        (void)usleep(LOOK_US);
    if (s->ground->phase != SWARM_END)
        crew_run(&share);
}

static void start_workers(struct swarm *s)
{
    (void)fflush(stdout);
    for (uint32_t i = 0; i < s->plan.workers; i++) {
        s->worker[i] = fork();
        if (s->worker[i] < 0)
            swarm_die("fork: %s", strerror(errno));
        if (s->worker[i] == 0) {
            (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
            work(s, i);
            _exit(0);
        }
    }
}

static void stop_workers(struct swarm *s)
{
    s->ground->phase = SWARM_END;
    for (uint32_t i = 0; i < s->plan.workers; i++)
        (void)waitpid(s->worker[i], NULL, 0);
}

static bool all_done(const struct swarm *s)
{
    for (uint32_t i = 0; i < s->plan.workers; i++) {
        if (s->ground->done[i] > s->ground->phase)
            continue;
        int code = 0;
        if (waitpid(s->worker[i], &code, WNOHANG) != 0)
            swarm_die("worker %u has ended: %s", i,
                      WIFSIGNALED(code) ? strsignal(WTERMSIG(code)) : "as it said");
        return false;
    }
    return true;
}

static uint64_t total(const struct swarm *s, size_t member)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < s->plan.workers; i++)
        n += *(const _Atomic uint64_t *)((const char *)&s->ground->tally[i] + member);
    return n;
}
#define TOTAL(s, member) total(s, offsetof(struct swarm_tally, member))

static double pass(struct swarm *s, enum swarm_phase phase)
{
    uint64_t begin = clock_mono_ns();
    s->ground->phase = (int)phase;
    while (!all_done(s)) {
        if (clock_mono_ns() - begin > PATIENCE_NS + s->plan.seconds * NS_PER_S)
            swarm_die("phase %d takes for ever: %llu sent, %llu acknowledged",
                      (int)phase, (unsigned long long)TOTAL(s, sent),
                      (unsigned long long)TOTAL(s, acked));
        (void)usleep(LOOK_US);
        uint64_t anon = server_look(&s->server).anon_bytes;
        s->anon_peak = anon > s->anon_peak ? anon : s->anon_peak;
    }
    return (double)(clock_mono_ns() - begin) / 1e9;
}

// --- What is remembered from run to run: who has enrolled, and how far time has gone

struct memory {
    uint64_t magic, first_ns;
    uint32_t agents, models, features;
    uint8_t server_key[32];
    char endpoint[300];
};
#define MEMORY_MAGIC UINT64_C(0x31306d726177736b)

static void remember(const struct swarm *s, const char *path, uint64_t next_ns)
{
    struct memory m = {.magic = MEMORY_MAGIC,
                       .first_ns = next_ns,
                       .agents = s->plan.agents,
                       .models = s->plan.models,
                       .features = s->plan.features};
    memcpy(m.server_key, s->ground->server_key, sizeof m.server_key);
    memcpy(m.endpoint, s->ground->endpoint, sizeof m.endpoint);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    size_t size = s->plan.agents * sizeof s->ground->identity[0];
    if (fd < 0 || write(fd, &m, sizeof m) != (ssize_t)sizeof m ||
        write(fd, s->ground->identity, size) != (ssize_t)size)
        swarm_die("%s: %s", path, strerror(errno));
    (void)close(fd);
}

// Whether everything that is needed is there from an earlier run.
static bool recall(struct swarm *s, const char *path)
{
    struct memory m = {0};
    int fd = open(path, O_RDONLY);
    bool is_good = fd >= 0 && read(fd, &m, sizeof m) == (ssize_t)sizeof m &&
                   m.magic == MEMORY_MAGIC;
    if (is_good) {
        uint32_t n = m.agents < s->plan.agents ? m.agents : s->plan.agents;
        size_t size = n * sizeof s->ground->identity[0];
        if (read(fd, s->ground->identity, size) != (ssize_t)size)
            swarm_die("%s: cut off", path);
        s->ground->first_ns = m.first_ns;
        memcpy(s->ground->server_key, m.server_key, sizeof m.server_key);
        memcpy(s->ground->endpoint, m.endpoint, sizeof m.endpoint);
    }
    if (fd >= 0)
        (void)close(fd);
    return is_good && m.models >= s->plan.models && m.features == s->plan.features;
}

// --- One run

static void report(struct swarm *s)
{
    s->ground->until_ns = clock_mono_ns() + s->plan.seconds * NS_PER_S;
    s->before = server_look(&s->server);
    s->anon_peak = s->before.anon_bytes;
    uint64_t acked = TOTAL(s, acked), bytes = TOTAL(s, bytes);
    s->report_s = pass(s, SWARM_REPORT);
    s->after = server_look(&s->server);
    s->acked = TOTAL(s, acked) - acked;
    s->bytes = TOTAL(s, bytes) - bytes;
    (void)pass(s, SWARM_DRAIN);
}

static void come_back(struct swarm *s)
{
    server_kill(&s->server);
    uint64_t begin = clock_mono_ns();
    s->ground->phase = SWARM_RETURN;
    server_start(&s->server, &s->ready_s);
    (void)pass(s, SWARM_RETURN);
    s->return_s = (double)(clock_mono_ns() - begin) / 1e9;
}

static void print(const struct swarm *s, bool has_returned)
{
    const struct swarm_plan *p = &s->plan;
    struct latency *all = MEM_NEW(struct latency);
    for (uint32_t i = 0; i < p->workers; i++)
        latency_merge(all, &s->ground->tally[i].latency);
    double cpu = s->after.cpu_s - s->before.cpu_s, n = (double)s->acked;
    (void)printf("agents %u  models %u  features %u  rows %u  seconds %.1f\n",
                 p->agents, p->models, p->features, p->rows, s->report_s);
    (void)printf("enrolled in %.1f s, registered in %.1f s, connected in %.1f s, "
                 "attested in %.1f s\n",
                 s->enrol_s, s->enter_s, s->connect_s, s->attest_s);
    (void)printf("windows/s %.1f  bytes a window %.0f  sketches/s %.0f\n",
                 n / s->report_s, n > 0 ? (double)s->bytes / n : 0,
                 n * p->features / s->report_s);
    (void)printf("ack ms p50 %.2f  p99 %.2f  p99.9 %.2f\n", latency_ms(all, 0.5),
                 latency_ms(all, 0.99), latency_ms(all, 0.999));
    (void)printf("refused %llu  lost connections %llu\n",
                 (unsigned long long)TOTAL(s, refused),
                 (unsigned long long)TOTAL(s, lost));
    if (s->after.cpu_s > 0)
        (void)printf("server: %.3f cores  %.3f CPU s per 1000 windows  anonymous %.0f "
                     "MB, at most %.0f MB  written %.2f bytes per byte sent\n",
                     cpu / s->report_s, n > 0 ? cpu / n * 1000 : 0,
                     (double)s->after.anon_bytes / 1e6, (double)s->anon_peak / 1e6,
                     s->bytes > 0
                         ? (double)(s->after.written_bytes - s->before.written_bytes) /
                               (double)s->bytes
                         : 0);
    if (has_returned)
        (void)printf("restart: ports after %.2f s, all agents acknowledged after %.2f "
                     "s\n",
                     s->ready_s, s->return_s);
    mem_free(all);
}

static void run_all(struct swarm *s, const char *memory, bool is_known,
                    bool wants_restart)
{
    start_workers(s);
    s->enrol_s = pass(s, SWARM_ENROL);
    if (!is_known)
        s->enter_s = pass(s, SWARM_ENTER);
    if (memory[0])
        remember(s, memory, s->ground->first_ns);
    s->connect_s = pass(s, SWARM_CONNECT);
    s->attest_s = pass(s, SWARM_ATTEST);
    report(s);
    if (wants_restart)
        come_back(s);
    stop_workers(s);
}

// --- The command line

static void raise_limits(void)
{
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r) != 0)
        return;
    struct rlimit more = {.rlim_cur = 100000, .rlim_max = 100000};
    if (r.rlim_max < more.rlim_max && setrlimit(RLIMIT_NOFILE, &more) == 0)
        return;
    r.rlim_cur = r.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &r);
}

static void read_plan(const struct command_line *line, struct swarm_plan *p)
{
    *p = (struct swarm_plan){
        .config = command_text(line, "config"),
        .agents = (uint32_t)command_u64(line, "agents"),
        .models = (uint32_t)command_u64(line, "models"),
        .features = (uint32_t)command_u64(line, "features"),
        .rows = (uint32_t)command_u64(line, "rows"),
        .sketch_every = (uint32_t)command_u64(line, "sketch-every"),
        .rate = command_f64(line, "rate"),
        .is_flood = command_flag(line, "flood"),
        .seconds = command_u64(line, "seconds"),
        .window_ns = command_u64(line, "window"),
    };
    if (p->models == 0)
        p->models = p->agents;
    p->workers = (p->agents + 2499) / 2500;
    if (p->workers < 2 && p->agents > 100)
        p->workers = 2;
}

static void make_ground(struct swarm *s)
{
    s->ground = mmap(NULL, sizeof *s->ground, PROT_READ | PROT_WRITE,
                     MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (s->ground == MAP_FAILED)
        swarm_die("no memory");
    uint64_t now = clock_wall_ns() - BACK_NS;
    s->ground->first_ns = now - now % s->plan.window_ns;
}

// How far the time of the windows has gone.
static uint64_t next_ns(const struct swarm *s)
{
    uint64_t each = TOTAL(s, sent) / s->plan.models + 2;
    return s->ground->first_ns + each * 2 * s->plan.window_ns;
}

static int run(void *program, const struct command_line *line)
{
    (void)program;
    struct swarm *s = MEM_NEW(struct swarm);
    read_plan(line, &s->plan);
    raise_limits();
    if (!s->plan.config) {
        server_make(&s->server, command_text(line, "dir"));
        s->plan.config = s->server.config;
    }
    if (command_has(line, "pid"))
        s->server.pid = (pid_t)command_u64(line, "pid");
    make_ground(s);
    char memory[PATH_MAX + 32] = "";
    if (command_text(line, "dir"))
        (void)snprintf(memory, sizeof memory, "%s/swarm.memory",
                       command_text(line, "dir"));
    bool is_known = memory[0] && recall(s, memory);
    struct recording_options ro = {.features = s->plan.features,
                                   .rows = s->plan.rows,
                                   .sketch_every = s->plan.sketch_every,
                                   .window_ns = s->plan.window_ns};
    enum status st = recording_open(&ro, &s->recording);
    if (st != ST_OK)
        swarm_die("windows cannot be recorded: %s", status_text(st));
    bool wants_restart = command_flag(line, "restart") && s->server.folder[0];
    run_all(s, memory, is_known, wants_restart);
    print(s, wants_restart);
    if (memory[0])
        remember(s, memory, next_ns(s));
    server_close(&s->server);
    recording_close(s->recording);
    (void)munmap(s->ground, sizeof *s->ground);
    mem_free(s);
    return 0;
}

int main(int argc, char **argv)
{
    static const struct option_row options[] = {
        {"agents", 0, VALUE_NUMBER, "1000", "simulated hosts", "1..60000", NULL},
        {"models", 0, VALUE_NUMBER, "0", "models; as many as agents for 0", "0..100000",
         NULL},
        {"features", 0, VALUE_NUMBER, "20",
         "numeric features of a model, one of them "
         "its prediction",
         "1..512", NULL},
        {"rows", 0, VALUE_NUMBER, "2000", "rows in a window", "1..1000000", NULL},
        {"window", 0, VALUE_DURATION, "60s", "length of a window", "1s..1d", NULL},
        {"sketch-every", 0, VALUE_NUMBER, "10",
         "full sketches in every n-th window; 0: "
         "never",
         "0..1000", NULL},
        {"rate", 0, VALUE_REAL, "100",
         "windows a second, of all agents; 0: they are "
         "idle",
         "0..1000000", NULL},
        {"flood", 0, VALUE_FLAG, NULL, "as many windows as are acknowledged", NULL,
         NULL},
        {"seconds", 0, VALUE_NUMBER, "30", "how long", "1..86400", NULL},
        {"config", 0, VALUE_TEXT, NULL,
         "kedge.conf of the controller to measure; else one is started here", NULL,
         "FILE"},
        {"pid", 0, VALUE_NUMBER, NULL, "its process, when it runs on this host",
         "1..10000000", NULL},
        {"dir", 0, VALUE_TEXT, NULL,
         "folder of the controller that is started here, kept for the next run; else "
         "one of /tmp",
         NULL, "DIR"},
        {"restart", 0, VALUE_FLAG, NULL,
         "at the end kill it, start it again and wait for all agents", NULL, NULL},
    };
    static const struct verb_row verb = {
        "",  "",      "simulate a fleet, and measure its controller",
        run, options, sizeof options / sizeof options[0],
        NULL};
    static const struct command command = {
        .program = "kedge-swarm",
        .purpose = "simulate a fleet of agents, and measure its controller",
        .verb = &verb,
        .verbs = 1};
    return command_main(&command, NULL, argc, argv);
}
