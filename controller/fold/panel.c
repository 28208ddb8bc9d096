// Panel: one open profile for each place.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/fold/panel.h"

#include "common/sketch/profile.h"
#include "proto/messages/window.h"

void panel_fini(struct panel *p)
{
    for (uint32_t i = 0; i < JUDGED_FEATURES_MAX; i++) {
        profile_close(p->profile[i]);
        p->profile[i] = NULL;
    }
    p->features = 0;
}

static enum status fill_one(struct panel *p, uint32_t i, const struct window_feature *f)
{
    if (!p->profile[i]) {
        struct profile_options o = {
            .kind = PROFILE_NUMERIC, .width = GRID_F64, .seed = i + 1};
        ST_TRY(profile_open(&o, NULL, &p->profile[i]));
    }
    ST_TRY(profile_decode_counts(p->profile[i], f->profile));
    p->feature[i] = (struct judged_feature){
        .name = f->name, .role = f->role, .kind = f->kind, .profile = p->profile[i]};
    return ST_OK;
}

enum status panel_fill(struct panel *p, const struct window *w)
{
    p->features = 0;
    if (w->features > JUDGED_FEATURES_MAX)
        return ST_CORRUPT;
    for (uint32_t i = 0; i < w->features; i++)
        ST_TRY(fill_one(p, i, &w->feature[i]));
    p->features = w->features;
    return ST_OK;
}
