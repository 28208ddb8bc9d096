// Echo: reads "TYPE HEX" lines, decodes each body and says what it encodes to again.
//
// Answers "ok HEX" or "no STATUS FIELD", line by line, so that another implementation
// can compare notes.
//
// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "proto/messages/catalog.h"

#define LINE_BYTES (4u * 1024u * 1024u)
#define STRUCT_BYTES 4096

struct bench {
    struct buf body, again, text;
    struct pool pool;
    _Alignas(16) uint8_t out[STRUCT_BYTES];
};

static const struct message *message_of(struct span type)
{
    size_t count;
    const struct message *const *m = wire_messages(&count);
    for (size_t i = 0; i < count; i++)
        if (span_is(type, m[i]->type) && m[i]->size <= STRUCT_BYTES)
            return m[i];
    return NULL;
}

static enum status echo(struct bench *b, const struct message *m, struct span hex)
{
    buf_clear(&b->body);
    buf_clear(&b->again);
    pool_clear(&b->pool);
    uint8_t *bytes = buf_reserve(&b->body, hex.size / 2);
    if (!bytes)
        return ST_NOMEM;
    ST_TRY(text_hex(hex, bytes, hex.size / 2));
    ST_TRY(message_decode(m, buf_span(&b->body), &b->pool, b->out));
    return message_encode(m, b->out, &b->again, NULL);
}

static void answer(struct bench *b, char *line)
{
    char *hex = strrchr(line, ' ');
    const struct message *m = NULL;
    if (hex) {
        *hex++ = '\0';
        hex[strcspn(hex, "\n")] = '\0';
        m = message_of(span_text(line));
    }
    if (!m) {
        puts("no unknown -");
        return;
    }
    enum status st = echo(b, m, span_text(hex));
    if (st != ST_OK) {
        printf("no %s %s\n", status_name(st), b->pool.fault ? b->pool.fault : "-");
        return;
    }
    buf_clear(&b->text);
    text_put_hex(&b->text, buf_span(&b->again));
    printf("ok %s\n", buf_cstr(&b->text));
}

int main(void)
{
    static struct bench b;
    char *line = mem_zero(LINE_BYTES, 1);
    void *memory = mem_zero(LINE_BYTES, 1);
    buf_init(&b.body, LINE_BYTES);
    buf_init(&b.again, LINE_BYTES);
    buf_init(&b.text, LINE_BYTES * 2);
    if (!line || !memory)
        return 1;
    pool_init(&b.pool, memory, LINE_BYTES);
    while (fgets(line, LINE_BYTES, stdin)) {
        answer(&b, line);
        fflush(stdout);
    }
    buf_fini(&b.body);
    buf_fini(&b.again);
    buf_fini(&b.text);
    mem_free(line);
    mem_free(memory);
    return 0;
}
