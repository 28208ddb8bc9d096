// SPDX-License-Identifier: Apache-2.0
#include "agent/client/guest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define SLOTS_DEFAULT 16384u // 1 MiB
#define PATH_DEFAULT "/var/lib/kedge-agent/lane.sock"

struct guest guest = {.lock = PTHREAD_MUTEX_INITIALIZER, .fd = -1};
_Thread_local struct writer *guest_mine __attribute__((tls_model("initial-exec")));

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t at_end_of_thread;

uint64_t guest_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME_COARSE, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

// --- Threads and children

// The next thread goes on in the same lane, so a server that makes a thread for each
// request makes no lane for each.
static void give_back(void *value)
{
    struct writer *w = value;
    guest_mine = NULL;
    atomic_store_explicit(&w->is_taken, 0, memory_order_release);
}

static void before_fork(void)
{
    pthread_mutex_lock(&guest.lock);
}

static void after_fork(void)
{
    pthread_mutex_unlock(&guest.lock);
}

// The lanes and the connection are the parent's: two writers in one lane would spoil
// it, and a copy of the connection would hide the parent's end. The models stay known.
static void in_child(void)
{
    int error = errno;
    for (uint32_t i = 0; i < KEDGE_THREADS_MAX; i++) {
        if (!guest.writer[i].head)
            continue;
        writer_fini(&guest.writer[i]);
        for (uint32_t k = 0; k < LANE_MODELS_MAX; k++)
            atomic_store_explicit(&guest.observed[i][k], 0, memory_order_relaxed);
    }
    for (uint32_t i = 0; i < KEDGE_THREADS_MAX; i++)
        atomic_store_explicit(&guest.writer[i].is_taken, 0, memory_order_relaxed);
    for (uint32_t i = 0; i < guest.models; i++) {
        atomic_store(&guest.model[i]->unsent, 0);
        atomic_store(&guest.model[i]->unsent_refused, 0);
        atomic_store(&guest.model[i]->unsent_beside, 0);
    }
    attach_close(&guest);
    guest.tried_ns = 0;
    atomic_store(&guest.barren_ns, 0);
    guest_mine = NULL;
    pthread_setspecific(at_end_of_thread, NULL);
    pthread_mutex_unlock(&guest.lock);
    errno = error;
}

static void settle(void)
{
    if (guest.is_set)
        return;
    const char *path = secure_getenv("KEDGE_SOCKET");
    if (!path || !path[0])
        path = PATH_DEFAULT;
    if (snprintf(guest.path, sizeof guest.path, "%s", path) >= (int)sizeof guest.path)
        guest.path[0] = '\0'; // nobody listens there
    guest.slots = SLOTS_DEFAULT;
    guest.is_set = true;
}

static void begin(void)
{
    (void)pthread_key_create(&at_end_of_thread, give_back);
    (void)pthread_atfork(before_fork, after_fork, in_child);
}

void guest_begin(void)
{
    pthread_once(&once, begin);
    pthread_mutex_lock(&guest.lock);
    settle();
    pthread_mutex_unlock(&guest.lock);
}

// --- Writers

// One that has a lane already, left by another thread, or else an empty one.
static struct writer *claim(bool has_lane)
{
    for (uint32_t i = 0; i < KEDGE_THREADS_MAX; i++) {
        struct writer *w = &guest.writer[i];
        uint32_t is_free = 0;
        if (atomic_load_explicit(&w->is_taken, memory_order_relaxed) != 0 ||
            !atomic_compare_exchange_strong_explicit(
                &w->is_taken, &is_free, 1, memory_order_acquire, memory_order_relaxed))
            continue;
        if ((w->head != NULL) == has_lane) {
            w->observed = guest.observed[i];
            return w;
        }
        atomic_store_explicit(&w->is_taken, 0, memory_order_release);
    }
    return NULL;
}

static struct writer *make(uint64_t now_ns)
{
    struct writer *w = claim(false);
    if (!w)
        return NULL;
    pthread_mutex_lock(&guest.lock);
    settle();
    enum status st = writer_open(w, guest.slots);
    if (st == ST_OK) {
        w->looked_ns = now_ns;
        if (guest.fd >= 0)
            attach_lane(&guest, w);
        else
            attach_open(&guest, now_ns);
    }
    pthread_mutex_unlock(&guest.lock);
    if (st == ST_OK)
        return w;
    atomic_store_explicit(&w->is_taken, 0, memory_order_release);
    return NULL;
}

static void tell(struct writer *w, _Atomic uint64_t *unsent, _Atomic uint64_t *loss)
{
    uint64_t rows = atomic_exchange(unsent, 0);
    if (rows > 0)
        writer_count(w, loss, rows);
}

// What could not be counted in a lane, since there was none, is told by this one.
static void tell_unsent(struct writer *w)
{
    struct lane_losses *losses = &w->head->losses;
    if (atomic_exchange(&guest.has_unsent, 0) == 0)
        return;
    pthread_mutex_lock(&guest.lock);
    for (uint32_t i = 0; i < guest.models; i++) {
        struct kedge_model *m = guest.model[i];
        tell(w, &m->unsent, &losses->full[i]);
        tell(w, &m->unsent_refused, &losses->refused[i]);
        tell(w, &m->unsent_beside, &losses->beside[i]);
    }
    pthread_mutex_unlock(&guest.lock);
}

struct writer *guest_take(uint64_t now_ns)
{
    if (now_ns - atomic_load_explicit(&guest.barren_ns, memory_order_relaxed) <
        GUEST_TEND_NS)
        return NULL;
    int error = errno;
    struct writer *w = claim(true);
    if (!w)
        w = make(now_ns);
    if (w && pthread_setspecific(at_end_of_thread, w) != 0) {
        // Without a word at its end, the thread would keep the lane for ever.
        atomic_store_explicit(&w->is_taken, 0, memory_order_release);
        w = NULL;
    }
    if (w) {
        guest_mine = w;
        tell_unsent(w);
    } else {
        atomic_store_explicit(&guest.barren_ns, now_ns, memory_order_relaxed);
    }
    errno = error;
    return w;
}

// The beat tells without any call whether the agent looks into this lane. Only when it
// stands still is the connection asked.
void guest_tend(struct writer *w, uint64_t now_ns)
{
    uint64_t beat = atomic_load_explicit(&w->head->beat, memory_order_relaxed);
    bool is_alive = beat != w->beat;
    w->beat = beat;
    w->looked_ns = now_ns;
    if (is_alive || pthread_mutex_trylock(&guest.lock) != 0)
        return;
    int error = errno;
    if (now_ns - guest.tried_ns >= GUEST_TEND_NS) {
        guest.tried_ns = now_ns;
        if (guest.fd >= 0 && attach_is_lost(&guest))
            attach_close(&guest);
        if (guest.fd < 0)
            attach_open(&guest, now_ns);
    }
    errno = error;
    pthread_mutex_unlock(&guest.lock);
}
