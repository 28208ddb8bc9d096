// Digest: SHA-256 by OpenSSL's EVP calls.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/trust/digest.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"

#define PIECE_BYTES 65536

struct digest {
    EVP_MD_CTX *ctx;
    bool has_failed;
};

enum status digest_of(struct span bytes, uint8_t out[DIGEST_BYTES])
{
    const uint8_t nothing = 0;
    const uint8_t *data = bytes.size ? bytes.data : &nothing;
    if (EVP_Digest(data, bytes.size, out, NULL, EVP_sha256(), NULL) != 1)
        return ST_NOMEM;
    return ST_OK;
}

enum status digest_of_two(struct span first, struct span second,
                          uint8_t out[DIGEST_BYTES])
{
    struct digest *d = NULL;
    ST_TRY(digest_open(&d));
    digest_add(d, first);
    digest_add(d, second);
    enum status st = digest_take(d, out);
    digest_close(d);
    return st;
}

enum status digest_open(struct digest **out)
{
    struct digest *d = MEM_NEW(struct digest);
    if (!d)
        return ST_NOMEM;
    d->ctx = EVP_MD_CTX_new();
    if (!d->ctx || EVP_DigestInit_ex(d->ctx, EVP_sha256(), NULL) != 1) {
        digest_close(d);
        return ST_NOMEM;
    }
    *out = d;
    return ST_OK;
}

void digest_close(struct digest *d)
{
    if (!d)
        return;
    EVP_MD_CTX_free(d->ctx);
    mem_free(d);
}

void digest_add(struct digest *d, struct span bytes)
{
    if (bytes.size && EVP_DigestUpdate(d->ctx, bytes.data, bytes.size) != 1)
        d->has_failed = true;
}

enum status digest_take(struct digest *d, uint8_t out[DIGEST_BYTES])
{
    bool is_good = EVP_DigestFinal_ex(d->ctx, out, NULL) == 1 && !d->has_failed;
    d->has_failed = EVP_DigestInit_ex(d->ctx, EVP_sha256(), NULL) != 1;
    return is_good ? ST_OK : ST_NOMEM;
}

static enum status add_file(struct digest *d, int fd)
{
    struct stat info;
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode))
        return ST_IO;
    uint8_t *piece = mem_zero(PIECE_BYTES, 1);
    if (!piece)
        return ST_NOMEM;
    ssize_t got;
    do {
        got = read(fd, piece, PIECE_BYTES);
        if (got > 0)
            digest_add(d, span_of(piece, (size_t)got));
    } while (got > 0 || (got < 0 && errno == EINTR));
    mem_free(piece);
    return got == 0 ? ST_OK : ST_IO;
}

enum status digest_of_file(const char *path, uint8_t out[DIGEST_BYTES])
{
    // O_NONBLOCK: a fifo in the place of a file must not hold us up.
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return errno == ENOENT ? ST_NOTFOUND : ST_IO;
    struct digest *d = NULL;
    enum status st = digest_open(&d);
    if (st == ST_OK)
        st = add_file(d, fd);
    if (st == ST_OK)
        st = digest_take(d, out);
    digest_close(d);
    close(fd);
    return st;
}

bool digest_equal(const uint8_t a[DIGEST_BYTES], const uint8_t b[DIGEST_BYTES])
{
    return CRYPTO_memcmp(a, b, DIGEST_BYTES) == 0;
}

bool digest_is_none(const uint8_t d[DIGEST_BYTES])
{
    uint8_t any = 0;
    for (size_t i = 0; i < DIGEST_BYTES; i++)
        any |= d[i];
    return any == 0;
}
