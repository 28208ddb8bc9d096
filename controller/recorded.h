// Recorded: what a controller's store holds of the past, read without the controller.
//
// For the verbs that ask "what would have happened?": nothing is written, and a
// controller that runs on the same folder is not held up (no read lasts longer than
// RECORDED_CHUNK windows).
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_RECORDED_H
#define KEDGE_CONTROLLER_RECORDED_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/status.h"
#include "common/drift/baseline.h"
#include "common/drift/window.h"
#include "common/setup/command.h"
#include "controller/settings.h"
#include "proto/messages/record.h"

#define RECORDED_CHUNK 64u     // windows read in one transaction
#define RECORDED_NAME_MAX 128u // bytes of a name

struct recorded;

// Options of the verbs that read a store: --dir, --config, -o.
#define RECORDED_OPTIONS 3
extern const struct option_row recorded_options[RECORDED_OPTIONS];

// A version that windows can be judged for.
struct recorded_version {
    uint32_t model_no, version_no;
    char model[RECORDED_NAME_MAX + 1], version[RECORDED_NAME_MAX + 1];
    uint64_t sealed_ns;        // when its baseline was sealed (wall)
    struct baseline *baseline; // lent for the call
};

// Runs a verb: finds the folder, calls `answer`, which appends JSON or gives a line in
// `why`, prints it as -o asks, and gives the exit code.
struct render_view;
typedef enum status recorded_answer(void *self, const struct command_line *line,
                                    const char *folder, struct buf *json,
                                    struct buf *why);
int recorded_show(const struct command_line *line, recorded_answer *answer, void *self,
                  const struct render_view *view);

// The folder that `--dir` names, or the one that holds kedge.conf (`--config`,
// $KEDGE_CONFIG). False, and nothing is written: there is none.
bool recorded_folder(const struct command_line *line, char out[PATH_MAX]);

// Opens DIR's store for reading. `why` gets one line for people. ST_NOTFOUND: there is
// no controller.
MUST_USE enum status recorded_open(const char *folder, struct recorded **out,
                                   struct buf *why);
void recorded_close(struct recorded *r); // NULL is fine
const struct settings *recorded_settings(const struct recorded *r);
struct store *recorded_store(const struct recorded *r); // lent

// Calls `each` for every version with a baseline, by model and version number. Any
// status but ST_OK ends it and is returned.
typedef enum status recorded_each_version(void *self, const struct recorded_version *v);
MUST_USE enum status recorded_versions(struct recorded *r, recorded_each_version *each,
                                       void *self);

// Calls `each` for every judged window of the version whose end lies in (from, to], in
// the order of time: the windows as they were judged, all hosts together. Lent for the
// call.
typedef enum status recorded_each_window(void *self, const struct drift_window *w);
MUST_USE enum status recorded_windows(struct recorded *r,
                                      const struct recorded_version *v,
                                      uint64_t from_ns, uint64_t to_ns,
                                      recorded_each_window *each, void *self);

// Calls `each` for every alert, and for every event, in their order.
typedef enum status recorded_each_alert(void *self, const struct record_alert *a);
MUST_USE enum status recorded_alerts(struct recorded *r, recorded_each_alert *each,
                                     void *self);
typedef enum status recorded_each_event(void *self, const struct record_event *e);
MUST_USE enum status recorded_events(struct recorded *r, recorded_each_event *each,
                                     void *self);

// The end of the version's newest judged window, event ns; 0 when there is none.
MUST_USE enum status recorded_end(struct recorded *r, const struct recorded_version *v,
                                  uint64_t *out);

#endif
