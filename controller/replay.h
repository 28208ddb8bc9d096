// Replay: the detector run offline over a recorded stream.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_REPLAY_H
#define KEDGE_CONTROLLER_REPLAY_H

// `kedge replay STREAM.csv[.gz] --manifest MANIFEST.json [--name N] [-o json|table]`;
// argv[0] is "replay". Returns the exit code: 0 fine, 2 usage or bad input, 3 not
// found.
int replay_main(int argc, char **argv);

#endif
