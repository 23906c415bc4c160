/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The other files that are read: the process object of `exec --process`, the resources of `update --resources`, and a container's state and
 * journal. As with configurations, each property is removed or replaced; nothing crashes, and a refusal names its place.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "host/cgroup/cgroup.h"
#include "host/state.h"
#include "plan/compile-resources.h"

#include "mutate-hosts.h"

static void report(struct run *run, const char *what, unsigned n)
{
    ok(n > 0 && run->compiled > 0 && run->refused > 0, "%s: %u texts, %u taken, %u refusals", what, n, run->compiled,
       run->refused);
    complaints_report(&run->places, "every refusal names its place");
    complaints_report(&run->internal, "none is an internal error");
}

/* A part of a file as a document of its own. */
static yajl_val part_of(const char *path, const char *pointer)
{
    struct mutator m = { .root = mutate_read(path) };
    yajl_val part = m.root ? mutate_find(m.root, pointer) : NULL;

    if (part) {
        put_value(&m, part);
        part = yajl_tree_parse(m.text.data, NULL, 0);
    }
    ok(part != NULL, "%s has %s", path, pointer);
    wh_buf_done(&m.text);
    yajl_tree_free(m.root);
    return part;
}

/* ---------------------------------------------------------------- exec --process */

static const struct wh_exec_request joins[] = {
    { .join = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET },
    { .join = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID, .by_fd = true, .join_host = CLONE_NEWNET },
    { 0 },
};

static void take_process(void *ctx, const char *json, size_t len)
{
    struct run *run = ctx;
    WH_CLEANUP_SPEC struct wh_spec *s = NULL;
    struct wh_spec container = *run->container;

    mutating_what = "the parser of --process";
    if (wh_spec_parse_process(json, len, "process.json", &s, &run->errs) < 0) {
        look_at(run);
        return;
    }
    container.exec = s;
    for (size_t i = 0; i < WH_ELEMENTSOF(hosts); i++)
        for (size_t k = 0; k < WH_ELEMENTSOF(joins); k++) {
            struct wh_request req = hosts[i].req;

            req.verb = WH_VERB_EXEC;
            req.exec = &joins[k];
            compile_on(run, &container, &hosts[i], &req, i == 0);
        }
}

static void process(const char *path, const char *container)
{
    struct run *run = new_run();
    struct mutator m = { .root = part_of(path, "/process"), .take = take_process, .ctx = run };
    WH_CLEANUP_SPEC struct wh_spec *s = NULL;
    size_t len = 0;
    char *json = read_file(container, &len);

    if (ok(json && wh_spec_parse(json, len, "config.json", 0, &s, &run->errs) == 0, "a container of %s", container) &&
        m.root) {
        run->m = &m;
        run->container = s;
        report(run, path, mutate(&m, m.root, mutate_plainly) + mutate(&m, m.root, mutate_lengths));
    }
    wh_buf_done(&m.text);
    yajl_tree_free(m.root);
    free(json);
    free(run);
}

/* ---------------------------------------------------------------- update --resources */

static void take_resources(void *ctx, const char *json, size_t len)
{
    struct run *run = ctx;
    WH_CLEANUP_SPEC struct wh_spec *s = NULL;

    mutating_what = "the parser of --resources";
    if (wh_spec_parse_resources(json, len, "resources.json", &s, &run->errs) < 0) {
        look_at(run);
        return;
    }
    for (size_t i = 0; i < WH_ELEMENTSOF(hosts); i++) {
        WH_CLEANUP_ARENA struct wh_arena *arena = wh_arena_new();
        struct wh_compile c = { .spec = s, .facts = &hosts[i].facts, .arena = arena, .errs = &run->errs };
        struct wh_cg_writes w;

        mutating_what = hosts[i].name;
        s->oci_version.v = i % 2 ? "1.3.0" : NULL;
        wh_compile_resources(&c, &s->linux_.resources, WH_RES_HOST, &w);
        run->compiled += !c.failed;
        /* What fails has said why. */
        if (c.failed && run->errs.n == 0)
            complain(&run->places, run->m, "a refusal without a message");
        look_at(run);
    }
}

