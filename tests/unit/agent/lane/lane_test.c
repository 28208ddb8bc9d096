// Lane: rows of every kind, a full lane, another agent, and all that a hostile process
// may write.
//
// SPDX-License-Identifier: Apache-2.0
#include "stage.h"

#include <math.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define ROW(x) "m/v # @1000 i:x=" x "\n"

static void put_float(struct stage *s, float v)
{
    put(s, LANE_F32, &v, sizeof v);
}

static void hands_on_rows_of_each_kind(void **state)
{
    struct stage *s = *state;
    attach(s);
    const float floats[] = {1, 2, NAN, NAN, 4.5f};
    const double doubles[] = {1.25, 0.1};
    put(s, LANE_F32, floats, sizeof floats);
    put(s, LANE_F64, doubles, sizeof doubles);
    uint8_t mixed[128], *to = mixed;
    const double number = 7, figures[] = {25, 1, -3, 4};
    const uint32_t text[] = {12, 3, 1, 2}, dim = 20;
    *to++ = LANE_NUMBER;
    to = (uint8_t *)memcpy(to, &number, 8) + 8;
    *to++ = LANE_CATEGORY;
    *to++ = 2;
    *to++ = 'a';
    *to++ = 'b';
    *to++ = LANE_TEXT;
    to = (uint8_t *)memcpy(to, text, 16) + 16;
    *to++ = LANE_VECTOR;
    to = (uint8_t *)memcpy(to, &dim, 4) + 4;
    to = (uint8_t *)memcpy(to, figures, 32) + 32;
    *to++ = LANE_MISSING;
    put(s, LANE_MIXED, mixed, (size_t)(to - mixed));
    assert_false(lane_turn(s->door, NOW));
    assert_said(s, "m/v # @1000 i:x=1 i:c='2' i:t=null i:e=null o:y=4.5\n"
                   "m/v # @1000 i:x=1.25 i:c='0.1'\n"
                   "m/v # @1000 i:x=7 i:c='ab' i:t=text(12,3) i:e=vec(20,5,1,-3,4) "
                   "o:y=null\n");
    assert_int_equal(s->said.settled, 3);
    assert_int_equal(atomic_load(&s->head->tail), s->at);
}

static void hands_on_labels_and_metrics(void **state)
{
    struct stage *s = *state;
    struct {
        char id[8];
        double v;
    } label = {"abc", 2.5};
    struct {
        double v;
        char name[7];
    } metric = {9, "latency"};
    attach(s);
    const struct lane_record head = {
        .size = sizeof head + sizeof label, .kind = LANE_LABEL, .id_size = 3};
    put_raw(s, &head, &label, sizeof label, 1);
    put(s, LANE_METRIC, &metric, 8 + 7);
    lane_turn(s->door, NOW);
    assert_said(s, "m/v #abc @now l:label=2.5\nm/v # @1000 s:latency=9\n");
}

static void reads_across_the_end(void **state)
{
    struct stage *s = *state;
    attach(s);
    uint64_t rows = 0;
    const float wide[5] = {1, 2, 3, 4, 5};
    for (int lap = 0; lap < 5; lap++)
        for (;;) {
            uint64_t place = s->at % LANE_SLOTS_MIN, left = LANE_SLOTS_MIN - place;
            if (left < 3) {
                const struct lane_record skip = {
                    .size = (uint32_t)left * LANE_SLOT_BYTES, .kind = LANE_SKIP};
                memcpy(slot_at(s), &skip, sizeof skip);
                s->at += left;
                break;
            }
            const struct lane_record head = {
                .size = sizeof head + sizeof wide, .kind = LANE_F32, .t = 1000 * MS};
            put_raw(s, &head, wide, sizeof wide, 1);
            rows++;
            lane_turn(s->door, NOW);
        }
    put_float(s, 1);
    lane_turn(s->door, NOW);
    assert_int_equal(s->said.rows, rows + 1);
    assert_int_equal(lane_stats(s->door).faults, 0);
}

