// SPDX-License-Identifier: Apache-2.0
#include "agent/act/manifest.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/text.h"
#include "common/trust/digest.h"

int manifest_open_beneath(int root, const char *path, int flags)
{
    struct open_how how = {
        .flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
    };
    return (int)syscall(SYS_openat2, root, path, &how, sizeof how);
}

static bool is_path(struct span path)
{
    if (path.size == 0 || path.size >= MANIFEST_LINE_MAX || path.data[0] == '/' ||
        memchr(path.data, 0, path.size))
        return false;
    for (size_t i = 0; i + 1 < path.size; i++)
        if (path.data[i] == '.' && path.data[i + 1] == '.')
            return false;
    return true;
}

enum status manifest_next(struct span *rest, struct manifest_line *out)
{
    if (rest->size == 0)
        return ST_EMPTY;
    const uint8_t *end = memchr(rest->data, '\n', rest->size);
    size_t size = end ? (size_t)(end - rest->data) : rest->size;
    if (size < 67 || rest->data[64] != ' ' ||
        (rest->data[65] != ' ' && rest->data[65] != '*'))
        return ST_CORRUPT;
    struct span path = span_of(rest->data + 66, size - 66);
    if (!is_path(path) ||
        text_hex(span_of(rest->data, 64), out->digest, sizeof out->digest) != ST_OK)
        return ST_CORRUPT;
    memcpy(out->path, path.data, path.size);
    out->path[path.size] = '\0';
    size += end ? 1 : 0;
    *rest = span_of(rest->data + size, rest->size - size);
    return ST_OK;
}

static enum status read_manifest(int folder, struct buf *out)
{
    int fd = manifest_open_beneath(folder, MANIFEST_NAME, O_RDONLY | O_NONBLOCK);
    if (fd < 0)
        return errno == ENOENT ? ST_NOTFOUND : ST_IO;
    struct stat info;
    enum status st = ST_OK;
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode))
        st = ST_CORRUPT;
    while (st == ST_OK) {
        uint8_t chunk[8192];
        ssize_t n = read(fd, chunk, sizeof chunk);
        if (n == 0)
            break;
        if (n > 0)
            buf_put(out, chunk, (size_t)n);
        else if (errno != EINTR)
            st = ST_IO;
        if (out->failed != ST_OK)
            st = out->failed;
    }
    close(fd);
    return st;
}

static enum status digest_file(int folder, const char *path, uint8_t out[32])
{
    int fd = manifest_open_beneath(folder, path, O_RDONLY | O_NONBLOCK);
    if (fd < 0)
        return ST_NOTFOUND;
    struct stat info;
    struct digest *d = NULL;
    enum status st = ST_CORRUPT;
    if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode))
        st = digest_open(&d);
    while (st == ST_OK) {
        uint8_t chunk[65536];
        ssize_t n = read(fd, chunk, sizeof chunk);
        if (n == 0)
            break;
        if (n > 0)
            digest_add(d, span_of(chunk, (size_t)n));
        else if (errno != EINTR)
            st = ST_IO;
    }
    close(fd);
    if (st == ST_OK)
        st = digest_take(d, out);
    digest_close(d);
    return st;
}

static enum status verify_files(int folder, struct span rest, char *why,
                                size_t why_size)
{
    for (uint32_t n = 0;; n++) {
        struct manifest_line line;
        enum status st = manifest_next(&rest, &line);
        if (st == ST_EMPTY && n > 0)
            return ST_OK;
        if (st != ST_OK || n >= MANIFEST_FILES_MAX) {
            (void)snprintf(why, why_size, "MANIFEST line %u is not understood", n + 1);
            return ST_CORRUPT;
        }
        uint8_t found[32];
        st = digest_file(folder, line.path, found);
        if (st != ST_OK || memcmp(found, line.digest, sizeof found) != 0) {
            (void)snprintf(why, why_size, "%.100s %s", line.path,
                           st == ST_OK ? "differs from the MANIFEST"
                                       : "cannot be read");
            return ST_CORRUPT;
        }
    }
}

enum status manifest_digest(int folder, uint8_t out[32])
{
    struct buf text;
    buf_init(&text, MANIFEST_BYTES_MAX);
    enum status st = read_manifest(folder, &text);
    if (st == ST_OK)
        st = digest_of(buf_span(&text), out);
    buf_fini(&text);
    return st;
}

enum status manifest_verify(int folder, uint8_t out[32], char *why, size_t why_size)
{
    struct buf text;
    buf_init(&text, MANIFEST_BYTES_MAX);
    enum status st = read_manifest(folder, &text);
    if (st != ST_OK)
        (void)snprintf(why, why_size, "MANIFEST: %s", status_text(st));
    if (st == ST_OK)
        st = digest_of(buf_span(&text), out);
    if (st == ST_OK)
        st = verify_files(folder, buf_span(&text), why, why_size);
    buf_fini(&text);
    return st;
}
