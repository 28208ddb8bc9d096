// Sketch: the quantile sketch format from a shell: show, rank, quantile, merge, build.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_CLI_SKETCH_H
#define KEDGE_CONTROLLER_CLI_SKETCH_H

// `kedge sketch VERB ...`; argv[0] is "sketch". Works alone on this machine. Exit
// codes: 0 fine, 1 a file is corrupt (the reason on stderr), 2 usage, 3 no such file.
int cli_sketch(int argc, char **argv);

#endif
