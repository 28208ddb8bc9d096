// SPDX-License-Identifier: Apache-2.0
#include "agent/intake/address.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define HOST_BYTES 256

enum status address_of(const char *text, struct address *out)
{
    char host[HOST_BYTES];
    const char *colon = strrchr(text, ':');
    struct addrinfo *found;
    if (!colon || colon == text || colon - text >= HOST_BYTES - 1)
        return ST_RANGE;
    bool has_brackets = text[0] == '[' && colon[-1] == ']';
    int size = (int)(colon - text) - (has_brackets ? 2 : 0);
    (void)snprintf(host, sizeof host, "%.*s", size, text + has_brackets);
    const struct addrinfo hint = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
                                  .ai_socktype = SOCK_STREAM};
    if (getaddrinfo(host, colon + 1, &hint, &found) != 0)
        return ST_RANGE;
    memcpy(&out->at, found->ai_addr, found->ai_addrlen);
    out->size = found->ai_addrlen;
    freeaddrinfo(found);
    return ST_OK;
}

unsigned address_port(int fd)
{
    struct sockaddr_storage at = {0};
    socklen_t size = sizeof at;
    if (getsockname(fd, (struct sockaddr *)&at, &size) != 0)
        return 0;
    return at.ss_family == AF_INET6
               ? ntohs(((const struct sockaddr_in6 *)(const void *)&at)->sin6_port)
               : ntohs(((const struct sockaddr_in *)(const void *)&at)->sin_port);
}
