/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The base floor: errors, text, numbers, time, files. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/str.h"
#include "tap.h"

static void test_one_line(void)
{
    struct wh_err e = { 0 };
    char longest[2 * sizeof e.msg];

    wh_err_set(&e, WH_ERR_SPEC, -EINVAL, NULL, "name \"a\nb\t\033[2J\177\" is bad");
    is_str(e.msg, "name \"a\\x0ab\\x09\\x1b[2J\\x7f\" is bad", "control bytes of a name stay text");
    e = (struct wh_err){ 0 };
    wh_err_sys(&e, -ENOENT, "open /a\nb");
    is_str(e.msg, "open /a\\x0ab: no such file or directory", "also before the words of an errno");
    e = (struct wh_err){ 0 };
    memset(longest, 1, sizeof longest);
    longest[sizeof longest - 1] = '\0';
    wh_err_set(&e, WH_ERR_SPEC, -EINVAL, NULL, "%s", longest);
    ok(strlen(e.msg) < sizeof e.msg && strlen(e.msg) > sizeof e.msg / 2 && strncmp(e.msg, "\\x01\\x01", 8) == 0,
       "one that does not fit is cut off");
}

static void test_err(void)
{
    struct wh_err e = { 0 };
    struct wh_errlist list = { 0 };
    char text[1200], words[WH_ERRTEXT_SIZE];

    is_int(wh_err_sys(&e, -ENOENT, "open %s", "/x"), -ENOENT, "an error returns its code");
    is_str(e.msg, "open /x: no such file or directory", "errno words as Go prints them");
    wh_err_set(&e, WH_ERR_SPEC, -EINVAL, "config.json:1:2: /a", "second");
    is_str(e.msg, "open /x: no such file or directory", "the first error wins");
    wh_err_prefix(&e, "exec failed");
    is_str(wh_err_text(&e, text, sizeof text), "exec failed: open /x: no such file or directory", "one prefix");
    is_str(wh_errno_words(ESRCH, words), "no such process", "ESRCH");
    is_str(wh_errno_words(EISDIR, words), "is a directory", "EISDIR");
    is_str(wh_errno_words(4095, words), "errno 4095", "a number without words");
    is_str(wh_errno_name(EPERM), "EPERM", "name");
    e = (struct wh_err){ 0 };
    wh_err_set(&e, WH_ERR_SPEC, -EINVAL, "config.json:1:2: /a", "bad");
    is_str(wh_err_text(&e, text, sizeof text), "config.json:1:2: /a: bad", "the place comes first");
    for (int i = 0; i < 25; i++)
        wh_errlist_next(&list);
    ok(list.n == WH_ERRLIST_MAX && list.dropped == 5, "20 errors are kept, the rest counted");
}

static void test_text(void)
{
    WH_CLEANUP_BUF struct wh_buf b = { 0 };
    uint64_t v = 7;

    wh_buf_puts(&b, "a");
    wh_buf_printf(&b, "%d", 42);
    wh_buf_escape(&b, "\n\t\x01\\\"", true);
    is_str(b.data, "a42\\n\\t\\x01\\\\\\\"", "control bytes are escaped");
    is_int(wh_parse_u64("18446744073709551615", UINT64_MAX, &v), 0, "the largest number");
    ok(v == UINT64_MAX, "and its value");
    is_int(wh_parse_u64("18446744073709551616", UINT64_MAX, &v), -ERANGE, "one more");
    is_int(wh_parse_u64("256", 255, &v), -ERANGE, "more than allowed");
    is_int(wh_parse_u64("", 9, &v), -EINVAL, "nothing");
    is_int(wh_parse_u64("+1", 9, &v), -EINVAL, "a sign");
    is_int(wh_parse_u64("1 ", 9, &v), -EINVAL, "a blank behind");
    is_int(wh_parse_u64_front("12 34", 99, &v), 0, "digits with something behind them");
    is_u64(v, 12, "their value");
    is_int(wh_parse_u64_front("99999999999999999999 ", UINT64_MAX, &v), -ERANGE, "too many digits");
    is_int(wh_parse_u64_front("2147483648\n", INT32_MAX, &v), -ERANGE, "more than allowed");
    is_int(wh_parse_u64_front("-1", 9, &v), -EINVAL, "a sign");
    is_int(wh_parse_u64_front("", 9, &v), -EINVAL, "nothing");
    is_int(wh_edit_distance("destinaton", "destination"), 1, "one letter");
    is_int(wh_edit_distance("", "abc"), 3, "from nothing");
}

