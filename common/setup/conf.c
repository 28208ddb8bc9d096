// Conf: libconfuse reads the grammar; the table says what the words mean.
//
// libconfuse calls back without a pointer of ours and has one scanner for the whole
// process, so one file is read at a time, and `reading` is what the callbacks know.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/setup/conf.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <confuse.h>

#include "common/base/file.h"
#include "common/base/mem.h"
#include "common/base/table.h"
#include "common/setup/plain.h"

struct reading {
    const char *name; // of the file
    const struct conf_table *root;
    struct buf *why;
    struct table *seen; // options that have a value, by the address of their cfg_opt_t
    bool is_said;       // the first error is the one that counts
    bool is_out;        // of memory
};

static struct reading reading;

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

// Begins the line of an error: file, line, and the section that it stands in.
static void begin_error(const cfg_t *cfg, int line)
{
    buf_printf(reading.why, "%s:%d: ", reading.name, line);
    if (cfg && cfg->title)
        buf_printf(reading.why, "%s \"%s\": ", cfg->name, cfg->title);
    else if (cfg && strcmp(cfg->name, "root") != 0)
        buf_printf(reading.why, "%s: ", cfg->name);
    reading.is_said = true;
}

static const struct conf_table *find_table(const struct conf_table *t, const char *name)
{
    for (size_t i = 0; i < t->rows; i++) {
        const struct conf_table *sub = t->row[i].table;
        if (!sub)
            continue;
        if (strcmp(t->row[i].name, name) == 0)
            return sub;
        const struct conf_table *deeper = find_table(sub, name);
        if (deeper)
            return deeper;
    }
    return NULL;
}

static const struct conf_table *table_of(const cfg_t *cfg)
{
    if (strcmp(cfg->name, "root") == 0)
        return reading.root;
    return find_table(reading.root, cfg->name);
}

static const struct conf_row *find_row(const struct conf_table *t, const char *name)
{
    for (size_t i = 0; i < t->rows; i++) {
        if (strcmp(t->row[i].name, name) == 0)
            return &t->row[i];
    }
    return NULL;
}

static void refuse_unknown(const cfg_t *cfg, const char *word)
{
    const struct conf_table *t = table_of(cfg);
    const char *best = NULL;
    unsigned distance = 0;
    for (size_t i = 0; t && i < t->rows; i++)
        value_nearer(word, t->row[i].name, &best, &distance);
    begin_error(cfg, cfg->line);
    if (best)
        buf_printf(reading.why, "there is no \"%s\": did you mean \"%s\"?", word, best);
    else
        buf_printf(reading.why, "there is no \"%s\" here: remove it", word);
}

