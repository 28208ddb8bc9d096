// Detect bench: prints the tables that were asked for.
//
// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/detection/tables.h"

static const char usage[] = "usage: detect_bench [--effort 0..1] [--streams FOLDER] "
                            "[nulls] [power] [days] [fleet]\n";

static int run(const char *table, const struct effort *e, const char *folder)
{
    if (strcmp(table, "nulls") == 0)
        table_nulls(e);
    else if (strcmp(table, "power") == 0)
        table_power(e);
    else if (strcmp(table, "fleet") == 0)
        table_fleet(e);
    else if (strcmp(table, "days") == 0)
        return table_days(e, folder);
    else {
        fputs(usage, stderr);
        return 2;
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct effort e = {1};
    const char *folder = NULL;
    for (int i = 1; i < argc; i++) {
        if (i + 1 < argc && strcmp(argv[i], "--effort") == 0)
            e.share = atof(argv[++i]);
        else if (i + 1 < argc && strcmp(argv[i], "--streams") == 0)
            folder = argv[++i];
        else {
            int code = run(argv[i], &e, folder);
            if (code)
                return code;
        }
    }
    return 0;
}
