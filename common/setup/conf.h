// Conf: a configuration file read into a struct by a table of its options.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_COMMON_SETUP_CONF_H
#define KEDGE_COMMON_SETUP_CONF_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/buf.h"
#include "common/base/span.h"
#include "common/base/status.h"
#include "common/setup/value.h"

#define CONF_FILE_BYTES (1024 * 1024)
#define CONF_SECTIONS_MAX 4096 // of one kind
#define CONF_LIST_MAX 1024     // texts in one list
#define CONF_DEPTH_MAX 4

struct conf_table;

// One option: name = value. `standard` is its text when the file says nothing; NULL
// means that the file must say it, "" that it may stay empty (NULL, 0, no items). A
// list has no standard but "". A section has `table`: with `is_many` the field is a
// struct conf_many, else the section may stand once and the field is the struct itself,
// filled with standards when absent.
struct conf_row {
    const char *name;
    enum value_type type; // of an option; a section ignores it
    size_t offset;        // of the field
    const char *standard;
    const char *help;
    const char *rule; // see value.h
    const struct conf_table *table;
    bool is_many;
};

struct conf_many {
    void *item; // owned: `count` structs of the section's table, in the file's order
    size_t count;
};

// Names of sections are unique in a whole tree of tables.
struct conf_table {
    const char *name; // of the file ("agent.conf") or of the section ("model")
    const char *help;
    size_t size; // of the struct
    const struct conf_row *row;
    size_t rows;
    // Sections only: model "bike" { ... }. Titles are 1..128 bytes and unique.
    bool has_title;
    size_t title_offset; // of a char *
};

// Reads the file into `out` (table->size bytes; overwritten). On failure `out` owns
// nothing, and `why` holds one line: "agent.conf:12: window: \"60x\" is no duration:
// write one like 60s, 10m, 2h". Unknown names are refused with the nearest known one.
// ${NAME} is plain text: the environment has no say.
// Errors: ST_NOTFOUND and ST_IO (the file), ST_RANGE (its content), ST_FULL (too
// large), ST_NOMEM.
MUST_USE enum status conf_read(const char *path, const struct conf_table *table,
                               void *out, struct buf *why);

// The same from bytes; `name` stands for the file's name in messages.
MUST_USE enum status conf_parse(const char *name, struct span text,
                                const struct conf_table *table, void *out,
                                struct buf *why);

// Frees what the struct owns and zeroes it. A zeroed struct is fine.
void conf_free(const struct conf_table *table, void *out);

// Writes a commented example file with all standards. conf_parse reads it back, once
// the options that must be given are filled in.
void conf_example(const struct conf_table *table, struct buf *out);

#endif
