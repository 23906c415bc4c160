/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which system call a filter killed for, from a record of the kernel's log; and which records are not believed. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "host/sigsys.h"
#include "tap.h"

#define NOW 20000000u /* us since boot */
#define HEAD "5,1302,19999000,-;audit: type=1326 audit(1796101923.398:366): auid=4294967295 uid=0 gid=0 ses=4294967295 "
#define TAIL "arch=c000003e syscall=83 compat=0 ip=0x7f6080b86829 code=0x80000000\n"

static const struct {
    const char *record, *why;
    int r;
} cases[] = {
    { HEAD "pid=77 comm=\"mkdir\" exe=\"/bin/busybox\" sig=31 " TAIL, "a record of the process", 0 },
    { HEAD "pid=77 subj=unconfined comm=2270696422 exe=2F612062 sig=31 " TAIL, "names in hexadecimal, and a label", 0 },
    { HEAD "pid=7 comm=\"a\" exe=\"/a\" sig=31 " TAIL, "another process", -ENOENT },
    { HEAD "pid=770 comm=\"a\" exe=\"/a\" sig=31 " TAIL, "another whose number begins like that", -ENOENT },
    { HEAD "pid=77 comm=\"a\" exe=\"/a\" sig=0 " TAIL, "a call that was but logged", -ENOENT },
    { HEAD "pid=77 comm=\"a\" exe=\"/a\" sig=31 arch=c000003e", "half a record", -ENOENT },
    { HEAD "pid=77 comm=\"a\" exe=\"/a\" sig=31 arch=c000003e syscall=-1 compat=0\n", "a number that is none",
      -ENOENT },
    { "13,1302,19999000,-;audit: type=1326 audit(1.1:3): pid=77 comm=\"a\" exe=\"/a\" sig=31 " TAIL,
      "one that a program has written", -ENOENT },
    { "5,1302,9999000,-;audit: type=1326 audit(1.1:3): pid=77 comm=\"a\" exe=\"/a\" sig=31 " TAIL,
      "an old one, of another process with the number", -ENOENT },
    { "5,1302,x,-;audit: type=1326 audit(1.1:3): pid=77 comm=\"a\" exe=\"/a\" sig=31 " TAIL, "one without its time",
      -ENOENT },
    { "5,1302,19999000,-;audit: type=1300 audit(1.1:3): pid=77 sig=31 " TAIL, "another type", -ENOENT },
    { "6,1302,19999000,-;eth0: audit: type=1326 pid=77 sig=31 " TAIL, "another message", -ENOENT },
    { "5,1302,19999000,-", "no text", -ENOENT },
    { "", "nothing", -ENOENT },
};

int main(void)
{
    char text[80];

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        unsigned arch = 0;
        int nr = -1;

        is_int(wh_sigsys_record(cases[i].record, 77, NOW, &arch, &nr), cases[i].r, "%s", cases[i].why);
        if (cases[i].r == 0)
            ok(arch == 0xc000003e && nr == 83, "%s: the call", cases[i].why);
    }
    wh_sigsys_text(0, text, sizeof text);
    is_str(text, "bad system call", "of no process nothing is known");
    return done_testing();
}
