/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The weights that are computed. What is written for each property is in tests/golden/cases/resources-*. */
#include <math.h>

#include "plan/compile-resources.h"
#include "tap.h"

/* The formula as it is written, with the C library's floating point. How far the exact value is from a whole number goes to *ret_near. */
static uint32_t by_formula(uint64_t shares, long double *ret_near)
{
    long double l = log2l((long double)shares), w = powl(10, (l * l + 125 * l) / 612 - 7.0L / 34);
    long double whole = roundl(w);

    *ret_near = fabsl(w - whole);
    return (uint32_t)(*ret_near < 1e-12L * w ? whole : ceill(w));
}

static void test_cpu(void)
{
    static const struct {
        uint64_t shares;
        uint32_t weight;
    } known[] = {
        { 1, 1 }, { 2, 1 }, { 1024, 100 }, { 262144, 10000 }, { 262145, 10000 }, { UINT64_MAX, 10000 },
    };
    unsigned differ = 0, back = 0, whole = 0;
    long double nearest = 1, near;
    uint32_t before = 0;

    for (size_t i = 0; i < WH_ELEMENTSOF(known); i++)
        is_u64(wh_cpu_weight(known[i].shares), known[i].weight, "%llu shares", (unsigned long long)known[i].shares);
    for (uint64_t s = 2; s <= 262144; s++) {
        uint32_t w = wh_cpu_weight(s), f = by_formula(s, &near);

        if (w != f && differ++ < 5)
            diag("%llu shares: %u, the formula says %u", (unsigned long long)s, w, f);
        back += w < before;
        before = w;
        if (near < 1e-12L * w)
            whole++;
        else if (near / w < nearest)
            nearest = near / w;
    }
    is_u64(differ, 0, "every number of shares has the weight of the formula");
    is_u64(back, 0, "more shares never weigh less");
    is_u64(whole, 3, "three weights are whole numbers");
    /* 612 log2(w) is compared with an allowance of 2^-28: relative to w that is 2^-28 ln(2) / 612. */
    ok(nearest > ldexpl(logl(2) / 612, -28) * 4, "and no other is nearer to one than the allowance: %Lg", nearest);
    ok(wh_cpu_weight(1023) < 101 && wh_cpu_weight(1025) == 101, "one more than the default weighs more");
}

static void test_io(void)
{
    is_u64(wh_io_weight(10), 1, "the least");
    is_u64(wh_io_weight(1000), 10000, "the most");
    is_u64(wh_io_weight(100), 910, "in between");
    is_u64(wh_io_weight(9), 1, "less than the least");
    is_u64(wh_io_weight(UINT32_MAX), 10000, "more than the most");
}

int main(void)
{
    test_cpu();
    test_io();
    return done_testing();
}
