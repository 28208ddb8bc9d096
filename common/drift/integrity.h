// Integrity: gross changes that need no statistics: dead, stuck, missing, out of range.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_COMMON_DRIFT_INTEGRITY_H
#define KEDGE_COMMON_DRIFT_INTEGRITY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/drift/sealed.h"
#include "common/drift/subject.h"

#define INTEGRITY_ROWS_MIN 5     // rows that a window needs to be called gross
#define INTEGRITY_FLASH_ROWS 100 // rows that a flash window needs
#define INTEGRITY_RUN_MIN 5      // windows that a dead or stuck run needs at least
#define INTEGRITY_RUN_FACTOR 3   // times the longest such run of the reference
#define INTEGRITY_EFFECT 5       // gates that make an effect gross

// Counts the window into the runs and returns its gross bits, GROSS_EFFECT not among
// them. `reference_windows` is how many the baseline saw: what was dead or stuck in all
// of them raises nothing.
uint8_t integrity_add(const struct baseline_feature *f, uint32_t reference_windows,
                      const struct profile *p, const struct component_counts *c,
                      struct subject_state *state);

// The gross bits of a flash window. Changes nothing.
uint8_t integrity_flash(const struct baseline_feature *f, const struct profile *p,
                        const struct component_counts *c);

// How many of {missing, range, stuck, dead} are set.
uint32_t integrity_reasons(uint8_t gross);

#endif
