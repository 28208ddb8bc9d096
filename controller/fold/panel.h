// Panel: a window's features decoded, as judges want them.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_FOLD_PANEL_H
#define KEDGE_CONTROLLER_FOLD_PANEL_H

#include <stdint.h>

#include "common/base/status.h"
#include "controller/log/judged.h"

struct window;

// Keeps its profiles between uses, so that the next window allocates little.
struct panel {
    struct judged_feature feature[JUDGED_FEATURES_MAX];
    struct profile *profile[JUDGED_FEATURES_MAX];
    uint32_t features;
};

void panel_fini(struct panel *p);

// Decodes every feature of `w`, all but its sketches, which nobody judges by: they are
// checked when they are merged. Names are lent from there. ST_CORRUPT (a profile that
// breaks its format), ST_VERSION, ST_NOMEM.
MUST_USE enum status panel_fill(struct panel *p, const struct window *w);

#endif
