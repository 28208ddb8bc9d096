// Kll items template: the work on runs of items, written once for float and double.
//
// SPDX-License-Identifier: Apache-2.0

// No ordinary header: each kll_items_*.c defines ITEM, ITEM_NAME, ITEM_LOAD, ITEM_STORE
// and includes this once, to make one instance of struct kll_items. C has no generics;
// the alternatives were a copy for each width, or widening floats at twice the cost.

#define SORT_SMALL 8

static size_t sift(void *out, const void *values, size_t n, struct quantile_tally *t)
{
    ITEM *to = out;
    const ITEM *from = values;
    size_t taken = 0;
    for (size_t i = 0; i < n; i++) {
        ITEM v = from[i];
        if (isfinite(v))
            to[taken++] = v + (ITEM)0;
        else if (isnan(v))
            t->nan++;
        else if (v > 0)
            t->pos_inf++;
        else
            t->neg_inf++;
    }
    t->taken += taken;
    return taken;
}

static void merge(void *out, const void *a, size_t na, const void *b, size_t nb)
{
    ITEM *to = out;
    const ITEM *left = a, *left_end = left + na;
    const ITEM *right = b, *right_end = right + nb;
    while (left < left_end && right < right_end) {
        bool is_left = *left <= *right;
        *to++ = is_left ? *left : *right;
        left += is_left;
        right += !is_left;
    }
    memcpy(to, left, (size_t)(left_end - left) * sizeof *to);
    to += left_end - left;
    memmove(to, right, (size_t)(right_end - right) * sizeof *to);
}

static void sort_small(ITEM *run, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        ITEM v = run[i];
        size_t j = i;
        for (; j > 0 && run[j - 1] > v; j--)
            run[j] = run[j - 1];
        run[j] = v;
    }
}

static void sort(void *run, size_t n, void *scratch)
{
    ITEM *from = run, *to = scratch;
    for (size_t i = 0; i < n; i += SORT_SMALL)
        sort_small(from + i, n - i < SORT_SMALL ? n - i : SORT_SMALL);
    for (size_t width = SORT_SMALL; width < n; width *= 2) {
        for (size_t i = 0; i < n; i += 2 * width) {
            size_t na = n - i < width ? n - i : width;
            size_t nb = n - i - na < width ? n - i - na : width;
            merge(to + i, from + i, na, from + i + na, nb);
        }
        ITEM *swap = from;
        from = to;
        to = swap;
    }
    if (from != run)
        memcpy(run, from, n * sizeof *from);
}

static void halve(void *run, size_t pairs, uint32_t coin)
{
    ITEM *items = run;
    for (size_t i = 0; i < pairs; i++)
        items[i] = items[2 * i + coin];
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

static bool ascend(const uint8_t *bytes, size_t n)
{
    if (n == 0)
        return true;
    bool good = true;
    ITEM last = ITEM_LOAD(bytes);
    for (size_t i = 1; i < n; i++) {
        ITEM v = ITEM_LOAD(bytes + i * sizeof v);
        good &= last <= v;
        last = v;
    }
    return good;
}

static void load(void *run, const uint8_t *bytes, size_t n)
{
    ITEM *items = run;
    for (size_t i = 0; i < n; i++)
        items[i] = ITEM_LOAD(bytes + i * sizeof *items);
}

static void store(uint8_t *bytes, const void *run, size_t n)
{
    const ITEM *items = run;
    for (size_t i = 0; i < n; i++)
        ITEM_STORE(bytes + i * sizeof *items, items[i]);
}

static double at(const void *run, size_t i)
{
    return (double)((const ITEM *)run)[i];
}

static void put(void *run, size_t i, double value)
{
    ((ITEM *)run)[i] = (ITEM)value;
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
    .sort = sort,
    .merge = merge,
    .halve = halve,
    .range = range,
    .within = within,
    .ascend = ascend,
    .load = load,
    .store = store,
    .at = at,
    .put = put,
    .load_one = load_one,
    .store_one = store_one,
};
