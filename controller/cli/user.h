// User: `kedge user add`, which makes a person's key here and tells the controller the
// public half.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_CLI_USER_H
#define KEDGE_CONTROLLER_CLI_USER_H

#include "common/setup/command.h"

#define CLI_USER_OPTIONS 3
extern const struct option_row cli_user_options[CLI_USER_OPTIONS];

int cli_user_add(void *program, const struct command_line *line);

#endif
