/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_TEST_CHECK_TESTS_H
#define WH_TEST_CHECK_TESTS_H

/* What tests of `wherry check` have in common: a bundle, a configuration without findings, and one that differs from
 * it in a part. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "abi/machine.h"
#include "api/check.h"
#include "base/fd.h"
#include "tap.h"
#include "wherry.h"

#define NAMESPACES                                                                                                     \
    "\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"network\"},{\"type\":\"mount\"},{\"type\":\"ipc\"},{\"type\":"     \
    "\"uts\"}"                                                                                                         \
    ",{\"type\":\"cgroup\"}]"
#define SECCOMP                                                                                                        \
    "\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[{\"names\":[\"read\",\"execve\"],\"action\":"     \
    "\"SCMP_ACT_ALLOW\"}]}"
#define ARG ",\"args\":[{\"index\":0,\"value\":1,\"op\":\"SCMP_CMP_EQ\"}]"
#define RULES(names0, action0, args0, names1, action1, args1)                                                          \
    NAMESPACES "," RESOURCES "," PATHS "," CGROUP ",\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":["  \
               "{\"names\":[" names0 "],\"action\":\"SCMP_ACT_" action0 "\"" args0 "},"                                \
               "{\"names\":[" names1 "],\"action\":\"SCMP_ACT_" action1 "\"" args1 "}]}"
#define RESOURCES "\"resources\":{\"pids\":{\"limit\":99}}"
#define PATHS "\"maskedPaths\":[\"/proc/kcore\"],\"readonlyPaths\":[\"/proc/sys\",\"/proc/sysrq-trigger\"]"
#define CGROUP_NAME "wherry-unit-00000"
#define CGROUP "\"cgroupsPath\":\"/" CGROUP_NAME "\""
#define USER "\"user\":{\"uid\":1000,\"gid\":1000}"
#define NNP "\"noNewPrivileges\":true"
#define ARGS "\"args\":[\"/bin/prog\"]"
#define PROC "{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\"}"
#define ROOT "\"path\":\"rootfs\",\"readonly\":true"
#define CAPS(sets) USER "," NNP "," ARGS ",\"capabilities\":{" sets "}"
#define DEVICES(rules)                                                                                                 \
    NAMESPACES "," SECCOMP "," PATHS "," CGROUP ",\"resources\":{\"pids\":{\"limit\":9},\"devices\":[" rules "]}"
#define MOUNT(dst, type, src, options)                                                                                 \
    PROC ",{\"destination\":\"" dst "\",\"type\":\"" type "\",\"source\":\"" src "\",\"options\":[" options "]}"

/* The other names are nobody's misspelling. */
#define ANNOTATION(name)                                                                                               \
    ",\"annotations\":{\"io.kubernetes.cri.container-name\":\"x\",\"org.other.init\":\"x\",\"run.oci.hooks.stdout\":"  \
    "\"/dev/null\",\"" name "\":\"\"}"

#define PROGRAM(name) USER "," NNP ",\"args\":[\"/bin/" name "\"]"
#define LINUX(more) NAMESPACES "," SECCOMP "," RESOURCES "," PATHS "," CGROUP "," more

/* What is null is as in a configuration without findings. */
struct test {
    enum wh_check check;
    const char *pointer; /* null: no place */
    const char *message; /* part of it */
    const char *process, *mounts, *linux_, *root, *top;
    int others; /* findings that come with it */
};

static char bundle[64], cgroup_name[] = CGROUP_NAME;
static bool seen[WH_CHECK_MAX];

static char *configuration(const struct test *t)
{
    static char buf[8192];

    snprintf(buf, sizeof buf,
             "{\"ociVersion\":\"1.0.2\",\"root\":{%s},\n\"process\":{%s%s},\n\"mounts\":[%s],\n\"linux\":{%s}%s}",
             t->root ? t->root : ROOT, t->process && strstr(t->process, "\"cwd\"") ? "" : "\"cwd\":\"/\",",
             t->process ? t->process : USER "," NNP "," ARGS, t->mounts ? t->mounts : PROC,
             t->linux_ ? t->linux_ : NAMESPACES "," SECCOMP "," RESOURCES "," PATHS "," CGROUP, t->top ? t->top : "");
    /* A cgroup that no other run of this test has. */
    char *name = strstr(buf, CGROUP_NAME);

    if (name)
        memcpy(name, cgroup_name, strlen(cgroup_name));
    return buf;
}

static int check(const char *config, uint32_t flags, enum wherry_cgroup_manager manager, char **ret)
{
    struct wherry_ctx_opts copts = { .size = sizeof copts, .root = bundle, .cgroup_manager = manager };
    struct wherry_create_opts opts = {
        .size = sizeof opts, .bundle = bundle, .config_data = config, .config_len = config ? strlen(config) : 0
    };
    wherry_error *error = NULL;
    wherry_ctx *ctx;
    int worst = -1;

    *ret = NULL;
    if (wherry_ctx_new(&copts, &ctx, NULL) < 0)
        return -1;
    if (wherry_check(ctx, &opts, flags, ret, &worst, &error) < 0)
        diag("%s", wherry_error_text(error));
    wherry_error_free(error);
    wherry_ctx_free(ctx);
    return worst;
}

