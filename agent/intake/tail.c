// SPDX-License-Identifier: Apache-2.0
#include "agent/intake/tail.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/intake/decoder.h"
#include "agent/intake/followed.h"
#include "agent/intake/meter.h"
#include "agent/intake/pair.h"
#include "common/base/clock.h"
#include "common/base/cursor.h"
#include "common/base/log.h"
#include "common/base/mem.h"

#define READ_BYTES (64u << 10)
#define READ_BYTES_MAX (OBSERVATION_LINE_MAX + READ_BYTES)
#define MARK_VERSION 1

// After a rotation by rename the writer may go on in the old file for a while; it is
// given up when nothing came for this long.
#define ROTATION_GRACE_NS (1 * NS_PER_S)

struct tail {
    struct tail_settings settings;
    struct observation_sink sink;
    struct pair *pair;   // where requests and answers of one line are put together
    struct meter *meter; // where requests of an access log are counted
    struct observation_sink rows; // where rows go: to one of these, or to the sink
    struct decoder decoder;
    struct tail_stats stats;
    struct followed file;
    uint64_t offset; // of the first byte that is not taken yet: always a line's first
    uint64_t skip;   // bytes behind it that belong to a line that is too long
    uint64_t away_since_ns; // 0: the path leads to the file that is read
    bool was_opened;        // some file was, since the start
    bool needs_header;
    bool has_mark;
    struct followed_id mark; // where tail_resume wants to go on
    uint64_t mark_offset;
    struct buf carry;            // the part of a line with which a rotated file ended,
    struct followed_id carry_id; // and where that stood
    uint64_t carry_offset;
    uint8_t *buffer;
    size_t capacity; // of the buffer
};

// --- Opening

static enum status open_decoder(struct tail *t)
{
    static enum status (*const open[])(const struct mapping *m, struct decoder *out) = {
        [TAIL_ROWS] = decoder_rows,
        [TAIL_JSONL] = decoder_jsonl,
        [TAIL_CSV] = decoder_csv,
        [TAIL_SAGEMAKER] = decoder_sagemaker,
        [TAIL_AZUREML] = decoder_azureml,
        [TAIL_VERTEX] = decoder_vertex,
        [TAIL_NGINX] = decoder_nginx,
        [TAIL_ENVOY] = decoder_envoy,
        [TAIL_TORCHSERVE] = decoder_torchserve,
        [TAIL_LABELS] = decoder_jsonl,
        [TAIL_BENTOML] = decoder_jsonl,
    };
    if ((size_t)t->settings.format >= sizeof open / sizeof *open)
        return ST_RANGE;
    return open[t->settings.format](&t->settings.mapping, &t->decoder);
}

static bool holds_both_sides(enum tail_format format)
{
    return format == TAIL_SAGEMAKER || format == TAIL_VERTEX;
}

static bool is_access_log(enum tail_format format)
{
    return format == TAIL_NGINX || format == TAIL_ENVOY || format == TAIL_TORCHSERVE;
}

static enum status open_meter(struct tail *t)
{
    ST_TRY(meter_open(&t->sink, &t->meter));
    meter_count_rows(t->meter, "requests");
    t->rows = meter_sink(t->meter);
    return ST_OK;
}

// Hands a line to its decoder. What it leaves unpaired goes on alone: the mark that is
// stored with the row must not stand before anything that still waits.
static enum status decode(struct tail *t, struct span line, uint64_t now_ns)
{
    enum status st = t->decoder.line(t->decoder.self, line, now_ns, &t->rows);
    if (t->pair)
        pair_turn(t->pair, UINT64_MAX);
    return st;
}

