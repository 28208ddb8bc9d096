// Evidence: ratios without exp or log, four sizes side by side.
//
// The ratio h_D falls below its least point and rises above its greatest one, so z is
// held between the two. Without the lower bound h would return to 1 for very negative
// z, and since c_D is below 1 for two sizes, a long calm far inside the tolerance would
// itself count as evidence of a change.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/drift/evidence.h"

#include <math.h>
#include <string.h>

#define HOUR_NS (3600ull * 1000000000)
#define DAY_NS (24 * HOUR_NS)

// D, (D -+ sqrt(D^2 + 20))/2, and c_D: the supremum of E h_D over Gauss, Laplace, t4,
// t5, t8 and a skewed gamma(4), all with sd >= 1.
struct size_row {
    double size, least, most, supremum;
};
static const struct size_row sizes[EVIDENCE_SIZES] = {
    {1.0, -1.7912878474779199, 2.7912878474779199, 1.01093598},
    {2.5, -1.3117376914898995, 3.8117376914898995, 0.83664086},
    {6.0, -0.7416573867739413, 6.7416573867739413, 0.61342858},
    {18.0, -0.2736184952106622, 18.273618495210662, 2.65691367},
};

static double hold(double z, double least, double most)
{
    double up = z > least ? z : least; // NaN becomes the least
    return up < most ? up : most;
}

double evidence_ratio_raw(uint32_t size, double z)
{
    const struct size_row *s = &sizes[size];
    double x = hold(z, s->least, s->most);
    double q = (5 + x * x) / (5 + (x - s->size) * (x - s->size));
    return q * q * q;
}

double evidence_ratio(uint32_t size, double z)
{
    return evidence_ratio_raw(size, z) / sizes[size].supremum;
}

// The same figures for the four sizes, side by side in one 128-bit register: every line
// of the functions below is an instruction or two.
typedef float quad __attribute__((vector_size(16)));
typedef int32_t quad_mask __attribute__((vector_size(16)));

static const quad least = {-1.79128785f, -1.31173769f, -0.74165739f, -0.27361850f};
static const quad most = {2.79128785f, 3.81173769f, 6.74165739f, 18.2736185f};
static const quad size = {1.0f, 2.5f, 6.0f, 18.0f};
static const quad weight = {0.98918238f, 1.19525706f, 1.63018163f,
                            0.37637655f}; // 1 / c_D
static const quad one = {1, 1, 1, 1};
static const quad five = {5, 5, 5, 5};
static const quad growth = {EVIDENCE_BLOCK_GROWTH, EVIDENCE_BLOCK_GROWTH,
                            EVIDENCE_BLOCK_GROWTH, EVIDENCE_BLOCK_GROWTH};
static const quad limit = {EVIDENCE_LIMIT, EVIDENCE_LIMIT, EVIDENCE_LIMIT,
                           EVIDENCE_LIMIT};

static quad chosen(quad_mask first, quad a, quad b)
{
    return (quad)((first & (quad_mask)a) | (~first & (quad_mask)b));
}

static quad lesser(quad a, quad b)
{
    return chosen(a < b, a, b);
}

static quad greater(quad a, quad b)
{
    return chosen(a > b, a, b);
}

// z as a float that no arithmetic below can carry out of bounds; NaN is the least.
static float narrow(double z)
{
    if (!(z > -1e6))
        return -1e6f;
    return z < 1e6 ? (float)z : 1e6f;
}

static quad ratios(double z)
{
    float at = narrow(z);
    quad x = lesser(greater((quad){at, at, at, at}, least), most);
    quad gap = x - size;
    quad q = (five + x * x) / (five + gap * gap);
    return q * q * q * weight;
}

static quad load(const struct evidence *e)
{
    quad v;
    memcpy(&v, e->m, sizeof v);
    return v;
}

static void store(struct evidence *e, quad v)
{
    memcpy(e->m, &v, sizeof v);
}

static quad grown(quad m, quad ratio)
{
    return lesser(ratio * (m + one), limit);
}

// What a block that began at `start` may grow to.
static quad capped_by(quad m, quad start)
{
    return lesser(m, growth * greater(start, one));
}

void evidence_add(struct evidence *e, double z)
{
    store(e, grown(load(e), ratios(z)));
}

void evidence_add_capped(struct evidence *e, const struct evidence *start, double z)
{
    store(e, capped_by(grown(load(e), ratios(z)), load(start)));
}

void evidence_add_both(struct evidence *fast, struct evidence *capped,
                       const struct evidence *start, double z)
{
    quad ratio = ratios(z);
    store(fast, grown(load(fast), ratio));
    store(capped, capped_by(grown(load(capped), ratio), load(start)));
}

struct evidence_sums evidence_add_all(struct evidence *fast, struct evidence *capped,
                                      const struct evidence *start, const double *z,
                                      uint32_t moves, uint32_t n)
{
    struct evidence_sums sums = {0, 0};
    for (uint32_t i = 0; i < n; i++) {
        if (moves >> i & 1) {
            quad ratio = ratios(z[i]);
            store(&fast[i], grown(load(&fast[i]), ratio));
            store(&capped[i],
                  capped_by(grown(load(&capped[i]), ratio), load(&start[i])));
        }
        sums.fast += evidence_of(&fast[i]);
        sums.capped += evidence_of(&capped[i]);
    }
    return sums;
}

void evidence_reset(struct evidence *e)
{
    *e = (struct evidence){{0}};
}

uint64_t evidence_block(double phi, uint64_t window_ns, bool has_season)
{
    double memory = ceil(10 * (1 + phi) / (1 - phi));
    if (window_ns == 0)
        return (uint64_t)memory;
    uint64_t ns = (uint64_t)memory * window_ns;
    if (ns < HOUR_NS)
        ns = HOUR_NS;
    if (has_season)
        return (ns + DAY_NS - 1) / DAY_NS * DAY_NS;
    return (ns + window_ns - 1) / window_ns * window_ns;
}

// A heap of indices with the greatest e-value on top; ties go to the lower index, so
// that the list does not depend on how it was sorted.
static bool is_ahead(const double *e, uint32_t a, uint32_t b)
{
    return e[a] > e[b] || (!(e[a] < e[b]) && a < b);
}

static void sift(const double *e, uint32_t *heap, uint32_t at, uint32_t count)
{
    for (;;) {
        uint32_t top = at;
        for (uint32_t child = 2 * at + 1; child <= 2 * at + 2; child++)
            if (child < count && is_ahead(e, heap[child], heap[top]))
                top = child;
        if (top == at)
            return;
        uint32_t swap = heap[at];
        heap[at] = heap[top];
        heap[top] = swap;
        at = top;
    }
}

uint32_t evidence_select(const double *e, uint32_t count, double rate, uint32_t *order,
                         uint32_t *kept)
{
    for (uint32_t i = 0; i < count; i++)
        order[i] = i;
    for (uint32_t i = count; i-- > 0;)
        sift(e, order, i, count);
    uint32_t best = 0, left = count;
    for (uint32_t k = 1; k <= count; k++) {
        uint32_t top = order[0];
        kept[k - 1] = top;
        order[0] = order[--left];
        sift(e, order, 0, left);
        if (k * rate * e[top] >= count)
            best = k;
    }
    return best;
}
