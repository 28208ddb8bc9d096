// Init: makes the folder of a new controller: keys, keyring, configuration, first
// operator.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_INIT_H
#define KEDGE_CONTROLLER_INIT_H

#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/status.h"

struct init_options {
    const char *folder;
    const char *listen;   // "127.0.0.1"
    uint64_t port;        // of agents; the next two are used as well
    const char *announce; // host under which agents reach it; NULL: `listen`
};

// Makes everything or nothing that a second call would trip over: the configuration is
// written last. `told` gets lines for people. ST_EXISTS: there is a controller already.
MUST_USE enum status init_folder(const struct init_options *o, struct buf *told);

// `kedge ctl init DIR [--port N] [--listen ADDRESS] [--announce HOST]`. Exit code.
int init_main(int argc, char **argv);

#endif