static void reads_what_another_process_writes(void **state)
{
    struct stage *s = *state;
    attach(s);
    pid_t child = fork();
    if (child == 0) {
        for (uint32_t i = 0; i < 20000; i++) {
            while (s->at - atomic_load(&s->head->tail) >= LANE_SLOTS_MIN)
                continue;
            put_float(s, (float)i);
        }
        _exit(0);
    }
    int code = -1;
    while (waitpid(child, &code, WNOHANG) == 0)
        lane_turn(s->door, NOW);
    while (lane_turn(s->door, NOW))
        continue;
    assert_int_equal(code, 0);
    assert_int_equal(s->said.rows, 20000);
    assert_int_equal(lane_stats(s->door).malformed, 0);
}

static void tells_losses_once(void **state)
{
    struct stage *s = *state;
    attach(s);
    lane_turn(s->door, NOW);
    atomic_store(&s->head->losses.full[0], 5);
    atomic_store(&s->head->losses.refused[0], 2);
    atomic_store(&s->head->losses.beside[0], 1);
    atomic_store(&s->head->lost, 8);
    lane_turn(s->door, NOW);
    lane_turn(s->door, NOW);
    assert_int_equal(s->said.dropped[DROP_LANE], 5);
    assert_int_equal(s->said.dropped[DROP_MALFORMED], 2);
    assert_int_equal(lane_stats(s->door).beside, 1);
    assert_said(s, "drop lane_full m\ndrop malformed m\n");
}

// Another agent goes on where the first one stopped, with rows and with losses.
static void goes_on_in_a_lane_that_was_read_before(void **state)
{
    struct stage *s = *state;
    const struct lane_settings settings = {.path = s->path, .mode = 0600};
    attach(s);
    put_float(s, 1);
    atomic_store(&s->head->losses.full[0], 5);
    atomic_store(&s->head->lost, 5);
    lane_turn(s->door, NOW);
    put_float(s, 2);
    lane_close(s->door);
    close(s->fd);
    assert_int_equal(lane_open(&settings, &s->sink, &s->door), ST_OK);
    come(s);
    send_hello(s, LANE_VERSION);
    send_model(s);
    send_lane(s);
    lane_turn(s->door, NOW);
    assert_said(s, "drop lane_full m\n" ROW("1") ROW("2"));
}

static void one_lane_has_one_reader(void **state)
{
    struct stage *s = *state;
    attach(s);
    send_lane(s);
    int first = s->fd;
    come(s);
    send_hello(s, LANE_VERSION);
    send_model(s);
    send_lane(s);
    put_float(s, 1);
    lane_turn(s->door, NOW);
    assert_said(s, ROW("1"));
    assert_int_equal(lane_stats(s->door).lanes, 1);
    close(first);
}

static void reads_to_its_end_what_a_process_left(void **state)
{
    struct stage *s = *state;
    attach(s);
    lane_turn(s->door, NOW);
    put_float(s, 1);
    close(s->fd);
    s->fd = -1;
    lane_turn(s->door, NOW);
    assert_said(s, ROW("1"));
    assert_int_equal(lane_stats(s->door).visitors, 0);
}

static void a_quick_lane_is_read_more_often(void **state)
{
    struct stage *s = *state;
    assert_int_equal(lane_patience_ns(s->door), 1000 * MS);
    attach(s);
    lane_turn(s->door, NOW);
    assert_int_equal(lane_patience_ns(s->door), 50 * MS * LANE_SLOTS_MIN / 16384);
    for (uint32_t i = 0; i < LANE_SLOTS_MIN / 6; i++)
        put_float(s, 1);
    lane_turn(s->door, NOW);
    assert_int_equal(lane_patience_ns(s->door), 10 * MS);
    for (uint32_t i = 0; i < LANE_SLOTS_MIN / 2; i++)
        put_float(s, 1);
    lane_turn(s->door, NOW);
    assert_int_equal(lane_patience_ns(s->door), 1 * MS);
}

// --- An agent that dies between counting and giving back

static struct source_mark taken;
static uint32_t takings;
static bool is_due_always;

static bool told_due(void *self)
{
    (void)self;
    return is_due_always;
}

static void told_taken(void *self, const struct source_mark *mark)
{
    (void)self;
    taken = *mark;
    takings++;
}

static bool told_resume(void *self, const uint64_t source[2], struct source_mark *out)
{
    (void)self;
    *out = taken;
    return memcmp(taken.source, source, sizeof taken.source) == 0;
}

static void attach_again(struct stage *s)
{
    come(s);
    send_hello(s, LANE_VERSION);
    send_model(s);
    send_lane(s);
}

