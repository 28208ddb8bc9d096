// Payloads: every sample gives exactly the observations of its manifest, however its
// bytes are cut.
//
// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <json-c/json.h>
#include <malloc.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "agent/intake/chart.h"
#include "agent/intake/feed.h"
#include "agent/intake/print.h"
#include "common/base/file.h"
#include "common/base/mem.h"

#define FOLDER "tests/data/payloads/"
#define NOW UINT64_C(1700000000000000000)

// --- One sample

struct sample {
    const char *file;
    enum feed_door door;
    const char *format;
    struct json_object *wanted;
    struct chart chart;
    struct buf bytes;
};

static const char *text_at(struct json_object *o, const char *key)
{
    return json_object_get_string(json_object_object_get(o, key));
}

static enum feed_door door_of(const char *name)
{
    static const char *const doors[] = {"http", "tail", "scrape", "udp"};
    for (int i = 0; i < 4; i++)
        if (strcmp(name, doors[i]) == 0)
            return (enum feed_door)i;
    fail_msg("no door: %s", name);
    return FEED_HTTP;
}

static void open_sample(struct sample *s, struct json_object *o)
{
    char path[256];
    struct json_object *mapping = json_object_object_get(o, "mapping");
    struct json_object *schema = json_object_object_get(o, "schema");
    s->file = text_at(o, "file");
    s->format = text_at(o, "format");
    s->door = door_of(text_at(o, "door"));
    s->wanted = json_object_object_get(o, "observations");
    chart_init(&s->chart);
    if (mapping)
        assert_int_equal(
            chart_read(&s->chart, span_text(json_object_to_json_string(mapping))),
            ST_OK);
    if (schema)
        assert_int_equal(
            chart_read_bento(&s->chart, span_text(json_object_to_json_string(schema))),
            ST_OK);
    buf_init(&s->bytes, 1 << 20);
    snprintf(path, sizeof path, FOLDER "%s", s->file);
    assert_int_equal(file_read(path, &s->bytes), ST_OK);
}

static void close_sample(struct sample *s)
{
    chart_fini(&s->chart);
    buf_fini(&s->bytes);
}

// --- Comparing

static bool is_number(struct json_object *o)
{
    return json_object_is_type(o, json_type_double) ||
           json_object_is_type(o, json_type_int);
}

static bool is_same(struct json_object *a, struct json_object *b);

static bool is_same_object(struct json_object *a, struct json_object *b)
{
    if (json_object_object_length(a) != json_object_object_length(b))
        return false;
    json_object_object_foreach(a, key, value)
    {
        struct json_object *other;
        if (!json_object_object_get_ex(b, key, &other) || !is_same(value, other))
            return false;
    }
    return true;
}

static bool is_same(struct json_object *a, struct json_object *b)
{
    if (is_number(a) && is_number(b)) {
        double x = json_object_get_double(a), y = json_object_get_double(b);
        return fabs(x - y) <= 1e-6 * fmax(fabs(x), fabs(y));
    }
    if (json_object_get_type(a) != json_object_get_type(b))
        return false;
    if (json_object_is_type(a, json_type_object))
        return is_same_object(a, b);
    if (json_object_is_type(a, json_type_array)) {
        size_t n = json_object_array_length(a);
        if (n != json_object_array_length(b))
            return false;
        for (size_t i = 0; i < n; i++)
            if (!is_same(json_object_array_get_idx(a, i),
                         json_object_array_get_idx(b, i)))
                return false;
        return true;
    }
    return json_object_equal(a, b);
}

// --- Feeding

typedef enum status cut_fn(struct feed *f, struct span bytes, size_t cut);

static enum status in_two(struct feed *f, struct span bytes, size_t cut)
{
    enum status st = feed_bytes(f, span_of(bytes.data, cut), NOW);
    if (st == ST_OK)
        st = feed_bytes(f, span_of(bytes.data + cut, bytes.size - cut), NOW);
    return st;
}

