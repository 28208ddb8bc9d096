// Kedge: what libkedge writes, what it drops, and that it does no harm: no call, no
// allocation, no mix-up after a fork, no agent needed.
//
// SPDX-License-Identifier: Apache-2.0
#include "agent/client/kedge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/client/guest.h"
#include "common/base/span.h"

#define LONG_NS (3 * GUEST_TEND_NS)
#define SLOTS LANE_SLOTS_MIN

static char folder[] = "/tmp/kedge-client-XXXXXX";
static char path[64];

// --- An agent for the test: it takes packets and looks into lanes

struct host {
    int listener;
    int fd;
    uint32_t hellos, models, lanes;
    struct lane_head *lane; // the last one
};

static void host_open(struct host *h)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    *h = (struct host){.fd = -1};
    strcpy(address.sun_path, path);
    unlink(path);
    h->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(h->listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(h->listener, 8), 0);
}

static void host_close(struct host *h)
{
    if (h->lane)
        munmap(h->lane, LANE_HEAD_BYTES + SLOTS * LANE_SLOT_BYTES);
    if (h->fd >= 0)
        close(h->fd);
    close(h->listener);
    unlink(path);
}

static void host_take_lane(struct host *h, const struct msghdr *m)
{
    int fd;
    const struct cmsghdr *c = CMSG_FIRSTHDR(m);
    assert_non_null(c);
    memcpy(&fd, CMSG_DATA(c), sizeof fd);
    if (h->lane)
        munmap(h->lane, LANE_HEAD_BYTES + SLOTS * LANE_SLOT_BYTES);
    h->lane = mmap(NULL, LANE_HEAD_BYTES + SLOTS * LANE_SLOT_BYTES,
                   PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_true(h->lane != MAP_FAILED);
    close(fd);
    h->lanes++;
}

// Takes the newest connection, and all that was sent on it.
static void host_hear(struct host *h)
{
    static uint8_t packet[LANE_PACKET_MAX];
    char control[64];
    for (int fd; (fd = accept4(h->listener, NULL, NULL, SOCK_NONBLOCK)) >= 0;) {
        if (h->fd >= 0)
            close(h->fd);
        h->fd = fd;
    }
    for (;;) {
        struct iovec part = {packet, sizeof packet};
        struct msghdr m = {.msg_iov = &part,
                           .msg_iovlen = 1,
                           .msg_control = control,
                           .msg_controllen = sizeof control};
        if (recvmsg(h->fd, &m, 0) <= 0)
            return;
        h->hellos += packet[0] == LANE_HELLO;
        h->models += packet[0] == LANE_HAS_MODEL;
        if (packet[0] == LANE_HAS_LANE)
            host_take_lane(h, &m);
    }
}

static void take_all(struct lane_head *lane)
{
    atomic_fetch_add(&lane->beat, 1);
    atomic_store(&lane->tail, atomic_load(&lane->head));
}

// --- What is in this thread's lane

static struct lane_head *mine(void)
{
    return guest_mine->head;
}

static const uint8_t *record_at(uint64_t slot)
{
    return guest_mine->slot + (slot & guest_mine->mask) * LANE_SLOT_BYTES;
}

static struct lane_record head_at(uint64_t slot)
{
    struct lane_record head;
    memcpy(&head, record_at(slot), sizeof head);
    return head;
}

static const struct kedge_feature features[] = {{"x", KEDGE_NUMBER, KEDGE_INPUT},
                                                {"c", KEDGE_CATEGORY, KEDGE_INPUT},
                                                {"t", KEDGE_TEXT, KEDGE_INPUT},
                                                {"e", KEDGE_VECTOR, KEDGE_INPUT},
                                                {"y", KEDGE_NUMBER, KEDGE_OUTPUT}};

static struct kedge_model *model(void)
{
    struct kedge_model *m;
    assert_int_equal(kedge_open("m", "v1", features, 5, &m), KEDGE_OK);
    return m;
}

// A lane with nothing in it, for this thread.
static int empty_lane(void **state)
{
    (void)state;
    assert_int_equal(kedge_thread_ready(), KEDGE_OK);
    take_all(mine());
    guest_mine->beat = atomic_load(&mine()->beat);
    return 0;
}

static void writes_floats_as_they_are(void **state)
{
    (void)state;
    const float values[] = {1, 2, NAN, 4, 5};
    const struct kedge_event event = {"id7", 0, 42};
    uint64_t at = guest_mine->at;
    assert_int_equal(kedge_observe_f32(model(), values, 5, &event), KEDGE_OK);
    struct lane_record head = head_at(at);
    assert_int_equal(head.kind, LANE_F32);
    assert_int_equal(head.size, 16 + 8 + 20);
    assert_int_equal(head.t, 42);
    assert_int_equal(head.id_size, 3);
    assert_memory_equal(record_at(at) + 16, "id7", 3);
    assert_memory_equal(record_at(at) + 24, values, sizeof values);
    assert_int_equal(atomic_load(&mine()->head), at + 1);
}

static void stamps_rows_with_the_clock(void **state)
{
    (void)state;
    const double value = 1;
    uint64_t at = guest_mine->at, now = guest_now();
    assert_int_equal(kedge_observe_f64(model(), &value, 1, NULL), KEDGE_OK);
    assert_true(head_at(at).t - now < UINT64_C(1000000000));
}

static void writes_values_of_any_type(void **state)
{
    (void)state;
    float vector[20] = {3, NAN, -4};
    struct kedge_value values[5] = {
        {.type = KEDGE_I64, .as.i64 = -7},
        {.type = KEDGE_STRING, .as.string = {"ab", 2}},
        {.type = KEDGE_STRING, .as.string = {"two w\303\266rds 12", 12}},
        {.type = KEDGE_VECTOR_F32, .as.vector = {vector, 20}},
        {.type = KEDGE_MISSING}};
    uint64_t at = guest_mine->at;
    assert_int_equal(kedge_observe(model(), values, 5, NULL), KEDGE_OK);
    const uint8_t *from = record_at(at) + 16;
    double number, figures[4];
    uint32_t text[4], dim;
    assert_int_equal(*from, LANE_NUMBER);
    memcpy(&number, from + 1, 8);
    assert_true(number == -7);
    assert_memory_equal(from + 9, "\2\2ab", 4);
    assert_int_equal(from[13], LANE_TEXT);
    memcpy(text, from + 14, 16);
    assert_int_equal(text[0], 11);
    assert_int_equal(text[1], 3);
    assert_int_equal(text[2], 1);
    assert_int_equal(text[3], 1);
    assert_int_equal(from[30], LANE_VECTOR);
    memcpy(&dim, from + 31, 4);
    memcpy(figures, from + 35, 32);
    assert_int_equal(dim, 20);
    assert_true(figures[0] == 25 && figures[1] == -1.0 / 19);
    assert_true(figures[2] == -4 && figures[3] == 3);
    assert_int_equal(from[67], LANE_MISSING);
    assert_int_equal(head_at(at).size, 16 + 68);
}

static void cuts_long_categories_and_passes_over_empty_ones(void **state)
{
    (void)state;
    char text[200];
    memset(text, 'a', sizeof text);
    struct kedge_value values[2] = {{.type = KEDGE_STRING, .as.string = {"", 0}},
                                    {.type = KEDGE_STRING, .as.string = {text, 200}}};
    uint64_t at = guest_mine->at;
    assert_int_equal(kedge_observe(model(), values, 2, NULL), KEDGE_OK);
    assert_int_equal(record_at(at)[16], LANE_MISSING);
    assert_int_equal(record_at(at)[18], LANE_NAME_MAX);
    assert_int_equal(head_at(at).size, 16 + 1 + 2 + LANE_NAME_MAX);
}

static void refuses_rows_that_are_none(void **state)
{
    (void)state;
    struct kedge_model *m = model();
    char id[200] = {0};
    memset(id, 'i', 150);
    const struct kedge_event event = {id, 0, 0};
    const double six[6] = {0};
    struct kedge_stats before, after;
    kedge_stats(m, &before);
    assert_int_equal(kedge_observe_f64(m, six, 6, NULL), KEDGE_DROPPED);
    assert_int_equal(kedge_observe_f64(m, six, 0, NULL), KEDGE_DROPPED);
    assert_int_equal(kedge_observe_f64(m, six, 1, &event), KEDGE_DROPPED);
    kedge_stats(m, &after);
    assert_int_equal(after.refused - before.refused, 3);
    assert_int_equal(after.observed, before.observed);
    assert_int_equal(kedge_observe_f64(NULL, six, 1, NULL), KEDGE_RANGE);
    assert_int_equal(kedge_label(m, 1, NULL), KEDGE_RANGE);
    assert_int_equal(kedge_metric(m, "", 1, NULL), KEDGE_RANGE);
}

static void drops_and_counts_when_full_and_spoils_nothing(void **state)
{
    (void)state;
    struct kedge_model *m = model();
    struct kedge_stats before, after;
    const struct kedge_event event = {"x", 1, 7};
    const double first = 1, later = 2;
    uint64_t at = guest_mine->at, got = 0;
    kedge_stats(m, &before);
    for (uint32_t i = 0; i < 2 * SLOTS; i++)
        got += kedge_observe_f64(m, i == 0 ? &first : &later, 1, &event) == KEDGE_OK;
    assert_int_equal(kedge_label(m, 1, &event), KEDGE_DROPPED);
    kedge_stats(m, &after);
    assert_int_equal(got, SLOTS);
    assert_int_equal(after.observed - before.observed, SLOTS);
    assert_int_equal(after.dropped - before.dropped, SLOTS);
    assert_int_equal(after.beside - before.beside, 1);
    assert_int_equal(after.waiting, SLOTS * LANE_SLOT_BYTES);
    assert_memory_equal(record_at(at) + 24, &first, sizeof first);
    take_all(mine());
    assert_int_equal(kedge_observe_f64(m, &first, 1, NULL), KEDGE_OK);
}

static void wraps_with_a_skip_before_the_record(void **state)
{
    (void)state;
    static struct kedge_feature many[40];
    static char names[40][16];
    struct kedge_model *m;
    for (int i = 0; i < 40; i++) {
        snprintf(names[i], sizeof names[i], "f%d", i);
        many[i] = (struct kedge_feature){names[i], KEDGE_NUMBER, KEDGE_INPUT};
    }
    assert_int_equal(kedge_open("wide", NULL, many, 40, &m), KEDGE_OK);
    double values[40];
    uint64_t skips = 0, rows = 0, at = guest_mine->at;
    for (int i = 0; i < 5000; i++) {
        values[0] = values[39] = i;
        assert_int_equal(kedge_observe_f64(m, values, 40, NULL), KEDGE_OK);
        for (uint64_t end = atomic_load(&mine()->head); at < end;) {
            struct lane_record head = head_at(at);
            if (head.kind == LANE_SKIP) {
                skips++;
                assert_int_equal((at & (SLOTS - 1)) * LANE_SLOT_BYTES + head.size,
                                 SLOTS * LANE_SLOT_BYTES);
            } else {
                double last;
                memcpy(&last, record_at(at) + 16 + 39 * 8, 8);
                assert_true(last == i);
                rows++;
            }
            at += (head.size + LANE_SLOT_BYTES - 1) / LANE_SLOT_BYTES;
        }
        take_all(mine());
    }
    assert_int_equal(rows, 5000);
    assert_true(skips >= 5);
}

// Any call but read, write and exit kills the child; an allocation would show.
static void observes_without_a_call_or_an_allocation(void **state)
{
    (void)state;
#ifdef __SANITIZE_THREAD__
    skip(); // its own thread in the child makes calls
#endif
    struct kedge_model *m = model();
    pid_t child = fork();
    if (child == 0) {
        const float floats[5] = {1, 2, 3, 4, 5};
        const struct kedge_value values[] = {
            {.type = KEDGE_F64, .as.f64 = 1},
            {.type = KEDGE_STRING, .as.string = {"red", 3}},
        };
        const struct kedge_event event = {"some-id", 0, 1};
        (void)kedge_observe_f32(m, floats, 5, NULL);
        size_t before = mallinfo2().uordblks;
        if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) != 0)
            syscall(SYS_exit, 9);
        uint64_t lost = 0;
        for (int i = 0; i < 100000; i++) {
            if (i % 1000 == 0 && i < 50000)
                take_all(guest_mine->head);
            lost += kedge_observe_f32(m, floats, 5, NULL) != KEDGE_OK;
            lost += kedge_observe(m, values, 2, &event) != KEDGE_OK;
        }
        size_t grown = mallinfo2().uordblks - before;
        syscall(SYS_exit, grown != 0 ? 8 : lost > 90000 && lost < 100000 ? 0 : 7);
    }
    int code = -1;
    assert_int_equal(waitpid(child, &code, 0), child);
    assert_int_equal(code, 0);
}

