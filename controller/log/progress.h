// Progress: how far in event time each host is with a model, and how far it was judged.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_LOG_PROGRESS_H
#define KEDGE_CONTROLLER_LOG_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/status.h"
#include "controller/log/shelf.h"

// One host and one model, over all versions: a host that switches goes on in time.
struct progress_host {
    uint64_t watermark; // event ns; 0: it has attested, no window yet
    uint64_t seen_ns;   // fold time of its last report
    uint64_t last_end;  // event end of its last window
    uint32_t version;   // attested last; 0: not yet
};

// One model.
struct progress_model {
    uint64_t judged_ns; // windows that end up to here are judged
    uint64_t too_late;  // rows that came too late to be judged at all
    uint64_t carried;   // rows that came late and were judged with a later window
    uint64_t unmerged;  // feature parts that did not fit the others' grid
    uint64_t seen_ns;   // fold time of the last judgement
};

// What is not there reads as zeros.
MUST_USE enum status progress_get_host(struct shelf *s, uint32_t model,
                                       const uint8_t *agent, struct progress_host *out);
MUST_USE enum status progress_put_host(struct shelf *s, uint32_t model,
                                       const uint8_t *agent,
                                       const struct progress_host *h);
MUST_USE enum status progress_get_model(struct shelf *s, uint32_t model,
                                        struct progress_model *out);
MUST_USE enum status progress_put_model(struct shelf *s, uint32_t model,
                                        const struct progress_model *m);

// Whether all hosts that reported within `patience_ns` of `now_ns` are at `end_ns` at
// least. Ends at the first that is not: while a thousand hosts report one window, nearly
// every look is short.
MUST_USE enum status progress_reached(struct shelf *s, uint32_t model, uint64_t now_ns,
                                      uint64_t patience_ns, uint64_t end_ns, bool *out);

// Bytes back to a struct, for who walks key_hosts.
MUST_USE enum status progress_read_host(struct span value, struct progress_host *out);

#endif