static enum status in_bytes(struct feed *f, struct span bytes, size_t cut)
{
    enum status st = ST_OK;
    (void)cut;
    for (size_t i = 0; i < bytes.size && st == ST_OK; i++)
        st = feed_bytes(f, span_of(bytes.data + i, 1), NOW);
    return st;
}

// What came of it; NULL when something could not be read.
static char *observed(const struct sample *s, cut_fn *feed, size_t cut)
{
    struct print *print;
    struct observation_sink sink;
    struct buf out;
    struct feed *f;
    buf_init(&out, 1 << 20);
    assert_int_equal(print_open(&out, &sink, &print), ST_OK);
    assert_int_equal(feed_open(s->door, s->format, &s->chart.mapping, &sink, &f),
                     ST_OK);
    enum status st = feed(f, buf_span(&s->bytes), cut);
    if (st == ST_OK)
        st = feed_end(f);
    feed_close(f);
    print_end(print);
    for (int i = 0; i < DROP_REASONS; i++)
        st = print_dropped(print, (enum drop_reason)i) ? ST_CORRUPT : st;
    char *text = st == ST_OK ? mem_text(buf_span(&out)) : NULL;
    print_close(print);
    buf_fini(&out);
    return text;
}

static void assert_sample(const struct sample *s, cut_fn *feed, size_t cut)
{
    char *text = observed(s, feed, cut);
    struct json_object *found = text ? json_tokener_parse(text) : NULL;
    if (!found || !is_same(found, s->wanted))
        fail_msg("%s cut at %zu:\n%s\nwanted\n%s", s->file, cut,
                 text ? text : "nothing", json_object_to_json_string(s->wanted));
    json_object_put(found);
    mem_free(text);
}

static void each_sample(void (*check)(const struct sample *s))
{
    struct json_object *manifest = json_object_from_file(FOLDER "manifest.json");
    struct json_object *cases = json_object_object_get(manifest, "cases");
    size_t n = json_object_array_length(cases);
    assert_int_equal(n, 25);
    for (size_t i = 0; i < n; i++) {
        struct sample s;
        open_sample(&s, json_object_array_get_idx(cases, i));
        check(&s);
        close_sample(&s);
    }
    json_object_put(manifest);
}

static void check_whole(const struct sample *s)
{
    assert_sample(s, in_two, 0);
}

static void check_cuts(const struct sample *s)
{
    assert_sample(s, in_bytes, 0);
    for (size_t cut = 1; cut < s->bytes.size; cut++)
        assert_sample(s, in_two, cut);
}

static void gives_the_observations_of_the_manifest(void **state)
{
    (void)state;
    each_sample(check_whole);
}

static void gives_the_same_however_it_is_cut(void **state)
{
    (void)state;
    each_sample(check_cuts);
}

static void check_guess(const struct sample *s)
{
    const uint8_t *nl = memchr(s->bytes.data, '\n', s->bytes.size);
    if (s->door != FEED_TAIL)
        return;
    struct span line = span_of(s->bytes.data, (size_t)(nl - s->bytes.data));
    assert_string_equal(feed_guess(line), s->format);
}

static void files_are_known_by_their_first_line(void **state)
{
    (void)state;
    each_sample(check_guess);
}

// Cut off anywhere, a sample gives some of its rows or a drop, and no more.
static void check_truncated(const struct sample *s)
{
    size_t rows = json_object_array_length(s->wanted);
    for (size_t size = 0; size < s->bytes.size; size++) {
        struct sample part = *s;
        part.bytes.size = size;
        char *text = observed(&part, in_two, size / 2);
        struct json_object *found = text ? json_tokener_parse(text) : NULL;
        assert_true(!found || json_object_array_length(found) <= rows);
        json_object_put(found);
        mem_free(text);
    }
}

static void survives_being_cut_off(void **state)
{
    (void)state;
    each_sample(check_truncated);
}

