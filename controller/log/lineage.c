// Lineage: what feeds what, as a small text that people write and keep.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/log/lineage.h"

#include <string.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "controller/log/keys.h"

#define LINE_NAMES_MAX 64u // of one chain

// --- Growing

static enum status grow(void **items, uint32_t *room, uint32_t used, size_t size,
                        uint32_t limit)
{
    if (used >= limit)
        return ST_FULL;
    if (used < *room)
        return ST_OK;
    uint32_t want = *room ? *room * 2 : 64;
    void *more = mem_resize(*items, want, size);
    if (!more)
        return ST_NOMEM;
    *items = more;
    *room = want;
    return ST_OK;
}

static enum status node_of(struct lineage *l, struct span name, uint32_t *out)
{
    uintptr_t there = (uintptr_t)table_get(l->by_name, name);
    if (there) {
        *out = (uint32_t)(there - 1);
        return ST_OK;
    }
    ST_TRY(grow((void **)&l->node, &l->rooms[0], l->nodes, sizeof *l->node,
                LINEAGE_NODES_MAX));
    ST_TRY(table_put(l->by_name, name, (void *)((uintptr_t)l->nodes + 1)));
    l->node[l->nodes] = name;
    *out = l->nodes++;
    return ST_OK;
}

// --- One line

struct line {
    struct span name[LINE_NAMES_MAX];
    uint32_t names;
    uint64_t from_ns, until_ns;
};

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static struct span trim(struct span s)
{
    while (s.size && is_blank(s.data[0]))
        s = span_of(s.data + 1, s.size - 1);
    while (s.size && is_blank(s.data[s.size - 1]))
        s.size--;
    return s;
}

static bool begins(struct span s, const char *text)
{
    size_t n = strlen(text);
    return s.size >= n && memcmp(s.data, text, n) == 0;
}

static struct span take_word(struct span *rest)
{
    *rest = trim(*rest);
    size_t n = 0;
    while (n < rest->size && !is_blank(rest->data[n]))
        n++;
    struct span word = span_of(rest->data, n);
    *rest = span_of(rest->data + n, rest->size - n);
    return word;
}

// "from=TIME" or "to=TIME".
static const char *read_time(struct span word, struct line *l)
{
    bool is_from = begins(word, "from=");
    size_t skip = is_from ? 5 : 3;
    uint64_t *out = is_from ? &l->from_ns : &l->until_ns;
    struct span value = span_of(word.data + skip, word.size - skip);
    if (text_time(value, out) != ST_OK)
        return "a time is written like 2026-03-01T00:00:00Z";
    return NULL;
}

static const char *add_name(struct span word, struct line *l)
{
    if (l->names == LINE_NAMES_MAX)
        return "a chain holds at most 64 names";
    if (!text_is_name(word))
        return "not a name";
    l->name[l->names++] = word;
    return NULL;
}

// NULL, or what is wrong.
static const char *read_chain(struct span text, struct line *l)
{
    bool wants_name = true;
    for (;;) {
        struct span word = take_word(&text);
        const char *wrong = NULL;
        if (word.size == 0)
            break;
        if (begins(word, "from=") || begins(word, "to=")) {
            wrong = read_time(word, l);
        } else if (span_is(word, "->")) {
            wrong = wants_name ? "a name is missing before ->" : NULL;
            wants_name = true;
        } else {
            wrong = wants_name ? add_name(word, l) : "-> is missing between two names";
            wants_name = false;
        }
        if (wrong)
            return wrong;
    }
    if (wants_name)
        return "a name is missing behind ->";
    if (l->until_ns && l->until_ns <= l->from_ns)
        return "it ends before it begins";
    return l->names < 2 ? "one name feeds nothing" : NULL;
}

static const char *read_pair(struct span text, size_t comma, struct line *l)
{
    struct span rest = span_of(text.data + comma + 1, text.size - comma - 1);
    const char *wrong = add_name(trim(span_of(text.data, comma)), l);
    return wrong ? wrong : add_name(trim(rest), l);
}

static const char *read_line(struct span text, struct line *l)
{
    const uint8_t *comma = memchr(text.data, ',', text.size);
    *l = (struct line){.names = 0};
    if (comma)
        return read_pair(text, (size_t)(comma - text.data), l);
    return read_chain(text, l);
}

static enum status keep_line(struct lineage *out, const struct line *l, uint32_t number)
{
    for (uint32_t i = 1; i < l->names; i++) {
        struct lineage_edge e = {
            .from_ns = l->from_ns, .until_ns = l->until_ns, .line = number};
        ST_TRY(node_of(out, l->name[i - 1], &e.up));
        ST_TRY(node_of(out, l->name[i], &e.down));
        ST_TRY(grow((void **)&out->edge, &out->rooms[1], out->edges, sizeof e,
                    LINEAGE_EDGES_MAX));
        out->edge[out->edges++] = e;
    }
    return ST_OK;
}

