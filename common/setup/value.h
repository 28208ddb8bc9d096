// Value: the types that an option or a configuration line can have, read and checked.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_COMMON_SETUP_VALUE_H
#define KEDGE_COMMON_SETUP_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/span.h"
#include "common/base/status.h"

// Longest text of one value, in bytes.
#define VALUE_TEXT_MAX 4096

// The comment names the C type of the field that holds it.
enum value_type {
    VALUE_TEXT,     // char *, owned; any text without control characters
    VALUE_NAME,     // char *, owned; text_is_name()
    VALUE_NUMBER,   // uint64_t
    VALUE_REAL,     // double, finite
    VALUE_SHARE,    // double, 0..1
    VALUE_FLAG,     // bool; yes/no, true/false, on/off. On a command line: given or not
    VALUE_DURATION, // uint64_t, ns; "60s" "10m" "1d"
    VALUE_SIZE,     // uint64_t, bytes; "64MiB"
    VALUE_TIME,     // uint64_t, ns since 1970; RFC 3339, date, or Unix seconds
    VALUE_WORD,     // unsigned; the place of the word in the rule, from 0
    VALUE_LIST,     // struct value_list; texts
    VALUE_TYPES
};

struct value_list {
    char **item; // owned, as each of its texts
    size_t count;
};

// The rule of a row is a text that a person can read:
//   "1s..1h"  least and most, for numbers, durations, sizes and reals; "1.." has no
//   most "a|b|c"   the words of a VALUE_WORD, or the only texts of a VALUE_TEXT or
//   VALUE_LIST NULL      none
//
// Checks `text` by type and rule. On ST_RANGE `why` has got what is wrong and what to
// write instead: "\"60x\" is no duration: write one like 60s, 10m, 2h".
MUST_USE enum status value_check(enum value_type type, const char *rule,
                                 struct span text, struct buf *why);

// Checks, and stores into `field`, which must be zeroed or hold an earlier value of
// this type (which is freed). A VALUE_LIST gets `text` appended. ST_RANGE as
// value_check; ST_NOMEM.
MUST_USE enum status value_store(enum value_type type, const char *rule,
                                 struct span text, void *field, struct buf *why);

// Frees what the field owns and zeroes it.
void value_drop(enum value_type type, void *field);

// "a duration", for messages; "DURATION", for a usage line.
const char *value_noun(enum value_type type);
const char *value_placeholder(enum value_type type);

// The candidate that `word` was probably meant to be: at most 2 letters wrong (1 in
// words of 4 or less). Call for each candidate, starting with *best = NULL and
// *distance = 0.
void value_nearer(const char *word, const char *candidate, const char **best,
                  unsigned *distance);

#endif
