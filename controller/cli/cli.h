// Cli: the operators' command `kedge`: its verbs as one table.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_CLI_CLI_H
#define KEDGE_CONTROLLER_CLI_CLI_H

#include "common/setup/command.h"

// Exit codes (docs/man/kedge.1): what scripts may rely on.
enum cli_exit {
    CLI_FINE = 0,
    CLI_UNHEALTHY = 1, // the thing that was asked about is not well
    CLI_USAGE = 2,
    CLI_NOT_FOUND = 3,
    CLI_DENIED = 4,
    CLI_UNREACHABLE = 5,
    CLI_CONFLICT = 6, // or an approval is needed
    CLI_TIMEOUT = 7,
    CLI_PARTIAL = 8,
};

// Runs one command line and gives its exit code. `other` are verbs that the program
// runs before it comes here: --help and misspelt words know them.
int cli_main(int argc, char **argv, const struct verb_row *other, size_t others);

#endif