enum status tail_open(const struct tail_settings *settings,
                      const struct observation_sink *sink, struct tail **out)
{
    if (!settings->name || !settings->path || !settings->mapping.model)
        return ST_RANGE;
    struct tail *t = MEM_NEW(struct tail);
    if (!t)
        return ST_NOMEM;
    t->settings = *settings;
    t->sink = t->rows = *sink;
    t->file.fd = -1;
    buf_init(&t->carry, OBSERVATION_LINE_MAX);
    t->capacity = READ_BYTES;
    t->buffer = mem_zero(t->capacity, 1);
    enum status st = t->buffer ? open_decoder(t) : ST_NOMEM;
    if (st == ST_OK && holds_both_sides(settings->format))
        st = pair_open(&t->sink, 0, &t->pair);
    if (t->pair)
        t->rows = pair_sink(t->pair);
    if (st == ST_OK && is_access_log(settings->format))
        st = open_meter(t);
    if (st != ST_OK) {
        tail_close(t);
        return st;
    }
    *out = t;
    return ST_OK;
}

void tail_close(struct tail *t)
{
    if (!t)
        return;
    followed_close(&t->file);
    pair_close(t->pair);
    meter_close(t->meter);
    if (t->decoder.close)
        t->decoder.close(t->decoder.self);
    buf_fini(&t->carry);
    mem_free(t->buffer);
    mem_free(t);
}

struct span tail_model(const struct tail *t)
{
    return span_text(t->settings.mapping.model);
}

struct span tail_name(const struct tail *t)
{
    return span_text(t->settings.name);
}

struct tail_stats tail_stats(const struct tail *t)
{
    struct tail_stats stats = t->stats;
    stats.offset = t->offset;
    stats.rates = t->meter ? meter_stats(t->meter).rates : 0;
    return stats;
}

// --- Marks

void tail_mark(const struct tail *t, struct buf *out)
{
    const struct followed_id none = {0};
    const struct followed_id *id = &none;
    uint64_t offset = 0;
    if (t->has_mark) {
        id = &t->mark;
        offset = t->mark_offset;
    } else if (t->carry.size > 0) {
        id = &t->carry_id;
        offset = t->carry_offset;
    } else if (t->file.fd >= 0) {
        id = &t->file.id;
        offset = t->offset;
    }
    buf_put_u8(out, MARK_VERSION);
    buf_put_le64(out, id->device);
    buf_put_le64(out, id->inode);
    buf_put_le64(out, offset);
    buf_put_le32(out, id->head_size);
    buf_put_le64(out, id->head_hash);
}

enum status tail_resume(struct tail *t, struct span mark)
{
    struct cursor c = {mark};
    struct followed_id id = {0};
    uint8_t version;
    uint64_t offset;
    ST_TRY(cursor_u8(&c, &version));
    ST_TRY(cursor_le64(&c, &id.device));
    ST_TRY(cursor_le64(&c, &id.inode));
    ST_TRY(cursor_le64(&c, &offset));
    ST_TRY(cursor_le32(&c, &id.head_size));
    ST_TRY(cursor_le64(&c, &id.head_hash));
    ST_TRY(cursor_end(&c));
    if (version != MARK_VERSION || id.head_size > FOLLOWED_HEAD_BYTES)
        return ST_CORRUPT;
    if (id.inode == 0)
        return ST_OK; // there was no file yet
    t->has_mark = true;
    t->mark = id;
    t->mark_offset = offset;
    return ST_OK;
}

// --- The file at hand

// What a line is told from: the header of a CSV file stands at its beginning, wherever
// reading goes on.
static void read_header(struct tail *t)
{
    if (!t->decoder.header) {
        t->needs_header = false;
        return;
    }
    int64_t n = followed_read(&t->file, t->buffer, t->capacity, 0);
    const uint8_t *nl = n > 0 ? memchr(t->buffer, '\n', (size_t)n) : NULL;
    if (!nl)
        return;
    t->needs_header = false;
    size_t size = (size_t)(nl - t->buffer);
    struct span line = span_of(t->buffer, size - (size > 0 && nl[-1] == '\r'));
    if (t->decoder.header(t->decoder.self, line) && t->offset == 0)
        t->offset = size + 1;
}

static void begin_file(struct tail *t, struct followed file, uint64_t offset)
{
    followed_close(&t->file);
    t->file = file;
    t->offset = offset;
    t->skip = 0;
    t->away_since_ns = 0;
    t->needs_header = true;
    t->was_opened = true;
}

