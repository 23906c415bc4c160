/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdbool.h>

bool wherry_twin_needed(void);
void wherry_twin_lost(void);

bool wherry_twin_needed(void)
{
    return false;
}

void wherry_twin_lost(void)
{
}
