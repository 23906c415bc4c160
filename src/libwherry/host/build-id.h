/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_HOST_BUILD_ID_H
#define WH_HOST_BUILD_ID_H

#define WH_BUILD_ID_MAX 32
#define WH_BUILD_ID_TEXT (2 * WH_BUILD_ID_MAX + 1)

/*
 * The build id (ld --build-id) of the program or shared library that this code is part of, as hexadecimal digits in `ret`: another for every
 * change of the code and of what is linked into it. Null when it was linked without.
 */
const char *wh_build_id(char ret[WH_BUILD_ID_TEXT]);

#endif
