// Backtest: `kedge backtest`, a detection policy on the windows that were recorded.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_BACKTEST_H
#define KEDGE_CONTROLLER_BACKTEST_H

// Exit code: 0, or what the command line or the store lacks.
int backtest_main(int argc, char **argv);

#endif
