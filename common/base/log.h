// Log: one line to stderr for each event: level, words, then key=value facts.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_COMMON_BASE_LOG_H
#define KEDGE_COMMON_BASE_LOG_H

#include <stdbool.h>

#include "common/base/status.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

// Sets the program's name, the least level written (default LOG_INFO), and whether
// lines carry a time (off under systemd, whose journal has one).
void log_setup(const char *program, enum log_level least, bool with_time);

// "order refused" facts as printf: log_line(LOG_WARN, "order refused", "model=%s", m).
// `facts` may be "". Control characters are escaped. Never blocks for long, never
// fails.
void log_line(enum log_level level, const char *words, const char *facts, ...)
    PRINTF_LIKE(3, 4);

#endif
