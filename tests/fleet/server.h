// Server: the controller that is measured: started in a folder of its own, or found.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_TESTS_FLEET_SERVER_H
#define KEDGE_TESTS_FLEET_SERVER_H

#include <limits.h>
#include <stdint.h>
#include <sys/types.h>

struct server {
    pid_t pid;             // 0: not known, then there are no figures
    char folder[PATH_MAX]; // of one that was started here; "" for another
    char config[PATH_MAX]; // the operator's kedge.conf
};

// Makes a controller in `folder` (a fresh one under /tmp for NULL) and starts it; the
// programs lie beside this one. One that is there already is started again. Ends the
// process on failure.
void server_make(struct server *s, const char *folder);
// Starts it again after server_kill. *ready_s: until its ports answered.
void server_start(struct server *s, double *ready_s);
void server_kill(struct server *s);
// Stops it, and removes the folder when it is one of /tmp.
void server_close(struct server *s);

// What the system says of it.
struct server_use {
    double cpu_s;        // of all its threads, since it started
    uint64_t anon_bytes; // memory of its own
    uint64_t peak_bytes; // the most that it ever had, mapped files as well
    uint64_t written_bytes;
};
struct server_use server_look(const struct server *s);

#endif
