/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Every string that the kernel takes up to a length: one of that length is compiled, one more byte is refused, with place, length and limit. */
#include <errno.h>
#include <stdlib.h>

#include "plan/compile-resources.h"

#include "tap.h"

#define PATH_BYTES 4095
#define NAME_BYTES 255
#define ARG_BYTES 131071

static const struct wh_facts facts = {
    .feat = WH_FEAT_KEYRINGS | WH_FEAT_SECCOMP | WH_FEAT_SECCOMP_NOTIFY | WH_FEAT_CGROUP_BPF | WH_FEAT_CGROUP_WRITABLE |
            WH_FEAT_APPARMOR | WH_FEAT_SELINUX,
    .last_cap = 40,
    .own_caps = (UINT64_C(1) << 41) - 1,
    .seccomp_api = 6,
    .cgroup_mode = WH_CGROUP_UNIFIED,
    .may_mknod = true,
    .cgroup2_mount = "/sys/fs/cgroup",
    .cgroup2_own = "/",
    .cgroup2_controllers = "cpuset cpu memory pids",
};
static const uint64_t filter[4];
static const struct wh_request request = {
    .verb = WH_VERB_CREATE, .id = "box", .bundle = "/bundle", .seccomp_bpf = filter, .seccomp_bpf_len = sizeof filter
};

/* %s: the string under test. */
#define TOP "{\"ociVersion\":\"1.2.0\","
#define ROOT "\"root\":{\"path\":\"r\"},"
#define PROC(more) "\"process\":{\"args\":[\"/x\"],\"cwd\":\"/\",\"user\":{\"uid\":0,\"gid\":0}" more "}"
#define NS "\"namespaces\":[{\"type\":\"mount\"},{\"type\":\"uts\"},{\"type\":\"network\"},{\"type\":\"cgroup\"}]"
#define LINUX(more) "\"linux\":{" NS more "}"
#define LIST(more) TOP ROOT PROC("") "," LINUX(",\"" more "\":[\"%s\"]") "}"

