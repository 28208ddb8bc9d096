// Inspect: looks at a finished pane for columns that are not what they were.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_MODEL_INSPECT_H
#define KEDGE_AGENT_MODEL_INSPECT_H

#include "agent/model/pane.h"

// Notes what is removed, retyped, reordered, dead, stuck or new among the categories,
// and what of it is over. Once a pane; a second call does nothing. The pane's profiles
// are settled by it.
void inspect_pane(struct pane *p);

#endif
