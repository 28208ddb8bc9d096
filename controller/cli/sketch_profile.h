// Sketch profile: what Kedge would keep of each column of a file, without a controller.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_CLI_SKETCH_PROFILE_H
#define KEDGE_CONTROLLER_CLI_SKETCH_PROFILE_H

#include "common/setup/command.h"

#define CLI_SKETCH_PROFILE_OPTIONS 3
extern const struct option_row cli_sketch_profile_options[CLI_SKETCH_PROFILE_OPTIONS];

// `kedge sketch profile [FILE.csv]`: three passes over the file in bounded memory; from
// stdin, numbers alone. Gives the exit code.
int cli_sketch_profile(void *program, const struct command_line *line);

#endif
