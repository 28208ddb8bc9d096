// Http: one bounded request of an executor, and its answer.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_ACT_HTTP_H
#define KEDGE_AGENT_ACT_HTTP_H

#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/span.h"
#include "common/base/status.h"

#define HTTP_BODY_MAX (256u * 1024u)

// Texts are borrowed for the call.
struct http_ask {
    const char *method; // "GET", "POST", "PUT", "PATCH"
    const char *url;    // http:// or https://
    const char *type;   // of the body; NULL = application/json
    struct span body;
    const char *auth; // value of the header Authorization, or NULL
    const char *ca;   // file of the authorities that are trusted; NULL = the system's
    uint32_t timeout_ms;
};

// Sends it and waits for the whole answer; `body` gets at most HTTP_BODY_MAX bytes.
// There are no redirects, no proxies, no other protocols, no peers that cannot prove
// their name, and no connection to a link-local or metadata address, whatever a name
// resolves to. Less than 64 bytes a second for 5 s is given up.
// Errors: ST_IO (no answer; `why` says what happened), ST_FULL (too much of it),
// ST_UNSUPPORTED (libcurl is not installed).
MUST_USE enum status http_call(const struct http_ask *ask, long *code, struct buf *body,
                               char *why, size_t why_size);

#endif
