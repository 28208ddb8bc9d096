// Driver: runs a fuzz target over its corpus, and then over seeded mutations of it.
//
// usage: NAME_fuzz [--runs N] [--seed S] [--corpus FOLDER] [--size MOST] [FILE...]
// A file is run once and nothing is mutated. An input that crashes, or takes more
// than ten seconds of processor time, is left as crash-<hash> in the current folder.
//
// SPDX-License-Identifier: Apache-2.0
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "common/base/file.h"
#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/base/text.h"

#define SEEDS_MAX 4096
#define INPUT_BYTES_MAX (1 << 20)
#define SLOW_S 10

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct setup {
    uint64_t runs;
    uint64_t seed;
    uint64_t size; // most bytes of a mutated input
    const char *corpus;
};

static struct buf seeds[SEEDS_MAX];
static size_t seed_count;

// The input at hand, for the handler that saves it.
static const uint8_t *current;
static size_t current_size;

static void save_input(void)
{
    char name[64];
    uint8_t key[16] = {0};
    struct span input = span_of(current, current_size);
    snprintf(name, sizeof name, "crash-%016" PRIx64, hash_sip(key, input));
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0 || file_write_all(fd, input) != ST_OK)
        fprintf(stderr, "cannot save the input as %s\n", name);
    else
        fprintf(stderr, "the input is saved as %s\n", name);
    if (fd >= 0)
        close(fd);
}

static void on_signal(int number)
{
    if (number == SIGPROF)
        fprintf(stderr, "more than %d s of processor time\n", SLOW_S);
    save_input();
    _exit(1);
}

// AddressSanitizer calls this before it ends the process; other builds have no such
// thing.
__attribute__((weak)) void __sanitizer_set_death_callback(void (*callback)(void));

// Processor time, so that a busy machine does not make an input slow. 0: no limit.
static void set_limit(time_t seconds)
{
    const struct itimerval limit = {.it_value = {.tv_sec = seconds}};
    if (setitimer(ITIMER_PROF, &limit, NULL) != 0)
        abort();
}

static void run(const uint8_t *data, size_t size)
{
    // An exact copy on the heap, so that one byte too far is seen.
    uint8_t *copy = mem_copy(span_of(data, size));
    if (!copy)
        abort();
    current = copy;
    current_size = size;
    set_limit(SLOW_S);
    LLVMFuzzerTestOneInput(copy, size);
    set_limit(0);
    mem_free(copy);
}

static void load(const char *path)
{
    if (seed_count == SEEDS_MAX)
        return;
    buf_init(&seeds[seed_count], INPUT_BYTES_MAX);
    if (file_read(path, &seeds[seed_count]) == ST_OK)
        seed_count++;
    else
        buf_fini(&seeds[seed_count]);
}

static int by_content(const void *a, const void *b)
{
    return span_compare(buf_span(a), buf_span(b));
}

// In an order that does not depend on the file system.
static void load_corpus(const char *folder)
{
    DIR *d = opendir(folder);
    struct dirent *e;
    while (d && (e = readdir(d))) {
        char path[4096];
        if (e->d_name[0] != '.' &&
            file_join(folder, e->d_name, path, sizeof path) == ST_OK)
            load(path);
    }
    if (d)
        closedir(d);
    qsort(seeds, seed_count, sizeof seeds[0], by_content);
}

static size_t below(struct random *r, size_t n)
{
    return n ? (size_t)(random_u64(r) % n) : 0;
}

// Removes or doubles a run of bytes.
static size_t change_length(struct random *r, uint8_t *data, size_t size, size_t most)
{
    size_t at = below(r, size),
           run_size = 1 + below(r, size - at < 16 ? size - at : 16);
    if (run_size > size - at)
        run_size = size - at;
    if (random_u64(r) & 1) {
        memmove(data + at, data + at + run_size, size - at - run_size);
        return size - run_size;
    }
    if (size + run_size > most)
        return size;
    memmove(data + at + run_size, data + at, size - at);
    return size + run_size;
}

