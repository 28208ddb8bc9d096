// Lineage: what feeds what, as a small text that people write and keep.
//
//   # a comment
//   feed:clicks -> feature:ctr_7d -> price-elasticity -> basket-rank -> shop-conversion
//   fraud-a -> checkout from=2026-03-01T00:00:00Z to=2026-04-01
//   upstream,downstream            (a table of two columns is taken as well)
//
// A name with a kind before a colon (feed:, source:, feature:, endpoint:, kpi:,
// consumer:) is no model; every other one is. An edge holds from `from` until before
// `to`; without them always. The text as a whole is kept with the time it was imported
// for, so an old incident is judged by the lineage of its day.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_LOG_LINEAGE_H
#define KEDGE_CONTROLLER_LOG_LINEAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/span.h"
#include "common/base/status.h"
#include "common/base/table.h"
#include "controller/log/shelf.h"

#define LINEAGE_BYTES_MAX (4u << 20) // of one text
#define LINEAGE_EDGES_MAX 262144u
#define LINEAGE_NODES_MAX 65536u

struct lineage_edge {
    uint32_t up, down;          // nodes
    uint64_t from_ns, until_ns; // until 0: for ever
    uint32_t line;
};

// Names are lent by the text, which the caller keeps.
struct lineage {
    struct lineage_edge *edge;
    uint32_t edges;
    struct span *node;
    uint32_t nodes;
    struct table *by_name;
    uint32_t rooms[2];
};

// What is wrong with a text, and where.
struct lineage_fault {
    uint32_t line;
    const char *what;
};

// ST_CORRUPT (*fault says why), ST_FULL, ST_NOMEM. Borrows `text` until lineage_fini.
MUST_USE enum status lineage_parse(struct span text, struct lineage *out,
                                   struct lineage_fault *fault);
void lineage_fini(struct lineage *l); // a zeroed one is fine

bool lineage_is_model(struct span name);
bool lineage_holds(const struct lineage_edge *e, uint64_t at_ns);

// Nodes that lie on a circle (1 in `on_circle`, l->nodes bytes); gives their number.
// Kahn's algorithm: what is left when all others are taken away, both ways. ST_NOMEM.
MUST_USE enum status lineage_circles(const struct lineage *l, uint8_t *on_circle,
                                     uint32_t *count);

// The text in force at `at_ns` as it was known at `known_ns` (UINT64_MAX: now), and from
// when on it holds. ST_NOTFOUND: none was. Lent by the shelf.
MUST_USE enum status lineage_at(struct shelf *s, uint64_t at_ns, uint64_t known_ns,
                                struct span *text, uint64_t *from_ns);
// Keeps it besides what was known before.
MUST_USE enum status lineage_put(struct shelf *s, uint64_t from_ns, uint64_t known_ns,
                                 struct span text);

// How many texts were ever put: another number, another lineage perhaps.
MUST_USE enum status lineage_number(struct shelf *s, uint64_t *out);

#endif
