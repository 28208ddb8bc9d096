// SPDX-License-Identifier: Apache-2.0
#include "controller/cli/answer.h"

#include <json-c/json.h>

#define DEPTH_MAX 32

// Parses; *value is lent from *whole, which the caller puts.
static enum status find_member(struct span json, const char *member,
                               struct json_object **whole, struct json_object **value)
{
    struct json_tokener *tokener = json_tokener_new_ex(DEPTH_MAX);
    *whole = NULL;
    if (!tokener)
        return ST_NOMEM;
    *whole = json_tokener_parse_ex(tokener, (const char *)json.data, (int)json.size);
    json_tokener_free(tokener);
    if (!json_object_is_type(*whole, json_type_object))
        return ST_CORRUPT;
    return json_object_object_get_ex(*whole, member, value) ? ST_OK : ST_NOTFOUND;
}

enum status answer_text(struct span json, const char *member, struct buf *out)
{
    struct json_object *whole, *value;
    enum status st = find_member(json, member, &whole, &value);
    if (st == ST_OK) {
        const char *text = json_object_get_string(value);
        buf_put_text(out, text ? text : "");
        st = out->failed;
    }
    json_object_put(whole);
    return st;
}

enum status answer_texts(struct span json, const char *member, answer_item *each,
                         void *keep)
{
    struct json_object *whole, *value;
    enum status st = find_member(json, member, &whole, &value);
    if (st == ST_OK && !json_object_is_type(value, json_type_array))
        st = ST_CORRUPT;
    for (size_t i = 0; st == ST_OK && i < json_object_array_length(value); i++) {
        const char *text = json_object_get_string(json_object_array_get_idx(value, i));
        st = text ? each(keep, span_text(text)) : ST_CORRUPT;
    }
    json_object_put(whole);
    return st;
}
