// SPDX-License-Identifier: Apache-2.0
#include "agent/intake/mhd.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define LIBRARY "libmicrohttpd.so.12"

static bool find_all(void *library, struct mhd *out)
{
    static const struct {
        const char *name;
        size_t offset;
    } functions[] = {
        {"MHD_start_daemon", offsetof(struct mhd, start_daemon)},
        {"MHD_stop_daemon", offsetof(struct mhd, stop_daemon)},
        {"MHD_run", offsetof(struct mhd, run)},
        {"MHD_get_timeout", offsetof(struct mhd, get_timeout)},
        {"MHD_get_daemon_info", offsetof(struct mhd, get_daemon_info)},
        {"MHD_queue_response", offsetof(struct mhd, queue_response)},
        {"MHD_create_response_from_buffer",
         offsetof(struct mhd, create_response_from_buffer)},
        {"MHD_add_response_header", offsetof(struct mhd, add_response_header)},
        {"MHD_destroy_response", offsetof(struct mhd, destroy_response)},
        {"MHD_lookup_connection_value", offsetof(struct mhd, lookup_connection_value)},
        {"MHD_get_connection_values", offsetof(struct mhd, get_connection_values)},
    };
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        void *found = dlsym(library, functions[i].name);
        if (!found)
            return false;
        // C has no conversion from an object's pointer to a function's; POSIX has.
        memcpy((char *)out + functions[i].offset, &found, sizeof found);
    }
    return true;
}

const struct mhd *mhd_load(void)
{
    static struct mhd mhd;
    static bool is_loaded;
    if (!is_loaded) {
        void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
        is_loaded = library && find_all(library, &mhd);
    }
    return is_loaded ? &mhd : NULL;
}
