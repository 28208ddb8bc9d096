// Rooms: watch and act put into the tables of the fold.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/rooms.h"

static void introduce(struct rooms *r)
{
    r->judge_table = (struct fold_judge){.self = r->watch,
                                         .window = watch_window,
                                         .flash = watch_flash,
                                         .attest = watch_attest,
                                         .baseline = watch_baseline,
                                         .command = watch_command,
                                         .dropped = watch_dropped};
    r->act_table = (struct fold_act){.self = r->act,
                                     .alert = act_alert,
                                     .instance_window = act_instance_window,
                                     .receipt = act_receipt,
                                     .intent = act_intent,
                                     .tick = act_tick,
                                     .command = act_command,
                                     .resend = act_resend,
                                     .waits = act_waits,
                                     .dropped = act_dropped};
}

enum status rooms_open(struct rooms *rooms, const struct settings_file *settings,
                       struct effects *effects)
{
    *rooms = (struct rooms){0};
    struct watch_options w = watch_defaults();
    w.pages_per_week = settings->pages_per_week;
    enum status st = watch_open(&w, &rooms->watch);
    if (st == ST_OK)
        st = act_open(&rooms->act);
    if (st == ST_OK) {
        introduce(rooms);
        struct fold_options f = {.patience_ns = settings->patience_ns,
                                 .judge = &rooms->judge_table,
                                 .act = &rooms->act_table,
                                 .effects = effects};
        st = fold_open(&f, &rooms->fold);
    }
    if (st != ST_OK) {
        rooms_close(rooms);
        return st;
    }
    rooms->tape_fold = fold_as_tape(rooms->fold);
    return ST_OK;
}

void rooms_close(struct rooms *rooms)
{
    fold_close(rooms->fold);
    act_close(rooms->act);
    watch_close(rooms->watch);
    *rooms = (struct rooms){0};
}
