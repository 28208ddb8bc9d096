// Bundle: the command that checks one.
//
// SPDX-License-Identifier: Apache-2.0
#include <getopt.h>
#include <stdio.h>

#include "common/base/buf.h"
#include "common/base/file.h"
#include "common/base/json.h"
#include "common/base/text.h"
#include "controller/bundle.h"

#define EXIT_FINE 0
#define EXIT_BROKEN 1
#define EXIT_USAGE 2
#define EXIT_NOT_FOUND 3

static void write_report(const struct bundle_report *r, struct buf *out)
{
    struct json j;
    bool is_intact = r->trouble[0] == '\0';
    json_init(&j, out);
    json_object(&j);
    json_key_cstr(&j, "result", is_intact ? "intact" : "broken");
    json_key_cstr(&j, "trouble", is_intact ? NULL : r->trouble);
    json_key_u64(&j, "incident", r->incident);
    json_key_u64(&j, "leaves", r->leaves);
    json_key_cstr(&j, "root", r->root);
    json_key_u64(&j, "proofs", r->proofs);
    json_key_u64(&j, "alerts", r->alerts);
    json_key_u64(&j, "changed_since", r->uncovered);
    json_key_bool(&j, "windows", r->has_windows);
    json_key_bool(&j, "answer_found_again", r->answer_again);
    json_key_cstr(&j, "verdict", r->verdict);
    json_key_cstr(&j, "suspect", r->suspect);
    json_key_cstr(&j, "true_cause", r->true_cause);
    json_object_end(&j);
    buf_put_text(out, "\n");
}

static int print_report(const struct bundle_report *r)
{
    struct buf out;
    buf_init(&out, 8192);
    write_report(r, &out);
    (void)fwrite(out.data, 1, out.size, stdout);
    buf_fini(&out);
    return r->trouble[0] ? EXIT_BROKEN : EXIT_FINE;
}

static int check_file(const char *path, const char *root)
{
    struct bundle_report r;
    struct buf text;
    buf_init(&text, BUNDLE_BYTES_MAX);
    enum status st = file_read(path, &text);
    bool was_read = st == ST_OK;
    if (was_read)
        st = bundle_check(buf_span(&text), root, &r);
    buf_fini(&text);
    if (st == ST_OK)
        return print_report(&r);
    (void)fprintf(stderr, "kedge incident verify: %s: %s\n", path,
                  was_read && st == ST_CORRUPT
                      ? "this is nothing that kedge incident export wrote"
                      : status_text(st));
    return st == ST_NOTFOUND ? EXIT_NOT_FOUND : EXIT_USAGE;
}

int bundle_main(int argc, char **argv)
{
    static const char usage[] =
        "usage: kedge incident verify FILE [--root HEX]\n"
        "Checks what kedge incident export wrote, and asks no controller.\n"
        "  --root HEX  the log's root must be this one, noted elsewhere\n";
    static const struct option options[] = {{"root", required_argument, NULL, 'r'},
                                            {"output", required_argument, NULL, 'o'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    const char *root = NULL;
    uint8_t digest[32];
    int c;
    optind = 1;
    while ((c = getopt_long(argc, argv, "o:h", options, NULL)) != -1) {
        if (c == 'r' && text_hex(span_text(optarg), digest, sizeof digest) == ST_OK)
            root = optarg;
        else if (c != 'o') {
            (void)fputs(usage, c == 'h' ? stdout : stderr);
            return c == 'h' ? EXIT_FINE : EXIT_USAGE;
        }
    }
    if (optind + 1 != argc) {
        (void)fputs(usage, stderr);
        return EXIT_USAGE;
    }
    return check_file(argv[optind], root);
}
