// SPDX-License-Identifier: Apache-2.0
#include "agent/intake/route.h"

#include <string.h>

static bool begins(struct span s, const char *with)
{
    size_t size = strlen(with);
    return s.size >= size && memcmp(s.data, with, size) == 0;
}

static struct span behind(struct span s, size_t n)
{
    return span_of(s.data + n, s.size - n);
}

// The bytes up to one of `stops`.
static struct span until(struct span s, const char *stops)
{
    size_t n = 0;
    while (n < s.size && (s.data[n] == 0 || !strchr(stops, s.data[n])))
        n++;
    return span_of(s.data, n);
}

static int hex_of(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void set_name(struct word *w, struct span s)
{
    w->size = 0;
    if (s.size > sizeof w->data)
        return;
    for (size_t i = 0; i < s.size; i++) {
        int high = i + 2 < s.size && s.data[i] == '%' ? hex_of(s.data[i + 1]) : -1;
        int low = high >= 0 ? hex_of(s.data[i + 2]) : -1;
        w->data[w->size++] = low < 0 ? (char)s.data[i] : (char)(high << 4 | low);
        i += low < 0 ? 0 : 2;
    }
}

// "M", "M/versions/V" or "M/labels/L", up to ":" or "/infer".
static void take_model(struct span rest, struct route *out)
{
    struct span model = until(rest, "/:");
    set_name(&out->model, model);
    rest = behind(rest, model.size);
    static const char *const forms[] = {"/versions/", "/labels/"};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (begins(rest, forms[i]))
            set_name(&out->version, until(behind(rest, strlen(forms[i])), "/:"));
}

static void take_torch(struct span rest, struct route *out)
{
    struct span model = until(rest, "/");
    set_name(&out->model, model);
    if (model.size < rest.size)
        set_name(&out->version, until(behind(rest, model.size + 1), "/"));
}

void route_of(struct span path, struct route *out)
{
    static const struct {
        const char *prefix;
        enum route_kind kind;
    } routes[] = {
        {"/v1/models/", ROUTE_PREDICT},
        {"/v2/models/", ROUTE_PREDICT},
        {"/predictions/", ROUTE_TORCH},
        {"/invocations", ROUTE_MLFLOW},
        {"/api/v0.1/predictions", ROUTE_SELDON},
        {"/api/v1.0/predictions", ROUTE_SELDON},
        {"/v1/chat/completions", ROUTE_CHAT},
        {"/v1/metrics", ROUTE_METRICS},
        {ROUTE_LINES_PREFIX, ROUTE_LINES},
    };
    path = until(path, "?#");
    *out = (struct route){.kind = ROUTE_OTHER};
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        if (!begins(path, routes[i].prefix))
            continue;
        out->kind = routes[i].kind;
        struct span rest = behind(path, strlen(routes[i].prefix));
        if (out->kind == ROUTE_PREDICT)
            take_model(rest, out);
        else if (out->kind == ROUTE_TORCH)
            take_torch(rest, out);
        return;
    }
}
