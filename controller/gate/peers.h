// Peers: the agents that may connect, where each is connected, and how much of it is
// under way.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_GATE_PEERS_H
#define KEDGE_CONTROLLER_GATE_PEERS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/status.h"

#define PEERS_MAX 200000u
#define PEERS_CREDIT 64u // reports of one agent under way to the fold
// The same while so many of all agents are: then each gets little more than the credit
// that it was told, and one that takes no notice of it cannot fill the queue.
#define PEERS_BUSY 128u
#define PEERS_SHARE 8u
// Hellos and beats: so many at once, and one more each second.
#define PEERS_SMALL 32u
// Reports beyond its credit within a second, until its connection is cut.
#define PEERS_OVERDRAWN_MAX 512u

struct peer {
    uint8_t key[32];
    uint8_t agent[16];
    bool is_connected; // it has said hello on `id`
    uint8_t id[5];     // routing id of its newest connection
    int fd;            // that connection's
    uint32_t under_way;
    uint64_t reports, dropped, hostile;
    uint64_t small_ns; // mono: until when its hellos and beats are used up
    uint64_t second;   // that is counted in
    uint32_t overdrawn;
};

struct peers;

MUST_USE enum status peers_open(struct peers **out);
void peers_close(struct peers *p);

// ST_OK also when it is there already: then it belongs to `agent` from now on. ST_FULL,
// ST_NOMEM.
MUST_USE enum status peers_allow(struct peers *p, const uint8_t key[32],
                                 const uint8_t agent[16]);
// Forgets it. *fd gets its connection, or -1.
void peers_forbid(struct peers *p, const uint8_t key[32], int *fd);

// Its hello came on `fd`, or its connection is over (fd -1).
MUST_USE enum status peers_place_at(struct peers *p, struct peer *peer, int fd);
// Whose connection that is; NULL: nobody's that has said hello.
struct peer *peers_by_fd(const struct peers *p, int fd);

// NULL: nobody with this key may connect (any more).
struct peer *peers_by_key(struct peers *p, const uint8_t key[32]);
// The newest key of that agent.
struct peer *peers_by_agent(struct peers *p, const uint8_t agent[16]);

// Whether `id` is the peer's newest connection. Automatic ids rise, so an older
// connection of the same key is told from a newer one.
enum peers_place { PEERS_SAME, PEERS_NEWER, PEERS_OLDER };
enum peers_place peers_place(const struct peer *p, const uint8_t id[5]);

// Takes one hello or beat from its quota; false: it is used up.
bool peers_may_speak(struct peer *p, uint64_t now_ns);
// Counts one report beyond its credit; true: too many of them.
bool peers_overdraws(struct peer *p, uint64_t now_ns);

uint32_t peers_connected(const struct peers *p);

#endif