static void a_child_has_a_lane_of_its_own(void **state)
{
    (void)state;
    struct host h;
    struct kedge_model *m = model();
    const double value = 1;
    uint64_t at = guest_mine->at;
    guest_tend(guest_mine, guest_now() + LONG_NS);
    host_open(&h);
    pid_t child = fork();
    if (child == 0) {
        bool is_fresh = !guest_mine && guest.fd < 0;
        enum kedge_status st = kedge_observe_f64(m, &value, 1, NULL);
        struct kedge_stats told;
        kedge_stats(m, &told);
        _exit(is_fresh && st == KEDGE_OK && told.observed == 1 ? 0 : 1);
    }
    int code = -1;
    assert_int_equal(waitpid(child, &code, 0), child);
    assert_int_equal(code, 0);
    host_hear(&h);
    assert_int_equal(h.hellos, 1);
    assert_int_equal(h.lanes, 1);
    assert_true(h.models >= 1);
    assert_int_equal(atomic_load(&h.lane->head), 1);
    assert_int_equal(atomic_load(&mine()->head), at);
    host_close(&h);
}

// In a child, for it has no lane yet and must not be able to make one.
static void counts_what_a_thread_without_a_lane_drops(void **state)
{
    (void)state;
    struct kedge_model *m = model();
    pid_t child = fork();
    if (child == 0) {
        const double value = 1;
        struct kedge_stats told;
        struct rlimit limit;
        getrlimit(RLIMIT_NOFILE, &limit);
        const struct rlimit none = {0, limit.rlim_max};
        setrlimit(RLIMIT_NOFILE, &none);
        int lost = 0;
        for (int i = 0; i < 10; i++)
            lost += kedge_observe_f64(m, &value, 1, NULL) == KEDGE_DROPPED;
        kedge_stats(m, &told);
        bool is_counted = lost == 10 && told.dropped == 10 && !guest_mine;
        setrlimit(RLIMIT_NOFILE, &limit);
        bool is_patient = kedge_observe_f64(m, &value, 1, NULL) == KEDGE_DROPPED;
        atomic_store(&guest.barren_ns, 0); // as if a second had passed
        bool is_back = kedge_observe_f64(m, &value, 1, NULL) == KEDGE_OK;
        bool is_told = guest_mine && atomic_load(&mine()->losses.full[m->number]) == 11;
        kedge_stats(m, &told);
        is_told = is_told && told.dropped == 11 && told.observed == 1;
        _exit(is_counted && is_patient && is_back && is_told ? 0 : 1);
    }
    int code = -1;
    assert_int_equal(waitpid(child, &code, 0), child);
    assert_int_equal(code, 0);
}