static void reopen_with_marks(struct stage *s)
{
    const struct lane_settings settings = {.path = s->path, .mode = 0600};
    lane_close(s->door);
    s->sink.is_due = told_due;
    s->sink.taken = told_taken;
    s->sink.resume = told_resume;
    takings = 0;
    is_due_always = false;
    assert_int_equal(lane_open(&settings, &s->sink, &s->door), ST_OK);
}

static void rows_are_given_back_together_once_they_are_taken(void **state)
{
    struct stage *s = *state;
    reopen_with_marks(s);
    attach(s);
    for (int i = 0; i < 600; i++)
        put_float(s, 1);
    lane_turn(s->door, NOW);
    assert_int_equal(takings, 2); // 512 and the rest
    assert_int_equal(taken.tail, s->at);
    assert_int_equal(s->said.settled, 2);
    assert_int_equal(atomic_load(&s->head->tail), s->at);
    is_due_always = true; // windows are to be sealed: every row stands for itself
    for (int i = 0; i < 3; i++)
        put_float(s, 1);
    lane_turn(s->door, NOW);
    assert_int_equal(takings, 5);
}

static void what_was_taken_is_not_read_again_by_the_next_agent(void **state)
{
    struct stage *s = *state;
    reopen_with_marks(s);
    attach(s);
    for (int i = 0; i < 3; i++)
        put_float(s, 1);
    atomic_store(&s->head->losses.full[0], 4);
    atomic_store(&s->head->lost, 4);
    lane_turn(s->door, NOW);
    assert_int_equal(lane_stats(s->door).rows, 3);
    assert_int_equal(lane_stats(s->door).full, 4);
    // As if it had been killed between the two stores.
    atomic_store(&s->head->tail, 0);
    atomic_store(&s->head->told.full[0], 0);
    taken.tolds = 1;
    taken.told[0].place = 0;
    taken.told[0].value = 4;
    put_float(s, 2);
    close(s->fd);
    reopen_with_marks(s);
    attach_again(s);
    lane_turn(s->door, NOW);
    assert_int_equal(lane_stats(s->door).rows, 1);
    assert_int_equal(lane_stats(s->door).full, 0);
    assert_int_equal(atomic_load(&s->head->tail), s->at);
}

static void a_mark_that_makes_no_sense_is_not_believed(void **state)
{
    struct stage *s = *state;
    reopen_with_marks(s);
    attach(s);
    put_float(s, 1);
    lane_turn(s->door, NOW);
    taken.tail = s->at + 5; // further than anything was written
    put_float(s, 1);
    close(s->fd);
    reopen_with_marks(s);
    attach_again(s);
    lane_turn(s->door, NOW);
    assert_int_equal(lane_stats(s->door).rows, 1);
}

// --- Hostile visitors

static void assert_sent_away(struct stage *s)
{
    lane_turn(s->door, NOW);
    char byte;
    assert_int_equal(recv(s->fd, &byte, 1, 0), 0);
    assert_int_equal(lane_stats(s->door).faults, 1);
    assert_int_equal(lane_stats(s->door).visitors, 0);
}

static void refuses_a_lane_that_could_shrink(void **state)
{
    struct stage *s = *state;
    come(s);
    send_hello(s, LANE_VERSION);
    send_lane(s);
    assert_sent_away(s);
}

static void refuses_a_plain_file(void **state)
{
    struct stage *s = *state;
    static const uint8_t packet[] = {LANE_HAS_LANE};
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    come(s);
    send_hello(s, LANE_VERSION);
    send_with(s, packet, sizeof packet, file);
    close(file);
    assert_sent_away(s);
}

static void refuses_a_lane_without_a_file(void **state)
{
    struct stage *s = *state;
    static const uint8_t packet[] = {LANE_HAS_LANE};
    come(s);
    send_hello(s, LANE_VERSION);
    send_with(s, packet, sizeof packet, -1);
    assert_sent_away(s);
}

static void refuses_false_heads(void **state)
{
    for (int i = 0; i < 6; i++) {
        struct stage *s = *state;
        if (i == 0)
            s->head->magic++;
        if (i == 1)
            s->head->version++;
        if (i == 2)
            s->head->slots = LANE_SLOTS_MIN * 2;
        if (i == 3)
            s->head->slots = LANE_SLOTS_MIN - 1;
        if (i == 4)
            atomic_store(&s->head->head, LANE_SLOTS_MIN + 1);
        if (i == 5)
            atomic_store(&s->head->tail, 1);
        attach(s);
        assert_sent_away(s);
        close_stage(state);
        open_stage(state);
    }
}

