// Mhd: libmicrohttpd, loaded when the first HTTP door is opened. Its libraries take
// 2.7 MiB, which an agent without that door does not spend.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_INTAKE_MHD_H
#define KEDGE_AGENT_INTAKE_MHD_H

#include <microhttpd.h>

// Its functions, under their own names without MHD_.
struct mhd {
    struct MHD_Daemon *(*start_daemon)(unsigned flags, uint16_t port,
                                       MHD_AcceptPolicyCallback accept,
                                       void *accept_self,
                                       MHD_AccessHandlerCallback take, void *self, ...);
    void (*stop_daemon)(struct MHD_Daemon *d);
    enum MHD_Result (*run)(struct MHD_Daemon *d);
    enum MHD_Result (*get_timeout)(struct MHD_Daemon *d, MHD_UNSIGNED_LONG_LONG *ms);
    const union MHD_DaemonInfo *(*get_daemon_info)(struct MHD_Daemon *d,
                                                   enum MHD_DaemonInfoType what, ...);
    enum MHD_Result (*queue_response)(struct MHD_Connection *c, unsigned status,
                                      struct MHD_Response *r);
    struct MHD_Response *(*create_response_from_buffer)(size_t size, void *bytes,
                                                        enum MHD_ResponseMemoryMode m);
    enum MHD_Result (*add_response_header)(struct MHD_Response *r, const char *name,
                                           const char *value);
    void (*destroy_response)(struct MHD_Response *r);
    const char *(*lookup_connection_value)(struct MHD_Connection *c,
                                           enum MHD_ValueKind kind, const char *name);
    int (*get_connection_values)(struct MHD_Connection *c, enum MHD_ValueKind kind,
                                 MHD_KeyValueIterator each, void *self);
};

// Loads it at the first call; it stays. NULL when it is not installed. One thread only.
const struct mhd *mhd_load(void);

#endif
