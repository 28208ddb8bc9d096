// Memory: checked products, and the switch by which tests make allocations fail.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/base/mem.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

// Per thread, so that a test fails its own allocations and nobody else's.
static _Thread_local uint64_t asked;
static _Thread_local uint64_t first_failing; // 0: none fails

static bool is_refused(void)
{
    asked++;
    return first_failing != 0 && asked >= first_failing;
}

void *mem_zero(size_t count, size_t size)
{
    size_t bytes;
    if (is_refused() || __builtin_mul_overflow(count, size, &bytes))
        return NULL;
    return calloc(1, bytes ? bytes : 1); // NULL means failure, and nothing else
}

void *mem_resize(void *block, size_t count, size_t size)
{
    size_t bytes;
    if (is_refused() || __builtin_mul_overflow(count, size, &bytes))
        return NULL;
    return realloc(block, bytes ? bytes : 1);
}

void *mem_copy(struct span bytes)
{
    void *copy = mem_resize(NULL, bytes.size, 1);
    if (copy && bytes.size)
        memcpy(copy, bytes.data, bytes.size);
    return copy;
}

char *mem_text(struct span text)
{
    char *copy = text.size < SIZE_MAX ? mem_resize(NULL, text.size + 1, 1) : NULL;
    if (!copy)
        return NULL;
    if (text.size)
        memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    return copy;
}

void mem_free(void *block)
{
    free(block);
}

void mem_wipe(void *block, size_t size)
{
    if (size)
        explicit_bzero(block, size);
}

uint64_t mem_fail_from(uint64_t n)
{
    uint64_t before = asked;
    asked = 0;
    first_failing = n;
    return before;
}
