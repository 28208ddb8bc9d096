// Baseline: seals the profile of a training file, and checks a file against its seal.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_CLI_BASELINE_H
#define KEDGE_CONTROLLER_CLI_BASELINE_H

#include "common/setup/command.h"

#define CLI_BASELINE_OPTIONS 10
extern const struct option_row cli_baseline_options[CLI_BASELINE_OPTIONS];

// `kedge baseline create --model NAME@VERSION --csv FILE ...`: two passes over the file
// in bounded memory; only the profile leaves this machine. Gives the exit code.
int cli_baseline_create(void *program, const struct command_line *line);

// `kedge baseline verify NAME@VERSION FILE`: MATCH (0) or MISMATCH (1).
int cli_baseline_verify(void *program, const struct command_line *line);

#endif