static enum status parse(struct span text, struct lineage *out,
                         struct lineage_fault *fault)
{
    struct line l;
    for (uint32_t number = 1; text.size; number++) {
        const uint8_t *end = memchr(text.data, '\n', text.size);
        size_t n = end ? (size_t)(end - text.data) : text.size;
        struct span line = span_of(text.data, n);
        text = span_of(text.data + n + (end ? 1 : 0), text.size - n - (end ? 1 : 0));
        const uint8_t *hash = n ? memchr(line.data, '#', n) : NULL;
        if (hash)
            line.size = (size_t)(hash - line.data);
        line = trim(line);
        if (line.size == 0 || (number == 1 && span_is(line, "upstream,downstream")))
            continue;
        const char *wrong = read_line(line, &l);
        if (wrong) {
            *fault = (struct lineage_fault){number, wrong};
            return ST_CORRUPT;
        }
        ST_TRY(keep_line(out, &l, number));
    }
    return ST_OK;
}

enum status lineage_parse(struct span text, struct lineage *out,
                          struct lineage_fault *fault)
{
    *out = (struct lineage){0};
    *fault = (struct lineage_fault){0, "larger than 4 MiB"};
    if (text.size > LINEAGE_BYTES_MAX)
        return ST_FULL;
    ST_TRY(table_open(LINEAGE_NODES_MAX, &out->by_name));
    enum status st = parse(text, out, fault);
    if (st == ST_FULL)
        *fault = (struct lineage_fault){0, "more names or edges than there may be"};
    if (st != ST_OK)
        lineage_fini(out);
    return st;
}

void lineage_fini(struct lineage *l)
{
    mem_free(l->edge);
    mem_free(l->node);
    table_close(l->by_name, NULL);
    *l = (struct lineage){0};
}

bool lineage_is_model(struct span name)
{
    static const char *const kinds[] = {
        "feed:", "source:", "feature:", "endpoint:", "kpi:", "consumer:"};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (begins(name, kinds[i]))
            return false;
    return true;
}

bool lineage_holds(const struct lineage_edge *e, uint64_t at_ns)
{
    return e->from_ns <= at_ns && (e->until_ns == 0 || at_ns < e->until_ns);
}

// --- Circles

// Takes away, again and again, the nodes that nothing leads to (or from).
static void peel(const struct lineage *l, bool upwards, uint32_t *degree, uint8_t *left)
{
    bool changed = true;
    for (uint32_t round = 0; changed && round <= l->nodes; round++) {
        changed = false;
        memset(degree, 0, l->nodes * sizeof *degree);
        for (uint32_t i = 0; i < l->edges; i++)
            if (left[l->edge[i].up] && left[l->edge[i].down])
                degree[upwards ? l->edge[i].up : l->edge[i].down]++;
        for (uint32_t i = 0; i < l->nodes; i++) {
            if (!left[i] || degree[i])
                continue;
            left[i] = 0;
            changed = true;
        }
    }
}

enum status lineage_circles(const struct lineage *l, uint8_t *on_circle,
                            uint32_t *count)
{
    uint32_t *degree = mem_zero(l->nodes + 1, sizeof *degree);
    if (!degree)
        return ST_NOMEM;
    memset(on_circle, 1, l->nodes);
    peel(l, false, degree, on_circle);
    peel(l, true, degree, on_circle);
    *count = 0;
    for (uint32_t i = 0; i < l->nodes; i++)
        *count += on_circle[i];
    mem_free(degree);
    return ST_OK;
}

// --- In the store

// Of a key: from when on it holds, and since when that is known. False: no lineage's.
static bool read_key(struct span key, uint64_t *from_ns, uint64_t *known_ns)
{
    if ((key.size != 9 && key.size != 17) || key.data[0] != 'l')
        return false;
    *from_ns = load_be64(key.data + 1);
    *known_ns = key.size == 17 ? load_be64(key.data + 9) : 0;
    return true;
}

enum status lineage_at(struct shelf *s, uint64_t at_ns, uint64_t known_ns,
                       struct span *text, uint64_t *from_ns)
{
    struct shelf_key k = key_lineage(at_ns, UINT64_MAX);
    for (;;) {
        struct span key;
        uint64_t known;
        ST_TRY(s->seek_down(s->self, SHELF_CATALOG, shelf_key_span(&k), &key, text));
        if (!read_key(key, from_ns, &known))
            return ST_NOTFOUND;
        if (known <= known_ns)
            return ST_OK;
        k = key_lineage(*from_ns, known - 1);
    }
}

enum status lineage_put(struct shelf *s, uint64_t from_ns, uint64_t known_ns,
                        struct span text)
{
    struct shelf_key k = key_lineage(from_ns, known_ns);
    uint64_t number;
    ST_TRY(shelf_next_number(s, "lineage", &number));
    return shelf_put(s, SHELF_CATALOG, &k, text);
}

enum status lineage_number(struct shelf *s, uint64_t *out)
{
    struct shelf_key k = shelf_key_of('#');
    struct span v;
    shelf_key_bytes(&k, span_text("lineage"));
    enum status st = shelf_get(s, SHELF_META, &k, &v);
    *out = st == ST_OK && v.size == 8 ? load_be64(v.data) : 0;
    return st == ST_NOTFOUND ? ST_OK : st;
}
