// Crew: the connections of one worker, and what goes over them.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_TESTS_FLEET_CREW_H
#define KEDGE_TESTS_FLEET_CREW_H

#include "tests/fleet/swarm.h"

// Takes part in every phase from SWARM_CONNECT to SWARM_END; ends the process on
// failure.
void crew_run(const struct swarm_share *s);

#endif
