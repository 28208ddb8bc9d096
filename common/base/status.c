// Status: the names and the phrases.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/base/status.h"

static const struct {
    const char *name;
    const char *text;
} rows[ST_COUNT] = {
    [ST_OK] = {"ok", "done"},
    [ST_NOMEM] = {"nomem", "memory is out"},
    [ST_RANGE] = {"range", "a figure outside its bounds"},
    [ST_CORRUPT] = {"corrupt", "bytes that break their format"},
    [ST_FULL] = {"full", "a limit is reached"},
    [ST_EMPTY] = {"empty", "nothing there"},
    [ST_AGAIN] = {"again", "not now, try again later"},
    [ST_NOTFOUND] = {"notfound", "no such thing"},
    [ST_EXISTS] = {"exists", "it is there already"},
    [ST_CONFLICT] = {"conflict", "somebody else was first"},
    [ST_DENIED] = {"denied", "not allowed"},
    [ST_IO] = {"io", "the operating system refused"},
    [ST_TIMEOUT] = {"timeout", "the deadline passed"},
    [ST_CLOSED] = {"closed", "the other side is gone"},
    [ST_UNKNOWN] = {"unknown", "it may or may not have happened"},
    [ST_REGRESSED] = {"regressed", "a log or store went back in time"},
    [ST_VERSION] = {"version", "a version that this program does not speak"},
    [ST_UNSUPPORTED] = {"unsupported", "understood, but not offered here"},
};

const char *status_name(enum status st)
{
    return (unsigned)st < ST_COUNT ? rows[st].name : "invalid";
}

const char *status_text(enum status st)
{
    return (unsigned)st < ST_COUNT ? rows[st].text : "no status at all";
}