static void test_octal(void)
{
    static const struct {
        const char *text, *want, *what;
    } t[] = {
        { "/a\\040b\\011c\\134d", "/a b\tc\\d", "blank, tab and backslash" },
        { "\\377\\400\\777", "\377\\400\\777", "no more than a byte" },
        { "\\!!!\\08x\\1", "\\!!!\\08x\\1", "what is no octal number stays" },
        { "\\04", "\\04", "also at the end" },
        { "", "", "nothing" },
    };

    for (size_t i = 0; i < WH_ELEMENTSOF(t); i++) {
        char buf[64];

        snprintf(buf, sizeof buf, "%s", t[i].text);
        wh_unescape_octal(buf);
        is_str(buf, t[i].want, "octal escapes: %s", t[i].what);
    }
}

static void test_time(void)
{
    static const int64_t seconds[] = { 0, 951782400, 951868799, 1709164800, 4102444799, -1, 1798761599, 253402300799 };
    char buf[WH_UTC_SIZE], want[WH_UTC_SIZE];
    unsigned wrong = 0;

    is_str(wh_utc_text(951782400, 5, buf), "2000-02-29T00:00:00.000000005Z", "a leap day of a century");
    is_str(wh_utc_text(-1, 0, buf), "1969-12-31T23:59:59.000000000Z", "before 1970");
    for (size_t i = 0; i < WH_ELEMENTSOF(seconds) + 4000; i++) {
        time_t t = i < WH_ELEMENTSOF(seconds) ? seconds[i] : (time_t)(i * 86400 * 23 + i * 977);
        struct tm tm;

        gmtime_r(&t, &tm);
        strftime(want, sizeof want, "%Y-%m-%dT%H:%M:%S.000000000Z", &tm);
        wrong += strcmp(wh_utc_text(t, 0, buf), want) != 0;
    }
    is_int(wrong, 0, "gmtime(3) says the same of 250 years");
}

static void test_arena(void)
{
    WH_CLEANUP_ARENA struct wh_arena *a = wh_arena_new();
    char *s = wh_arena_strndup(a, "hello world", 5), *big = wh_arena_alloc(a, 3u << 20);

    is_str(s, "hello", "a copy of a part");
    ok(big && big[0] == 0 && big[(3u << 20) - 1] == 0, "a large block, zeroed");
    ok(((uintptr_t)wh_arena_alloc(a, 1) & 15) == 0, "aligned");
    is_str(wh_arena_printf(a, "%s-%d", s, 3), "hello-3", "formatted");
    ok(!wh_arena_failed(a), "nothing failed so far");
    ok(!wh_arena_array(a, SIZE_MAX / 2, 3) && wh_arena_failed(a), "an overflow fails");
    ok(!wh_arena_alloc(a, 1), "and so does everything after it");
}