static void finds_an_agent_that_comes_later_and_comes_again(void **state)
{
    (void)state;
    struct host h;
    struct kedge_model *m = model();
    const double value = 1;
    uint64_t now = guest_now();
    guest_tend(guest_mine, now += LONG_NS); // nobody is there
    assert_true(guest.fd < 0);
    for (int life = 0; life < 3; life++) {
        host_open(&h);
        assert_int_equal(kedge_observe_f64(m, &value, 1, NULL), KEDGE_OK);
        guest_tend(guest_mine, now += LONG_NS);
        host_hear(&h);
        assert_int_equal(h.hellos, 1);
        assert_int_equal(h.lanes, 1);
        assert_true(h.models >= 1);
        take_all(h.lane);
        guest_tend(guest_mine, now += LONG_NS); // the beat has moved
        host_hear(&h);
        assert_int_equal(h.hellos, 1);
        take_all(h.lane);
        host_close(&h); // and it is gone
        guest_tend(guest_mine, now += LONG_NS);
        assert_true(guest.fd >= 0); // the beat had moved: no call was made
        guest_tend(guest_mine, now += LONG_NS);
        assert_true(guest.fd < 0);
    }
}

// A stopped agent keeps its connection: it is asked, and nothing is torn down.
static void waits_for_an_agent_that_is_stopped(void **state)
{
    (void)state;
    struct host h;
    uint64_t now = guest_now();
    host_open(&h);
    (void)model();
    guest_tend(guest_mine, now += LONG_NS);
    int fd = guest.fd;
    assert_true(fd >= 0);
    for (int i = 0; i < 5; i++)
        guest_tend(guest_mine, now += LONG_NS);
    assert_int_equal(guest.fd, fd);
    host_hear(&h);
    assert_int_equal(h.hellos, 1);
    host_close(&h);
    guest_tend(guest_mine, now += LONG_NS);
}

