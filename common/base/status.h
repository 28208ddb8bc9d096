// Status: how every call that can fail says so.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_COMMON_BASE_STATUS_H
#define KEDGE_COMMON_BASE_STATUS_H

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

enum status {
    ST_OK = 0,
    ST_NOMEM,       // memory is out; nothing was changed
    ST_RANGE,       // an argument or a figure outside its stated bounds
    ST_CORRUPT,     // bytes from outside that break their format
    ST_FULL,        // a limit is reached; the caller refuses, drops or waits
    ST_EMPTY,       // nothing there (yet)
    ST_AGAIN,       // not now: try again later
    ST_NOTFOUND,    // no such thing
    ST_EXISTS,      // it is there already
    ST_CONFLICT,    // somebody else was first; read again
    ST_DENIED,      // not allowed
    ST_IO,          // the operating system refused; errno was logged or kept
    ST_TIMEOUT,     // the deadline passed
    ST_CLOSED,      // the other side is gone
    ST_UNKNOWN,     // it may or may not have happened: repeat it
    ST_REGRESSED,   // a log or store went back in time: stop
    ST_VERSION,     // a version that this program does not speak
    ST_UNSUPPORTED, // understood, but not offered here
    ST_COUNT
};

// The short name ("corrupt"), for logs, JSON and exit messages. Never NULL.
const char *status_name(enum status st);

// A phrase for people ("bytes that break their format"). Never NULL.
const char *status_text(enum status st);

// Passes a failure on at once. For use while nothing is open yet.
#define ST_TRY(call)                                                                   \
    do {                                                                               \
        enum status st_try_ = (call);                                                  \
        if (st_try_ != ST_OK)                                                          \
            return st_try_;                                                            \
    } while (0)

#endif