static void test_files(void)
{
    char dir[] = "/tmp/wherry-base.XXXXXX", buf[64];
    struct stat st;
    int fd;

    if (!mkdtemp(dir))
        exit(1);
    fd = openat(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    umask(0477);
    is_int(wh_replace_at(fd, "private", "x", 1, 0600), 0, "a private file");
    ok(fstatat(fd, "private", &st, 0) == 0 && (st.st_mode & 0777) == 0600, "its mode whatever the umask");
    umask(027);
    is_int(wh_replace_at(fd, "a", "one", 3, 0666), 0, "a file for others, too");
    ok(fstatat(fd, "a", &st, 0) == 0 && (st.st_mode & 0777) == 0640, "its mode less the umask");
    umask(077);
    if (symlinkat("a", fd, "link") < 0)
        exit(1);
    is_int(wh_replace_at(fd, "link", "two", 3, 0600), 0, "over a symlink");
    is_int(wh_read_at(fd, "a", buf, 10), 3, "what it pointed to");
    is_str(buf, "one", "is as it was");
    is_int(wh_read_at(fd, "link", buf, 3), 3, "exactly as long as the buffer");
    is_int(wh_read_at(fd, "link", buf, 2), -EFBIG, "longer than the buffer");
    is_int(wh_read_at(fd, "none", buf, 2), -ENOENT, "not there");
    is_int(wh_openat2(fd, "../..", O_PATH, 0, 0x08 /* RESOLVE_BENEATH */), -EXDEV, "resolution stays beneath");
    mkdirat(fd, "tree", 0700);
    mkdirat(fd, "tree/sub", 0700);
    wh_replace_at(fd, "tree/sub/file", "x", 1, 0600);
    if (symlinkat("../../a", fd, "tree/sub/out") < 0)
        exit(1);
    is_int(wh_remove_tree_at(fd, "tree"), 0, "a tree goes");
    ok(faccessat(fd, "tree", F_OK, 0) < 0 && faccessat(fd, "a", F_OK, 0) == 0, "and nothing that it pointed to");
    is_int(wh_remove_tree_at(fd, "tree"), 0, "a missing one is gone already");
    wh_close(fd);
    is_int(wh_remove_tree_at(AT_FDCWD, dir), 0, "all of it");
}

static void test_duration(void)
{
    static const struct {
        const char *text;
        int r;
        uint64_t ns;
    } t[] = { { "5s", 0, 5000000000 },
              { "1m30s", 0, 90000000000 },
              { "1.5h", 0, 5400000000000 },
              { "100ms", 0, 100000000 },
              { "7us", 0, 7000 },
              { "7\xc2\xb5s", 0, 7000 },
              { "1ns", 0, 1 },
              { ".5s", 0, 500000000 },
              { "5.s", 0, 5000000000 },
              { "0.1234567891s", 0, 123456789 },
              { "0", 0, 0 },
              { "0s", 0, 0 },
              { "", -EINVAL, 0 },
              { "5", -EINVAL, 0 },
              { "s", -EINVAL, 0 },
              { ".s", -EINVAL, 0 },
              { "-5s", -EINVAL, 0 },
              { "+5s", -EINVAL, 0 },
              { "5 s", -EINVAL, 0 },
              { "5d", -EINVAL, 0 },
              { "5s ", -EINVAL, 0 },
              { "5s3", -EINVAL, 0 },
              { "1e3s", -EINVAL, 0 },
              { "99999999999999999999s", -ERANGE, 0 },
              { "18446744074s", -ERANGE, 0 },
              { "18446744073s999ms", -ERANGE, 0 },
              { "5124096h", -ERANGE, 0 } };

    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        uint64_t ns = 1;

        is_int(wh_parse_duration(t[i].text, &ns), t[i].r, "duration \"%s\"", t[i].text);
        if (t[i].r == 0)
            is_u64(ns, t[i].ns, "in nanoseconds");
    }
}

static void test_absent(void)
{
    ok(wh_streq("a", "a") && !wh_streq("a", "b"), "strings are compared");
    ok(!wh_streq(NULL, "") && !wh_streq("", NULL) && !wh_streq(NULL, "a"), "an absent string equals none");
    ok(!wh_startswith(NULL, "") && wh_startswith("ab", "a"), "and begins with nothing");
}

/* No descriptor of ours is open in a program that is executed, and a file that could not be replaced leaves nothing. */
static void test_descriptors(void)
{
    const char *tmp = getenv("TMPDIR");
    char path[128], name[64];
    int dir, fd;

    snprintf(path, sizeof path, "%.60s/wherry-base-%d", tmp ? tmp : "/tmp", (int)getpid());
    mkdirat(AT_FDCWD, path, 0700);
    dir = wh_openat2(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0, 0);
    ok(dir >= 0 && (fcntl(dir, F_GETFD) & FD_CLOEXEC), "what wh_openat2 opens is closed by execve");
    mkdirat(dir, "taken", 0700);
    is_int(wh_replace_at(dir, "taken", "x", 1, 0600), -EISDIR, "a directory is not replaced");
    snprintf(name, sizeof name, ".taken.%d~", (int)getpid());
    fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
    ok(fd < 0 && errno == ENOENT, "and no temporary file is left");
    wh_close(fd);
    wh_close(dir);
    wh_remove_tree_at(AT_FDCWD, path);
}

int main(void)
{
    test_descriptors();
    test_absent();
    test_duration();
    test_one_line();
    test_err();
    test_text();
    test_octal();
    test_time();
    test_arena();
    test_files();
    return done_testing();
}
