// Wire: whatever comes by any door, cut anywhere, gives the same observations.
//
// SPDX-License-Identifier: Apache-2.0
#include <assert.h>
#include <stdlib.h>

#include "agent/intake/feed.h"
#include "agent/intake/print.h"

static const struct mapping_column inputs[] = {{"/in", NULL}};
static const struct mapping_column columns[] = {{"age", NULL}};

// The first byte chooses the door and the format.
static enum feed_door door_of(uint8_t which, const char **format)
{
    uint32_t formats = 0;
    while (feed_format(formats))
        formats++;
    *format = NULL;
    if (which % 2 == 0)
        return FEED_HTTP;
    which /= 2;
    if (which % (formats + 2) < 2)
        return which % (formats + 2) == 0 ? FEED_SCRAPE : FEED_UDP;
    *format = feed_format(which % (formats + 2) - 2);
    return FEED_TAIL;
}

static void observe(uint8_t which, struct span s, size_t cut, struct buf *out)
{
    struct observation_sink sink;
    struct print *print;
    struct feed *f;
    const char *format;
    enum feed_door door = door_of(which, &format);
    bool is_csv = format && format[0] == 'c';
    const struct mapping m = {.model = "m",
                              .time = is_csv ? "ts" : "/ts",
                              .inputs = is_csv ? columns : inputs,
                              .n_inputs = 1};
    if (print_open(out, &sink, &print) != ST_OK)
        return;
    if (feed_open(door, format, &m, &sink, &f) == ST_OK) {
        enum status st = feed_bytes(f, span_of(s.data, cut), 1);
        if (st == ST_OK)
            st = feed_bytes(f, span_of(s.data + cut, s.size - cut), 1);
        if (st == ST_OK)
            (void)!feed_end(f);
        feed_close(f);
    }
    print_end(print);
    for (int i = 0; i < DROP_REASONS; i++)
        buf_printf(out, " %llu",
                   (unsigned long long)print_dropped(print, (enum drop_reason)i));
    print_close(print);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf whole, parts;
    if (size < 2)
        return 0;
    struct span s = span_of(data + 1, size - 1);
    buf_init(&whole, 64u << 20);
    buf_init(&parts, 64u << 20);
    observe(data[0], s, 0, &whole);
    observe(data[0], s, (size_t)(data[size - 1] * 257u + data[size / 2]) % s.size,
            &parts);
    assert(span_equal(buf_span(&whole), buf_span(&parts)));
    buf_fini(&whole);
    buf_fini(&parts);
    return 0;
}
