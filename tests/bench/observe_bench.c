// Observe: one row from a model server's thread to the agent, against a bare ring in
// shared memory. Both in turn, A B A B, and the medians of the ratios.
//
// SPDX-License-Identifier: Apache-2.0
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/client/guest.h"
#include "tests/bench/paced.h"

#define FEATURES 50
#define SITTINGS 5
#define BULK 2000

// The goals, for a machine that does nothing else; a shared one gets some room.
#define P50_NS_MAX 30.0
#define P99_NS_MAX 300.0
#define ROOM 3.0

// --- The floor: a ring that does nothing but move 216 bytes

#define RING_SLOTS 8192u

struct ring {
    _Alignas(64) _Atomic uint64_t head;
    _Alignas(64) _Atomic uint64_t tail;
    _Alignas(64) struct {
        _Atomic uint64_t unused;
        uint8_t data[248];
    } slot[RING_SLOTS];
};

struct floor {
    struct ring *ring;
    uint64_t tail;
    uint8_t row[16 + FEATURES * sizeof(float)];
};

static void push_floor(void *self)
{
    struct floor *f = self;
    struct ring *r = f->ring;
    uint64_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
    if (head - f->tail >= RING_SLOTS) {
        f->tail = atomic_load_explicit(&r->tail, memory_order_acquire);
        if (head - f->tail >= RING_SLOTS)
            return;
    }
    memcpy(r->slot[head % RING_SLOTS].data, f->row, sizeof f->row);
    atomic_store_explicit(&r->head, head + 1, memory_order_release);
}

// --- The product

struct product {
    struct kedge_model *model;
    float value[FEATURES];
    struct kedge_event event;
    const struct kedge_event *told;
    size_t n;
};

static void push_product(void *self)
{
    struct product *p = self;
    (void)kedge_observe_f32(p->model, p->value, p->n, p->told);
}

// --- Consumers that sleep a millisecond between their looks

static void consume(struct ring *ring, struct lane_head *lane)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) {
        const struct timespec pause = {0, 1000000};
        nanosleep(&pause, NULL);
        if (ring)
            atomic_store(&ring->tail, atomic_load(&ring->head));
        if (lane) {
            atomic_fetch_add(&lane->beat, 1);
            atomic_store(&lane->tail, atomic_load(&lane->head));
        }
    }
}

static struct paced measure(void (*push)(void *self), void *self, struct ring *ring,
                            struct lane_head *lane)
{
    // The child maps both; it must not run libkedge's fork handler, which would unmap.
    pid_t child = fork();
    if (child == 0)
        consume(ring, lane);
    struct paced p = paced_run(push, self);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    return p;
}

static double thread_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

// The cost of a call when many follow each other, by the thread's own clock.
static double bulk_ns(void (*push)(void *self), void *self, struct lane_head *lane)
{
    double round[201];
    for (int i = 0; i < 201; i++) {
        if (lane)
            atomic_store(&lane->tail, atomic_load(&lane->head));
        double begin = thread_ns();
        for (int k = 0; k < BULK; k++)
            push(self);
        round[i] = (thread_ns() - begin) / BULK;
    }
    return paced_median(round, 201);
}

static void print(const char *what, struct paced p)
{
    printf("%-34s p50 %4.0f ns  p99 %4.0f ns  p99.9 %5.0f ns\n", what, p.p50, p.p99,
           p.p999);
}

static struct kedge_model *open_model(void)
{
    static struct kedge_feature feature[FEATURES];
    static char name[FEATURES][16];
    struct kedge_model *m;
    for (int i = 0; i < FEATURES; i++) {
        (void)snprintf(name[i], sizeof name[i], "f%d", i);
        feature[i] = (struct kedge_feature){name[i], KEDGE_NUMBER, KEDGE_INPUT};
    }
    if (kedge_setup("/nowhere", 0) != KEDGE_OK ||
        kedge_open("bench", "v1", feature, FEATURES, &m) != KEDGE_OK ||
        kedge_thread_ready() != KEDGE_OK)
        exit(1);
    return m;
}

// A second mapping of the same lane, which a child keeps after fork.
static struct lane_head *map_lane(void)
{
    size_t size = LANE_HEAD_BYTES + (size_t)(guest_mine->mask + 1) * LANE_SLOT_BYTES;
    void *lane =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, guest_mine->fd, 0);
    return lane == MAP_FAILED ? NULL : lane;
}

int main(void)
{
    struct product p = {
        .model = open_model(), .n = FEATURES, .event = {"id-000017", 9, 1}};
    struct lane_head *lane = map_lane();
    struct floor f = {.ring = mmap(NULL, sizeof(struct ring), PROT_READ | PROT_WRITE,
                                   MAP_SHARED | MAP_ANONYMOUS, -1, 0)};
    if (!lane || f.ring == MAP_FAILED)
        return 1;
    memset(f.ring, 0, sizeof *f.ring);
    double p50[SITTINGS], p99[SITTINGS], ratio[SITTINGS];
    for (int i = 0; i < SITTINGS; i++) {
        struct paced bare = measure(push_floor, &f, f.ring, NULL);
        struct paced full = measure(push_product, &p, NULL, lane);
        print("floor: bare ring, 216 bytes", bare);
        print("kedge_observe_f32, 50 floats", full);
        p50[i] = full.p50;
        p99[i] = full.p99;
        ratio[i] = full.p99 / (bare.p99 > 1 ? bare.p99 : 1);
    }
    double middle = paced_median(p50, SITTINGS), late = paced_median(p99, SITTINGS);
    printf("paced 50,000/s: p50 %.0f ns, p99 %.0f ns, p99 / floor %.2f\n", middle, late,
           paced_median(ratio, SITTINGS));
    double wide = bulk_ns(push_product, &p, lane);
    p.n = 20;
    double narrow = bulk_ns(push_product, &p, lane);
    p.told = &p.event;
    double with_id = bulk_ns(push_product, &p, lane);
    printf("in a row: 50 floats %.1f ns, 20 floats %.1f ns, with an id %.1f ns\n", wide,
           narrow, with_id);
    bool is_well = middle <= ROOM * P50_NS_MAX && late <= ROOM * P99_NS_MAX &&
                   narrow <= P99_NS_MAX;
    printf("%s\n", is_well ? "within bounds" : "SLOWER THAN IT SHOULD BE");
    return is_well ? 0 : 1;
}
