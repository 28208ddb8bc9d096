// Peers: one table by key, one by agent.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/gate/peers.h"

#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/span.h"
#include "common/base/table.h"

struct peers {
    struct table *by_key;   // owns
    struct table *by_agent; // borrows
    struct peer **by_fd;    // borrows
    size_t fds;
};

enum status peers_open(struct peers **out)
{
    struct peers *p = MEM_NEW(struct peers);
    if (!p)
        return ST_NOMEM;
    enum status st = table_open(PEERS_MAX, &p->by_key);
    if (st == ST_OK)
        st = table_open(PEERS_MAX, &p->by_agent);
    if (st != ST_OK) {
        peers_close(p);
        return st;
    }
    *out = p;
    return ST_OK;
}

void peers_close(struct peers *p)
{
    if (!p)
        return;
    mem_free(p->by_fd);
    if (p->by_agent)
        table_close(p->by_agent, NULL);
    if (p->by_key)
        table_close(p->by_key, mem_free);
    mem_free(p);
}

struct peer *peers_by_fd(const struct peers *p, int fd)
{
    return fd >= 0 && (size_t)fd < p->fds ? p->by_fd[fd] : NULL;
}

enum status peers_place_at(struct peers *p, struct peer *peer, int fd)
{
    if (peers_by_fd(p, peer->fd) == peer)
        p->by_fd[peer->fd] = NULL;
    peer->fd = fd;
    if (fd < 0)
        return ST_OK;
    if ((size_t)fd >= p->fds) {
        size_t fds = (size_t)fd * 2 + 64;
        struct peer **more = mem_resize(p->by_fd, fds, sizeof(struct peer *));
        if (!more)
            return ST_NOMEM;
        memset(more + p->fds, 0, (fds - p->fds) * sizeof *more);
        p->by_fd = more;
        p->fds = fds;
    }
    p->by_fd[fd] = peer;
    return ST_OK;
}

struct peer *peers_by_key(struct peers *p, const uint8_t key[32])
{
    return table_get(p->by_key, span_of(key, 32));
}

struct peer *peers_by_agent(struct peers *p, const uint8_t agent[16])
{
    return table_get(p->by_agent, span_of(agent, 16));
}

static enum status index_agent(struct peers *p, struct peer *peer)
{
    struct span agent = span_of(peer->agent, 16);
    (void)table_take(p->by_agent, agent);
    return table_put(p->by_agent, agent, peer);
}

enum status peers_allow(struct peers *p, const uint8_t key[32], const uint8_t agent[16])
{
    struct peer *peer = peers_by_key(p, key);
    if (peer) {
        if (peers_by_agent(p, peer->agent) == peer)
            (void)table_take(p->by_agent, span_of(peer->agent, 16));
        memcpy(peer->agent, agent, 16);
        return index_agent(p, peer);
    }
    peer = MEM_NEW(struct peer);
    if (!peer)
        return ST_NOMEM;
    memcpy(peer->key, key, 32);
    memcpy(peer->agent, agent, 16);
    peer->fd = -1;
    enum status st = table_put(p->by_key, span_of(key, 32), peer);
    if (st != ST_OK) {
        mem_free(peer);
        return st;
    }
    return index_agent(p, peer);
}

void peers_forbid(struct peers *p, const uint8_t key[32], int *fd)
{
    *fd = -1;
    struct peer *peer = table_take(p->by_key, span_of(key, 32));
    if (!peer)
        return;
    if (peers_by_agent(p, peer->agent) == peer)
        (void)table_take(p->by_agent, span_of(peer->agent, 16));
    *fd = peer->is_connected ? peer->fd : -1;
    if (peers_place_at(p, peer, -1) == ST_OK)
        mem_free(peer);
}

enum peers_place peers_place(const struct peer *p, const uint8_t id[5])
{
    if (!p->is_connected)
        return PEERS_NEWER;
    // The first byte is zero; the rest counts up, and may wrap after 2^32 connections.
    int32_t ahead = (int32_t)(load_be32(id + 1) - load_be32(p->id + 1));
    return ahead == 0 ? PEERS_SAME : ahead > 0 ? PEERS_NEWER : PEERS_OLDER;
}

// Each one is paid with a second; a debt of PEERS_SMALL seconds is allowed.
bool peers_may_speak(struct peer *p, uint64_t now_ns)
{
    if (p->small_ns < now_ns)
        p->small_ns = now_ns;
    if (p->small_ns - now_ns >= PEERS_SMALL * NS_PER_S)
        return false;
    p->small_ns += NS_PER_S;
    return true;
}

bool peers_overdraws(struct peer *p, uint64_t now_ns)
{
    if (p->second != now_ns / NS_PER_S) {
        p->second = now_ns / NS_PER_S;
        p->overdrawn = 0;
    }
    return ++p->overdrawn >= PEERS_OVERDRAWN_MAX;
}

uint32_t peers_connected(const struct peers *p)
{
    uint32_t n = 0;
    size_t at = 0;
    void *value;
    while (table_next(p->by_key, &at, NULL, &value))
        n += ((const struct peer *)value)->is_connected;
    return n;
}
