// Simd: which vector instructions this machine has, asked once for all of the room.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_COMMON_SKETCH_SIMD_H
#define KEDGE_COMMON_SKETCH_SIMD_H

// AVX2 stands for AVX2 and FMA, which but for rare processors come together.
enum simd_level { SIMD_PORTABLE, SIMD_SSE2, SIMD_AVX2 };

// The best level of the processor, or the limit below it. Cheap.
enum simd_level simd_level(void);

// Tests and benches only, before any thread is started: use nothing above `most`.
void simd_limit(enum simd_level most);

#endif
