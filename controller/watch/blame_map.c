// Blame: from a share to a confidence, by what closed incidents taught at this site.
//
// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "controller/watch/blame.h"

#define CLOSED_LEAST 10u // fewer incidents teach nothing

double blame_map_apply(const struct blame_map *map, double share)
{
    if (!map || map->points == 0)
        return share < BLAME_NEUTRAL_MAX ? share : BLAME_NEUTRAL_MAX;
    uint32_t i = 0;
    while (i < map->points && map->share[i] < share)
        i++;
    if (i == 0)
        return map->right[0];
    if (i == map->points)
        return map->right[i - 1];
    double width = map->share[i] - map->share[i - 1];
    double part = width > 0 ? (share - map->share[i - 1]) / width : 1;
    return map->right[i - 1] + part * (map->right[i] - map->right[i - 1]);
}

struct closed {
    double share, right, weight;
};

static int by_share(const void *a, const void *b)
{
    const struct closed *x = a, *y = b;
    if (x->share != y->share)
        return x->share < y->share ? -1 : 1;
    return x->right < y->right ? -1 : x->right > y->right;
}

// Joins neighbours that fall, until nothing does. Gives how many are left.
static uint32_t pool(struct closed *p, uint32_t n)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < n; i++) {
        p[kept++] = p[i];
        while (kept > 1 && p[kept - 2].right >= p[kept - 1].right) {
            struct closed *a = &p[kept - 2], *b = &p[kept - 1];
            double w = a->weight + b->weight;
            a->right = (a->right * a->weight + b->right * b->weight) / w;
            a->share = (a->share * a->weight + b->share * b->weight) / w;
            a->weight = w;
            kept--;
        }
    }
    return kept;
}

enum status blame_map_fit(const double *share, const bool *right, uint32_t n,
                          struct blame_map *out)
{
    *out = (struct blame_map){0};
    if (n < CLOSED_LEAST)
        return ST_OK;
    struct closed *p = mem_zero(n, sizeof *p);
    if (!p)
        return ST_NOMEM;
    for (uint32_t i = 0; i < n; i++)
        p[i] = (struct closed){share[i], right[i] ? 1 : 0, 1};
    qsort(p, n, sizeof *p, by_share);
    uint32_t kept = pool(p, n);
    // One right and one wrong are added to each block: ten cases prove no certainty.
    for (uint32_t i = 0; i < kept; i++)
        p[i].right = (p[i].right * p[i].weight + 1) / (p[i].weight + 2);
    kept = pool(p, kept);
    for (uint32_t i = 0; i < kept && i < BLAME_STATE_MAX; i++) {
        out->share[i] = p[i].share;
        out->right[i] = p[i].right;
        out->points = i + 1;
    }
    mem_free(p);
    return ST_OK;
}
