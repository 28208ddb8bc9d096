// Sketch other: shows the sketches of values that are no numbers, HLL and Frequent
// Items.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_CLI_SKETCH_OTHER_H
#define KEDGE_CONTROLLER_CLI_SKETCH_OTHER_H

#include <stdbool.h>

#include "common/base/buf.h"
#include "common/base/span.h"

// Appends what `bytes` hold when their family is one of these two, else leaves
// *is_other false. Gives the exit code; has complained, with the path, when they are
// broken.
int cli_sketch_show_other(const char *path, struct span bytes, bool as_json,
                          struct buf *out, bool *is_other);

#endif
