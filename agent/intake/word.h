// Word: a short text that is kept: a name, a version, an id.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_INTAKE_WORD_H
#define KEDGE_AGENT_INTAKE_WORD_H

#include <stdint.h>
#include <string.h>

#include "common/base/span.h"
#include "common/base/status.h"
#include "proto/observation.h"

struct word {
    char data[OBSERVATION_NAME_MAX];
    uint32_t size;
};

// ST_CORRUPT when it is too long to be one.
MUST_USE static inline enum status word_set(struct word *w, struct span s)
{
    if (s.size > sizeof w->data)
        return ST_CORRUPT;
    if (s.size > 0)
        memcpy(w->data, s.data, s.size);
    w->size = (uint32_t)s.size;
    return ST_OK;
}

static inline struct span word_span(const struct word *w)
{
    return span_of(w->data, w->size);
}

#endif
