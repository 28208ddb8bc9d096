// Record: the bytes of the journal's records, and the register that is made of them.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_ACT_RECORD_H
#define KEDGE_AGENT_ACT_RECORD_H

#include "agent/act/deed.h"
#include "agent/act/journal.h"
#include "common/base/buf.h"
#include "common/base/cursor.h"
#include "common/base/status.h"
#include "common/base/table.h"

#define TIDY_BYTES (4u << 20) // a journal smaller than this is left alone

// The image of the journal in memory.
struct deeds {
    struct journal *journal;
    struct table *by_order; // struct deed, in the order of arrival
    struct table *models;   // struct deed_model
    uint32_t waiting;
    uint64_t last_number;
    uint64_t tidy_bytes; // rewritten when larger
};

// Fixed figures first, names with their length before them. Readers take their part off
// the cursor and leave what follows: ST_CORRUPT.
void record_put_name(struct buf *out, const char *name);
void record_put_token(struct buf *out, struct token t);
MUST_USE enum status record_get_id(struct cursor *c, uint8_t out[16]);

// An order as it came: what is needed to find it again, then its body.
void record_put_received(struct buf *out, const struct deed *deed, struct span body);
MUST_USE enum status record_get_received(struct cursor *c, struct deed *out);

// The head of a finished deed; its outcome follows.
void record_put_done(struct buf *out, const struct deed *deed);
MUST_USE enum status record_get_done(struct cursor *c, struct deed *out);

void record_put_model(struct buf *out, const struct deed_model *m);
MUST_USE enum status record_get_model(struct cursor *c, struct deed_model *out);
MUST_USE enum status record_append_model(struct journal *j, const struct deed_model *m);

#endif