static const struct limit {
    const char *pointer, *json;
    const char *head, *fill; /* the string: head, and then fill repeated */
    size_t max;
    const char *what; /* of the message, before the length; null: "is" */
} limits[] = {
    { "/root/path", TOP "\"root\":{\"path\":\"%s\"}," PROC("") "," LINUX("") "}", "/r", "/r", PATH_BYTES, NULL },
    { "/hostname", TOP ROOT PROC("") ",\"hostname\":\"%s\"," LINUX("") "}", "", "h", 64, NULL },
    { "/domainname", TOP ROOT PROC("") ",\"domainname\":\"%s\"," LINUX("") "}", "", "d", 64, NULL },
    { "/process/cwd",
      TOP ROOT "\"process\":{\"args\":[\"/x\"],\"cwd\":\"%s\",\"user\":{\"uid\":0,\"gid\":0}}," LINUX("") "}", "/c",
      "/c", PATH_BYTES, NULL },
    { "/process/args/0",
      TOP ROOT "\"process\":{\"args\":[\"%s\"],\"cwd\":\"/\",\"user\":{\"uid\":0,\"gid\":0}}," LINUX("") "}", "/a",
      "/a", PATH_BYTES, "exec: \"/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a...\" is" },
    { "/process/args/0",
      TOP ROOT
      "\"process\":{\"args\":[\"%s\"],\"env\":[\"PATH=/bin\"],\"cwd\":\"/\",\"user\":{\"uid\":0,\"gid\":0}}," LINUX(
          "") "}",
      "", "a", NAME_BYTES, "exec: \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...\" is" },
    { "/process/args/1",
      TOP ROOT "\"process\":{\"args\":[\"/x\",\"%s\"],\"cwd\":\"/\",\"user\":{\"uid\":0,\"gid\":0}}," LINUX("") "}", "",
      "a", ARG_BYTES, "the argument \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...\" is" },
    { "/process/env/0", TOP ROOT PROC(",\"env\":[\"%s\"]") "," LINUX("") "}", "SECRET=", "e", ARG_BYTES,
      "the environment variable \"SECRET...\" is" },
    { "/process/apparmorProfile", TOP ROOT PROC(",\"apparmorProfile\":\"%s\"") "," LINUX("") "}", "", "a",
      PATH_BYTES - sizeof "exec", NULL },
    { "/process/selinuxLabel", TOP ROOT PROC(",\"selinuxLabel\":\"%s\"") "," LINUX("") "}", "", "s", PATH_BYTES, NULL },
    { "/mounts/0/destination",
      TOP ROOT PROC("") ",\"mounts\":[{\"destination\":\"%s\",\"type\":\"tmpfs\"}]," LINUX("") "}", "/d", "/d",
      PATH_BYTES, NULL },
    { "/mounts/0/source",
      TOP ROOT PROC("") ",\"mounts\":[{\"destination\":\"/d\",\"source\":\"%s\",\"options\":[\"bind\"]}]," LINUX(
          "") "}",
      "/s", "/s", PATH_BYTES, NULL },
    { "/mounts/0/source",
      TOP ROOT PROC("") ",\"mounts\":[{\"destination\":\"/d\",\"type\":\"ext4\",\"source\":\"%s\"}]," LINUX("") "}",
      "/s", "/s", NAME_BYTES, NULL },
    { "/mounts/0/type",
      TOP ROOT PROC("") ",\"mounts\":[{\"destination\":\"/d\",\"type\":\"%s\",\"source\":\"s\"}]," LINUX("") "}", "",
      "t", PATH_BYTES, NULL },
    { "/hooks/poststop/0/path", TOP ROOT PROC("") ",\"hooks\":{\"poststop\":[{\"path\":\"%s\"}]}," LINUX("") "}", "/h",
      "/h", PATH_BYTES, NULL },
    { "/hooks/prestart/0/args/1",
      TOP ROOT PROC("") ",\"hooks\":{\"prestart\":[{\"path\":\"/h\",\"args\":[\"h\",\"%s\"]}]}," LINUX("") "}", "", "a",
      ARG_BYTES, "the argument \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...\" is" },
    { "/hooks/prestart/0/env/0",
      TOP ROOT PROC("") ",\"hooks\":{\"prestart\":[{\"path\":\"/h\",\"env\":[\"%s\"]}]}," LINUX("") "}", "A=", "a",
      ARG_BYTES, "the environment variable \"A...\" is" },
    { "/linux/namespaces/1/path",
      TOP ROOT PROC("") ",\"linux\":{\"namespaces\":[{\"type\":\"mount\"},{\"type\":\"ipc\",\"path\":\"%s\"}]}}", "/n",
      "/n", PATH_BYTES, NULL },
    { "/linux/devices/0/path", TOP ROOT PROC("") "," LINUX(",\"devices\":[{\"type\":\"p\",\"path\":\"%s\"}]") "}", "/d",
      "/d", PATH_BYTES, NULL },
    { "/linux/cgroupsPath", TOP ROOT PROC("") "," LINUX(",\"cgroupsPath\":\"%s\"") "}", "/c", "/c", PATH_BYTES, NULL },
    { "/linux/cgroupsPath", TOP ROOT PROC("") "," LINUX(",\"cgroupsPath\":\"%s\"") "}", "/", "c", NAME_BYTES + 1,
      "cgroupsPath has a name that is" },
    { "/linux/mountLabel", TOP ROOT PROC("") "," LINUX(",\"mountLabel\":\"%s\"") "}", "", "l", 255, NULL },
    { "/linux/maskedPaths/0", LIST("maskedPaths"), "/m", "/m", PATH_BYTES, NULL },
    { "/linux/readonlyPaths/0", LIST("readonlyPaths"), "/r", "/r", PATH_BYTES, NULL },
    { "/linux/sysctl/", TOP ROOT PROC("") "," LINUX(",\"sysctl\":{\"%s\":\"1\"}") "}", "net.", "n",
      PATH_BYTES - sizeof "/proc/sys", "has a name that is" },
    { "/linux/resources/unified/", TOP ROOT PROC("") "," LINUX(",\"resources\":{\"unified\":{\"%s\":\"1\"}}") "}",
      "memory.", "m", NAME_BYTES, "has a name that is" },
    { "/linux/resources/unified/memory.high",
      TOP ROOT PROC("") "," LINUX(",\"resources\":{\"unified\":{\"memory.high\":\"%s\"}}") "}", "", "1", PATH_BYTES,
      "\"1111111111111111111111111111111111111111...\" is" },
    { "/linux/resources/cpu/cpus", TOP ROOT PROC("") "," LINUX(",\"resources\":{\"cpu\":{\"cpus\":\"%s\"}}") "}", "0",
      ",1", PATH_BYTES, NULL },
    { "/linux/resources/cpu/mems", TOP ROOT PROC("") "," LINUX(",\"resources\":{\"cpu\":{\"mems\":\"%s\"}}") "}", "0",
      ",1", PATH_BYTES, NULL },
    { "/linux/seccomp/listenerPath",
      TOP ROOT PROC("") "," LINUX(",\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"listenerPath\":\"%s\"}") "}",
      "/l", "/l", PATH_BYTES, NULL },
    { "/linux/intelRdt/closID", TOP ROOT PROC("") "," LINUX(",\"intelRdt\":{\"closID\":\"%s\"}") "}", "", "c",
      NAME_BYTES, NULL },
    { "/linux/intelRdt/l3CacheSchema", TOP ROOT PROC("") "," LINUX(",\"intelRdt\":{\"l3CacheSchema\":\"%s\"}") "}",
      "L3:", "0", PATH_BYTES, NULL },
    { "/linux/intelRdt/memBwSchema", TOP ROOT PROC("") "," LINUX(",\"intelRdt\":{\"memBwSchema\":\"%s\"}") "}",
      "MB:", "0", PATH_BYTES, NULL },
    { "/linux/intelRdt/schemata/0", TOP ROOT PROC("") "," LINUX(",\"intelRdt\":{\"schemata\":[\"%s\"]}") "}",
      "L3:", "0", PATH_BYTES, NULL },
};

