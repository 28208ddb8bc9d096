// The controller's program: opens the rooms, starts the threads, and steps back.
//
// Threads: the ZAP handler (who may connect), the gate (the ports), and this one, which
// folds and owns the store.
//
// SPDX-License-Identifier: Apache-2.0
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include <zmq.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/setup/command.h"
#include "common/setup/service.h"
#include "controller/core.h"
#include "controller/gate/gate.h"
#include "controller/gate/line.h"
#include "controller/gate/zap.h"
#include "controller/hold.h"
#include "controller/settings.h"

#define ZAP_CONTROL "inproc://kedge.zap"
#define GATE_LINE "inproc://kedge.gate"
#define TURN_MS 200
#define SOCKETS_MAX 65000
#define EXIT_CONFIG                                                                    \
    78 // as sysexits.h: the configuration, or this machine, is not right

struct program {
    struct settings settings;
    struct service *service;
    void *context, *line;
    struct zap *zap;
    struct gate *gate;
    struct core *core;
    pthread_t zap_thread, gate_thread;
    bool has_zap_thread, has_gate_thread;
};

static void *run_zap(void *p)
{
    zap_run(p);
    return NULL;
}

static void *run_gate(void *p)
{
    gate_run(p);
    return NULL;
}

// A commit takes and gives back as much memory as it writes. Kept between commits, the
// system need not clear the same pages each time; tests/bench/ingest shows a sixth.
#define MEMORY_KEPT (256 << 20)
#define MEMORY_OWN_MAP (64 << 20)
static void keep_memory(void)
{
    (void)mallopt(M_TRIM_THRESHOLD, MEMORY_KEPT);
    (void)mallopt(M_MMAP_THRESHOLD, MEMORY_OWN_MAP);
}

// As many descriptors as the system allows: each agent takes one.
static void raise_limits(void)
{
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < r.rlim_max) {
        r.rlim_cur = r.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &r);
    }
}

static enum status open_context(struct program *p)
{
    p->context = zmq_ctx_new();
    if (!p->context)
        return ST_NOMEM;
    (void)zmq_ctx_set(p->context, ZMQ_MAX_SOCKETS, SOCKETS_MAX);
    return line_bind(p->context, GATE_LINE, &p->line);
}

// Every known key is admitted before the first port is bound: an agent that is refused
// once stays away for a while.
static enum status open_gate(struct program *p)
{
    const struct settings *s = &p->settings;
    struct gate_options o = {.agent_endpoint = s->agent_endpoint,
                             .enrol_endpoint = s->enrol_endpoint,
                             .op_endpoint = s->op_endpoint,
                             .keyring = buf_span(&s->keyring),
                             .zap = ZAP_CONTROL,
                             .line = GATE_LINE};
    memcpy(o.agent_secret, s->agent_key.secret, 32);
    memcpy(o.enrol_secret, s->enrol_key.secret, 32);
    memcpy(o.op_secret, s->op_key.secret, 32);
    memcpy(o.enrol_public, s->enrol_key.pub, 32);
    memcpy(o.fleet, s->fleet, sizeof o.fleet);
    enum status st = gate_open(p->context, &o, &p->gate);
    if (st == ST_OK)
        st = core_admit_all(p->core);
    if (st == ST_OK)
        st = gate_listen(p->gate, &o);
    mem_wipe(&o, sizeof o);
    return st;
}

static enum status start(pthread_t *thread, bool *has, void *(*run)(void *), void *arg)
{
    if (pthread_create(thread, NULL, run, arg) != 0)
        return ST_NOMEM;
    *has = true;
    return ST_OK;
}

// The handler first: no port is open while nobody guards it.
static enum status open_all(struct program *p)
{
    ST_TRY(open_context(p));
    ST_TRY(zap_open(p->context, ZAP_CONTROL, &p->zap));
    ST_TRY(core_open(&p->settings, p->line, &p->core));
    ST_TRY(start(&p->zap_thread, &p->has_zap_thread, run_zap, p->zap));
    ST_TRY(open_gate(p));
    return start(&p->gate_thread, &p->has_gate_thread, run_gate, p->gate);
}

static void stop_gate(struct program *p)
{
    struct line_head stop = {.kind = LINE_STOP};
    if (p->has_gate_thread && line_send(p->line, &stop, NULL, 0) == ST_OK)
        (void)pthread_join(p->gate_thread, NULL);
}

