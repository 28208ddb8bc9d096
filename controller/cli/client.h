// Client: a connection to the controller as an operator, over CURVE.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_CLI_CLIENT_H
#define KEDGE_CONTROLLER_CLI_CLIENT_H

#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/span.h"
#include "common/base/status.h"
#include "proto/codec.h"

#define CLIENT_ANSWER_MAX (64u << 20)
#define CLIENT_WAIT_MS 10000

// The client's configuration, kedge.conf:
//   controller = "tcp://127.0.0.1:7603"
//   server-key = "<Z85 of the operator port's public key>"
//   keys       = "operators"      a folder, from the file's own folder on
//   operator   = "admin"          keys/<operator>.key is the secret
struct client;

// `path` NULL: $KEDGE_CONFIG, else /etc/kedge/kedge.conf. On failure `why` has one line
// for people. ST_NOTFOUND, ST_RANGE, ST_DENIED, ST_IO, ST_NOMEM.
MUST_USE enum status client_open(const char *path, struct client **out,
                                 struct buf *why);
void client_close(struct client *c); // NULL is fine

// Asks and waits for the whole answer. `json` gets it (or the error's line), `code` the
// exit code. ST_TIMEOUT: no answer in CLIENT_WAIT_MS, the controller is away or does
// not know this key. ST_FULL: the answer is too long. ST_CORRUPT, ST_RANGE, ST_NOMEM,
// ST_IO.
MUST_USE enum status client_ask(struct client *c, const char *verb, struct pair *arg,
                                uint32_t args, struct span blob, struct buf *json,
                                uint8_t *code);

// The folder of the operators' keys. Lends.
const char *client_keys(const struct client *c);

// Where it connects to, for messages. Lends.
const char *client_endpoint(const struct client *c);

#endif