/* Head and as much of fill as makes `len` bytes; the last part may be cut. */
static char *text_of(const struct limit *l, size_t len)
{
    char *s = malloc(len + 1);
    size_t n = strlen(l->head), fill = strlen(l->fill);

    if (!s)
        abort();
    memcpy(s, l->head, n < len ? n : len);
    for (size_t i = n; i < len; i++)
        s[i] = l->fill[(i - n) % fill];
    /* Neither "/" nor "," may be the last. */
    if (s[len - 1] == '/' || s[len - 1] == ',')
        s[len - 1] = l->head[0] == '0' ? '1' : s[1];
    s[len] = '\0';
    return s;
}

static int run(const char *json, const struct wh_request *req, struct wh_errlist *errs)
{
    WH_CLEANUP_ARENA struct wh_arena *arena = wh_arena_new();
    WH_CLEANUP_SPEC struct wh_spec *s = NULL;
    const struct wh_plan *plan = NULL;
    int r;

    *errs = (struct wh_errlist){ 0 };
    r = wh_spec_parse(json, strlen(json), "config.json", 0, &s, errs);
    return r < 0 ? r : wh_compile(s, req, &facts, arena, &plan, errs);
}

static int run_at(const struct limit *l, size_t len, struct wh_errlist *errs)
{
    WH_CLEANUP_BUF struct wh_buf json = { 0 };
    const char *at = strstr(l->json, "%s");
    char *s = text_of(l, len);
    int r;

    wh_buf_add(&json, l->json, (size_t)(at - l->json));
    wh_buf_puts(&json, s);
    wh_buf_puts(&json, at + 2);
    free(s);
    r = run(json.data, &request, errs);
    return r;
}

static void one(const struct limit *l)
{
    static struct wh_errlist errs;
    char want[200];
    const char *path;

    /* Of this one the mount point has a part: together(). */
    if (!wh_streq(l->pointer, "/linux/cgroupsPath") &&
        !ok(run_at(l, l->max, &errs) == 0, "%s: %zu bytes", l->pointer, l->max))
        diag("  %s: %s", errs.e[0].path, errs.e[0].msg);
    is_int(run_at(l, l->max + 1, &errs), -EINVAL, "%s: one more", l->pointer);
    path = strstr(errs.e[0].path, ": /");
    ok(path && wh_startswith(path + 2, l->pointer), "%s: at its place", l->pointer);
    /* Of a name in a path, the path has one byte more. */
    snprintf(want, sizeof want, "%s %zu bytes long, and ", l->what ? l->what : "is",
             l->max + 1 - (l->max == NAME_BYTES + 1));
    has_str(errs.e[0].msg, want, "%s: with its length", l->pointer);
    snprintf(want, sizeof want, "takes at most %zu", l->max - (l->max == NAME_BYTES + 1));
    has_str(errs.e[0].msg, want, "%s: and the limit", l->pointer);
}