static void looks_for_it_once_a_second_at_most(void **state)
{
    (void)state;
    struct host h;
    uint64_t now = guest_now() + 100 * LONG_NS;
    guest_tend(guest_mine, now);
    assert_true(guest.fd < 0);
    host_open(&h);
    guest_tend(guest_mine, now + GUEST_TEND_NS / 2);
    assert_true(guest.fd < 0);
    errno = 77;
    guest_tend(guest_mine, now + GUEST_TEND_NS);
    assert_true(guest.fd >= 0);
    assert_int_equal(errno, 77);
    host_close(&h);
    guest_tend(guest_mine, now + 2 * GUEST_TEND_NS);
}

static void opens_the_same_model_once(void **state)
{
    (void)state;
    struct kedge_model *a = model(), *b = model(), *c;
    assert_ptr_equal(a, b);
    assert_int_equal(kedge_open("m", "v2", features, 5, &c), KEDGE_OK);
    assert_ptr_not_equal(a, c);
    kedge_close(b);
    kedge_close(c);
    kedge_close(NULL);
}

static void refuses_models_out_of_bounds(void **state)
{
    (void)state;
    struct kedge_model *m;
    char name[200] = {0};
    memset(name, 'n', 129);
    struct kedge_feature bad = {name, KEDGE_NUMBER, KEDGE_INPUT};
    assert_int_equal(kedge_open(NULL, "v", features, 5, &m), KEDGE_RANGE);
    assert_int_equal(kedge_open("", "v", features, 5, &m), KEDGE_RANGE);
    assert_int_equal(kedge_open(name, "v", features, 5, &m), KEDGE_RANGE);
    assert_int_equal(kedge_open("m", "v", features, 0, &m), KEDGE_RANGE);
    assert_int_equal(kedge_open("m", "v", features, 513, &m), KEDGE_RANGE);
    assert_int_equal(kedge_open("m", "v", &bad, 1, &m), KEDGE_RANGE);
    assert_int_equal(kedge_setup(path, 0), KEDGE_RANGE); // too late
}

