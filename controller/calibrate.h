// Calibrate: `kedge calibrate`, the levels on the fleet's own quiet past.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_CALIBRATE_H
#define KEDGE_CONTROLLER_CALIBRATE_H

// Exit code: 0 every level kept its promise, 1 one did not, else as the command line or
// the store lacks.
int calibrate_main(int argc, char **argv);

#endif
