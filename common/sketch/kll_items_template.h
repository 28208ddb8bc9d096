// Kll items template: the work on runs of items, written once for float and double.
//
// SPDX-License-Identifier: Apache-2.0

// No ordinary header: each kll_items_*.c defines ITEM, ITEM_NAME, ITEM_LOAD, ITEM_STORE
// and ascend_by_registers, and includes this once, to make one instance of struct
// kll_items. C has no generics; the alternatives were a copy for each width, or
// widening floats at twice the cost.

#define IS_LITTLE_ENDIAN (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)

// Without a branch on the value: a column with many missing values costs no more.
static size_t sift(void *out, const void *values, size_t n, struct quantile_tally *t)
{
    ITEM *to = out;
    const ITEM *from = values;
    size_t taken = 0;
    for (size_t i = 0; i < n; i++) {
        ITEM v = from[i];
        to[taken] = v + (ITEM)0;
        taken += v - v == 0;
    }
    t->taken += taken;
    for (size_t i = 0; taken < n && i < n; i++) {
        t->nan += isnan(from[i]) != 0;
        t->pos_inf += from[i] == INFINITY;
        t->neg_inf += from[i] == -INFINITY;
    }
    return taken;
}

static void range(const void *run, size_t n, double *min, double *max)
{
    const ITEM *items = run;
    ITEM least = items[0], most = items[0];
    for (size_t i = 1; i < n; i++) {
        least = items[i] < least ? items[i] : least;
        most = items[i] > most ? items[i] : most;
    }
    *min = (double)least;
    *max = (double)most;
}

static bool within(const uint8_t *bytes, size_t n, double min, double max)
{
    bool good = true;
    ITEM least = (ITEM)min, most = (ITEM)max;
    for (size_t i = 0; i < n; i++) {
        ITEM v = ITEM_LOAD(bytes + i * sizeof v);
        good &= (v >= least) & (v <= most);
    }
    return good;
}

// Registers of neighbours where the machine has them at all times; then four at a time,
// since one comparison need not wait for another.
static bool ascend(const uint8_t *bytes, size_t n)
{
    const size_t width = sizeof(ITEM);
    size_t i = 1;
    bool good = ascend_by_registers(bytes, n, &i);
    for (; i + 4 <= n; i += 4) {
        const uint8_t *p = bytes + i * width;
        ITEM a = ITEM_LOAD(p - width), b = ITEM_LOAD(p), c = ITEM_LOAD(p + width);
        ITEM d = ITEM_LOAD(p + 2 * width), e = ITEM_LOAD(p + 3 * width);
        good &= (a <= b) & (b <= c) & (c <= d) & (d <= e);
    }
    for (; i < n; i++)
        good &= ITEM_LOAD(bytes + (i - 1) * width) <= ITEM_LOAD(bytes + i * width);
    return good;
}

// The machine's own order is that of the bytes on nearly all machines, and then a copy
// is all; the others go value by value.
static void load(void *run, const uint8_t *bytes, size_t n)
{
    ITEM *items = run;
    if (IS_LITTLE_ENDIAN) {
        memcpy(items, bytes, n * sizeof *items);
        return;
    }
    for (size_t i = 0; i < n; i++)
        items[i] = ITEM_LOAD(bytes + i * sizeof *items);
}

static void store(uint8_t *bytes, const void *run, size_t n)
{
    const ITEM *items = run;
    if (IS_LITTLE_ENDIAN) {
        memcpy(bytes, items, n * sizeof *items);
        return;
    }
    for (size_t i = 0; i < n; i++)
        ITEM_STORE(bytes + i * sizeof *items, items[i]);
}

static double at(const void *run, size_t i)
{
    return (double)((const ITEM *)run)[i];
}

static void widen(const void *run, size_t n, double *out)
{
    const ITEM *items = run;
    for (size_t i = 0; i < n; i++)
        out[i] = (double)items[i];
}

static double load_one(const uint8_t *bytes)
{
    return (double)ITEM_LOAD(bytes);
}

static void store_one(uint8_t *bytes, double value)
{
    ITEM_STORE(bytes, (ITEM)value);
}

const struct kll_items ITEM_NAME = {
    .item_bytes = sizeof(ITEM),
    .sift = sift,
    .range = range,
    .within = within,
    .ascend = ascend,
    .load = load,
    .store = store,
    .at = at,
    .widen = widen,
    .load_one = load_one,
    .store_one = store_one,
};
