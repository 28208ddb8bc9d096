// Http: finds requests and answers in bytes as they were on the wire (HTTP/1.1).
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_INTAKE_HTTP_H
#define KEDGE_AGENT_INTAKE_HTTP_H

#include <stdint.h>

#include "common/base/span.h"
#include "common/base/status.h"
#include "proto/observation.h"

#define HTTP_HEAD_BYTES_MAX (64u << 10)

struct http;

// Requests and answers of one connection, one behind the other. Keeps the sink: rows
// that are complete are handed on while the rest of a body still comes; a body that
// cannot be read is one malformed row. ST_NOMEM.
MUST_USE enum status http_open(const struct observation_sink *sink, struct http **out);
void http_close(struct http *h); // NULL is fine

// ST_CORRUPT: this is no HTTP, and nothing behind it can be read. ST_FULL: a head over
// HTTP_HEAD_BYTES_MAX. ST_NOMEM.
MUST_USE enum status http_bytes(struct http *h, struct span bytes, uint64_t now_ns);

// The connection ended. ST_CORRUPT: within a message.
MUST_USE enum status http_end(struct http *h);

#endif