static void refuses_another_version(void **state)
{
    struct stage *s = *state;
    come(s);
    send_hello(s, LANE_VERSION + 1);
    assert_sent_away(s);
}

static void refuses_who_does_not_greet(void **state)
{
    struct stage *s = *state;
    come(s);
    send_model(s);
    assert_sent_away(s);
}

static void refuses_a_number_twice(void **state)
{
    struct stage *s = *state;
    attach(s);
    send_model(s);
    assert_sent_away(s);
}

static void refuses_broken_models(void **state)
{
    static const uint8_t good[] = {LANE_HAS_MODEL, 0, 0, 1, 0, 1, 'm', 0, 0, 0, 1, 'x'};
    static const struct {
        size_t at;
        uint8_t byte;
    } broken[] = {{1, LANE_MODELS_MAX}, {3, 0}, {3, 2}, {4, 3}, {5, 0}, {5, 200},
                  {8, SIDE_COUNT},      {9, 9}, {10, 0}};
    for (size_t i = 0; i < sizeof broken / sizeof *broken + sizeof good - 1; i++) {
        struct stage *s = *state;
        uint8_t packet[sizeof good];
        memcpy(packet, good, sizeof good);
        size_t size = sizeof good;
        if (i < sizeof broken / sizeof *broken)
            packet[broken[i].at] = broken[i].byte;
        else
            size = i - sizeof broken / sizeof *broken + 1;
        come(s);
        send_hello(s, LANE_VERSION);
        send_with(s, packet, size, -1);
        assert_sent_away(s);
        close_stage(state);
        open_stage(state);
    }
}

// --- Hostile lanes

static void assert_lane_left(struct stage *s)
{
    lane_turn(s->door, NOW);
    assert_int_equal(lane_stats(s->door).faults, 1);
    assert_int_equal(lane_stats(s->door).lanes, 0);
    assert_int_equal(lane_stats(s->door).visitors, 1);
    lane_turn(s->door, NOW);
}

static void leaves_a_lane_of_false_records(void **state)
{
    const struct {
        struct lane_record head;
        uint64_t slots;
    } records[] = {
        {{.size = 0, .kind = LANE_F32}, 1},
        {{.size = 15, .kind = LANE_F32}, 1},
        {{.size = 65, .kind = LANE_F32}, 1}, // more than is there
        {{.size = UINT32_MAX, .kind = LANE_F32}, LANE_SLOTS_MIN},
        {{.size = LANE_RECORD_MAX + 1, .kind = LANE_F32}, LANE_SLOTS_MIN},
        {{.size = 20, .kind = LANE_KINDS}, 1},
        {{.size = 64, .kind = LANE_SKIP}, 2}, // not to the end
        {{.size = LANE_SLOTS_MIN * LANE_SLOT_BYTES, .kind = LANE_SKIP}, LANE_SLOTS_MIN},
        {{.size = 20, .kind = LANE_F32, .model = LANE_MODELS_MAX}, 1},
        {{.size = 20, .kind = LANE_F32}, LANE_SLOTS_MIN + 1}, // a head too far
    };
    for (size_t i = 0; i < sizeof records / sizeof *records; i++) {
        struct stage *s = *state;
        attach(s);
        lane_turn(s->door, NOW);
        put_raw(s, &records[i].head, NULL, 0, records[i].slots);
        assert_lane_left(s);
        assert_said(s, "");
        close_stage(state);
        open_stage(state);
    }
}

static void leaves_a_lane_of_an_unknown_model(void **state)
{
    struct stage *s = *state;
    const struct lane_record head = {.size = 20, .kind = LANE_F32, .model = 1};
    attach(s);
    put_raw(s, &head, "\0\0\0\0", 4, 1);
    lane_turn(s->door, NOW);
    assert_int_equal(lane_stats(s->door).lanes, 1);
    assert_lane_left(s);
}

