// Case: `kedge why` asked of a recorded incident instead of the controller.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_CASE_H
#define KEDGE_CONTROLLER_CASE_H

// `kedge why --case DIR/case.json [--manifest M] [--signals FILE]... [--lineage FILE]
// [--events FILE] [-o json|table]`; argv[0] is "why". Returns the exit code: 0 fine,
// 2 usage or bad input, 3 not found.
int case_main(int argc, char **argv);

#endif
