/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * golden DIR [NAME…]: plans as text. Each DIR/cases/NAME.case says how a configuration, a host and a request differ from the
 * usual ones; what compile makes of them is compared with DIR/cases/NAME.txt. No root, no system call of the pure floors.
 * UPDATE_GOLDEN=1 writes the expected texts anew: read the diff before it is committed. Prints TAP.
 *
 * A case is lines of KEY VALUE (# begins a comment):
 *   about TEXT              what the case is for
 *   file PATH               a configuration below tests/ instead of template
 *   set NAME [JSON]         text for the place @NAME:…@ of template, instead of what stands there
 *   swap /FROM/TO/          in the configuration, FROM is replaced by TO (any delimiter; FROM must be there)
 *   facts PRESET            rootful (default), rootless, nested, hybrid, hybrid-all, hostile
 *   fact NAME=VALUE         one fact; feat+NAME and feat-NAME for a feature
 *   request NAME=VALUE      one property of the request
 *   process JSON            verb=exec: a process object (--process)
 *   format json             the JSON form
 *   redact                  as it is written to disk
 *   host-lists              of the text, the host lists alone
 */
#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "plan/plan.h"

#include "tap.h"

#define MAX_SETS 32
#define MAX_V1 16

struct set {
    const char *name, *value;
};
struct test {
    char *text; /* the case file, cut into strings in place */
    const char *about, *file, *process;
    struct set sets[MAX_SETS], swaps[MAX_SETS];
    unsigned nsets, nswaps, flags;
    bool host_lists;
    struct wh_facts facts;
    struct wh_request req;
    struct wh_exec_request exec;
    const char *args[8], *env[8];
    struct wh_v1_hierarchy v1[MAX_V1];
    char bad[200]; /* what is wrong with the case itself */
};

static const char *dir;

static char *slurp(const char *path, size_t *ret_len)
{
    FILE *f = fopen(path, "re");
    char *text = NULL;
    size_t len = 0, n;
    char buf[4096];

    if (!f)
        return NULL;
    while ((n = fread(buf, 1, sizeof buf, f)) > 0) {
        char *more = realloc(text, len + n + 1);

        if (!more)
            abort();
        text = more;
        memcpy(text + len, buf, n);
        len += n;
    }
    fclose(f);
    if (!text)
        text = calloc(1, 1);
    if (!text)
        abort();
    text[len] = 0;
    if (ret_len)
        *ret_len = len;
    return text;
}

/* ---- hosts ---- */

static const struct {
    const char *name;
    uint64_t bit;
} feats[] = {
    { "apparmor", WH_FEAT_APPARMOR },
    { "selinux", WH_FEAT_SELINUX },
    { "keyrings", WH_FEAT_KEYRINGS },
    { "seccomp", WH_FEAT_SECCOMP },
    { "seccomp_notify", WH_FEAT_SECCOMP_NOTIFY },
    { "cgroup_bpf", WH_FEAT_CGROUP_BPF },
    { "cgroup_writable", WH_FEAT_CGROUP_WRITABLE },
    { "setgroups_denied", WH_FEAT_SETGROUPS_DENIED },
    { "proc_pidns", WH_FEAT_PROC_PIDNS },
};

static const struct wh_facts rootful = {
    .feat = WH_FEAT_KEYRINGS | WH_FEAT_SECCOMP | WH_FEAT_SECCOMP_NOTIFY | WH_FEAT_CGROUP_BPF | WH_FEAT_CGROUP_WRITABLE,
    .last_cap = 40,
    .own_caps = (UINT64_C(1) << 41) - 1,
    .seccomp_api = 6,
    .cgroup_mode = WH_CGROUP_UNIFIED,
    .may_mknod = true,
    .cgroup2_mount = "/sys/fs/cgroup",
    .cgroup2_own = "/user.slice/session",
    .cgroup2_controllers = "cpuset cpu io memory pids",
};

static bool preset(struct test *t, const char *name)
{
    t->facts = rootful;
    if (wh_streq(name, "rootful"))
        return true;
    if (wh_streq(name, "rootless")) {
        /* An ordinary user in the initial namespace. */
        t->facts.euid = t->facts.egid = 1000;
        t->facts.own_caps = 0;
        t->facts.may_mknod = false;
        t->facts.feat &= ~(WH_FEAT_CGROUP_WRITABLE | WH_FEAT_CGROUP_BPF);
        return true;
    }
    if (wh_streq(name, "nested")) {
        /* Root of somebody's user namespace: what podman gives to its runtime, or a container in a container. */
        t->facts.in_userns = true;
        t->facts.may_mknod = false;
        t->facts.feat &= ~WH_FEAT_CGROUP_BPF;
        return true;
    }
    if (wh_streq(name, "hybrid")) {
        t->facts.cgroup_mode = WH_CGROUP_HYBRID;
        t->facts.cgroup2_mount = "/sys/fs/cgroup/unified";
        t->facts.cgroup2_controllers = "";
        t->v1[0] = (struct wh_v1_hierarchy){ "/sys/fs/cgroup/cpu,cpuacct", "cpu,cpuacct", "/" };
        t->v1[1] = (struct wh_v1_hierarchy){ "/sys/fs/cgroup/pids", "pids", "/session" };
        t->v1[2] = (struct wh_v1_hierarchy){ "/sys/fs/cgroup/devices", "devices", "/" };
        t->v1[3] = (struct wh_v1_hierarchy){ "/sys/fs/cgroup/systemd", "name=systemd", "/" };
        t->facts.v1 = t->v1;
        t->facts.nv1 = 4;
        return true;
    }
    if (wh_streq(name, "hybrid-all")) {
        /* Every controller on a v1 hierarchy of its own, but for what cgroup v1 never had. */
        static const char *const names[] = { "cpu,cpuacct", "cpuset", "memory",           "blkio",  "pids",
                                             "hugetlb",     "rdma",   "net_cls,net_prio", "devices" };

        t->facts.cgroup_mode = WH_CGROUP_HYBRID;
        t->facts.cgroup2_mount = "/sys/fs/cgroup/unified";
        t->facts.cgroup2_controllers = "misc";
        for (size_t i = 0; i < WH_ELEMENTSOF(names); i++)
            t->v1[i] = (struct wh_v1_hierarchy){ "/sys/fs/cgroup/of-its-own", names[i], "/" };
        t->facts.v1 = t->v1;
        t->facts.nv1 = WH_ELEMENTSOF(names);
        return true;
    }
    if (wh_streq(name, "hostile")) {
        /* A hardened sandbox: nothing optional works. */
        t->facts.feat = 0;
        t->facts.own_caps =
            UINT64_C(1) << 21 | UINT64_C(1) << 18 | UINT64_C(1) << 7 | UINT64_C(1) << 6 | UINT64_C(1) << 8;
        t->facts.last_cap = 37;
        t->facts.seccomp_api = 0;
        t->facts.may_mknod = false;
        t->facts.cgroup_mode = WH_CGROUP_NONE;
        t->facts.cgroup2_mount = t->facts.cgroup2_own = t->facts.cgroup2_controllers = NULL;
        return true;
    }
    return false;
}

static const char *null_if_empty(const char *s)
{
    return *s ? s : NULL;
}

static bool fact(struct test *t, char *name)
{
    struct wh_facts *f = &t->facts;
    char *value = strchr(name, '=');

    if (wh_startswith(name, "feat+") || wh_startswith(name, "feat-")) {
        for (size_t i = 0; i < WH_ELEMENTSOF(feats); i++)
            if (wh_streq(name + 5, feats[i].name)) {
                f->feat = name[4] == '+' ? f->feat | feats[i].bit : f->feat & ~feats[i].bit;
                return true;
            }
        return false;
    }
    if (!value)
        return false;
    *value++ = 0;
    if (wh_streq(name, "euid"))
        f->euid = (uid_t)strtoul(value, NULL, 0);
    else if (wh_streq(name, "egid"))
        f->egid = (gid_t)strtoul(value, NULL, 0);
    else if (wh_streq(name, "last_cap"))
        f->last_cap = (uint8_t)strtoul(value, NULL, 0);
    else if (wh_streq(name, "own_caps"))
        f->own_caps = strtoull(value, NULL, 0);
    else if (wh_streq(name, "without_cap"))
        f->own_caps &= ~(UINT64_C(1) << wh_cap_from_name(value));
    else if (wh_streq(name, "in_userns"))
        f->in_userns = *value == '1';
    else if (wh_streq(name, "may_mknod"))
        f->may_mknod = *value == '1';
    else if (wh_streq(name, "closed"))
        for (size_t i = 0; i < f->nv1; i++)
            t->v1[i].closed |= wh_streq(value, f->v1[i].controllers) || wh_streq(value, "all");
    else if (wh_streq(name, "cgroup2_mount"))
        f->cgroup2_mount = null_if_empty(value);
    else if (wh_streq(name, "cgroup2_own"))
        f->cgroup2_own = null_if_empty(value);
    else if (wh_streq(name, "systemd_root"))
        f->systemd_root = null_if_empty(value);
    else if (wh_streq(name, "systemd_user"))
        f->systemd_user = *value == '1';
    else if (wh_streq(name, "cgroup2_delegated"))
        f->cgroup2_delegated = null_if_empty(value);
    else if (wh_streq(name, "mnt_foreign"))
        f->mnt_foreign = *value == '1';
    else if (wh_streq(name, "cgroup2_controllers"))
        f->cgroup2_controllers = value;
    else if (wh_streq(name, "cgroup_mode"))
        f->cgroup_mode = wh_streq(value, "none")     ? WH_CGROUP_NONE
                         : wh_streq(value, "hybrid") ? WH_CGROUP_HYBRID
                                                     : WH_CGROUP_UNIFIED;
    else
        return false;
    return true;
}

/* Any instructions will do: compile does not look into a filter. */
static const uint64_t filter[64];

/* "exec.args=true" and the like: one word each; args and env may be repeated. */
static bool exec_request(struct test *t, const char *name, const char *value)
{
    static const struct {
        const char *name;
        uint32_t flag;
    } ns[] = {
        { "user", CLONE_NEWUSER }, { "mount", CLONE_NEWNS }, { "pid", CLONE_NEWPID }, { "network", CLONE_NEWNET }
    };
    struct wh_exec_request *e = &t->exec;
    static const uint32_t group = 77;

    if (wh_streq(name, "args") && e->nargs < WH_ELEMENTSOF(t->args))
        t->args[e->nargs++] = value;
    else if (wh_streq(name, "env") && e->nenv < WH_ELEMENTSOF(t->env))
        t->env[e->nenv++] = value;
    else if (wh_streq(name, "cwd"))
        e->cwd = value;
    else if (wh_streq(name, "apparmor"))
        e->apparmor_profile = value;
    else if (wh_streq(name, "label"))
        e->selinux_label = value;
    else if (wh_streq(name, "terminal"))
        e->terminal = *value == '1', e->rows = 33, e->cols = 77;
    else if (wh_streq(name, "no_new_privileges"))
        e->no_new_privileges = *value == '1';
    else if (wh_streq(name, "created"))
        e->created = *value == '1';
    else if (wh_streq(name, "uid"))
        e->set_uid = true, e->uid = (uint32_t)atoi(value);
    else if (wh_streq(name, "gid"))
        e->set_gid = true, e->gid = (uint32_t)atoi(value);
    else if (wh_streq(name, "group"))
        e->gids = &group, e->ngids = 1;
    else if (wh_streq(name, "cap"))
        e->caps |= UINT64_C(1) << wh_cap_from_name(value);
    else if (wh_streq(name, "join")) {
        for (size_t i = 0; i < WH_ELEMENTSOF(ns); i++)
            if (strstr(value, ns[i].name))
                e->join |= ns[i].flag;
    } else if (wh_streq(name, "by_fd")) {
        /* The value: those that the host's user namespace owns. */
        e->by_fd = true;
        for (size_t i = 0; i < WH_ELEMENTSOF(ns); i++)
            if (strstr(value, ns[i].name))
                e->join_host |= ns[i].flag;
    } else
        return false;
    return true;
}

/* Two hooks of the container's namespaces, whose environment is theirs or the process's. */
static const char *const hook_args[] = { "hook", "an argument" }, *const hook_env[] = { "K=V" };
static const struct wh_exec_hook create_hook = { "/host/hook", hook_args, hook_env, 2, 1, true, true },
                                 start_hook = { "/inside/hook", hook_args, NULL, 2, 0, false, false };
static const uint32_t all_ns = CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS;
static const struct wh_exec_request hooks[] = { { .hook = &create_hook, .join = all_ns },
                                                { .hook = &start_hook, .join = all_ns | CLONE_NEWUSER } };

static bool request(struct test *t, char *name)
{
    struct wh_request *r = &t->req;
    char *value = strchr(name, '=');

    if (!value)
        return false;
    *value++ = 0;
    if (wh_startswith(name, "ns_owner.")) {
        for (unsigned i = 0; i < WH_NS_MAX; i++)
            if (wh_streq(name + 9, wh_ns_name((enum wh_ns)i))) {
                r->ns_owner[i] = wh_streq(value, "host") ? WH_NSO_HOST : WH_NSO_USER;
                return true;
            }
        return false;
    }
    if (wh_streq(name, "id"))
        r->id = value;
    else if (wh_streq(name, "verb"))
        r->verb = wh_streq(value, "explain") ? WH_VERB_EXPLAIN
                  : wh_streq(value, "exec")  ? WH_VERB_EXEC
                                             : WH_VERB_CREATE;
    else if (wh_startswith(name, "exec."))
        return exec_request(t, name + 5, value);
    else if (wh_streq(name, "hook")) {
        r->verb = WH_VERB_EXEC;
        r->exec = &hooks[wh_streq(value, "startContainer")];
    } else if (wh_streq(name, "preserve_fds"))
        r->preserve_fds = (uint32_t)atoi(value);
    else if (wh_streq(name, "listen_fds"))
        r->listen_fds = (uint32_t)atoi(value);
    else if (wh_streq(name, "console_socket"))
        r->console_socket = *value == '1';
    else if (wh_streq(name, "notify_dir"))
        r->notify_dir = value;
    else if (wh_streq(name, "listen_fdnames"))
        r->listen_fdnames = value;
    else if (wh_streq(name, "seccomp_receiver"))
        r->seccomp_receiver = value;
    else if (wh_streq(name, "no_pivot"))
        r->no_pivot = *value == '1';
    else if (wh_streq(name, "init"))
        r->init = *value == '1';
    else if (wh_streq(name, "no_new_keyring"))
        r->no_new_keyring = *value == '1';
    else if (wh_streq(name, "in_host_mntns"))
        r->in_host_mntns = *value == '1';
    else if (wh_streq(name, "in_host_netns"))
        r->in_host_netns = *value == '1';
    else if (wh_streq(name, "cgroup_manager"))
        r->cgroup_manager = wh_streq(value, "disabled")  ? WH_CGM_DISABLED
                            : wh_streq(value, "systemd") ? WH_CGM_SYSTEMD
                                                         : WH_CGM_CGROUPFS;
    else if (wh_streq(name, "seccomp")) {
        r->seccomp_bpf_len = (size_t)atoi(value) * 8;
        r->seccomp_bpf = r->seccomp_bpf_len && r->seccomp_bpf_len <= sizeof filter ? filter : NULL;
    } else
        return false;
    return true;
}

/* ---- cases ---- */

static void bad(struct test *t, const char *what, const char *line)
{
    if (!t->bad[0])
        snprintf(t->bad, sizeof t->bad, "%s: %.100s", what, line);
}

static void swap(struct test *t, char *value)
{
    char *middle = *value ? strchr(value + 1, *value) : NULL, *end = middle ? strchr(middle + 1, *value) : NULL;

    if (!end || t->nswaps == MAX_SETS) {
        bad(t, "swap wants /FROM/TO/", value);
        return;
    }
    *middle = *end = 0;
    t->swaps[t->nswaps++] = (struct set){ value + 1, middle + 1 };
}

static void parse(struct test *t)
{
    char *save = NULL;

    t->about = "";
    t->req = (struct wh_request){ .verb = WH_VERB_CREATE, .id = "box", .bundle = "/bundle" };
    preset(t, "rootful");
    for (char *line = strtok_r(t->text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        char *value = strchr(line, ' ');

        if (*line == '#')
            continue;
        if (value)
            *value++ = 0;
        else
            value = line + strlen(line);
        if (wh_streq(line, "about"))
            t->about = value;
        else if (wh_streq(line, "file"))
            t->file = value;
        else if (wh_streq(line, "swap"))
            swap(t, value);
        else if (wh_streq(line, "process"))
            t->process = value;
        else if (wh_streq(line, "host-lists"))
            t->host_lists = true;
        else if (wh_streq(line, "redact"))
            t->flags |= WH_EXPLAIN_REDACT;
        else if (wh_streq(line, "format") && wh_streq(value, "json"))
            t->flags |= WH_EXPLAIN_JSON;
        else if (wh_streq(line, "facts") && preset(t, value))
            continue;
        else if (wh_streq(line, "fact") && fact(t, value))
            continue;
        else if (wh_streq(line, "request") && request(t, value))
            continue;
        else if (wh_streq(line, "set") && *value && t->nsets < MAX_SETS) {
            char *json = strchr(value, ' ');

            if (json)
                *json++ = 0;
            t->sets[t->nsets++] = (struct set){ value, json ? json : "" };
        } else
            bad(t, "not a line of a case", line);
    }
}

/* @NAME:DEFAULT@ in the template; every set must be used. */
static void expand(struct test *t, const char *template, struct wh_buf *out)
{
    bool used[MAX_SETS] = { 0 };

    while (*template) {
        size_t literal = strcspn(template, "@"), name, dflt;
        unsigned i = 0;

        wh_buf_add(out, template, literal);
        template += literal;
        if (!*template)
            break;
        name = strcspn(++template, ":@");
        dflt = strcspn(template, "@");
        while (i < t->nsets && (strlen(t->sets[i].name) != name || strncmp(t->sets[i].name, template, name) != 0))
            i++;
        if (i < t->nsets) {
            wh_buf_puts(out, t->sets[i].value);
            used[i] = true;
        } else if (dflt > name) {
            wh_buf_add(out, template + name + 1, dflt - name - 1);
        }
        template += dflt + 1;
    }
    for (unsigned i = 0; i < t->nsets; i++)
        if (!used[i])
            bad(t, "the template has no such place", t->sets[i].name);
}

static void apply_swap(struct test *t, const struct set *s, struct wh_buf *text)
{
    struct wh_buf out = { 0 };
    char *at = text->data ? strstr(text->data, s->name) : NULL;

    if (!at) {
        bad(t, "the configuration does not have", s->name);
        return;
    }
    wh_buf_add(&out, text->data, (size_t)(at - text->data));
    wh_buf_puts(&out, s->value);
    wh_buf_puts(&out, at + strlen(s->name));
    wh_buf_done(text);
    *text = out;
}

static void config(struct test *t, struct wh_buf *out)
{
    char path[4096];
    char *text;

    snprintf(path, sizeof path, t->file ? "%s/../%s" : "%s/%s", dir, t->file ? t->file : "template");
    text = slurp(path, NULL);
    if (!text)
        bad(t, "cannot read", path);
    else if (t->file)
        wh_buf_puts(out, text);
    else
        expand(t, text, out);
    free(text);
    for (unsigned i = 0; i < t->nswaps; i++)
        apply_swap(t, &t->swaps[i], out);
}

static void errors(const struct wh_errlist *errs, struct wh_buf *out)
{
    char line[1200];

    for (unsigned i = 0; i < errs->n; i++)
        wh_buf_printf(out, "error: %s\n", wh_err_text(&errs->e[i], line, sizeof line));
    if (errs->dropped)
        wh_buf_printf(out, "and %u more\n", errs->dropped);
}

/* Keeps the lines of the host lists. */
static void drop_steps(struct wh_buf *text)
{
    struct wh_buf out = { 0 };

    for (const char *line = text->data; line && *line;) {
        size_t len = strcspn(line, "\n");

        len += line[len] == '\n';
        if (wh_startswith(line, "    - H "))
            wh_buf_add(&out, line, len);
        line += len;
    }
    wh_buf_done(text);
    *text = out;
}

/* The text of the plan, or the errors. */
static void run(struct test *t, struct wh_buf *out)
{
    WH_CLEANUP_ARENA struct wh_arena *arena = wh_arena_new(), *again = wh_arena_new();
    WH_CLEANUP_SPEC struct wh_spec *spec = NULL, *process = NULL;
    WH_CLEANUP_BUF struct wh_buf json = { 0 };
    const struct wh_plan *plan = NULL, *second = NULL;
    struct wh_errlist errs = { 0 };

    config(t, &json);
    if (t->bad[0] || !json.data)
        return;
    t->exec.args = t->args;
    t->exec.env = t->env;
    if (t->req.verb == WH_VERB_EXEC && !t->req.exec)
        t->req.exec = &t->exec;
    if (wh_spec_parse(json.data, json.len, "config.json", 0, &spec, &errs) < 0 ||
        (t->process && wh_spec_parse_process(t->process, strlen(t->process), "p.json", &process, &errs) < 0)) {
        errors(&errs, out);
        return;
    }
    spec->exec = process;
    if (wh_compile(spec, &t->req, &t->facts, arena, &plan, &errs) < 0) {
        errors(&errs, out);
        return;
    }
    wh_explain(plan, spec, t->flags, out);
    if (t->host_lists)
        drop_steps(out);
    /* Pure: the same inputs give the same bytes. */
    if (wh_compile(spec, &t->req, &t->facts, again, &second, &errs) < 0 || second->size != plan->size ||
        memcmp(plan, second, plan->size) != 0)
        bad(t, "compiled twice", "two plans");
}

static void show_difference(const char *want, const char *got)
{
    unsigned shown = 0;

    while ((*want || *got) && shown < 10) {
        size_t w = strcspn(want, "\n"), g = strcspn(got, "\n");

        if (w != g || memcmp(want, got, w) != 0) {
            diag("want %.*s", (int)w, want);
            diag("got  %.*s", (int)g, got);
            shown++;
        }
        want += w + (want[w] == '\n');
        got += g + (got[g] == '\n');
    }
}

static void one(const char *name)
{
    char path[4096];
    struct test *t = calloc(1, sizeof *t);
    struct wh_buf out = { 0 };
    char *want;

    if (!t)
        abort();
    snprintf(path, sizeof path, "%s/cases/%s.case", dir, name);
    t->text = slurp(path, NULL);
    if (t->text) {
        parse(t);
        run(t, &out);
    } else {
        bad(t, "cannot read", path);
    }
    snprintf(path, sizeof path, "%s/cases/%s.txt", dir, name);
    if (!t->bad[0] && getenv("UPDATE_GOLDEN")) {
        FILE *f = fopen(path, "we");

        if (!f || fwrite(out.data, 1, out.len, f) != out.len || fclose(f) != 0)
            bad(t, "cannot write", path);
    }
    want = slurp(path, NULL);
    if (t->bad[0]) {
        fail_test("%s: %s", name, t->bad);
    } else if (!want) {
        fail_test("%s: there is no expected text; UPDATE_GOLDEN=1 writes it", name);
    } else if (!ok(out.data && wh_streq(want, out.data), "%s: %s", name, t->about)) {
        show_difference(want, out.data ? out.data : "");
    }
    free(want);
    free(t->text);
    free(t);
    wh_buf_done(&out);
}

static int is_case(const struct dirent *d)
{
    size_t len = strlen(d->d_name);

    return len > 5 && wh_streq(d->d_name + len - 5, ".case");
}

int main(int argc, char **argv)
{
    struct dirent **names;
    char path[4096];
    int n;

    if (argc < 2) {
        bail_out("usage: golden DIR [NAME...]");
        return 2;
    }
    dir = argv[1];
    if (argc > 2) {
        for (int i = 2; i < argc; i++)
            one(argv[i]);
        return done_testing();
    }
    snprintf(path, sizeof path, "%s/cases", dir);
    n = scandir(path, &names, is_case, alphasort);
    if (n < 0) {
        bail_out("cannot read the directory of cases");
        return 2;
    }
    for (int i = 0; i < n; i++) {
        names[i]->d_name[strlen(names[i]->d_name) - 5] = 0;
        one(names[i]->d_name);
        free(names[i]);
    }
    free(names);
    return done_testing();
}
