// Course: what watch remembers of a model from deployment to deployment.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_WATCH_COURSE_H
#define KEDGE_CONTROLLER_WATCH_COURSE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/span.h"
#include "common/base/status.h"
#include "controller/log/shelf.h"

#define COURSE_NAME_MAX 128u

struct course_version {
    uint32_t no; // 0 = none
    char name[COURSE_NAME_MAX + 1];
};

// `newest` went live last; `previous` served before it. While `is_watched` the newest
// is judged against the recent level of the previous one (a deploy watch).
struct course {
    struct course_version newest, previous;
    uint64_t deployed_ns;      // event time of the newest one's first attestation
    bool was_previous_healthy; // no alert was open on it when it was replaced
    bool is_watched;
    bool is_return;    // an order of ours brought the newest back: a known version
    struct buf deploy; // the deploy watch's state (common/drift/deploy.h)
};

// An empty course; course_fini frees its bytes.
void course_init(struct course *c);
void course_fini(struct course *c);

// ST_OK and an empty course when nothing is kept. ST_CORRUPT, ST_NOMEM, the shelf's.
MUST_USE enum status course_load(struct shelf *s, uint32_t model, struct course *c);
MUST_USE enum status course_store(struct shelf *s, uint32_t model,
                                  const struct course *c);

void course_set(struct course_version *v, uint32_t no, struct span name);

#endif
