// An open pane as bytes, and back. The contracts stand in pane.h.
//
// SPDX-License-Identifier: Apache-2.0
#include "agent/model/pane.h"

#define PANE_VERSION 1

static void save_column(struct pane *p, uint32_t slot, struct buf *bytes,
                        struct buf *out)
{
    const struct schema_feature *f = &p->schema->feature[slot];
    const struct profile *profile = p->column[slot]->profile;
    bool has_cells = profile_grid_id(profile) != 0;
    buf_clear(bytes);
    profile_encode(profile, has_cells ? PROFILE_PLAIN : PROFILE_WITH_SKETCHES, bytes);
    buf_put_u8(out, f->role);
    buf_put_u8(out, p->column[slot]->kind);
    buf_put_u8(out, f->given_size);
    buf_put(out, f->given, f->given_size);
    buf_put_le32(out, (uint32_t)bytes->size);
    buf_put_span(out, buf_span(bytes));
}

void pane_save(struct pane *p, struct buf *out)
{
    struct buf bytes;
    uint32_t met = 0;
    pane_settle(p);
    for (uint32_t i = 0; i < p->columns; i++)
        met += p->column[i] != NULL;
    buf_init(&bytes, PROFILE_BYTES_MAX);
    buf_put_u8(out, PANE_VERSION);
    buf_put_le64(out, p->start);
    buf_put_le64(out, p->end);
    buf_put_le64(out, p->rows);
    buf_put_le64(out, p->type_errors);
    buf_put_le32(out, met);
    for (uint32_t i = 0; i < p->columns; i++)
        if (p->column[i])
            save_column(p, i, &bytes, out);
    if (bytes.failed != ST_OK)
        out->failed = bytes.failed;
    buf_fini(&bytes);
}

// The bytes are merged into a profile that has the grid itself, not only its id.
static enum status load_profile(struct pane_column *c, struct span bytes)
{
    const struct profile_options options = {
        .kind = PROFILE_SIGNAL, .seed = 1, .width = GRID_F64};
    struct profile *read;
    ST_TRY(profile_open(&options, NULL, &read));
    enum status st = profile_decode(read, bytes);
    // Cells of another grid could not be counted on.
    bool is_empty = st == ST_OK && profile_counters(read)->rows == 0;
    if (st == ST_OK && !is_empty &&
        profile_grid_id(read) != profile_grid_id(c->profile))
        st = ST_CONFLICT;
    if (st == ST_OK)
        st = profile_merge(c->profile, read);
    profile_close(read);
    return st;
}

static enum status load_column(struct pane *p, struct cursor *from)
{
    uint8_t role, kind, given_size;
    uint32_t size, slot;
    struct span given, bytes;
    struct pane_column *c;
    ST_TRY(cursor_u8(from, &role));
    ST_TRY(cursor_u8(from, &kind));
    ST_TRY(cursor_u8(from, &given_size));
    ST_TRY(cursor_bytes(from, given_size, &given));
    ST_TRY(cursor_le32(from, &size));
    ST_TRY(cursor_bytes(from, size, &bytes));
    if (role >= FEATURE_ROLES || kind >= FEATURE_KINDS || given_size > FIELD_NAME_MAX)
        return ST_CORRUPT;
    ST_TRY(schema_add(p->schema, given, role, kind, &slot));
    // The schema may have been accepted anew since: this column stays what it was.
    uint8_t kind_now = p->schema->feature[slot].kind;
    p->schema->feature[slot].kind = kind;
    enum status st = pane_column(p, slot, &c);
    p->schema->feature[slot].kind = kind_now;
    ST_TRY(st);
    return load_profile(c, bytes);
}

enum status pane_load(struct cursor *from, const struct pane_ground *ground,
                      struct span version, struct yardstick *yardstick,
                      struct pane **out)
{
    uint8_t format;
    uint64_t start, end, rows, type_errors;
    uint32_t columns;
    ST_TRY(cursor_u8(from, &format));
    ST_TRY(cursor_le64(from, &start));
    ST_TRY(cursor_le64(from, &end));
    ST_TRY(cursor_le64(from, &rows));
    ST_TRY(cursor_le64(from, &type_errors));
    ST_TRY(cursor_le32(from, &columns));
    if (format != PANE_VERSION || start >= end || columns > WINDOW_FEATURES_MAX)
        return ST_CORRUPT;
    struct pane *p;
    ST_TRY(pane_open(ground, version, start, end, yardstick, &p));
    p->rows = rows;
    p->type_errors = type_errors;
    enum status st = ST_OK;
    for (uint32_t i = 0; st == ST_OK && i < columns; i++)
        st = load_column(p, from);
    if (st != ST_OK) {
        pane_close(p);
        return st;
    }
    *out = p;
    return ST_OK;
}
