// Scrape: a business signal taken from a page of metrics, as Prometheus reads it.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_CLI_SCRAPE_H
#define KEDGE_CONTROLLER_CLI_SCRAPE_H

#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/span.h"
#include "common/base/status.h"
#include "common/setup/command.h"

#define SCRAPE_PAGE_MAX (16u << 20)

// Adds up the samples of a page in the text format 0.0.4 (or OpenMetrics) that `metric`
// names: "orders_total", or with labels that must be there "orders_total{shop=\"eu\"}".
// ST_NOTFOUND: none. ST_CORRUPT: `metric` cannot be read. NaN samples do not count.
MUST_USE enum status scrape_sum(struct span page, struct span metric, double *out);

// The page of a file, of "-" (standard input) or of an http:// address. On failure
// `why` has one line for people.
MUST_USE enum status scrape_page(const char *from, struct buf *page, struct buf *why);

// kedge signal scrape NAME PAGE --metric METRIC [--rate] [--every D] [--count N]
int cli_signal_scrape(void *program, const struct command_line *line);
extern const struct option_row cli_scrape_options[];
#define CLI_SCRAPE_OPTIONS 4

#endif