static void resources(const char *path)
{
    struct run *run = new_run();
    struct mutator m = { .root = part_of(path, "/linux/resources"), .take = take_resources, .ctx = run };

    run->m = &m;
    if (m.root)
        report(run, path, mutate(&m, m.root, mutate_plainly) + mutate(&m, m.root, mutate_lengths));
    wh_buf_done(&m.text);
    yajl_tree_free(m.root);
    free(run);
}

/* ---------------------------------------------------------------- state.json and journal */

#define CGROUP "v2 1 77 14 /sys/fs/cgroup/none/of/the/host\nv1:pids 1 78 19 /sys/fs/cgroup/pids/none\n"

struct states {
    struct run run;
    int dir_fd;
    unsigned refused;
};

static void put_file(struct states *t, const char *name, const char *text, size_t len, const char *more)
{
    WH_CLEANUP_FD int fd = openat(t->dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (fd < 0 || write(fd, text, len) != (ssize_t)len || write(fd, more, strlen(more)) != (ssize_t)strlen(more))
        complain(&t->run.internal, t->run.m, "the file was not written");
}

/* What was read can be written, and is the same then. */
static void again(struct states *t, const struct wh_state *s)
{
    WH_CLEANUP_ARENA struct wh_arena *arena = wh_arena_new();
    WH_CLEANUP_BUF struct wh_buf one = { 0 }, two = { 0 };
    struct wh_state back;

    wh_state_write(s, &one);
    if (wh_state_read(one.data, one.len, "box", arena, &back) < 0) {
        complain(&t->run.places, t->run.m, "what was read cannot be read again");
        return;
    }
    wh_state_write(&back, &two);
    if (!wh_streq(one.data, two.data))
        complain(&t->run.places, t->run.m, "what was read is another state when it is read again");
}

static void use(struct states *t, bool journal)
{
    WH_CLEANUP_ARENA struct wh_arena *arena = wh_arena_new();
    struct wh_cgroup cg;
    struct wh_err err = { 0 };
    struct wh_state s;
    bool creating;
    int r;

    r = wh_store_read(t->dir_fd, "box", arena, &s, journal ? &creating : NULL, &err);
    if (r < 0) {
        t->refused++;
        if (!err.msg[0] || strstr(err.msg, "internal error"))
            complain(&t->run.internal, t->run.m, "an error without a message");
        return;
    }
    t->run.compiled++;
    again(t, &s);
    if (journal && (s.pid != 5 || s.identity.start != 6))
        complain(&t->run.places, t->run.m, "a line of the journal was passed over");
    wh_cgroup_init(&cg);
    err = (struct wh_err){ 0 };
    if (wh_cgroup_load(&cg, s.cgroup, strlen(s.cgroup), &err) < 0 && !err.msg[0])
        complain(&t->run.internal, t->run.m, "an error without a message");
    wh_cgroup_done(&cg);
}

static void take_state(void *ctx, const char *json, size_t len)
{
    struct states *t = ctx;

    mutating_what = "state.json";
    put_file(t, "state.json", json, len, "");
    use(t, false);
    unlinkat(t->dir_fd, "state.json", 0);
    mutating_what = "the journal";
    /* A line that nobody knows, one that is whole, and one that was being written. */
    put_file(t, "journal", json, len, "\nfuture x\ninit 5 6 7\ninit 7 ");
    use(t, true);
    unlinkat(t->dir_fd, "journal", 0);
}

static void mutate_states(struct mutator *m, yajl_val v)
{
    mutate_plainly(m, v);
    mutate_lengths(m, v);
}

/* The saved cgroup is a text of its own: each of its words is left out, or another. */
static void cgroup_words(struct states *t)
{
    static const char *const words[] = { "", "0", "-1", "9223372036854775808", "x", "/", "/..", "v1:", "v2" };
    unsigned n = 0;

    for (const char *at = CGROUP; *at; at += strcspn(at, " \n") + 1)
        for (size_t i = 0; i < WH_ELEMENTSOF(words); i++) {
            char text[sizeof CGROUP + 40];
            struct wh_cgroup cg;
            struct wh_err err = { 0 };

            snprintf(text, sizeof text, "%.*s%s%s", (int)(at - CGROUP), CGROUP, words[i], at + strcspn(at, " \n"));
            wh_cgroup_init(&cg);
            n++;
            if (wh_cgroup_load(&cg, text, strlen(text), &err) < 0 && !err.msg[0])
                complain(&t->run.internal, t->run.m, "an error without a message");
            wh_cgroup_done(&cg);
        }
    ok(n > 0, "%u texts of a cgroup", n);
}

static void states(void)
{
    static const char *args[] = { "h", "x" };
    static struct wh_annotation annotations[] = { { "a", "b" }, { "c/d", "" } };
    static struct wh_hook_entry hooks[] = {
        { .kind = WH_HOOK_POSTSTART, .path = "/h", .args = { args, 2 } },
        { .kind = WH_HOOK_POSTSTOP,
          .index = 1,
          .timeout = 3,
          .env_set = true,
          .path = "/h",
          .args = { args, 1 },
          .env = { args, 2 } },
    };
    const struct wh_state whole = { .id = "box",
                                    .bundle = "/bundle",
                                    .rootfs = "/bundle/rootfs",
                                    .created = "2026-01-01T00:00:00.000000000Z",
                                    .cgroup = CGROUP,
                                    .cgroup_path = "/sys/fs/cgroup/none/of/the/host",
                                    .cgroup_manager = 1,
                                    .pid = 5,
                                    .identity = { .start = 6 },
                                    .pidns = 7,
                                    .boot_id = "b",
                                    .no_new_keyring = true,
                                    .init = true,
                                    .notify = true,
                                    .listener_path = "/l",
                                    .listener_metadata = "m",
                                    .start_step = 8,
                                    .nsflags = CLONE_NEWNS | CLONE_NEWPID,
                                    .annotations = annotations,
                                    .nannotations = WH_ELEMENTSOF(annotations),
                                    .hooks = hooks,
                                    .nhooks = WH_ELEMENTSOF(hooks) };
    struct states *t = calloc(1, sizeof *t);
    struct mutator m = { .take = take_state, .ctx = t };
    WH_CLEANUP_BUF struct wh_buf text = { 0 };
    char dir[] = "/tmp/wherry-mutate-XXXXXX";
    unsigned n;

    if (!t || !mkdtemp(dir))
        abort();
    t->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    wh_state_write(&whole, &text);
    m.root = yajl_tree_parse(text.data, NULL, 0);
    t->run.m = &m;
    if (ok(t->dir_fd >= 0 && m.root, "a whole state")) {
        mutate_one(&m, NULL, NULL);
        is_int(t->run.compiled, 2, "is read, as a file and as a journal");
        n = mutate(&m, m.root, mutate_states);
        ok(n > 0 && t->run.compiled > 2 && t->refused > 0, "%u states, %u read, %u damaged", n, t->run.compiled,
           t->refused);
        cgroup_words(t);
        complaints_report(&t->run.places, "what is read holds together");
        complaints_report(&t->run.internal, "every refusal has a message");
    }
    yajl_tree_free(m.root);
    wh_buf_done(&m.text);
    wh_close(t->dir_fd);
    rmdir(dir);
    free(t);
}

int main(void)
{
    static const char *const processes[] = { "tests/configs/podman-4.3-default.json",
                                             "tests/configs/podman-5.8-systemd.json",
                                             "tests/configs/runc-1.1-spec.json",
                                             "tests/oci-validation/good/everything.json",
                                             "tests/oci-validation/official/test/config/good/spec-example.json" };

    mutate_watch();
    for (size_t i = 0; i < WH_ELEMENTSOF(processes); i++)
        process(processes[i], i % 2 ? "tests/configs/podman-5.8-systemd.json" : "tests/configs/runc-1.1-spec.json");
    resources("tests/configs/podman-5.8-systemd.json");
    resources("tests/oci-validation/good/everything.json");
    resources("tests/oci-validation/official/test/config/good/spec-example.json");
    states();
    return done_testing();
}
