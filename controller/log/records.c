// Records: between structs and the bytes on the shelf.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/log/records.h"

#include <string.h>

#include "common/base/buf.h"

enum status records_read(struct span value, const struct message *m, struct pool *pool,
                         void *out)
{
    uint8_t *copy = pool_take(pool, value.size + 1, 1);
    if (!copy)
        return ST_FULL;
    if (value.size > 0)
        memcpy(copy, value.data, value.size);
    return message_decode(m, span_of(copy, value.size), pool, out);
}

enum status records_get(struct shelf *s, enum shelf_table table,
                        const struct shelf_key *key, const struct message *m,
                        struct pool *pool, void *out)
{
    struct span v;
    ST_TRY(shelf_get(s, table, key, &v));
    return records_read(v, m, pool, out);
}

enum status records_put(struct shelf *s, enum shelf_table table,
                        const struct shelf_key *key, const struct message *m,
                        const void *in)
{
    struct buf b;
    buf_init(&b, RECORDS_BYTES_MAX);
    enum status st = message_encode(m, in, &b, NULL);
    if (st == ST_OK)
        st = shelf_put(s, table, key, buf_span(&b));
    buf_fini(&b);
    return st;
}
