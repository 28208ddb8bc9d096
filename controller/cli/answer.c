// SPDX-License-Identifier: Apache-2.0
#include "controller/cli/answer.h"

#include <json-c/json.h>

#define DEPTH_MAX 32

enum status answer_text(struct span json, const char *member, struct buf *out)
{
    struct json_tokener *tokener = json_tokener_new_ex(DEPTH_MAX);
    if (!tokener)
        return ST_NOMEM;
    struct json_object *o =
        json_tokener_parse_ex(tokener, (const char *)json.data, (int)json.size);
    struct json_object *value = NULL;
    enum status st = o ? ST_NOTFOUND : ST_CORRUPT;
    if (o && json_object_object_get_ex(o, member, &value)) {
        buf_put_text(out, json_object_get_string(value));
        st = out->failed;
    }
    json_object_put(o);
    json_tokener_free(tokener);
    return st;
}
