// SPDX-License-Identifier: Apache-2.0
#include "agent/act/http.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <curl/curl.h>

// Loaded when an executor needs it: the agent itself never does.
#define LIBRARY "libcurl.so.4"

struct curl {
    CURLcode (*global_init)(long);
    CURL *(*init)(void);
    CURLcode (*setopt)(CURL *, CURLoption, ...);
    CURLcode (*perform)(CURL *);
    CURLcode (*getinfo)(CURL *, CURLINFO, ...);
    void (*cleanup)(CURL *);
    const char *(*strerror)(CURLcode);
    struct curl_slist *(*slist_append)(struct curl_slist *, const char *);
    void (*slist_free_all)(struct curl_slist *);
};

static bool find_all(void *library, struct curl *out)
{
    static const struct {
        const char *name;
        size_t offset;
    } functions[] = {
        {"curl_global_init", offsetof(struct curl, global_init)},
        {"curl_easy_init", offsetof(struct curl, init)},
        {"curl_easy_setopt", offsetof(struct curl, setopt)},
        {"curl_easy_perform", offsetof(struct curl, perform)},
        {"curl_easy_getinfo", offsetof(struct curl, getinfo)},
        {"curl_easy_cleanup", offsetof(struct curl, cleanup)},
        {"curl_easy_strerror", offsetof(struct curl, strerror)},
        {"curl_slist_append", offsetof(struct curl, slist_append)},
        {"curl_slist_free_all", offsetof(struct curl, slist_free_all)},
    };
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        void *found = dlsym(library, functions[i].name);
        if (!found)
            return false;
        // C has no conversion from an object's pointer to a function's; POSIX has.
        memcpy((char *)out + functions[i].offset, &found, sizeof found);
    }
    return true;
}

static const struct curl *load(void)
{
    static struct curl curl;
    static bool is_loaded;
    if (!is_loaded) {
        void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
        is_loaded = library && find_all(library, &curl) &&
                    curl.global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
    }
    return is_loaded ? &curl : NULL;
}

// 169.254/16, fe80::/10 and the same in IPv6's clothes: where clouds keep their
// secrets.
static bool is_forbidden(const struct sockaddr *a)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    static const uint8_t cloud[16] = {0xfd, 0x00, 0x0e, 0xc2, [14] = 0x02, [15] = 0x54};
    if (a->sa_family == AF_INET) {
        const uint8_t *b = (const uint8_t *)&((const struct sockaddr_in *)a)->sin_addr;
        return b[0] == 169 && b[1] == 254;
    }
    if (a->sa_family != AF_INET6)
        return true;
    const uint8_t *b = (const uint8_t *)&((const struct sockaddr_in6 *)a)->sin6_addr;
    if (memcmp(b, mapped, sizeof mapped) == 0)
        return b[12] == 169 && b[13] == 254;
    return (b[0] == 0xfe && (b[1] & 0xc0) == 0x80) || memcmp(b, cloud, 16) == 0;
}

static curl_socket_t open_socket(void *self, curlsocktype purpose,
                                 struct curl_sockaddr *address)
{
    (void)self;
    (void)purpose;
    if (is_forbidden(&address->addr))
        return CURL_SOCKET_BAD;
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

// A write that takes less than it is given ends the transfer.
static size_t keep(char *data, size_t size, size_t n, void *self)
{
    struct buf *out = self;
    if (out->size + size * n > HTTP_BODY_MAX)
        return 0;
    buf_put(out, data, size * n);
    return out->failed == ST_OK ? size * n : 0;
}

static void limit(const struct curl *c, CURL *h, const struct http_ask *ask)
{
    c->setopt(h, CURLOPT_NOSIGNAL, 1L);
    c->setopt(h, CURLOPT_FOLLOWLOCATION, 0L);
    c->setopt(h, CURLOPT_PROXY, "");
    c->setopt(h, CURLOPT_PROTOCOLS_STR, "http,https");
    c->setopt(h, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    c->setopt(h, CURLOPT_SSL_VERIFYPEER, 1L);
    c->setopt(h, CURLOPT_SSL_VERIFYHOST, 2L);
    c->setopt(h, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    c->setopt(h, CURLOPT_TIMEOUT_MS, (long)ask->timeout_ms);
    c->setopt(h, CURLOPT_LOW_SPEED_LIMIT, 64L);
    c->setopt(h, CURLOPT_LOW_SPEED_TIME, 5L);
    c->setopt(h, CURLOPT_MAXFILESIZE, (long)HTTP_BODY_MAX);
    if (ask->ca)
        c->setopt(h, CURLOPT_CAINFO, ask->ca);
}

static struct curl_slist *headers_of(const struct curl *c, const struct http_ask *ask)
{
    char line[4200];
    (void)snprintf(line, sizeof line, "Content-Type: %s",
                   ask->type ? ask->type : "application/json");
    struct curl_slist *all = c->slist_append(NULL, line);
    if (ask->auth) {
        (void)snprintf(line, sizeof line, "Authorization: %s", ask->auth);
        all = c->slist_append(all, line);
    }
    return c->slist_append(all, "Expect:");
}

enum status http_call(const struct http_ask *ask, long *code, struct buf *body,
                      char *why, size_t why_size)
{
    const struct curl *c = load();
    CURL *h = c ? c->init() : NULL;
    if (!h) {
        (void)snprintf(why, why_size, "%s could not be loaded", LIBRARY);
        return ST_UNSUPPORTED;
    }
    struct curl_slist *headers = headers_of(c, ask);
    limit(c, h, ask);
    c->setopt(h, CURLOPT_URL, ask->url);
    c->setopt(h, CURLOPT_CUSTOMREQUEST, ask->method);
    c->setopt(h, CURLOPT_HTTPHEADER, headers);
    if (ask->body.size > 0) {
        c->setopt(h, CURLOPT_POSTFIELDSIZE, (long)ask->body.size);
        c->setopt(h, CURLOPT_POSTFIELDS, (const char *)ask->body.data);
    }
    c->setopt(h, CURLOPT_WRITEFUNCTION, keep);
    c->setopt(h, CURLOPT_WRITEDATA, body);
    CURLcode result = c->perform(h);
    long status = 0;
    c->getinfo(h, CURLINFO_RESPONSE_CODE, &status);
    c->slist_free_all(headers);
    c->cleanup(h);
    if (result == CURLE_OK) {
        *code = status;
        return ST_OK;
    }
    (void)snprintf(why, why_size, "%s", c->strerror(result));
    bool is_long = result == CURLE_WRITE_ERROR || result == CURLE_FILESIZE_EXCEEDED;
    return is_long ? ST_FULL : ST_IO;
}
