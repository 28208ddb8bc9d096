// Explain: recomputes an alert from the log alone, and shows how it came about.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_EXPLAIN_H
#define KEDGE_CONTROLLER_EXPLAIN_H

#include "common/base/buf.h"
#include "common/base/status.h"

enum explain_outcome {
    EXPLAIN_SAME,    // every byte of the stored alert follows from the log
    EXPLAIN_DIFFERS, // the log gives another alert, or none
    EXPLAIN_EXPIRED, // parts of the log are gone: nothing can be recomputed
};

// Folds the log of the controller in `folder` from its beginning and compares the alert
// with the stored one, byte by byte. The controller may be running. `json` gets the
// alert, and the evidence of its strongest signals in the last windows before it was
// opened. ST_NOTFOUND: no such controller or alert; `why` gets one line.
MUST_USE enum status explain_alert(const char *folder, uint64_t alert, struct buf *json,
                                   enum explain_outcome *outcome, struct buf *why);

// `kedge explain ALERT`. Exit code: 0 the same, 1 not the same, 8 cannot be said.
int explain_main(int argc, char **argv);

#endif