// --- Other forms of HTTP

// A head without its lengths, and a body; NULL behind the last.
struct part {
    const char *head;
    const char *body;
};

static void assert_http(const struct part *part, const char *wanted)
{
    struct sample s = {.door = FEED_HTTP, .file = "wire"};
    chart_init(&s.chart);
    buf_init(&s.bytes, 1 << 20);
    for (; part->head; part++) {
        buf_printf(&s.bytes, "%s\r\n", part->head);
        if (!strstr(part->head, "chunked") && !strstr(part->head, "event-stream"))
            buf_printf(&s.bytes, "Content-Length: %zu\r\n", strlen(part->body));
        buf_printf(&s.bytes, "\r\n%s", part->body);
    }
    s.wanted = json_tokener_parse(wanted);
    assert_non_null(s.wanted);
    assert_sample(&s, in_bytes, 0);
    for (size_t cut = 0; cut < s.bytes.size; cut++)
        assert_sample(&s, in_two, cut);
    json_object_put(s.wanted);
    close_sample(&s);
}

static void takes_chunked_bodies(void **state)
{
    (void)state;
    const struct part parts[] = {
        {"POST /v1/models/m:predict HTTP/1.1\r\nTransfer-Encoding: chunked",
         "10;x=y\r\n{\"instances\":[[1\r\n6\r\n,2]]} \r\n0\r\nTrailer: x\r\n\r\n"},
        {"HTTP/1.1 200 OK", "{\"predictions\":[3]}"},
        {0}};
    assert_http(parts,
                "[{\"model\":\"m\",\"version\":null,\"side\":\"input\",\"id\":null,"
                "\"t\":null,\"rows\":[{\"f0\":1,\"f1\":2}]},{\"model\":\"m\","
                "\"version\":null,\"side\":\"output\",\"id\":null,\"t\":null,"
                "\"rows\":[{\"y\":3}]}]");
}

#define EVENT                                                                          \
    "{\"data\":{\"instances\":[[1],[2]]},\"specversion\":\"1.0\",\"id\":\"7\","        \
    "\"type\":"                                                                        \
    "\"org.kubeflow.serving.inference.request\",\"time\":\"2026-03-02T14:05:07Z\","    \
    "\"namespace\":\"ns\",\"inferenceservicename\":\"m\"}"

static void takes_events_one_by_one_and_in_batches(void **state)
{
    (void)state;
    static const char wanted[] =
        "[{\"model\":\"ns/m\",\"version\":null,\"side\":\"input\",\"id\":\"7\",\"t\":"
        "\"2026-03-02T14:05:07Z\",\"rows\":[{\"f0\":1},{\"f0\":2}]}]";
    const struct part one[] = {
        {"POST / HTTP/1.1\r\nContent-Type: application/cloudevents+json", EVENT},
        {"HTTP/1.1 200 OK", "{}"},
        {0}};
    const struct part batch[] = {{"POST / HTTP/1.1\r\ncontent-type: "
                                  "application/cloudevents-batch+json; charset=x",
                                  "[{\"type\":\"x.y\",\"data\":{\"a\":1}}," EVENT
                                  ",{\"data\":[]}] \n"},
                                 {0}};
    assert_http(one, wanted);
    assert_http(batch, wanted);
}

static void takes_seldon_tensors_and_strings(void **state)
{
    (void)state;
    const struct part parts[] = {{"POST /api/v1.0/predictions HTTP/1.1",
                                  "{\"data\":{\"names\":[\"a\",\"b\"],\"tensor\":{"
                                  "\"values\":[1,2,3,4],\"shape\":"
                                  "[2,2]}},\"meta\":{\"data\":{}}}"},
                                 {"HTTP/1.1 200 OK", "{\"strData\":\"yes\"}\n"},
                                 {0}};
    assert_http(parts,
                "[{\"model\":null,\"version\":null,\"side\":\"input\",\"id\":null,"
                "\"t\":null,\"rows\":[{\"a\":1,\"b\":2},{\"a\":3,\"b\":4}]},{"
                "\"model\":null,\"version\":null,\"side\":\"output\",\"id\":null,"
                "\"t\":null,\"rows\":[{\"strData\":{\"cat\":\"yes\"}}]}]");
}

