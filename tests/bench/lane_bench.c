// Lane: what a row costs the agent, from the lane to an observation, and into windows.
//
// SPDX-License-Identifier: Apache-2.0
#include <string.h>
#include <unistd.h>

#include "agent/client/guest.h"
#include "agent/lane/lane.h"
#include "agent/model/registry.h"
#include "tests/bench/paced.h"

#define FEATURES 20
#define ROWS 4000
#define ROUNDS 101

// A generous bound: three times the median of the machine on which it was set.
#define READ_NS_MAX 1500.0

static double thread_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static uint64_t rows;

static void take_row(void *self, const struct observation *o)
{
    (void)self;
    rows += o->values == FEATURES;
}

static void take_drop(void *self, struct span model, enum drop_reason why, uint64_t n)
{
    (void)self;
    (void)model;
    (void)why;
    (void)n;
}

static void settle(void *self)
{
    (void)self;
}

static struct kedge_model *open_model(const char *path)
{
    static struct kedge_feature feature[FEATURES];
    static char name[FEATURES][16];
    struct kedge_model *m;
    for (int i = 0; i < FEATURES; i++) {
        (void)snprintf(name[i], sizeof name[i], "f%d", i);
        feature[i] = (struct kedge_feature){name[i], KEDGE_NUMBER, KEDGE_INPUT};
    }
    if (kedge_setup(path, 0) != KEDGE_OK ||
        kedge_open("bench", "v1", feature, FEATURES, &m) != KEDGE_OK ||
        kedge_thread_ready() != KEDGE_OK)
        exit(1);
    return m;
}

// Writes, then lets the door read; only the reading is measured.
static double read_ns(struct lane_door *door, struct kedge_model *m, uint64_t now_ns)
{
    static double round[ROUNDS];
    float value[FEATURES];
    for (int i = 0; i < ROUNDS; i++) {
        for (int k = 0; k < ROWS; k++) {
            for (int j = 0; j < FEATURES; j++)
                value[j] = (float)((k * 31 + j * 17) % 1000);
            const struct kedge_event event = {NULL, 0, now_ns};
            (void)kedge_observe_f32(m, value, FEATURES, &event);
        }
        double begin = thread_ns();
        while (lane_turn(door, now_ns))
            continue;
        round[i] = (thread_ns() - begin) / ROWS;
    }
    return paced_median(round, ROUNDS);
}

static struct lane_door *open_door(const char *path,
                                   const struct observation_sink *sink)
{
    const struct lane_settings settings = {.path = path, .mode = 0600};
    struct lane_door *door;
    if (lane_open(&settings, sink, &door) != ST_OK)
        exit(1);
    return door;
}

static void stamp(void *self, uint8_t boot[16], uint64_t *seq)
{
    (void)self;
    memset(boot, 0, 16);
    *seq = 1;
}

static struct registry *open_registry(const char *folder, uint64_t now_ns,
                                      struct observation_sink *sink)
{
    const struct registry_hooks hooks = {.stamp = stamp};
    const struct model_settings model = {.name = "bench",
                                         .window_ns = UINT64_C(86400000000000)};
    struct registry *r;
    if (registry_open(folder, &hooks, &r) != ST_OK ||
        registry_add(r, &model, span_text(""), now_ns, NULL) != ST_OK)
        exit(1);
    registry_now(r, now_ns);
    registry_sink(r, ORIGIN_STREAM, sink);
    return r;
}

int main(void)
{
    char folder[] = "/tmp/kedge-bench-XXXXXX", path[64], state[64];
    if (!mkdtemp(folder))
        return 1;
    (void)snprintf(path, sizeof path, "%s/lane.sock", folder);
    (void)snprintf(state, sizeof state, "%s/state", folder);
    uint64_t now = guest_now() / UINT64_C(86400000000000) * UINT64_C(86400000000000) +
                   UINT64_C(3600000000000);
    const struct observation_sink nowhere = {NULL, take_row, take_drop, settle};
    struct lane_door *door = open_door(path, &nowhere);
    struct kedge_model *m = open_model(path);
    double bare = read_ns(door, m, now);
    printf("lane to observation, 20 floats: %.0f ns a row (%.1f a value)\n", bare,
           bare / FEATURES);
    lane_close(door);

    struct observation_sink windows;
    struct registry *r = open_registry(state, now, &windows);
    door = open_door(path, &windows);
    guest_tend(guest_mine, guest_now() + 5 * GUEST_TEND_NS);
    guest_tend(guest_mine, guest_now() + 10 * GUEST_TEND_NS);
    double full = read_ns(door, m, now);
    printf("lane to window, 20 floats: %.0f ns a row (%.1f a value); 10,000 rows/s are "
           "%.2f %% of a core\n",
           full, full / FEATURES, full * 10000 / 1e9 * 100);
    size_t at = 0;
    struct model_view view;
    bool all = registry_next(r, &at, &view) &&
               view.open_rows == (uint64_t)ROUNDS * ROWS &&
               rows == (uint64_t)ROUNDS * ROWS;
    lane_close(door);
    registry_close(r);
    char command[128];
    (void)snprintf(command, sizeof command, "rm -r %s", folder);
    if (system(command) != 0)
        return 1;
    bool is_well = all && bare <= READ_NS_MAX;
    printf("%s\n", is_well ? "within bounds" : "NOT AS IT SHOULD BE");
    return is_well ? 0 : 1;
}
