// Describe: prints a reference page: kedge-describe wire|records.
//
// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <string.h>

#include "proto/messages/page.h"

#define PAGE_BYTES_MAX (1024u * 1024u)
#define EXIT_USAGE 2

int main(int argc, char **argv)
{
    const char *what = argc == 2 ? argv[1] : "";
    struct buf page;
    buf_init(&page, PAGE_BYTES_MAX);
    if (strcmp(what, "wire") == 0) {
        page_of_wire(&page);
    } else if (strcmp(what, "records") == 0) {
        page_of_records(&page);
    } else {
        fputs("usage: kedge-describe wire|records\n", stderr);
        return EXIT_USAGE;
    }
    size_t written = fwrite(page.data, 1, page.size, stdout);
    int code = page.failed || written != page.size || fflush(stdout) != 0;
    buf_fini(&page);
    return code;
}
