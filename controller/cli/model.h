// Model: registering models and versions, with the digests of what they are made of.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_CLI_MODEL_H
#define KEDGE_CONTROLLER_CLI_MODEL_H

#include "common/setup/command.h"

#define CLI_MODEL_OPTIONS 11
extern const struct option_row cli_model_options[CLI_MODEL_OPTIONS];

// `kedge model add NAME [--version V ...]`. Gives the exit code.
int cli_model_add(void *program, const struct command_line *line);

#endif
