// Kll: the arithmetic that every KLL sketch shares: level capacities and error bounds.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_COMMON_SKETCH_KLL_H
#define KEDGE_COMMON_SKETCH_KLL_H

#include <stdint.h>

#define KLL_K_MIN 8
#define KLL_K_MAX 65535
#define KLL_M 8           // least capacity of a level
#define KLL_LEVELS_MAX 61 // items of level 60 weigh 2^60

// Capacity of the level that lies `depth` (0..60) below the top: k (2/3)^depth rounded,
// at least KLL_M. In integers, since readers elsewhere compute the same figure.
uint32_t kll_capacity(uint32_t k, uint32_t depth);

// Capacity of a whole sketch of `levels` levels (1..61).
uint32_t kll_total_capacity(uint32_t k, uint32_t levels);

#endif
