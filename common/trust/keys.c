// Keys: one line a file, and no start with a file that somebody else may read.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/trust/keys.h"

#include <errno.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/file.h"
#include "common/base/hash.h"
#include "common/base/mem.h"

#define FILE_BYTES_MAX 256

enum half { HALF_SECRET, HALF_PUBLIC };

static const char *const words[][2] = {
    [KEY_CURVE] = {"kedge-curve-secret1 ", "kedge-curve-public1 "},
    [KEY_SIGN] = {"kedge-sign-secret1 ", "kedge-sign-public1 "},
};

static const char z85_digits[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ"
                                 "RSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

void keys_to_z85(const uint8_t key[32], char out[KEY_Z85_CHARS + 1])
{
    for (size_t i = 0; i < 8; i++) {
        uint32_t v = load_be32(key + 4 * i);
        for (size_t j = 5; j-- > 0; v /= 85)
            out[5 * i + j] = z85_digits[v % 85];
    }
    out[KEY_Z85_CHARS] = '\0';
}

enum status keys_of_z85(struct span text, uint8_t key[32])
{
    if (text.size != KEY_Z85_CHARS)
        return ST_CORRUPT;
    uint8_t bytes[32];
    for (size_t i = 0; i < 8; i++) {
        uint64_t v = 0;
        for (size_t j = 0; j < 5; j++) {
            const uint8_t c = text.data[5 * i + j];
            const char *digit = c ? strchr(z85_digits, c) : NULL;
            if (!digit)
                return ST_CORRUPT;
            v = v * 85 + (uint64_t)(digit - z85_digits);
        }
        if (v > UINT32_MAX)
            return ST_CORRUPT;
        store_be32(bytes + 4 * i, (uint32_t)v);
    }
    memcpy(key, bytes, sizeof bytes);
    return ST_OK;
}

enum status keys_public(enum key_purpose purpose, const uint8_t secret[32],
                        uint8_t pub[32])
{
    int type = purpose == KEY_CURVE ? EVP_PKEY_X25519 : EVP_PKEY_ED25519;
    size_t size = 32;
    EVP_PKEY *pkey = EVP_PKEY_new_raw_private_key(type, NULL, secret, 32);
    bool is_good = pkey && EVP_PKEY_get_raw_public_key(pkey, pub, &size) == 1;
    EVP_PKEY_free(pkey);
    return is_good ? ST_OK : ST_NOMEM;
}

enum status keys_make(enum key_purpose purpose, struct key_pair *out)
{
    struct key_pair k = {.purpose = purpose};
    random_os_bytes(k.secret, sizeof k.secret);
    enum status st = keys_public(purpose, k.secret, k.pub);
    if (st == ST_OK)
        *out = k;
    keys_wipe(&k);
    return st;
}

void keys_wipe(struct key_pair *k)
{
    OPENSSL_cleanse(k->secret, sizeof k->secret);
}

static enum status path_of(const char *folder, const char *name, enum half half,
                           char path[PATH_MAX])
{
    int n = snprintf(path, PATH_MAX, "%s/%s.%s", folder, name,
                     half == HALF_SECRET ? "key" : "pub");
    return n > 0 && n < PATH_MAX ? ST_OK : ST_RANGE;
}

static void put_line(struct buf *line, enum key_purpose purpose, enum half half,
                     const uint8_t key[32])
{
    char z85[KEY_Z85_CHARS + 1];
    keys_to_z85(key, z85);
    buf_put_text(line, words[purpose][half]);
    buf_put_text(line, z85);
    buf_put_u8(line, '\n');
    OPENSSL_cleanse(z85, sizeof z85);
}

static enum status read_line(struct span line, enum key_purpose purpose, enum half half,
                             uint8_t key[32])
{
    struct span word = span_text(words[purpose][half]);
    if (line.size && line.data[line.size - 1] == '\n')
        line.size--;
    if (line.size < word.size || memcmp(line.data, word.data, word.size) != 0)
        return ST_CORRUPT;
    return keys_of_z85(span_of(line.data + word.size, line.size - word.size), key);
}

// A secret leaves no copy behind in a buffer.
static void wipe_and_fini(struct buf *b)
{
    if (b->data)
        OPENSSL_cleanse(b->data, b->capacity);
    buf_fini(b);
}

enum status keys_write_public(const char *folder, const char *name,
                              enum key_purpose purpose, const uint8_t pub[32])
{
    char path[PATH_MAX];
    ST_TRY(path_of(folder, name, HALF_PUBLIC, path));
    struct buf line;
    buf_init(&line, FILE_BYTES_MAX);
    put_line(&line, purpose, HALF_PUBLIC, pub);
    enum status st = line.failed;
    if (st == ST_OK)
        st = file_replace(path, buf_span(&line), FILE_PUBLIC);
    buf_fini(&line);
    return st;
}

enum status keys_write(const char *folder, const char *name, const struct key_pair *k)
{
    char path[PATH_MAX];
    ST_TRY(path_of(folder, name, HALF_SECRET, path));
    ST_TRY(file_make_folder(folder, 0700));
    struct buf line;
    buf_init(&line, FILE_BYTES_MAX);
    put_line(&line, k->purpose, HALF_SECRET, k->secret);
    enum status st = line.failed;
    if (st == ST_OK)
        st = file_create(path, buf_span(&line), FILE_SECRET);
    wipe_and_fini(&line);
    if (st == ST_OK)
        st = keys_write_public(folder, name, k->purpose, k->pub);
    return st;
}

// Says in one sentence what is wrong with `path` and what mends it; false when all is
// well or when it cannot be told.
static bool explain(const char *path, const char *right_mode, struct buf *hint)
{
    struct stat info;
    if (lstat(path, &info) != 0)
        return false;
    if (S_ISLNK(info.st_mode)) {
        buf_printf(hint, "%s is a symbolic link: put the key itself there", path);
        return true;
    }
    if (info.st_uid != geteuid()) {
        buf_printf(hint, "%s belongs to user %u: chown %u %s", path,
                   (unsigned)info.st_uid, (unsigned)geteuid(), path);
        return true;
    }
    if (info.st_mode & 077) {
        buf_printf(hint, "%s is open to others (mode %04o): chmod %s %s", path,
                   (unsigned)(info.st_mode & 07777), right_mode, path);
        return true;
    }
    return false;
}

static enum status check_folder(const char *folder, struct buf *hint)
{
    struct buf unused;
    buf_init(&unused, PATH_MAX * 4);
    bool is_bad = explain(folder, "0700", hint ? hint : &unused);
    buf_fini(&unused);
    return is_bad ? ST_DENIED : ST_OK;
}

enum status keys_read(const char *folder, const char *name, enum key_purpose purpose,
                      struct key_pair *out, struct buf *hint)
{
    char path[PATH_MAX];
    ST_TRY(path_of(folder, name, HALF_SECRET, path));
    ST_TRY(check_folder(folder, hint));
    struct buf line;
    buf_init(&line, FILE_BYTES_MAX);
    struct key_pair k = {.purpose = purpose};
    enum status st = file_read_secret(path, &line);
    if (st == ST_OK)
        st = read_line(buf_span(&line), purpose, HALF_SECRET, k.secret);
    else if (st == ST_DENIED && hint)
        explain(path, "0400", hint);
    else if (st == ST_FULL)
        st = ST_CORRUPT;
    wipe_and_fini(&line);
    if (st == ST_OK)
        st = keys_public(purpose, k.secret, k.pub);
    if (st == ST_OK)
        *out = k;
    keys_wipe(&k);
    return st;
}

enum status keys_read_public(const char *folder, const char *name,
                             enum key_purpose purpose, uint8_t pub[32])
{
    char path[PATH_MAX];
    ST_TRY(path_of(folder, name, HALF_PUBLIC, path));
    struct buf line;
    buf_init(&line, FILE_BYTES_MAX);
    enum status st = file_read(path, &line);
    if (st == ST_OK)
        st = read_line(buf_span(&line), purpose, HALF_PUBLIC, pub);
    else if (st == ST_FULL)
        st = ST_CORRUPT;
    buf_fini(&line);
    return st;
}
