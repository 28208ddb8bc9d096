// Seal: makes the messages of a finished pane.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_MODEL_SEAL_H
#define KEDGE_AGENT_MODEL_SEAL_H

#include "agent/model/model.h"
#include "common/base/status.h"

// What the next sealed window of a model tells beside its own rows.
struct seal_news {
    uint64_t late;
    uint64_t dropped[DROP_REASONS];
};

// A window as it will travel; `pane` is NULL for one in which nothing came.
struct seal_window {
    const struct model *model;
    struct model_version *version;
    struct pane *pane;
    uint64_t start;
    uint64_t end;
    uint64_t watermark;
    uint64_t now_ns;
    bool is_merged; // it stands for several
};

// Hands the window's messages (one, or several parts of a wide model) to hooks->entry
// and *news to the first, which is then cleared. What entry answers; ST_NOMEM.
MUST_USE enum status seal_window(const struct seal_window *w,
                                 const struct registry_hooks *hooks,
                                 struct seal_news *news);

#endif