// Lays a figure that decoders stumble over, 1 to 8 bytes wide, in either order.
static void lay_figure(struct random *r, uint8_t *data, size_t size)
{
    static const uint64_t figures[] = {
        0,          1,           0x7f,      0x80,       0xff,       0x100,
        0x7fff,     0x8000,      0xffff,    0x10000,    0x7fffffff, 0x80000000,
        0xffffffff, 0x100000000, INT64_MAX, UINT64_MAX, 16,         64,
    };
    uint64_t v = figures[below(r, sizeof figures / sizeof figures[0])];
    size_t width = (size_t)1 << below(r, 4), at = below(r, size);
    uint64_t is_big = random_u64(r) & 1;
    for (size_t i = 0; i < width && at + i < size; i++)
        data[at + i] = (uint8_t)(v >> (8 * (is_big ? width - 1 - i : i)));
}

// Takes the end of another seed in place of this one's.
static size_t graft(struct random *r, uint8_t *data, size_t size, size_t most)
{
    struct span other = buf_span(&seeds[below(r, seed_count)]);
    if (other.size == 0)
        return size;
    size_t at = below(r, size + 1), from = below(r, other.size);
    size_t n = other.size - from < most - at ? other.size - from : most - at;
    memcpy(data + at, other.data + from, n);
    return at + n;
}

static size_t mutate_once(struct random *r, uint8_t *data, size_t size, size_t most)
{
    if (size == 0) {
        size = 1 + below(r, most < 64 ? most : 64);
        random_u64(r);
        for (size_t i = 0; i < size; i++)
            data[i] = (uint8_t)random_u64(r);
        return size;
    }
    switch (random_u64(r) % 8) {
    case 0:
        data[below(r, size)] ^= (uint8_t)(1u << below(r, 8));
        return size;
    case 1:
        data[below(r, size)] = (uint8_t)random_u64(r);
        return size;
    case 2:
        data[below(r, size)] += (uint8_t)(random_u64(r) & 1 ? 1 : -1);
        return size;
    case 3:
    case 4:
        return change_length(r, data, size, most);
    case 5:
        lay_figure(r, data, size);
        return size;
    case 6:
        return graft(r, data, size, most);
    default:
        return below(r, size + 1); // cut off
    }
}

static void mutate_all(const struct setup *s)
{
    struct random r = {s->seed};
    uint8_t *data = mem_zero(s->size, 1);
    if (!data)
        abort();
    for (uint64_t i = 0; i < s->runs; i++) {
        struct span from = buf_span(&seeds[below(&r, seed_count)]);
        size_t size = from.size < s->size ? from.size : s->size;
        if (size)
            memcpy(data, from.data, size);
        for (size_t n = 1 + below(&r, 4); n > 0; n--)
            size = mutate_once(&r, data, size, s->size);
        run(data, size);
    }
    mem_free(data);
}

static uint64_t number(const char *text)
{
    uint64_t v;
    if (!text || text_u64(span_text(text), &v) != ST_OK) {
        fprintf(stderr, "a number is expected, not \"%s\"\n", text ? text : "");
        exit(2);
    }
    return v;
}

static void set_handlers(void)
{
    static const int numbers[] = {SIGABRT, SIGPROF};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        signal(numbers[i], on_signal);
    if (__sanitizer_set_death_callback)
        __sanitizer_set_death_callback(save_input);
}

int main(int argc, char **argv)
{
    struct setup s = {.runs = 10000, .seed = 1, .size = 4096};
    int i = 1;
    for (; i + 1 < argc && strncmp(argv[i], "--", 2) == 0; i += 2) {
        if (strcmp(argv[i], "--runs") == 0)
            s.runs = number(argv[i + 1]);
        else if (strcmp(argv[i], "--seed") == 0)
            s.seed = number(argv[i + 1]);
        else if (strcmp(argv[i], "--size") == 0)
            s.size = number(argv[i + 1]);
        else if (strcmp(argv[i], "--corpus") == 0)
            s.corpus = argv[i + 1];
    }
    set_handlers();
    bool is_replay = i < argc;
    for (; i < argc; i++)
        load(argv[i]);
    if (s.corpus)
        load_corpus(s.corpus);
    for (size_t k = 0; k < seed_count; k++)
        run(seeds[k].data, seeds[k].size);
    size_t files = seed_count;
    if (seed_count == 0)
        buf_init(&seeds[seed_count++], 0); // begin with nothing
    if (!is_replay)
        mutate_all(&s);
    printf("%zu files, %" PRIu64 " mutations\n", files, is_replay ? 0 : s.runs);
    for (size_t k = 0; k < seed_count; k++)
        buf_fini(&seeds[k]);
    return 0;
}