/* ---------------------------------------------------------------- what is put together, or comes from the command line */

static const char plain[] = TOP ROOT PROC(",\"env\":[\"PATH=/bin\"]") "," LINUX("") "}";

static void together(void)
{
    static struct wh_errlist errs;
    static char bundle[PATH_BYTES + 1] = "/", source[PATH_BYTES * 2];
    struct wh_request req = request;

    memset(bundle + 1, 'b', sizeof bundle - 2);
    req.bundle = bundle;
    snprintf(source, sizeof source,
             TOP ROOT PROC("") ",\"mounts\":[{\"destination\":\"/d\",\"source\":\"s\",\"options\":[\"bind\"]}]," LINUX(
                 "") "}");
    is_int(run(source, &req, &errs), -EINVAL, "a source that is too long below the bundle");
    has_str(errs.e[0].path, ": /mounts/0", "the mount is named");
    has_str(errs.e[0].msg, "...\" is 4097 bytes long, and the kernel takes at most 4095", "with length and limit");
    snprintf(source, sizeof source, TOP ROOT PROC("") "," LINUX(",\"cgroupsPath\":\"/%s\"") "}", "");
    for (size_t i = 0, n = strlen(source) - 3; i < 4082; i++, n++)
        memcpy(source + n, i % 2 ? "/\"}}" : "c\"}}", 5);
    is_int(run(source, &request, &errs), -EINVAL, "a cgroup that is too long below the mount");
    has_str(errs.e[0].path, ": /linux/cgroupsPath", "its place is named");
    has_str(errs.e[0].msg, "cgroupsPath is 4082 bytes long, and below /sys/fs/cgroup the kernel takes at most 4081",
            "with length and limit");
}

static void exec_words(void)
{
    static struct wh_errlist errs;
    static char path[PATH_BYTES + 2] = "/", arg[ARG_BYTES + 2], var[ARG_BYTES + 2] = "A=";
    const char *args[] = { "/x", arg }, *env[] = { var };
    struct wh_exec_request exec = { .cwd = path, .join = 1 << 17 };
    struct wh_request req = { .verb = WH_VERB_EXEC, .id = "box", .bundle = "/bundle", .exec = &exec };

    memset(path + 1, 'c', sizeof path - 2);
    memset(arg, 'a', sizeof arg - 1);
    memset(var + 2, 'v', sizeof var - 3);
    is_int(run(plain, &req, &errs), -EINVAL, "exec --cwd");
    has_str(errs.e[0].msg, "...\" is 4096 bytes long, and the kernel takes at most 4095", "is refused");
    exec.cwd = NULL;
    exec.args = args;
    exec.nargs = 2;
    is_int(run(plain, &req, &errs), -EINVAL, "an argument of exec");
    has_str(errs.e[0].msg, "is 131072 bytes long, and the kernel takes at most 131071", "is refused");
    exec.nargs = 0;
    exec.env = env;
    exec.nenv = 1;
    is_int(run(plain, &req, &errs), -EINVAL, "exec --env");
    has_str(errs.e[0].msg, "the environment variable \"A...\" is 131072 bytes long", "is refused");
    exec.nenv = 0;
    exec.apparmor_profile = path;
    is_int(run(plain, &req, &errs), -EINVAL, "exec --apparmor");
    has_str(errs.e[0].msg, "is 4101 bytes long, and the kernel takes at most 4095", "is refused");
    exec.apparmor_profile = NULL;
    is_int(run(plain, &req, &errs), 0, "without them it is compiled");
}

int main(void)
{
    for (size_t i = 0; i < WH_ELEMENTSOF(limits); i++)
        one(&limits[i]);
    together();
    exec_words();
    return done_testing();
}
