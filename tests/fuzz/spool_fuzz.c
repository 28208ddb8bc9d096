// Spool: whatever stands in a segment, the spool opens, gives what is sound, and goes
// on.
//
// SPDX-License-Identifier: Apache-2.0
#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/spool/spool.h"
#include "common/base/hash.h"

static char folder[64];

static void remove_folder(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    if (system(command) != 0)
        perror(folder);
}

static void make_folder(void)
{
    if (folder[0])
        return;
    strcpy(folder, "/dev/shm/kedge-fuzz-XXXXXX");
    if (!mkdtemp(folder)) {
        strcpy(folder, "/tmp/kedge-fuzz-XXXXXX");
        assert(mkdtemp(folder));
    }
    atexit(remove_folder);
}

static void put_file(const char *name, struct span bytes)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert(fd >= 0 && write(fd, bytes.data, bytes.size) == (ssize_t)bytes.size);
    close(fd);
}

// A sound record around the bytes, so that what is inside is looked at too.
static struct span record_of(uint8_t *out, struct span payload)
{
    memcpy(out, "KEDGEREL\1\0\0\0\0\0\0\0", 16);
    store_le32(out + 16, 0x4a4b4544u);
    store_le32(out + 20, (uint32_t)payload.size);
    memcpy(out + 28, payload.data, payload.size);
    uint32_t crc = hash_crc32c(0, span_of(out + 20, 4));
    store_le32(out + 24, hash_crc32c(crc, payload));
    return span_of(out, 28 + payload.size);
}

static uint64_t drain(struct spool *s)
{
    struct spool_cursor at = {0};
    struct spool_item item;
    uint64_t n = 0;
    while (spool_offer(s, &at, &item) == ST_OK)
        n++;
    return n;
}

static void open_and_use(const uint8_t *boot)
{
    struct spool_settings settings = {.folder = folder, .boot = boot, .windows_max = 2};
    struct spool *s;
    if (spool_open(&settings, &s) != ST_OK)
        return;
    uint64_t before = drain(s);
    assert(spool_entry(s, "e", span_text("x"), (struct span){0}) == ST_OK);
    assert(spool_commit(s) == ST_OK);
    spool_turn(s, 1);
    assert(drain(s) >= 1 && drain(s) <= before + 1);
    spool_close(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t bytes[1 << 16];
    static const uint8_t boot[16] = {1};
    make_folder();
    if (size == 0 || size > sizeof bytes - 28)
        return 0;
    put_file("offered", (struct span){0});
    put_file("0000000000000001.seg", record_of(bytes, span_of(data, size)));
    open_and_use(boot);
    put_file("offered", span_of(data, size));
    memcpy(bytes + 16, data, size);
    put_file("0000000000000001.seg", span_of(bytes, 16 + size));
    open_and_use(boot);
    return 0;
}
