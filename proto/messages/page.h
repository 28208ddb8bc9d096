// Page: the reference pages of the wire and of the store, made from their tables.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_PROTO_MESSAGES_PAGE_H
#define KEDGE_PROTO_MESSAGES_PAGE_H

#include "common/base/buf.h"

// Append docs/protocol.md and docs/records.md. A failure stays in `out` (buf.h).
void page_of_wire(struct buf *out);
void page_of_records(struct buf *out);

#endif