// What to do about a complaint of libconfuse, by its first words.
static const char *advice_for(const char *text)
{
    static const struct {
        const char *begins;
        const char *advice;
    } rows[] = {
        {"unexpected", "write name = value, or name { ... }"},
        {"found duplicate title", "keep one, or give it another title"},
        {"missing title", "write it between the name and the brace"},
        {"premature end", "finish the last line"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (strncmp(text, rows[i].begins, strlen(rows[i].begins)) == 0)
            return rows[i].advice;
    }
    return "mend this line";
}

// libconfuse's own complaints. It tells of an unknown name by this text alone.
static void PRINTF_LIKE(2, 0) on_error(cfg_t *cfg, const char *fmt, va_list args)
{
    static const char unknown[] = "no such option '";
    char text[256];
    if (reading.is_said)
        return;
    vsnprintf(text, sizeof text, fmt, args);
    if (strncmp(text, unknown, sizeof unknown - 1) == 0) {
        char *word = text + sizeof unknown - 1;
        word[strcspn(word, "'")] = '\0';
        refuse_unknown(cfg, word);
        return;
    }
    begin_error(cfg, cfg->line);
    buf_printf(reading.why, "%s: %s", text, advice_for(text));
}

static int refuse_value(const cfg_t *cfg, const struct conf_row *row, const char *what)
{
    begin_error(cfg, cfg->line);
    buf_printf(reading.why, "%s %s", row->name, what);
    return -1;
}

// Does the option stand there a second time? (libconfuse would let the last one win.)
static enum status note_option(const struct conf_row *row, const cfg_opt_t *opt)
{
    if (row->type == VALUE_LIST && opt->nvalues > 1)
        return ST_OK; // a further item
    static char present;
    return table_put(reading.seen, span_of(&opt, sizeof opt), &present);
}

// Each value, while its line is known. The text itself is stored by libconfuse and read
// once more when all of the file is known to be good.
static int on_value(cfg_t *cfg, cfg_opt_t *opt, const char *text, void *result)
{
    const struct conf_row *row = find_row(table_of(cfg), opt->name);
    assert(row);
    enum status st = note_option(row, opt);
    if (st == ST_EXISTS)
        return refuse_value(cfg, row, "stands twice: keep one");
    if (st != ST_OK) {
        reading.is_said = reading.is_out = true;
        return -1;
    }
    if (opt->nvalues > CONF_LIST_MAX)
        return refuse_value(cfg, row, "has more than 1024 items: use fewer");
    struct buf detail;
    buf_init(&detail, VALUE_TEXT_MAX);
    st = value_check(row->type, row->rule, span_text(text), &detail);
    if (st != ST_OK) {
        begin_error(cfg, cfg->line);
        buf_printf(reading.why, "%s: %s", row->name, buf_cstr(&detail));
    }
    buf_fini(&detail);
    *(const char **)result = text;
    return st == ST_OK ? 0 : -1;
}

static void free_grammar(cfg_opt_t *opts)
{
    for (size_t i = 0; opts && opts[i].name; i++)
        free_grammar(opts[i].subopts);
    mem_free(opts);
}

static cfg_flag_t flags_of(const struct conf_row *row)
{
    if (!row->table)
        return CFGF_NODEFAULT | (row->type == VALUE_LIST ? CFGF_LIST : 0);
    // A section that may stand once is read like many, so that a second one is seen.
    return CFGF_MULTI | (row->table->has_title ? CFGF_TITLE | CFGF_NO_TITLE_DUPES : 0);
}

// libconfuse's description of the table; NULL when memory is out.
static cfg_opt_t *make_grammar(const struct conf_table *t, unsigned depth)
{
    assert(depth < CONF_DEPTH_MAX);
    cfg_opt_t *opts = mem_zero(t->rows + 1, sizeof *opts);
    for (size_t i = 0; opts && i < t->rows; i++) {
        const struct conf_row *row = &t->row[i];
        opts[i] = (cfg_opt_t){
            .name = row->name,
            .type = row->table ? CFGT_SEC : CFGT_STR,
            .flags = flags_of(row),
            .parsecb = row->table ? NULL : on_value,
        };
        if (!row->table)
            continue;
        opts[i].subopts = make_grammar(row->table, depth + 1);
        if (!opts[i].subopts) {
            free_grammar(opts);
            return NULL;
        }
    }
    return opts;
}

static enum status say(const cfg_t *cfg, const char *name, const char *what)
{
    if (!reading.is_said) {
        begin_error(cfg, cfg->line);
        buf_printf(reading.why, "%s %s", name, what);
    }
    return ST_RANGE;
}

static enum status fill(cfg_t *cfg, const struct conf_table *t, uint8_t *out);

static enum status fill_option(cfg_t *cfg, const struct conf_row *row, void *field)
{
    unsigned n = cfg ? cfg_size(cfg, row->name) : 0;
    for (unsigned i = 0; i < n; i++) {
        struct span text = span_text(cfg_getnstr(cfg, row->name, i));
        ST_TRY(value_store(row->type, row->rule, text, field, reading.why));
    }
    if (n > 0 || (row->standard && !row->standard[0]))
        return ST_OK;
    if (row->standard)
        return value_store(row->type, row->rule, span_text(row->standard), field,
                           reading.why);
    return cfg ? say(cfg, row->name, "is missing: add it") : ST_OK;
}

static enum status fill_many(cfg_t *cfg, const struct conf_row *row,
                             struct conf_many *many)
{
    unsigned n = cfg ? cfg_size(cfg, row->name) : 0;
    if (n > CONF_SECTIONS_MAX)
        return say(cfg, row->name, "stands too often: at most 4096 fit");
    if (n == 0)
        return ST_OK;
    many->item = mem_zero(n, row->table->size);
    if (!many->item)
        return ST_NOMEM;
    many->count = n;
    for (unsigned i = 0; i < n; i++) {
        uint8_t *item = (uint8_t *)many->item + i * row->table->size;
        ST_TRY(fill(cfg_getnsec(cfg, row->name, i), row->table, item));
    }
    return ST_OK;
}

// A section that is absent gets its standards; what it must have, it must have only if
// it stands there.
static enum status fill_one(cfg_t *cfg, const struct conf_row *row, uint8_t *field)
{
    unsigned n = cfg ? cfg_size(cfg, row->name) : 0;
    if (n > 1)
        return say(cfg_getnsec(cfg, row->name, 1), "this section",
                   "stands twice: keep one");
    return fill(n ? cfg_getnsec(cfg, row->name, 0) : NULL, row->table, field);
}

static enum status fill_title(cfg_t *cfg, const struct conf_table *t, uint8_t *out)
{
    const char *title = cfg ? cfg_title(cfg) : NULL;
    if (!t->has_title || !title)
        return ST_OK;
    if (!title[0] || strlen(title) > 128)
        return say(cfg, "this section", "needs a title of 1 to 128 bytes");
    return value_store(VALUE_TEXT, NULL, span_text(title), out + t->title_offset,
                       reading.why);
}

static enum status fill(cfg_t *cfg, const struct conf_table *t, uint8_t *out)
{
    ST_TRY(fill_title(cfg, t, out));
    for (size_t i = 0; i < t->rows; i++) {
        const struct conf_row *row = &t->row[i];
        uint8_t *field = out + row->offset;
        if (!row->table)
            ST_TRY(fill_option(cfg, row, field));
        else if (row->is_many)
            ST_TRY(fill_many(cfg, row, (struct conf_many *)(void *)field));
        else
            ST_TRY(fill_one(cfg, row, field));
    }
    return ST_OK;
}

void conf_free(const struct conf_table *table, void *out)
{
    uint8_t *base = out;
    if (table->has_title)
        value_drop(VALUE_TEXT, base + table->title_offset);
    for (size_t i = 0; i < table->rows; i++) {
        const struct conf_row *row = &table->row[i];
        void *field = base + row->offset;
        if (!row->table) {
            value_drop(row->type, field);
        } else if (row->is_many) {
            struct conf_many *many = field;
            for (size_t k = 0; k < many->count; k++)
                conf_free(row->table, (uint8_t *)many->item + k * row->table->size);
            mem_free(many->item);
        } else {
            conf_free(row->table, field);
        }
    }
    memset(out, 0, table->size);
}

static enum status parse(const char *text, const struct conf_table *table, void *out)
{
    cfg_opt_t *grammar = make_grammar(table, 0);
    if (!grammar)
        return ST_NOMEM;
    cfg_t *cfg = cfg_init(grammar, CFGF_NONE); // takes copies
    free_grammar(grammar);
    if (!cfg)
        return ST_NOMEM;
    cfg_set_error_function(cfg, on_error);
    int rc = cfg_parse_buf(cfg, text);
    enum status st = rc == CFG_FILE_ERROR || reading.is_out ? ST_NOMEM : ST_RANGE;
    if (rc == CFG_SUCCESS)
        st = fill(cfg, table, out);
    else if (st == ST_RANGE && !reading.is_said) // an empty name, for one
        (void)say(cfg, "this", "is no name: write name = value, or name { ... }");
    cfg_free(cfg);
    return st;
}

enum status conf_parse(const char *name, struct span text,
                       const struct conf_table *table, void *out, struct buf *why)
{
    if (text.size > CONF_FILE_BYTES) {
        buf_printf(why, "%s: larger than 1 MiB", name);
        return ST_FULL;
    }
    struct buf plain;
    // Each byte may get a backslash before it.
    buf_init(&plain, 2 * (size_t)CONF_FILE_BYTES + 1);
    reading = (struct reading){.name = name, .root = table, .why = why};
    memset(out, 0, table->size);
    enum status st = conf_plain(name, text, &plain, why);
    if (st == ST_OK)
        st = table_open(CONF_FILE_BYTES, &reading.seen);
    buf_put_u8(&plain, '\n'); // libconfuse cannot read nothing at all
    const char *safe = buf_cstr(&plain);
    if (st == ST_OK)
        st = plain.failed;
    if (st == ST_OK)
        st = parse(safe, table, out);
    table_close(reading.seen, NULL);
    buf_fini(&plain);
    if (st != ST_OK)
        conf_free(table, out);
    if (st == ST_NOMEM)
        buf_printf(why, "%s: memory is out", name);
    reading = (struct reading){0};
    return st;
}

enum status conf_read(const char *path, const struct conf_table *table, void *out,
                      struct buf *why)
{
    struct buf text;
    buf_init(&text, CONF_FILE_BYTES);
    enum status st = file_read(path, &text);
    if (st == ST_OK) {
        st = conf_parse(base_name(path), buf_span(&text), table, out, why);
    } else {
        memset(out, 0, table->size);
        buf_printf(why, "%s: %s", path,
                   st == ST_FULL ? "larger than 1 MiB"
                   : st == ST_IO ? strerror(errno)
                                 : status_text(st));
    }
    buf_fini(&text);
    return st;
}
