/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <signal.h>
#include <sys/capability.h>
#include <sys/resource.h>

#include "spec/spec.h"
#include "tap.h"

/* Names of capabilities, signals, limits and namespaces. */

static void test_caps(void)
{
    static const char *const no[] = { "",          "CAP_", "CAP_NONE", "chown", "CHOWN",     "cap_chown",
                                      "CAP_chown", "0",    "CAP_0",    "all",   "CAP_CHOWN " };
    unsigned n = 0;

    for (; wh_cap_name(n); n++) {
        char lower[64] = "", *theirs = cap_to_name((cap_value_t)n);

        for (size_t i = 0; wh_cap_name(n)[i] && i < sizeof lower - 1; i++)
            lower[i] = wh_cap_name(n)[i] == '_' ? '_' : (char)(wh_cap_name(n)[i] | 0x20);
        is_int(wh_cap_from_name(wh_cap_name(n)), n, "%s", wh_cap_name(n));
        is_str(lower, theirs, "libcap calls %u the same", n);
        cap_free(theirs);
    }
    ok(n >= 41, "all that Linux 5.14 has (%u)", n);
    is_int(wh_cap_from_name("CAP_CHECKPOINT_RESTORE"), 40, "CAP_CHECKPOINT_RESTORE");
    for (size_t i = 0; i < WH_ELEMENTSOF(no); i++)
        is_int(wh_cap_from_name(no[i]), -EINVAL, "\"%s\" is no capability", no[i]);
}

static void test_signals(void)
{
    static const struct {
        const char *name;
        int number;
    } yes[] = {
        { "TERM", SIGTERM }, { "SIGTERM", SIGTERM },
        { "term", SIGTERM }, { "sigKill", SIGKILL },
        { "9", 9 },          { "0", 0 },
        { "37", 37 },        { "64", 64 },
        { "HUP", SIGHUP },   { "WINCH", SIGWINCH },
        { "STKFLT", 16 },    { "SYS", SIGSYS },
        { "IO", SIGIO },     { "PWR", SIGPWR },
        { "USR2", SIGUSR2 }, { "RTMIN", 34 },
        { "RTMIN+1", 35 },   { "SIGRTMIN+15", 49 },
        { "RTMAX-14", 50 },  { "rtmax-1", 63 },
        { "RTMAX", 64 },     { "SIGRTMAX", 64 },
        { "CHLD", SIGCHLD }, { "CONT", SIGCONT },
        { "PROF", SIGPROF },
    };
    static const char *const no[] = { "",         "FOO",      "SIG",     "SIGSIGTERM", "-1",
                                      "65",       "32",       "33",      "9 ",         " 9",
                                      "+9",       "0x9",      "IOT",     "POLL",       "RTMIN+",
                                      "RTMIN+31", "RTMAX-31", "RTMIN-1", "TERM ",      "999999999999999999999",
                                      "SIG9" };
    int n;

    for (size_t i = 0; i < WH_ELEMENTSOF(yes); i++) {
        n = -1;
        ok(wh_signal_from_name(yes[i].name, &n) == 0 && n == yes[i].number, "%s is %d", yes[i].name, yes[i].number);
    }
    for (size_t i = 0; i < WH_ELEMENTSOF(no); i++) {
        n = -7;
        ok(wh_signal_from_name(no[i], &n) == -EINVAL && n == -7, "signal \"%s\" is refused", no[i]);
    }
}

int main(void)
{
    test_caps();
    test_signals();
    is_str(wh_rlimit_name(RLIMIT_NOFILE), "RLIMIT_NOFILE", "RLIMIT_NOFILE");
    is_str(wh_rlimit_name(RLIMIT_AS), "RLIMIT_AS", "RLIMIT_AS");
    is_str(wh_rlimit_name(4711), NULL, "no such limit");
    is_str(wh_ns_name(WH_NS_PID), "pid", "the first namespace");
    is_str(wh_ns_name(WH_NS_TIME), "time", "the last namespace");
    is_str(wh_ns_name(WH_NS_MAX), NULL, "none behind it");
    return done_testing();
}
