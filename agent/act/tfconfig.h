// Tfconfig: one model's block in a TensorFlow Serving configuration, changed in place.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_ACT_TFCONFIG_H
#define KEDGE_AGENT_ACT_TFCONFIG_H

#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/span.h"
#include "common/base/status.h"

#define TFCONFIG_BYTES_MAX (1024u * 1024u)
#define TFCONFIG_VERSIONS_MAX 4 // that are kept loaded

// Writes `text` (a model_config_list in the text form of protocol buffers) to `out`
// with the block of `model` changed: versions `from` and `to` are both to be loaded
// besides at most two that were, and with `label` (not empty) that label is moved to
// `to`. Everything else stays byte for byte: what a configuration leaves out is
// unloaded.
// Errors: ST_NOTFOUND (no such block), ST_CORRUPT (braces or quotes do not close),
// ST_FULL, ST_NOMEM.
MUST_USE enum status tfconfig_set(struct span text, struct span model, uint64_t from,
                                  uint64_t to, struct span label, struct buf *out);

#endif
