// Render: an answer's JSON as a person wants it: a table, CSV, names, or as it is.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_CLI_RENDER_H
#define KEDGE_CONTROLLER_CLI_RENDER_H

#include <stddef.h>

#include "common/base/buf.h"
#include "common/base/span.h"
#include "common/base/status.h"

enum render_form { RENDER_TABLE, RENDER_JSON, RENDER_CSV, RENDER_NAME };

// One list of the answer, shown as a table. `columns` are member names separated by
// blanks; a dot goes into an object or a
// list ("diagnosis.cause", "suspects.0"); "title=member" renames, and "member|word"
// says what a table shows when it is absent. A list "plans.*.timeline" is those of all
// plans.
struct render_list {
    const char *member;
    const char *title; // above it; NULL: none
    const char *columns;
};

// What of an answer is shown, and in which order. `facts` are members of the answer
// itself. The first list's first column is its name (-o name).
struct render_view {
    const char *facts; // "" for none
    const struct render_list *list;
    size_t lists;
    const char *raw; // a member that is the whole table by itself, as it is; or NULL
};

// Appends the rendered answer. ST_CORRUPT when it is no JSON object; ST_NOMEM.
MUST_USE enum status render_answer(struct span json, enum render_form form,
                                   const struct render_view *view, struct buf *out);

#endif