// --- Batches

static void takes_columns_of_any_kind(void **state)
{
    (void)state;
    const int16_t shorts[] = {1, -2, 3};
    const int8_t codes[] = {1, -1, 0};
    const struct kedge_string words[] = {{"red", 3}, {"blue", 4}};
    const char ids[3][4] = {"a", "bcd", ""};
    const uint64_t times[] = {5, 6, 7};
    const struct kedge_column columns[] = {
        {.data = shorts, .stride = 2, .type = KEDGE_I16},
        {.data = codes,
         .stride = 1,
         .type = KEDGE_CODE8,
         .dictionary = words,
         .words = 2},
    };
    const struct kedge_column id = {
        .data = ids, .stride = 4, .type = KEDGE_BYTES, .width = 4};
    uint64_t at = guest_mine->at;
    size_t taken;
    assert_int_equal(kedge_observe_batch(model(), columns, 2, 3, &id, times, &taken),
                     KEDGE_OK);
    assert_int_equal(taken, 3);
    assert_memory_equal(record_at(at) + 16, "a", 1);
    assert_memory_equal(record_at(at) + 24 + 9, "\2\4blue", 6);
    assert_int_equal(head_at(at + 1).t, 6);
    assert_int_equal(head_at(at + 1).id_size, 3);
    assert_int_equal(record_at(at + 1)[24 + 9], LANE_MISSING);
    assert_int_equal(head_at(at + 2).id_size, 0);
    assert_memory_equal(record_at(at + 2) + 16 + 9, "\2\3red", 5);
}

static void takes_float_tables_by_row_and_by_column(void **state)
{
    (void)state;
    float rows[3][5], columns_of[5][3];
    struct kedge_column by_row[5], by_column[5];
    for (int c = 0; c < 5; c++) {
        for (int r = 0; r < 3; r++)
            rows[r][c] = columns_of[c][r] = (float)(10 * r + c);
        by_row[c] = (struct kedge_column){
            .data = &rows[0][c], .stride = sizeof rows[0], .type = KEDGE_F32};
        by_column[c] = (struct kedge_column){
            .data = columns_of[c], .stride = sizeof(float), .type = KEDGE_F32};
    }
    uint64_t at = guest_mine->at;
    kedge_observe_batch(model(), by_row, 5, 3, NULL, NULL, NULL);
    kedge_observe_batch(model(), by_column, 5, 3, NULL, NULL, NULL);
    for (uint64_t r = 0; r < 3; r++) {
        assert_memory_equal(record_at(at + r) + 16, rows[r], sizeof rows[r]);
        assert_memory_equal(record_at(at + 3 + r) + 16, rows[r], sizeof rows[r]);
    }
}

