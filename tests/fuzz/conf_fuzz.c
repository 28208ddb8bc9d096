// Conf: no file makes the reader crash, leak, or fail without a word.
//
// SPDX-License-Identifier: Apache-2.0
#include <assert.h>
#include <stddef.h>

#include "common/setup/conf.h"

struct model {
    char *name;
    uint64_t window_ns;
    double share;
    struct value_list tags;
};

struct file {
    char *controller;
    uint64_t spool_bytes;
    unsigned mode;
    struct conf_many models;
};

static const struct conf_row model_rows[] = {
    {"window", VALUE_DURATION, offsetof(struct model, window_ns), "60s", "", "1s..1d"},
    {"share", VALUE_SHARE, offsetof(struct model, share), "0.05", ""},
    {"tags", VALUE_LIST, offsetof(struct model, tags), "", ""},
};

static const struct conf_table model_table = {
    "model", "",   sizeof(struct model),         model_rows,
    3,       true, offsetof(struct model, name),
};

static const struct conf_row file_rows[] = {
    {"controller", VALUE_TEXT, offsetof(struct file, controller), "", ""},
    {"spool", VALUE_SIZE, offsetof(struct file, spool_bytes), "64MiB", ""},
    {"mode", VALUE_WORD, offsetof(struct file, mode), "auto", "", "observe|auto"},
    {"model", .offset = offsetof(struct file, models), .table = &model_table,
     .is_many = true},
};

static const struct conf_table file_table = {
    "fuzz.conf", "", sizeof(struct file), file_rows, 4,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct file file;
    struct buf why;
    buf_init(&why, 1 << 16);
    enum status st =
        conf_parse("fuzz.conf", span_of(data, size), &file_table, &file, &why);
    assert((st == ST_OK) == (why.size == 0));
    conf_free(&file_table, &file);
    buf_fini(&why);
    return 0;
}