static void takes_chat_as_a_stream_of_events(void **state)
{
    (void)state;
    const struct part parts[] = {
        {"POST /v1/chat/completions HTTP/1.1",
         "{\"model\":\"g\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":"
         "\"text\","
         "\"text\":\"hi\"}]}]}"},
        {"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream",
         "data: "
         "{\"id\":\"c\",\"model\":\"g-1\",\"choices\":[{\"delta\":{\"content\":\"Two "
         "wo\"}}]}\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"rds\"},"
         "\"finish_reason\":\"stop\"}]}\n\n: "
         "comment\n\ndata:{\"choices\":[],\"usage\":{"
         "\"prompt_tokens\":3,\"completion_tokens\":2}}\n\ndata: [DONE]\n\n"},
        {0}};
    assert_http(
        parts,
        "[{\"model\":\"g\",\"version\":null,\"side\":\"input\",\"id\":null,\"t\":"
        "null,\"rows\":[{\"messages\":1,\"prompt.chars\":2,\"prompt.words\":1}]},{"
        "\"model\":\"g\",\"version\":\"g-1\",\"side\":\"output\",\"id\":\"c\",\"t\":"
        "null,\"rows\":[{\"completion.chars\":9,\"completion.words\":2,\"refusal\":"
        "0,\"tool_calls\":0,\"finish_reason\":{\"cat\":\"stop\"},\"tokens.input\":3,"
        "\"tokens.output\":2}]}]");
}

static void passes_over_errors_and_foreign_requests(void **state)
{
    (void)state;
    const struct part parts[] = {
        {"GET /health HTTP/1.1", ""},
        {"HTTP/1.1 200 OK", "{\"status\":\"ok\"}"},
        {"POST /v1/models/m:predict HTTP/1.1", "{\"instances\":[[1]]}"},
        {"HTTP/1.1 500 Oops", "{\"predictions\":[0]}"},
        {0}};
    assert_http(parts,
                "[{\"model\":\"m\",\"version\":null,\"side\":\"input\",\"id\":null,"
                "\"t\":null,\"rows\":[{\"f0\":1}]}]");
}

static void takes_members_in_any_order(void **state)
{
    (void)state;
    const struct part parts[] = {{"POST /v2/models/a%2Fb/infer HTTP/1.1",
                                  "{\"outputs\":[{\"name\":\"s\"}],\"inputs\":[{"
                                  "\"data\":[[1,2],[3,4]],\"datatype\":"
                                  "\"FP32\",\"shape\":[2,2],\"name\":\"x\"},{\"name\":"
                                  "\"t\",\"shape\":[2],\"data\":"
                                  "[\"u\",\"v\"]}],\"id\":\"9\"}"},
                                 {0}};
    assert_http(parts,
                "[{\"model\":\"a/b\",\"version\":null,\"side\":\"input\",\"id\":\"9\","
                "\"t\":null,\"rows\":[{\"x.0\":1,\"x.1\":2,\"t\":{\"cat\":\"u\"}},{"
                "\"x.0\":3,\"x.1\":4,\"t\":{\"cat\":\"v\"}}]}]");
}

static void a_row_may_have_any_keys(void **state)
{
    (void)state;
    const struct part parts[] = {
        {"POST /invocations HTTP/1.1", "{\"id\":\"q\",\"age\":5,\"inputs\":2}"}, {0}};
    assert_http(parts,
                "[{\"model\":null,\"version\":null,\"side\":\"input\",\"id\":null,"
                "\"t\":null,\"rows\":[{\"id\":{\"cat\":\"q\"},\"age\":5,\"inputs\":"
                "2}]}]");
}