static unsigned count(const char *text, const char *part)
{
    unsigned n = 0;

    for (const char *p = text; (p = strstr(p, part)) != NULL; p += strlen(part))
        n++;
    return n;
}

/* The finding is in the text report, at its place; `others` more are, any number when negative. */
static void has_finding(const char *report, enum wh_check c, const char *pointer, const char *message, int others)
{
    const struct wh_check_info *info = &wh_check_infos[c];
    static const char *const names[] = { "note", "warning", "error" };
    char want[512];
    bool good = false;

    for (const char *line = report; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        char copy[1024];

        snprintf(copy, sizeof copy, "%.*s", (int)strcspn(line, "\n"), line);
        snprintf(want, sizeof want, ": %s: %s%s", names[info->severity], pointer ? pointer : "", pointer ? ": " : "");
        if (!strstr(copy, want) || !strstr(copy, message))
            continue;
        snprintf(want, sizeof want, " [%s]", info->id);
        good = good || (strlen(copy) > strlen(want) && strcmp(copy + strlen(copy) - strlen(want), want) == 0);
    }
    if (!ok(good, "%s: %s", info->id, message) ||
        (others >= 0 && !is_int(count(report, "    why: "), 1 + others, "and %d more", others)))
        diag("report: %s", report);
    if (good)
        seen[c] = true;
}

static void test_table(const struct test *tests, size_t n)
{
    char *report;

    for (size_t i = 0; i < n; i++) {
        const struct test *t = &tests[i];
        int worst = check(configuration(t), 0, WHERRY_CGROUP_CGROUPFS, &report);

        if (!report) {
            fail_test("no report");
            continue;
        }
        has_finding(report, t->check, t->pointer, t->message, t->others);
        ok(worst >= (int)wh_check_infos[t->check].severity &&
               (t->others || worst == (int)wh_check_infos[t->check].severity),
           "exit status %d", worst);
        wherry_free(report);
    }
}

static void put(const char *name, mode_t mode)
{
    char path[128];
    int fd;

    snprintf(path, sizeof path, "%s/%s", bundle, name);
    if (S_ISDIR(mode)) {
        mkdir(path, 0755);
        return;
    }
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, mode);
    fchmod(fd, mode);
    close(fd);
}

static void put_text(const char *name, const void *text, size_t len)
{
    char path[128];
    int fd;

    snprintf(path, sizeof path, "%s/rootfs/bin/%s", bundle, name);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
    if (write(fd, text, len) != (ssize_t)len)
        diag("cannot write %s", path);
    fchmod(fd, 0755);
    close(fd);
}

/* As much of them as execve(2) reads before it starts anything. */
static void put_programs(void)
{
    static const char *const scripts[][2] = {
        { "script", "#! /bin/none -x\n" },
        { "nested", "#!/bin/script\n" },
        { "closed", "#!/bin/data\n" },
        { "crlf", "#!/bin/prog\r\nexit\r\n" },
        { "crlf-arg", "#!/bin/prog -e\r\n" },
        { "crlf-bare", "#! \r\nexit\r\n" },
        { "run-by-dir", "#!/bin\n" },
        { "text", "exit 0\n" },
        { "empty", "" },
    };
    struct {
        Elf64_Ehdr h;
        Elf64_Phdr p;
        char loader[16];
    } elf = { .h = { .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, WH_MACHINE_DATA, EV_CURRENT },
                     .e_type = ET_EXEC,
                     .e_machine = WH_MACHINE,
                     .e_phoff = sizeof(Elf64_Ehdr),
                     .e_phentsize = sizeof(Elf64_Phdr) },
              .p = { .p_type = PT_INTERP, .p_offset = sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr), .p_filesz = 16 },
              .loader = "/lib/ld-none.so" };

    for (size_t i = 0; i < WH_ELEMENTSOF(scripts); i++)
        put_text(scripts[i][0], scripts[i][1], strlen(scripts[i][1]));
    put_text("prog", &elf, sizeof elf);
    elf.h.e_phnum = 1;
    put_text("loaded", &elf, sizeof elf);
    elf.h.e_machine = EM_VAX;
    put_text("foreign", &elf, sizeof elf);
}

static bool make_bundle(void)
{
    char path[128];

    snprintf(cgroup_name, sizeof cgroup_name, "wherry-unit-%05u", (unsigned)getpid() % 100000);
    snprintf(bundle, sizeof bundle, "/tmp/wherry-check-XXXXXX");
    if (!mkdtemp(bundle)) {
        bail_out("no temporary directory");
        return false;
    }
    put("file", 0644);
    put("rootfs", S_IFDIR);
    put("rootfs/bin", S_IFDIR);
    put_programs();
    put("rootfs/bin/data", 0644);
    snprintf(path, sizeof path, "%s/rootfs/escape", bundle);
    if (symlink("/../../../../../../../bin", path) < 0)
        diag("no symlink");
    return true;
}

#endif
