// Run: starts one program without a shell, bounds what it may use, and ends all of it.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_ACT_RUN_H
#define KEDGE_AGENT_ACT_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/span.h"
#include "common/base/status.h"

#define RUN_OUTPUT_MAX 65536 // bytes of stdout and stderr that are kept
#define RUN_GRACE_MS 5000    // from SIGTERM to SIGKILL

struct run_ask {
    const char *const *argv; // borrows; [0] is an absolute path, the last one is NULL
    const char *const *env;  // borrows; the whole environment, the last one is NULL
    uint32_t timeout_ms;     // > 0
};

struct run_result {
    int exit_code;   // -1 when it did not exit by itself
    int signal;      // 0, or what ended it
    bool is_timeout; // it was ended because its time was over
    uint64_t output; // bytes that it wrote, kept or not
};

// Runs it and waits for its end, at most timeout_ms + RUN_GRACE_MS + 1 s. Its working
// directory is /, its input is empty, and it has only the descriptors 0, 1 and 2. The
// first RUN_OUTPUT_MAX bytes of its output are appended to `kept`; the rest is read and
// thrown away, so that it is never blocked. Whatever it started is killed when it ends.
//
// Only for a process of one thread that has no other children: it becomes the reaper of
// all that the program leaves behind.
// Errors: ST_RANGE (no absolute path), ST_IO (it could not be started; errno kept).
MUST_USE enum status run_program(const struct run_ask *ask, struct buf *kept,
                                 struct run_result *out);

#endif
