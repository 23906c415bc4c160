/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* HOME from the text of a passwd file. */
#include "tap.h"

#include "fake-sys.h"

static char buf[INI_HOME_MAX];

static const char *home(uint32_t uid, const char *text)
{
    struct ini_home_scan s = { .uid = uid, .home = buf };

    if (!ini_home_scan(&s, text, strlen(text)) && !ini_home_scan(&s, "\n", 1))
        return NULL;
    return buf;
}

int main(void)
{
    static char longer[INI_HOME_MAX + 64];

    is_str(home(0, "root:x:0:0:root:/root:/bin/sh\n"), "/root", "the first line");
    is_str(home(7, "a:x:1:1::/a:\nb:x:7:7::/b:\n"), "/b", "a later one");
    is_str(home(7, "b:x:7:7::/first:\nb:x:7:7::/second:\n"), "/first", "the first of two");
    is_str(home(7, "b:x:7:7::/b"), "/b", "no end of line, no shell");
    is_str(home(7, "b:x:7:7::\n"), "", "an empty one");
    is_str(home(7, "b:x:7:7\nb:x:7:7::/b:\n"), "/b", "a line that is too short");
    is_str(home(7, "b:x:70:7::/b:\n"), NULL, "70 is not 7");
    is_str(home(7, "b:x::7::/b:\n"), NULL, "no number");
    is_str(home(0, "b:x::7::/b:\n"), NULL, "no number is not 0");
    is_str(home(7, "b:x:7x:7::/b:\n"), NULL, "not a number");
    is_str(home(7, "b:x:-7:7::/b:\n"), NULL, "a sign");
    is_str(home(7, "b:x:+7:7::/b:\n"), NULL, "another sign");
    is_str(home(7, "b:x:007:7::/b:\n"), "/b", "leading zeros");
    is_str(home(4294967295u, "b:x:4294967295:7::/b:\n"), "/b", "the largest");
    is_str(home(7, "b:x:4294967303:7::/b:\n"), NULL, "2^32 + 7 is not 7");
    is_str(home(7, "7:7:8:7::/b:\n"), NULL, "other fields do not count");
    is_str(home(7, "\n\n:::\nb:x:7:7::/b:\n"), "/b", "empty lines");
    is_str(home(7, "b:x:7:7:a\\:b:/b:\n"), "b", "there is no quoting");
    is_str(home(7, "#b:x:7:7::/a:\nb:x:7:7::/b:\n"), "/b", "a comment");
    is_str(home(7, ":x:7:7::/a:\nb#:x:7:7::/b:\n"), "/b", "a line without a name");

    memset(longer, '/', sizeof(longer));
    memcpy(longer, "b:x:7:7::", 9);
    strcpy(longer + 9 + INI_HOME_MAX - 1, ":\n");
    is_u64(strlen(home(7, longer)), INI_HOME_MAX - 1, "the longest home that fits");
    memset(longer + 9, '/', INI_HOME_MAX);
    strcpy(longer + 9 + INI_HOME_MAX, ":\n");
    is_str(home(7, longer), NULL, "a longer one is not cut");
    return done_testing();
}
