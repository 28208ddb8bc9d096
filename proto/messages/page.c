// Page: what every message has in common, then each port with its messages.
//
// SPDX-License-Identifier: Apache-2.0
#include "proto/messages/page.h"

#include "proto/describe.h"
#include "proto/messages/catalog.h"
#include "proto/messages/enrol.h"
#include "proto/messages/order.h"
#include "proto/messages/signature.h"
#include "proto/reader.h"

static const char intro[] =
    "# The wire\n"
    "\n"
    "Made by `kedge-describe wire` from the tables in `proto/messages`; a test "
    "compares.\n"
    "\n"
    "Programs of Kedge talk over ZeroMQ with CURVE. A message is two frames, or three "
    "when\n"
    "it is signed: the *type* (`kedge.NAME.vN`), the *body*, which is one msgpack "
    "value, and\n"
    "the *signatures*. Unknown types are counted and skipped.\n"
    "\n"
    "* A body is a map. Keys may come in any order; a sender writes them in the order "
    "below,\n"
    "  with the shortest integers, so that two senders write the same bytes.\n"
    "* `must`: always there. `may`: left out when it is 0, false or empty. `or nil`: "
    "written\n"
    "  as nil then. A reader takes missing and nil alike where a value may be absent.\n"
    "* Keys that a reader does not know are skipped, except critical ones, which begin "
    "with\n"
    "  `!` and refuse the message. A row may be longer than a reader knows.\n"
    "* A *name* is 1 to 128 bytes of `A-Z a-z 0-9 . _ @ / + : -`, the first one a "
    "letter or\n"
    "  digit, without `..`. A *text* is UTF-8, of so many bytes at most. An *id* is a "
    "byte\n"
    "  string of just that length. Maps of texts or numbers have rising keys (by "
    "bytes).\n"
    "* Refused: ext types, duplicate keys, bytes left over, floats for numbers, NaN "
    "and\n"
    "  infinity, a count above the bytes that are left.\n"
    "* Times are nanoseconds since 1970 unless the key ends in `_ms`.\n";

static void put_limits(struct buf *out)
{
    buf_printf(
        out,
        "* At most %d maps and arrays inside each other, %d values in one message, %d\n"
        "  keys in a map that the reader does not know, %d bytes in a text of a list\n"
        "  or map.\n",
        READER_DEPTH_MAX, READER_OBJECTS_MAX, MESSAGE_STRANGERS_MAX, FIELD_ITEM_MAX);
}

static const char signing[] =
    "\n## Signatures\n"
    "\n"
    "Signed is `PAE(type, body)` = `KEDGEv1 SP len(type) SP type SP len(body) SP "
    "body`, the\n"
    "lengths in decimal, by Ed25519 (RFC 8032, PureEdDSA). The bytes are signed, never "
    "a new\n"
    "encoding of them: verify first, then decode. Signatures with S >= L and keys of "
    "small\n"
    "order are refused. The third frame is an array of at most 16 signatures.\n";

static const char joined[] = "\n## Joined envelopes\n"
                             "\n"
                             "In a spool, a log, or inside another message the frames "
                             "become one byte string: the\n"
                             "number of frames (one byte, 2 or 3), then for each its "
                             "length (LEB128) and its bytes.\n";

static const char *const port_heads[] = {
    [WIRE_AGENT_PORT] = "The port for agents",
    [WIRE_ENROL_PORT] = "The port for enrolment",
    [WIRE_OPERATOR_PORT] = "The port for operators",
    [WIRE_INSIDE] = "Inside other messages",
};

static void put_index(enum wire_port port, struct buf *out)
{
    buf_printf(out, "\n## %s\n\n", port_heads[port]);
    buf_put_text(out, "| type | way | frames | bytes at most | spooled and logged |\n"
                      "|---|---|---|---|---|\n");
    for (unsigned i = 0; i < WIRE_KINDS; i++) {
        const struct wire_row *row = wire_row((enum wire_kind)i);
        if (row->port != port)
            continue;
        buf_printf(out, "| `%s` | %s | %d | %u | %s |\n", row->message->type,
                   row->way == WIRE_UP ? "to the controller" : "from the controller",
                   row->is_signed ? 3 : 2, row->bytes_max,
                   row->is_durable ? "yes" : "");
    }
}

static void put_port(enum wire_port port, struct buf *out)
{
    put_index(port, out);
    for (unsigned i = 0; i < WIRE_KINDS; i++) {
        const struct wire_row *row = wire_row((enum wire_kind)i);
        if (row->port == port)
            describe_message(row->message, out);
    }
}

void page_of_wire(struct buf *out)
{
    buf_put_text(out, intro);
    put_limits(out);
    buf_put_text(out, signing);
    describe_message(&signature_message, out);
    buf_put_text(out, joined);
    put_port(WIRE_AGENT_PORT, out);
    put_port(WIRE_ENROL_PORT, out);
    describe_message(&enrol_claim_message, out);
    describe_message(&join_token_message, out);
    put_port(WIRE_OPERATOR_PORT, out);
    put_port(WIRE_INSIDE, out);
    describe_message(&decision_message, out);
}

void page_of_records(struct buf *out)
{
    size_t count;
    const struct message *const *m = record_messages(&count);
    buf_put_text(
        out,
        "# The records\n"
        "\n"
        "Made by `kedge-describe records` from the tables in `proto/messages`; a\n"
        "test compares. What the controller keeps in its store is encoded as on\n"
        "[the wire](protocol.md): an older program skips what it does not know.\n");
    for (size_t i = 0; i < count; i++)
        describe_message(m[i], out);
}
