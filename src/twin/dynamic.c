/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdbool.h>

bool wherry_twin_needed(void);

bool wherry_twin_needed(void)
{
    return false;
}
