// SPDX-License-Identifier: Apache-2.0
#include "agent/trim.h"

#include <inttypes.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define LINE_BYTES 512

uint64_t trim_resident(void)
{
    unsigned long long size, resident = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (!f)
        return 0;
    if (fscanf(f, "%llu %llu", &size, &resident) != 2)
        resident = 0;
    (void)fclose(f);
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

// One mapping: read-only, private, of a file, and with no page that was changed. What
// was relocated at the start is read-only too, but its pages are nowhere else.
struct mapping {
    void *start;
    size_t size;
    bool is_file;
};

static bool read_head(const char *line, struct mapping *m)
{
    uintptr_t from, to;
    char rights[8], path[2];
    unsigned long inode;
    int n = sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %7s %*s %*s %lu %1s", &from, &to,
                   rights, &inode, path);
    if (n < 4)
        return false;
    // The kernel wrote the address; there is no object of ours at it.
    memcpy(&m->start, &from, sizeof m->start);
    m->size = to - from;
    m->is_file = inode != 0 && rights[1] == '-' && rights[3] == 'p';
    return true;
}

void trim_now(void)
{
    char line[LINE_BYTES];
    struct mapping m = {0};
    unsigned long changed;
    (void)malloc_trim(0);
    FILE *f = fopen("/proc/self/smaps", "re");
    if (!f)
        return;
    while (fgets(line, sizeof line, f))
        if (sscanf(line, "Anonymous: %lu kB", &changed) == 1) {
            if (m.is_file && changed == 0)
                (void)madvise(m.start, m.size, MADV_DONTNEED);
            m.is_file = false;
        } else {
            (void)read_head(line, &m);
        }
    (void)fclose(f);
}
