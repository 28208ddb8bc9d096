// Lineage: no text makes the reader crash, leak, or name a line that is not there.
//
// SPDX-License-Identifier: Apache-2.0
#include <assert.h>
#include <stddef.h>

#include "common/base/mem.h"
#include "controller/log/lineage.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lineage l;
    struct lineage_fault f;
    uint32_t count;
    if (lineage_parse(span_of(data, size), &l, &f) != ST_OK)
        return 0;
    for (uint32_t i = 0; i < l.edges; i++)
        assert(l.edge[i].up < l.nodes && l.edge[i].down < l.nodes);
    uint8_t *mark = mem_zero(l.nodes + 1, 1);
    if (mark && lineage_circles(&l, mark, &count) == ST_OK)
        assert(count <= l.nodes);
    mem_free(mark);
    lineage_fini(&l);
    return 0;
}