static void makes_ids_of_integers(void **state)
{
    (void)state;
    const int64_t ids[] = {INT64_MIN, 0};
    const double value = 1;
    const struct kedge_column column = {.data = &value, .type = KEDGE_F64};
    const struct kedge_column id = {.data = ids, .stride = 8, .type = KEDGE_I64};
    uint64_t at = guest_mine->at;
    kedge_observe_batch(model(), &column, 1, 2, &id, NULL, NULL);
    assert_memory_equal(record_at(at) + 16, "-9223372036854775808", 20);
    assert_int_equal(head_at(at + 1).id_size, 1);
    assert_int_equal(record_at(at + 1)[16], '0');
}

// --- Threads

#define THREADS 4
#define ROWS 20000

static void *observe_many(void *arg)
{
    struct kedge_model *m = arg;
    uint64_t lost = 0;
    for (int i = 0; i < ROWS; i++) {
        const double values[] = {i, i};
        lost += kedge_observe_f64(m, values, 2, NULL) != KEDGE_OK;
    }
    return (void *)(uintptr_t)lost;
}

static void threads_do_not_meet(void **state)
{
    (void)state;
    struct kedge_model *m = model();
    struct kedge_stats before, after;
    pthread_t thread[THREADS];
    uint64_t lost = 0;
    kedge_stats(m, &before);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, observe_many, m), 0);
    for (int i = 0; i < THREADS; i++) {
        void *result;
        pthread_join(thread[i], &result);
        lost += (uintptr_t)result;
    }
    kedge_stats(m, &after);
    assert_int_equal(after.dropped - before.dropped, lost);
    assert_int_equal(after.observed - before.observed + lost, THREADS * ROWS);
}

static void *observe_once(void *arg)
{
    const double value = 1;
    (void)kedge_observe_f64(arg, &value, 1, NULL);
    return guest_mine;
}

static void a_lane_outlives_its_thread_and_serves_the_next(void **state)
{
    (void)state;
    void *first, *second;
    pthread_t thread;
    struct kedge_model *m = model();
    pthread_create(&thread, NULL, observe_once, m);
    pthread_join(thread, &first);
    pthread_create(&thread, NULL, observe_once, m);
    pthread_join(thread, &second);
    assert_non_null(first);
    assert_ptr_equal(first, second);
}

static int set_up(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/lane.sock", folder);
    assert_int_equal(kedge_setup(path, 1), KEDGE_RANGE);
    assert_int_equal(kedge_setup(path, 64u << 20), KEDGE_RANGE);
    return kedge_setup(path, (size_t)SLOTS * LANE_SLOT_BYTES);
}

static int tear_down(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

int main(void)
{
#define ON_LANE(name) cmocka_unit_test_setup(name, empty_lane)
    const struct CMUnitTest tests[] = {
        ON_LANE(writes_floats_as_they_are),
        ON_LANE(stamps_rows_with_the_clock),
        ON_LANE(writes_values_of_any_type),
        ON_LANE(cuts_long_categories_and_passes_over_empty_ones),
        ON_LANE(refuses_rows_that_are_none),
        ON_LANE(drops_and_counts_when_full_and_spoils_nothing),
        ON_LANE(wraps_with_a_skip_before_the_record),
        ON_LANE(observes_without_a_call_or_an_allocation),
        ON_LANE(a_child_has_a_lane_of_its_own),
        ON_LANE(counts_what_a_thread_without_a_lane_drops),
        ON_LANE(finds_an_agent_that_comes_later_and_comes_again),
        ON_LANE(waits_for_an_agent_that_is_stopped),
        ON_LANE(looks_for_it_once_a_second_at_most),
        ON_LANE(opens_the_same_model_once),
        ON_LANE(refuses_models_out_of_bounds),
        ON_LANE(takes_columns_of_any_kind),
        ON_LANE(takes_float_tables_by_row_and_by_column),
        ON_LANE(makes_ids_of_integers),
        ON_LANE(threads_do_not_meet),
        ON_LANE(a_lane_outlives_its_thread_and_serves_the_next),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
