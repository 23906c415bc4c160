/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <net/if.h>
#include <string.h>

#include "spec/fields.h"

/* Rules about one string. What they return stands after the pointer: "/process/cwd: Cwd must be an absolute path". */

static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* A number of SemVer: no leading zero. Moves *s behind it. */
static bool semver_number(const char **s)
{
    const char *p = *s;

    if (!digit(*p) || (*p == '0' && digit(p[1])))
        return false;
    while (digit(*p))
        p++;
    *s = p;
    return true;
}

const char *wh_check_version(const char *s)
{
    static const char malformed[] = "must be a SemVer 2.0.0 version such as \"1.3.0\"",
                      letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.";
    const char *p = s;
    size_t n;

    if (!semver_number(&p) || *p++ != '.' || !semver_number(&p) || *p++ != '.' || !semver_number(&p))
        return malformed;
    for (char mark = '-'; mark; mark = mark == '-' ? '+' : '\0') {
        if (*p != mark)
            continue;
        n = strspn(++p, letters);
        if (n == 0 || p[0] == '.' || p[n - 1] == '.' || memmem(p, n, "..", 2))
            return malformed;
        p += n;
    }
    if (*p)
        return malformed;
    /* Drafts before 1.0 are what the specification's own examples carry. */
    if ((s[0] != '0' && s[0] != '1') || s[1] != '.')
        return "unsupported version: only version 1 of the specification is known";
    return NULL;
}

const char *wh_check_abspath(const char *s)
{
    return !*s ? "must not be empty" : *s != '/' ? "must be an absolute path" : NULL;
}

const char *wh_check_cwd(const char *s)
{
    return !*s ? "Cwd property must not be empty" : *s != '/' ? "Cwd must be an absolute path" : NULL;
}

const char *wh_check_env(const char *s)
{
    const char *eq = strchr(s, '=');

    return !eq       ? "invalid environment variable: missing '='"
           : eq == s ? "invalid environment variable: name cannot be empty"
                     : NULL;
}

const char *wh_check_key(const char *s)
{
    return *s ? NULL : "must not have an empty name";
}

const char *wh_check_sysctl(const char *s)
{
    static const char bad[] = "must be named by a sysctl such as \"net.ipv4.ip_forward\" or \"net/ipv4/ip_forward\"";
    const char *part = s;

    /* It becomes a path below /proc/sys: every part must be a name, so that none climbs. Interface names may have dots
     * and are then written with slashes (sysctl.d(5)), so that ".." inside a part between slashes is still a name. */
    for (const char *p = s;; p++) {
        if ((unsigned char)*p < 0x20 ? *p != '\0' : space(*p) || *p == 0x7f)
            return bad;
        if (*p && *p != '.' && *p != '/')
            continue;
        if (p == part)
            return bad;
        if (!*p)
            return strpbrk(s, "./") ? NULL : bad;
        part = p + 1;
    }
}

const char *wh_check_unified(const char *s)
{
    const char *dot = strchr(s, '.');

    return strchr(s, '/') || !dot || dot == s || !dot[1] || strstr(s, "..") || s[strcspn(s, " \t\n")]
               ? "must be named by a file of the cgroup, CONTROLLER.PARAMETER"
               : NULL;
}

/* "0-3,7": the kernel's list format, with the blanks that the specification's pattern allows. */
static bool number_list(const char *s)
{
    for (;;) {
        const char *start;
        uint64_t from = 0, to = 0;

        s += strspn(s, " ");
        for (start = s; digit(*s) && s - start < 10; s++)
            from = from * 10 + (uint64_t)(*s - '0');
        if (s == start)
            return false;
        s += strspn(s, " ");
        if (*s == '-') {
            s += 1 + strspn(s + 1, " ");
            for (start = s; digit(*s) && s - start < 10; s++)
                to = to * 10 + (uint64_t)(*s - '0');
            if (s == start || to < from)
                return false;
            s += strspn(s, " ");
        }
        if (!*s)
            return true;
        if (*s++ != ',')
            return false;
    }
}

const char *wh_check_cpulist(const char *s)
{
    return *s && !number_list(s) ? "must be a list of CPUs such as \"0-3,7\"" : NULL;
}

const char *wh_check_nodelist(const char *s)
{
    return *s && !number_list(s) ? "must be a list of memory nodes such as \"0-1,3\"" : NULL;
}

const char *wh_check_pagesize(const char *s)
{
    size_t n = strspn(s, "0123456789");

    return n == 0 || s[0] == '0' || !s[n] || !strchr("KMG", s[n]) || s[n + 1] != 'B' || s[n + 2]
               ? "must be a page size such as \"64KB\", \"2MB\" or \"1GB\""
               : NULL;
}

const char *wh_check_access(const char *s)
{
    return s[strspn(s, "rwm")] || strlen(s) > 3 ? "must be made of the letters r, w and m" : NULL;
}

const char *wh_check_closid(const char *s)
{
    if (wh_streq(s, "/"))
        return NULL; /* the root group */
    return !*s ? "must not be empty"
           : strchr(s, '/') || wh_streq(s, ".") || wh_streq(s, "..") || s[strcspn(s, "\n")]
               ? "must be the name of a directory of resctrl, or \"/\""
               : NULL;
}

const char *wh_check_membw(const char *s)
{
    return !wh_startswith(s, "MB:") || strchr(s, '\n') ? "must be one line that begins with \"MB:\"" : NULL;
}

/* The kernel's dev_valid_name(); a template may number itself once. */
const char *wh_check_ifname(const char *s)
{
    const char *percent;

    if (!*s || strlen(s) >= IFNAMSIZ || wh_streq(s, ".") || wh_streq(s, ".."))
        return "must be the name of a network interface, 1 to 15 bytes long";
    for (const char *p = s; *p; p++)
        if (*p == '/' || *p == ':' || space(*p))
            return "must be the name of a network interface: no slash, colon or white space";
    percent = strchr(s, '%');
    if (percent && (percent[1] != 'd' || strchr(percent + 1, '%')))
        return "must be the name of a network interface: '%' only in one \"%d\"";
    return NULL;
}
