/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "init/ini.h"

/*
 * HOME from the container's /etc/passwd: "name:password:uid:gid:gecos:home:shell". The one parser of init, over a file that
 * the image's author wrote: a state machine over single bytes, with a bound for everything, that reads no database and no
 * locale.
 */

#define PASSWD_MAX (1u << 20)

enum { FIELD_UID = 2, FIELD_HOME = 5 };

bool ini_home_scan(struct ini_home_scan *s, const char *buf, size_t n)
{
    size_t k;

    for (k = 0; k < n; k++) {
        char c = buf[k];

        if (c == ':' || c == '\n') {
            if (s->field == FIELD_UID)
                s->match = s->digits && s->value == s->uid;
            /* A home that is cut short would be another directory. */
            if (s->field == FIELD_HOME && s->match && s->len < INI_HOME_MAX) {
                s->home[s->len] = 0;
                s->found = true;
                return true;
            }
            if (s->field == 0 && !s->len)
                s->field = FIELD_HOME; /* no name: nobody's line */
            s->field++;
            s->len = 0;
            if (c == '\n')
                s->field = s->digits = s->len = 0, s->value = 0, s->match = false;
            continue;
        }
        if (s->field == 0) {
            /* glibc takes these for comments. */
            if (!s->len && c == '#')
                s->field = FIELD_HOME + 1;
            s->len++;
        } else if (s->field == FIELD_UID) {
            if (c < '0' || c > '9' || s->digits >= 10) {
                s->field = FIELD_HOME + 1; /* no number: nothing of this line counts */
                continue;
            }
            s->value = s->value * 10 + (uint64_t)(c - '0');
            s->digits++;
        } else if (s->field == FIELD_HOME && s->match) {
            if (!c)
                s->len = INI_HOME_MAX;
            if (s->len < INI_HOME_MAX)
                s->home[s->len++] = c;
        }
    }
    return false;
}

int op_home(struct ini *i, const struct wh_step_home *s)
{
    struct ini_home_scan scan = { .uid = s->uid, .home = i->home + 5 };
    struct wh_statx st;
    CLEAN_FD fd = -1;
    uint32_t total = 0;
    char buf[512];

    memcpy(i->home, "HOME=", 5);
    i->home_set = true;
    /* A FIFO would hang us and a device have effects: it is looked at before it is opened, and again afterwards. A link is followed, because
     * images of Nix have one; this is the container's root already, and magic links lead nowhere. */
    fd = (int)ini_openat2(AT_FDCWD, "/etc/passwd", O_PATH, WH_RESOLVE_NO_MAGICLINKS);
    if (fd >= 0 && (ini_stat(fd, &st) < 0 || (st.mode & S_IFMT) != S_IFREG)) {
        ini_close(take_fd(&fd));
    } else if (fd >= 0) {
        ini_close(take_fd(&fd));
        fd = (int)ini_openat2(AT_FDCWD, "/etc/passwd", O_RDONLY | O_NONBLOCK | O_NOCTTY, WH_RESOLVE_NO_MAGICLINKS);
    }
    if (fd >= 0 && ini_stat(fd, &st) >= 0 && (st.mode & S_IFMT) == S_IFREG) {
        while (total < PASSWD_MAX) {
            long n = sys_read(fd, buf, sizeof(buf));

            if (n == -EINTR)
                continue;
            if (n <= 0 || ini_home_scan(&scan, buf, (size_t)n))
                break;
            total += (uint32_t)n;
        }
        if (!scan.found && total < PASSWD_MAX)
            ini_home_scan(&scan, "\n", 1); /* a last line without an end */
    }
    if (!scan.found || i->home[5] != '/')
        memcpy(i->home + 5, "/", 2);
    return 0;
}