// The first byte of the line that is under way at the end of the file.
static uint64_t last_line_of(struct tail *t, const struct followed *f)
{
    struct stat st;
    if (fstat(f->fd, &st) != 0)
        return 0;
    uint64_t size = (uint64_t)st.st_size;
    uint64_t from = size > t->capacity ? size - t->capacity : 0;
    ssize_t n = pread(f->fd, t->buffer, t->capacity, (off_t)from);
    const uint8_t *nl = n > 0 ? memrchr(t->buffer, '\n', (size_t)n) : NULL;
    return nl ? from + (uint64_t)(nl - t->buffer) + 1 : from;
}

static bool open_first(struct tail *t)
{
    struct followed file;
    if (t->has_mark &&
        followed_find(t->settings.path, &t->mark, t->mark_offset, 0, &file) == ST_OK) {
        t->has_mark = false;
        begin_file(t, file, t->mark_offset);
        return true;
    }
    if (followed_open(t->settings.path, &file) != ST_OK)
        return false;
    if (t->has_mark) {
        t->has_mark = false;
        t->stats.lost_files++;
        log_line(LOG_WARN, "the file that was followed is gone", "door=%s path=%s",
                 t->settings.name, t->settings.path);
        begin_file(t, file, 0);
        return true;
    }
    bool from_end = t->settings.from_end && !t->was_opened;
    begin_file(t, file, from_end ? last_line_of(t, &file) : 0);
    return true;
}

static void count_bad(struct tail *t, enum status st)
{
    t->stats.malformed++;
    t->sink.drop(t->sink.self, tail_model(t),
                 st == ST_FULL    ? DROP_FEATURES
                 : st == ST_NOMEM ? DROP_MEMORY
                                  : DROP_MALFORMED,
                 1);
}

// A shorter file, or another beginning: copytruncate. Its old content went into a copy,
// whose rest is read before the file is begun anew.
static void restart_truncated(struct tail *t)
{
    struct followed copy;
    t->stats.truncations++;
    uint64_t inode = t->file.id.inode;
    if (followed_find(t->settings.path, &t->file.id, t->offset, inode, &copy) ==
        ST_OK) {
        begin_file(t, copy, t->offset);
        return;
    }
    followed_close(&t->file);
    if (t->carry.size > 0)
        count_bad(t, ST_CORRUPT); // its other half was in what is gone
    buf_clear(&t->carry);
}

// --- Lines

// A rotated file ended within a line. Its other half is the beginning of the new file,
// or it will never come.
static bool take_carried(struct tail *t, struct span line, uint64_t now_ns)
{
    size_t size = t->carry.size;
    buf_put_span(&t->carry, line);
    enum status st = t->carry.failed;
    if (st == ST_OK)
        st = decode(t, buf_span(&t->carry), now_ns);
    if (st != ST_OK) {
        struct span half = span_of(t->carry.data, size);
        enum status alone = decode(t, half, now_ns);
        t->stats.lines++;
        if (alone != ST_OK)
            count_bad(t, alone);
    }
    buf_fini(&t->carry);
    buf_init(&t->carry, OBSERVATION_LINE_MAX);
    return st == ST_OK;
}

static void take_line(struct tail *t, struct span line, uint64_t now_ns)
{
    bool was_carried = t->carry.size > 0 && take_carried(t, line, now_ns);
    if (line.size > 0 || was_carried)
        t->stats.lines++;
    if (line.size == 0 || was_carried)
        return;
    enum status st = decode(t, line, now_ns);
    if (st != ST_OK)
        count_bad(t, st);
}

static void take_oversize(struct tail *t)
{
    t->stats.lines++;
    t->stats.oversize++;
    t->sink.drop(t->sink.self, tail_model(t), DROP_OVERSIZE, 1);
}

