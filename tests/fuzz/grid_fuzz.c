// Grid: what is read encodes to the same bytes, and every value has a cell in it.
//
// SPDX-License-Identifier: Apache-2.0
#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "common/sketch/grid.h"

static void same_bytes(const struct grid *g, const uint8_t *data, size_t size)
{
    struct buf out;
    buf_init(&out, GRID_BYTES_MAX);
    grid_encode(g, &out);
    assert(out.failed == ST_OK);
    assert(span_equal(buf_span(&out), span_of(data, size)));
    buf_fini(&out);
}

static void count_numbers(const struct grid *g)
{
    double value[64];
    uint64_t count[GRID_CELLS_MAX] = {0}, sum = 0;
    for (uint32_t j = 0; j < 64; j++) {
        double low, high;
        grid_bounds(g, j % grid_cells(g), &low, &high);
        value[j] = isfinite(high) ? high : isfinite(low) ? nextafter(low, 0) : 0;
    }
    grid_count_f64(g, value, 64, count);
    for (uint32_t j = 0; j < grid_cells(g); j++)
        sum += count[j];
    assert(sum == 64);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct grid *g;
    if (grid_decode(span_of(data, size), &g) != ST_OK)
        return 0;
    same_bytes(g, data, size);
    if (grid_form(g) != GRID_CATEGORIES)
        count_numbers(g);
    else if (grid_cells(g) > 2)
        assert(grid_cell_of_hash(g, grid_category_hash(g, 0)) == 0);
    grid_close(g);
    return 0;
}
