// Muster: agents are enrolled and models registered, as an operator would.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_TESTS_FLEET_MUSTER_H
#define KEDGE_TESTS_FLEET_MUSTER_H

#include "tests/fleet/swarm.h"

// Enrols the agents of the share that are not yet; ends the process on failure.
void muster_enrol(const struct swarm_share *s);

// Registers the models of the share with their versions and baselines.
void muster_enter(const struct swarm_share *s);

#endif