// --- Memory

static uint64_t rows_taken;

#ifdef __SANITIZE_ADDRESS__
size_t __sanitizer_get_current_allocated_bytes(void);
#endif

static size_t allocated(void)
{
#ifdef __SANITIZE_ADDRESS__
    return __sanitizer_get_current_allocated_bytes();
#else
    struct mallinfo2 m = mallinfo2();
    return m.uordblks + m.hblkhd;
#endif
}

static void count_row(void *self, const struct observation *o)
{
    (void)self, (void)o;
    rows_taken++;
}

static void count_drop(void *self, struct span model, enum drop_reason why, uint64_t n)
{
    (void)self, (void)model, (void)why, (void)n;
}

static void no_settle(void *self)
{
    (void)self;
}

// However long a body of rows is, it goes through in the memory of one row; a body of
// columns is given up before it takes more than its share.
static void a_long_body_takes_little_memory(void **state)
{
    (void)state;
    static const struct observation_sink sink = {
        .row = count_row, .drop = count_drop, .settle = no_settle};
    static const struct {
        const char *path, *begin, *item;
        bool is_streamed;
    } bodies[] = {
        {"/v1/models/m:predict", "{\"instances\":[[1]", ",[1,2,3.5,\"x\"]", true},
        {"/v1/models/m:predict", "{\"instances\":[{\"a\":1}",
         ",{\"a\":[1,2],\"b\":\"y\"}", true},
        {"/invocations", "{\"dataframe_split\":{\"columns\":[\"a\"],\"data\":[[1]",
         ",[2]", true},
        {"/v1/models/m:predict", "{\"inputs\":{\"a\":[1", ",2", false},
        {"/v2/models/m/infer", "{\"inputs\":[{\"name\":\"x\",\"data\":[1", ",2", false},
        {"/predictions/m", "{\"a\":[1", ",2", true},
        {"/predictions/m", "{\"a\":\"", "xxxxxxxx", false},
        {"/predictions/m", "", "[", false},
    };
    const struct mapping none = {0};
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        struct feed *f;
        struct buf piece;
        buf_init(&piece, 1 << 20);
        assert_int_equal(feed_open(FEED_HTTP, NULL, &none, &sink, &f), ST_OK);
        buf_printf(&piece, "POST %s HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n%s",
                   bodies[i].path, bodies[i].begin);
        assert_int_equal(feed_bytes(f, buf_span(&piece), NOW), ST_OK);
        buf_clear(&piece);
        while (piece.size < 60000)
            buf_put_text(&piece, bodies[i].item);
        rows_taken = 0;
        size_t before = allocated();
        size_t most = before;
        for (int n = 0; n < 500; n++) { // 30 MB
            assert_int_equal(feed_bytes(f, buf_span(&piece), NOW), ST_OK);
            size_t now = allocated();
            most = now > most ? now : most;
        }
        assert_true(most - before < 2u << 20);
        if (bodies[i].is_streamed && i < 3)
            assert_true(rows_taken >= OBSERVATION_ROWS_MAX - 1);
        feed_close(f);
        buf_fini(&piece);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_the_observations_of_the_manifest),
        cmocka_unit_test(gives_the_same_however_it_is_cut),
        cmocka_unit_test(files_are_known_by_their_first_line),
        cmocka_unit_test(survives_being_cut_off),
        cmocka_unit_test(takes_chunked_bodies),
        cmocka_unit_test(takes_events_one_by_one_and_in_batches),
        cmocka_unit_test(takes_seldon_tensors_and_strings),
        cmocka_unit_test(takes_chat_as_a_stream_of_events),
        cmocka_unit_test(passes_over_errors_and_foreign_requests),
        cmocka_unit_test(takes_members_in_any_order),
        cmocka_unit_test(a_row_may_have_any_keys),
        cmocka_unit_test(a_long_body_takes_little_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
