/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <signal.h>
#include <sys/capability.h>
#include <sys/resource.h>

#include "base/str.h"
#include "spec/fields.h"
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

static const struct {
    const struct wh_names *names;
    bool closed; /* a wrong guess would confine less */
} lists[] = {
    { &wh_names_ns, false },
    { &wh_names_cap, true },
    { &wh_names_rlimit, false },
    { &wh_names_sched_policy, false },
    { &wh_names_sched_flag, false },
    { &wh_names_ioprio, false },
    { &wh_names_device, true },
    { &wh_names_devrule, true },
    { &wh_names_propagation, true },
    { &wh_names_mpol, false },
    { &wh_names_mpol_flag, false },
    { &wh_names_persona, false },
    { &wh_names_seccomp_action, true },
    { &wh_names_seccomp_arch, false },
    { &wh_names_seccomp_op, true },
    { &wh_names_seccomp_flag, true },
};

static const char *nth(const struct wh_names *names, unsigned i)
{
    return i < names->n ? names->v[i].name : names->nth ? names->nth(i) : NULL;
}

static bool same(const char *a, const char *b)
{
    size_t n = strlen(a);

    for (size_t i = 0; i < n; i++)
        if ((a[i] | 0x20) != (b[i] | 0x20))
            return false;
    return strlen(b) == n;
}

/* One misspelling: what is suggested for it is near, and of a closed list it is the word itself. */
static bool guessed_well(const struct wh_names *names, bool closed, const char *word)
{
    const char *near = wh_names_nearest(names, word), *tail = near ? strrchr(near, '_') : NULL;
    char a[64] = "", b[64] = "";

    if (!near || same(near, word))
        return true;
    if (closed)
        return names->prefix && wh_startswith(near, names->prefix) && same(near + strlen(names->prefix), word);
    for (size_t i = 0; word[i]; i++)
        a[i] = (char)(word[i] >= 'A' && word[i] <= 'Z' ? word[i] | 0x20 : word[i]);
    for (size_t i = 0; near[i]; i++)
        b[i] = (char)(near[i] >= 'A' && near[i] <= 'Z' ? near[i] | 0x20 : near[i]);
    return wh_edit_distance(a, b) <= 2 ||
           (tail && strlen(word) < strlen(near) && same(near + strlen(near) - strlen(word), word));
}

/* Each word with a letter less, with another one, with one more, with two less, each suffix of it, and each word of
 * the other lists. */
static void test_guesses(void)
{
    for (size_t l = 0; l < WH_ELEMENTSOF(lists); l++) {
        const struct wh_names *names = lists[l].names;
        const char *name, *bad = NULL;
        unsigned tried = 0;
        char kept[64] = "";

        for (unsigned k = 0; !bad && (name = nth(names, k)); k++) {
            size_t n = strlen(name);

            for (size_t at = 0; !bad && at < n; at++)
                for (int how = 0; !bad && how < 5; how++) {
                    char word[64] = "";

                    switch (how) {
                    case 0: /* one less */
                        snprintf(word, sizeof word, "%.*s%s", (int)at, name, name + at + 1);
                        break;
                    case 1: /* another */
                        snprintf(word, sizeof word, "%.*sX%s", (int)at, name, name + at + 1);
                        break;
                    case 2: /* one more */
                        snprintf(word, sizeof word, "%.*sQ%s", (int)at, name, name + at);
                        break;
                    case 3: /* two less */
                        snprintf(word, sizeof word, "%.*s%s", (int)at, name, at + 2 <= n ? name + at + 2 : "");
                        break;
                    default: /* its end */
                        snprintf(word, sizeof word, "%s", name + at);
                    }
                    tried++;
                    if (wh_names_find(names, word) || guessed_well(names, lists[l].closed, word))
                        continue;
                    snprintf(kept, sizeof kept, "%s", word);
                    bad = wh_names_nearest(names, kept);
                }
        }
        ok(!bad && tried, "%s: no misspelling is taken for another word (%u tried)%s%s%s%s", names->what, tried,
           bad ? ": " : "", kept, bad ? " is answered with " : "", bad ? bad : "");
        is_int(names->closed, lists[l].closed, "%s: a guess %s", names->what,
               lists[l].closed ? "could confine less, and there is none" : "is allowed");
        for (size_t m = 0; m < WH_ELEMENTSOF(lists); m++)
            for (unsigned k = 0; lists[l].closed && m != l && (name = nth(lists[m].names, k)); k++)
                if (!wh_names_find(names, name) && wh_names_nearest(names, name) && !guessed_well(names, true, name))
                    ok(false, "%s: \"%s\" is no misspelling of one", names->what, name);
    }
    is_str(wh_names_nearest(&wh_names_cap, "net_admin"), "CAP_NET_ADMIN", "a capability without its prefix");
    is_str(wh_names_nearest(&wh_names_cap, "cap_net_admin"), "CAP_NET_ADMIN", "or in other letters");
    is_str(wh_names_nearest(&wh_names_cap, "ADMIN"), NULL, "not by its end alone, which several have");
    is_str(wh_names_nearest(&wh_names_seccomp_action, "scmp_act_errno"), "SCMP_ACT_ERRNO",
           "an action in other letters");
    is_str(wh_names_nearest(&wh_names_devrule, "p"), NULL, "one letter is like no other");
}

int main(void)
{
    test_guesses();
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
