// Describe: prints a table of fields as a page for people.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_PROTO_DESCRIBE_H
#define KEDGE_PROTO_DESCRIBE_H

#include "common/base/buf.h"
#include "proto/codec.h"

// "text <= 128", "number <= 3", "id, 16 bytes", "list of feature <= 512": how a member
// stands on the wire. Appends.
void describe_type(const struct field *f, struct buf *out);

// Appends, as Markdown, a heading, the note, the table of fields, and behind it the
// same for each part that the fields name, at any depth.
void describe_message(const struct message *m, struct buf *out);

#endif
