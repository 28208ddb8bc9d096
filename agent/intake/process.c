// SPDX-License-Identifier: Apache-2.0
#include "agent/intake/process.h"

#include <dirent.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/file.h"
#include "common/base/text.h"

#define STAT_BYTES_MAX 4096
#define CHILDREN_BYTES_MAX (64u << 10)

// The fields of /proc/PID/stat that are wanted, counted from behind the name.
enum field {
    FIELD_STATE = 0,
    FIELD_USER = 11,
    FIELD_SYSTEM = 12,
    FIELD_CHILDREN_USER = 13,
    FIELD_CHILDREN_SYSTEM = 14,
    FIELD_THREADS = 17,
    FIELD_BEGAN = 19,
    FIELD_RSS = 21,
    FIELDS
};

enum status process_of_file(const char *pidfile, uint64_t *pid)
{
    struct buf text;
    buf_init(&text, STAT_BYTES_MAX);
    enum status st = file_read(pidfile, &text);
    struct span s = buf_span(&text);
    while (s.size > 0 && memchr(" \t\r\n", s.data[s.size - 1], 4))
        s.size--;
    if (st == ST_OK)
        st = text_u64(s, pid) == ST_OK && *pid > 0 ? ST_OK : ST_CORRUPT;
    buf_fini(&text);
    return st;
}

static enum status read_of(uint64_t pid, const char *what, struct buf *out)
{
    char path[96];
    (void)snprintf(path, sizeof path, "/proc/%" PRIu64 "/%s", pid, what);
    return file_read(path, out);
}

// A name in brackets may hold blanks and brackets: the fields begin behind the last
// one.
static enum status read_fields(struct span stat, struct span field[FIELDS])
{
    const uint8_t *end = stat.size ? memrchr(stat.data, ')', stat.size) : NULL;
    const uint8_t *at = end ? end + 1 : NULL, *all = stat.data + stat.size;
    for (int i = 0; i < FIELDS; i++) {
        while (at && at < all && *at == ' ')
            at++;
        const uint8_t *begin = at;
        while (at && at < all && *at != ' ' && *at != '\n')
            at++;
        if (at == begin)
            return ST_CORRUPT;
        field[i] = span_of(begin, (size_t)(at - begin));
    }
    return ST_OK;
}

static double number_of(struct span s)
{
    uint64_t v;
    return text_u64(s, &v) == ST_OK ? (double)v : 0;
}

static double count_fds(uint64_t pid, uint32_t most)
{
    char path[96];
    uint32_t n = 0;
    (void)snprintf(path, sizeof path, "/proc/%" PRIu64 "/fd", pid);
    DIR *d = opendir(path);
    if (!d)
        return NAN;
    for (struct dirent *e; n < most && (e = readdir(d));)
        n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

static enum status look_at(uint64_t pid, uint32_t fds_most, bool is_first,
                           struct process *out)
{
    struct span field[FIELDS];
    struct buf stat;
    buf_init(&stat, STAT_BYTES_MAX);
    enum status st = read_of(pid, "stat", &stat);
    if (st == ST_OK)
        st = read_fields(buf_span(&stat), field);
    if (st == ST_OK &&
        (span_is(field[FIELD_STATE], "Z") || span_is(field[FIELD_STATE], "X")))
        st = ST_NOTFOUND;
    if (st == ST_OK) {
        double ticks = number_of(field[FIELD_USER]) + number_of(field[FIELD_SYSTEM]) +
                       number_of(field[FIELD_CHILDREN_USER]) +
                       number_of(field[FIELD_CHILDREN_SYSTEM]);
        out->cpu_s += ticks / (double)sysconf(_SC_CLK_TCK);
        out->rss_mib +=
            number_of(field[FIELD_RSS]) * (double)sysconf(_SC_PAGESIZE) / 1048576;
        out->threads += number_of(field[FIELD_THREADS]);
        out->fds += count_fds(pid, fds_most);
        out->processes++;
        if (is_first)
            (void)!text_u64(field[FIELD_BEGAN], &out->began);
    }
    buf_fini(&stat);
    return st;
}

// Adds the numbers of its children behind those that are in the list already.
static uint32_t add_children(uint64_t pid, uint64_t *list, uint32_t n, uint32_t most)
{
    char what[64];
    struct buf text;
    buf_init(&text, CHILDREN_BYTES_MAX);
    (void)snprintf(what, sizeof what, "task/%" PRIu64 "/children", pid);
    if (read_of(pid, what, &text) == ST_OK) {
        const uint8_t *at = text.data, *end = text.data + text.size;
        while (at < end && n < most) {
            const uint8_t *blank = memchr(at, ' ', (size_t)(end - at));
            const uint8_t *stop = blank ? blank : end;
            if (text_u64(span_of(at, (size_t)(stop - at)), &list[n]) == ST_OK)
                n++;
            at = stop + 1;
        }
    }
    buf_fini(&text);
    return n;
}

enum status process_look(uint64_t pid, uint32_t most, uint32_t fds_most,
                         struct process *out)
{
    uint64_t list[256];
    uint32_t n = 1;
    most = most > 256 ? 256 : most;
    list[0] = pid;
    *out = (struct process){.fds = 0};
    ST_TRY(look_at(pid, fds_most, true, out));
    n = add_children(pid, list, n, most);
    for (uint32_t i = 1; i < n; i++) {
        if (look_at(list[i], fds_most, false, out) == ST_OK)
            n = add_children(list[i], list, n, most);
    }
    return ST_OK;
}