// Hands on the whole lines in bytes[0..size), which stand at the offset; how many.
static uint32_t take_lines(struct tail *t, size_t size, uint32_t lines_max,
                           uint64_t now_ns)
{
    uint32_t lines = 0;
    size_t at = 0;
    while (lines < lines_max) {
        const uint8_t *nl = memchr(t->buffer + at, '\n', size - at);
        if (!nl)
            break;
        size_t n = (size_t)(nl - t->buffer) - at;
        struct span line = span_of(t->buffer + at, n);
        if (n > 0 && line.data[n - 1] == '\r')
            line.size--;
        at += n + 1;
        // The offset moves first: whatever the line causes is stored with a mark that
        // stands behind it.
        t->offset += n + 1;
        if (n > OBSERVATION_LINE_MAX)
            take_oversize(t);
        else
            take_line(t, line, now_ns);
        lines++;
        t->stats.bytes += n + 1;
        followed_learn(&t->file, t->offset);
        t->sink.settle(t->sink.self);
    }
    return lines;
}

// Passes over a line that is too long, up to its newline.
static uint32_t skip_line(struct tail *t, size_t size)
{
    const uint8_t *nl = memchr(t->buffer, '\n', size);
    if (!nl) {
        t->skip += size;
        return 0;
    }
    t->offset += t->skip + (uint64_t)(nl - t->buffer) + 1;
    t->skip = 0;
    take_oversize(t);
    followed_learn(&t->file, t->offset);
    t->sink.settle(t->sink.self);
    return 1;
}

static bool resize(struct tail *t, size_t capacity)
{
    uint8_t *buffer = mem_resize(t->buffer, capacity, 1);
    if (!buffer)
        return false;
    t->buffer = buffer;
    t->capacity = capacity;
    return true;
}

// No newline in a full buffer: a longer one, or the line is too long.
static void make_room(struct tail *t)
{
    if (t->capacity < READ_BYTES_MAX && resize(t, READ_BYTES_MAX))
        return;
    t->skip = t->capacity;
}

// --- Turns

// The end of the file was reached, `left` bytes of it being half a line. True when
// there is another file to go on with.
static bool follow_on(struct tail *t, size_t left, uint64_t now_ns)
{
    if (!followed_is_away(&t->file, t->settings.path)) {
        t->away_since_ns = 0;
        return false;
    }
    if (t->away_since_ns == 0)
        t->away_since_ns = now_ns;
    struct followed next;
    if (now_ns - t->away_since_ns < ROTATION_GRACE_NS ||
        followed_next(t->settings.path, &t->file, &next) != ST_OK)
        return false;
    if (left > 0 && t->skip == 0) {
        if (t->carry.size == 0) {
            t->carry_id = t->file.id;
            t->carry_offset = t->offset;
        }
        buf_put(&t->carry, t->buffer, left);
    }
    t->stats.rotations++;
    begin_file(t, next, 0);
    return true;
}

bool tail_turn(struct tail *t, uint32_t lines_max, uint64_t now_ns)
{
    uint32_t lines = 0;
    if (t->meter)
        meter_turn(t->meter, now_ns);
    while (lines < lines_max) {
        if (t->file.fd < 0 && !open_first(t))
            return false;
        if (t->needs_header)
            read_header(t);
        int64_t n =
            followed_read(&t->file, t->buffer, t->capacity, t->offset + t->skip);
        // Looked at after the reading: what was read before a truncation is no longer
        // where it was, and would be read again from the copy.
        if (n < 0 || !followed_is_same(&t->file, t->offset + t->skip + (uint64_t)n)) {
            restart_truncated(t);
            continue;
        }
        uint32_t got = t->skip ? skip_line(t, (size_t)n)
                               : take_lines(t, (size_t)n, lines_max - lines, now_ns);
        lines += got;
        if (got > 0 && t->capacity > READ_BYTES)
            resize(t, READ_BYTES);
        if (got > 0 || (t->skip > 0 && n > 0)) {
            t->away_since_ns = 0;
            continue;
        }
        if ((size_t)n == t->capacity) {
            make_room(t);
            continue;
        }
        if (!follow_on(t, (size_t)n, now_ns))
            return false;
    }
    return true;
}