static void counts_records_that_are_no_rows(void **state)
{
    static const struct {
        uint8_t kind;
        uint8_t id_size;
        size_t size;
        uint8_t bytes[24];
    } records[] = {
        {LANE_F32, 0, 0, {0}},
        {LANE_F32, 0, 3, {0}},
        {LANE_F32, 0, 24, {0}}, // six of five features
        {LANE_F64, 0, 12, {0}},
        {LANE_MIXED, 0, 0, {0}},
        {LANE_MIXED, 0, 1, {LANE_TAGS}},
        {LANE_MIXED, 0, 6, {0}}, // six again
        {LANE_MIXED, 0, 8, {LANE_NUMBER}},
        {LANE_MIXED, 0, 4, {LANE_CATEGORY, 3, 'a', 'b'}},
        {LANE_MIXED, 0, 4, {LANE_CATEGORY, 129}},
        {LANE_MIXED, 0, 16, {LANE_TEXT}},
        {LANE_MIXED, 0, 24, {LANE_VECTOR}},
        {LANE_LABEL, 8, 12, {0}},
        {LANE_LABEL, 8, 24, {0}},
        {LANE_METRIC, 0, 8, {0}}, // no name
        {LANE_F32, 129, 24, {0}},
        {LANE_F32, 128, 24, {0}},
    };
    struct stage *s = *state;
    uint64_t n = sizeof records / sizeof *records;
    attach(s);
    for (uint64_t i = 0; i < n; i++) {
        const struct lane_record head = {.size = (uint32_t)(16 + records[i].size),
                                         .kind = records[i].kind,
                                         .id_size = records[i].id_size};
        put_raw(s, &head, records[i].bytes, records[i].size, 1);
    }
    put_float(s, 1);
    lane_turn(s->door, NOW);
    assert_int_equal(s->said.rows, 1);
    assert_int_equal(s->said.dropped[DROP_MALFORMED], n);
    assert_int_equal(lane_stats(s->door).lanes, 1);
}

static void a_lie_about_losses_is_not_told(void **state)
{
    struct stage *s = *state;
    attach(s);
    atomic_store(&s->head->losses.full[0], 5);
    atomic_store(&s->head->told.full[0], 9);
    atomic_store(&s->head->losses.full[1], UINT64_MAX);
    atomic_store(&s->head->lost, 1);
    lane_turn(s->door, NOW);
    assert_said(s, "");
}

static void takes_the_place_of_a_killed_agent_only(void **state)
{
    struct stage *s = *state;
    struct lane_door *other;
    struct stat st;
    const struct lane_settings settings = {.path = s->path, .mode = 0640};
    assert_int_equal(lane_open(&settings, &s->sink, &other), ST_EXISTS);
    assert_int_equal(stat(s->path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
}

int main(void)
{
#define ON_STAGE(name) cmocka_unit_test_setup_teardown(name, open_stage, close_stage)
    const struct CMUnitTest tests[] = {
        ON_STAGE(hands_on_rows_of_each_kind),
        ON_STAGE(hands_on_labels_and_metrics),
        ON_STAGE(reads_across_the_end),
        ON_STAGE(reads_what_another_process_writes),
        ON_STAGE(tells_losses_once),
        ON_STAGE(goes_on_in_a_lane_that_was_read_before),
        ON_STAGE(one_lane_has_one_reader),
        ON_STAGE(reads_to_its_end_what_a_process_left),
        ON_STAGE(a_quick_lane_is_read_more_often),
        ON_STAGE(rows_are_given_back_together_once_they_are_taken),
        ON_STAGE(what_was_taken_is_not_read_again_by_the_next_agent),
        ON_STAGE(a_mark_that_makes_no_sense_is_not_believed),
        ON_STAGE(refuses_a_lane_that_could_shrink),
        ON_STAGE(refuses_a_plain_file),
        ON_STAGE(refuses_a_lane_without_a_file),
        ON_STAGE(refuses_false_heads),
        ON_STAGE(refuses_another_version),
        ON_STAGE(refuses_who_does_not_greet),
        ON_STAGE(refuses_a_number_twice),
        ON_STAGE(refuses_broken_models),
        ON_STAGE(leaves_a_lane_of_false_records),
        ON_STAGE(leaves_a_lane_of_an_unknown_model),
        ON_STAGE(counts_records_that_are_no_rows),
        ON_STAGE(a_lie_about_losses_is_not_told),
        ON_STAGE(takes_the_place_of_a_killed_agent_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