// Closing the gate stops the handler; without a gate nobody has told it anything yet.
static void stop_zap(struct program *p)
{
    void *control;
    if (!p->gate && zap_connect(p->context, ZAP_CONTROL, &control) == ST_OK) {
        if (zap_stop(control) != ST_OK)
            log_line(LOG_WARN, "the authentication handler does not hear", "");
        (void)zmq_close(control);
    }
    gate_close(p->gate);
    if (p->has_zap_thread)
        (void)pthread_join(p->zap_thread, NULL);
    zap_close(p->zap);
}

static void close_all(struct program *p)
{
    if (p->context) {
        stop_gate(p);
        stop_zap(p);
    }
    core_close(p->core);
    line_close(p->line);
    if (p->context)
        (void)zmq_ctx_term(p->context);
}

static enum status loop(struct program *p)
{
    service_ready(p->service, "folding");
    log_line(LOG_INFO, "controller ready", "agents=%s enrol=%s operators=%s",
             p->settings.agent_endpoint, p->settings.enrol_endpoint,
             p->settings.op_endpoint);
    for (;;) {
        zmq_pollitem_t item[] = {{.socket = p->line, .events = ZMQ_POLLIN},
                                 {.fd = service_fd(p->service), .events = ZMQ_POLLIN}};
        // What is gathered already waits for nothing.
        (void)zmq_poll(item, 2, p->core->gathered > 0 ? 0 : TURN_MS);
        enum service_event event = service_take(p->service);
        if (event == SERVICE_STOP)
            return ST_OK;
        uint64_t mono = clock_mono_ns();
        ST_TRY(core_turn(p->core, clock_wall_ns(), mono));
        service_alive(p->service, mono);
    }
}

static int run_program(struct program *p)
{
    enum status st = open_all(p);
    if (st == ST_OK)
        st = loop(p);
    else
        log_line(LOG_ERROR, "the controller cannot start", "why=%s", status_text(st));
    service_stopping(p->service, "stopping");
    bool was_open = p->has_gate_thread;
    close_all(p);
    if (st == ST_OK)
        log_line(LOG_INFO, "controller stopped", "why=asked");
    return st == ST_OK ? 0 : was_open ? 70 : EXIT_CONFIG;
}

static int with_settings(const struct command_line *line, int (*use)(struct program *p))
{
    struct program *p = MEM_NEW(struct program);
    if (!p)
        return 1;
    struct buf why;
    buf_init(&why, 8192);
    int code = EXIT_CONFIG;
    if (settings_open(command_text(line, "dir"), &p->settings, &why) == ST_OK) {
        code = use(p);
        settings_close(&p->settings);
    } else {
        (void)fprintf(stderr, "kedge-controller: %s\n", buf_cstr(&why));
    }
    buf_fini(&why);
    mem_wipe(p, sizeof *p);
    mem_free(p);
    return code;
}

static int serve(struct program *p)
{
    int hold;
    raise_limits();
    keep_memory();
    if (hold_open(p->settings.folder, &hold) != ST_OK) {
        log_line(LOG_ERROR, "another program works on this folder", "dir=%s",
                 p->settings.folder);
        return EXIT_CONFIG;
    }
    int code = EXIT_CONFIG;
    if (service_open(&p->service) == ST_OK) {
        code = run_program(p);
        service_close(p->service);
    }
    hold_close(hold);
    return code;
}

static int check_only(struct program *p)
{
    (void)printf("%s: fine\n", p->settings.folder);
    return 0;
}

static int run_verb(void *program, const struct command_line *line)
{
    (void)program;
    log_setup("kedge-controller", command_flag(line, "verbose") ? LOG_DEBUG : LOG_INFO,
              true);
    return with_settings(line, command_flag(line, "check") ? check_only : serve);
}

int main(int argc, char **argv)
{
    static const struct option_row options[] = {
        {"dir", 0, VALUE_TEXT, "/var/lib/kedge", "the controller's folder", NULL,
         "DIR"},
        {"check", 0, VALUE_FLAG, NULL, "read configuration and keys, then stop", NULL,
         NULL},
        {"verbose", 'v', VALUE_FLAG, NULL, "say more", NULL, NULL},
    };
    static const struct verb_row verb = {
        "run",    "",      "Runs the controller in the foreground.",
        run_verb, options, sizeof options / sizeof options[0],
        NULL};
    static const struct command command = {.program = "kedge-controller",
                                           .purpose =
                                               "The controller of a fleet of models.",
                                           .verb = &verb,
                                           .verbs = 1};
    return command_main(&command, NULL, argc, argv);
}
