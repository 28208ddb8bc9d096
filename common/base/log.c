// Log: builds the line in one block and writes it with one call.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/text.h"

// A line of at most this size goes to a pipe in one piece (PIPE_BUF); longer ones are
// cut, with three points at the end.
#define LOG_LINE_BYTES 4096

static struct {
    const char *program;
    enum log_level least;
    bool with_time;
} setup = {"kedge", LOG_INFO, true};

static const struct {
    const char *name;
    const char *journal; // the prefix by which the journal knows the level
} levels[] = {
    [LOG_DEBUG] = {"debug", "<7>"},
    [LOG_INFO] = {"info", "<6>"},
    [LOG_WARN] = {"warn", "<4>"},
    [LOG_ERROR] = {"error", "<3>"},
};

void log_setup(const char *program, enum log_level least, bool with_time)
{
    setup.program = program;
    setup.least = least;
    setup.with_time = with_time;
}

// Without allocation, so that "memory is out" can be said.
struct line {
    char text[LOG_LINE_BYTES];
    size_t size;
};

static void put(struct line *l, const char *text, size_t size)
{
    size_t room = LOG_LINE_BYTES - 4 - l->size;
    size_t n = size < room ? size : room;
    memcpy(l->text + l->size, text, n);
    l->size += n;
    if (n < size && l->size == LOG_LINE_BYTES - 4) {
        memcpy(l->text + l->size, "...", 3);
        l->size += 3;
    }
}

static void put_escaped(struct line *l, const char *text)
{
    for (const char *p = text; *p && l->size < LOG_LINE_BYTES - 4; p++) {
        unsigned char c = (unsigned char)*p;
        char hex[8];
        if (c >= 0x20 && c != 0x7f) {
            put(l, p, 1);
        } else {
            int n = snprintf(hex, sizeof hex, "\\x%02x", c);
            put(l, hex, (size_t)n);
        }
    }
}

static void put_head(struct line *l, enum log_level level)
{
    char head[128];
    int n;
    if (setup.with_time) {
        char when[TEXT_TIME_BYTES];
        text_time_cstr(clock_wall_ns() / NS_PER_MS * NS_PER_MS, when);
        n = snprintf(head, sizeof head, "%s %s %s: ", when, setup.program,
                     levels[level].name);
    } else {
        n = snprintf(head, sizeof head, "%s%s: ", levels[level].journal, setup.program);
    }
    if (n > 0)
        put(l, head, (size_t)n < sizeof head ? (size_t)n : sizeof head - 1);
}

void log_line(enum log_level level, const char *words, const char *facts, ...)
{
    if (level < setup.least || (unsigned)level > LOG_ERROR)
        return;
    struct line l = {.size = 0};
    put_head(&l, level);
    put_escaped(&l, words);
    char detail[LOG_LINE_BYTES] = "";
    va_list args;
    va_start(args, facts);
    vsnprintf(detail, sizeof detail, facts, args);
    va_end(args);
    if (detail[0]) {
        put(&l, " ", 1);
        put_escaped(&l, detail);
    }
    if (l.size > LOG_LINE_BYTES - 1)
        l.size = LOG_LINE_BYTES - 1;
    l.text[l.size++] = '\n';
    ssize_t ignored = write(STDERR_FILENO, l.text, l.size);
    (void)ignored; // a log that cannot be written has nobody to tell
}
