// Memory: allocation that checks its arithmetic and that a test can make fail.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_COMMON_BASE_MEM_H
#define KEDGE_COMMON_BASE_MEM_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/span.h"

// `count` items of `size` bytes, zeroed. NULL when memory is out or the product
// overflows. The caller owns it and gives it back to mem_free.
void *mem_zero(size_t count, size_t size);

// As realloc, for `count` items of `size` bytes; on failure the old block stays.
void *mem_resize(void *block, size_t count, size_t size);

// A copy on the heap; mem_text adds the closing zero. NULL when memory is out.
void *mem_copy(struct span bytes);
char *mem_text(struct span text);

// NULL is fine.
void mem_free(void *block);

// Overwrites secrets so that the compiler cannot leave it out.
void mem_wipe(void *block, size_t size);

#define MEM_NEW(type) ((type *)mem_zero(1, sizeof(type)))

// Tests only: the n-th allocation from now (1 = the next) and all after it fail; 0 ends
// that. Returns how many allocations were asked for since the last call. Per thread.
uint64_t mem_fail_from(uint64_t n);

#endif
