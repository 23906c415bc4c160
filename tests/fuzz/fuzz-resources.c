/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Any resources.json (`update --resources`) on any host: what is parsed becomes writes to files that are each the name of one, of a controller
 * that the host has, one line a write; or it is refused in sentences of one line with a place in that file.
 */
#define FUZZ_NAME "resources"
#define FUZZ_INPUTS 10000u
#include "fuzz.h"

#include "any-host.h"
#include "plan/compile-resources.h"
#define FUZZ_HEADER ANY_HOST_BYTES
#include "json-mutate.h"

static void check_write(const struct wh_compile *c, const struct wh_cg_write *w)
{
    must(w->controller && w->file && w->file[0] && w->value && w->value[0]);
    must(!strchr(w->file, '/') && !strchr(w->file, '\n') && strcmp(w->file, "..") != 0);
    must(strcmp(w->file, "cgroup.procs") != 0 && strcmp(w->file, "cgroup.kill") != 0 &&
         strcmp(w->file, "cgroup.freeze") != 0);
    /* A line, perhaps with its end. */
    must(!strchr(w->value, '\n') || strchr(w->value, '\n')[1] == '\0');
    must(strcmp(w->controller, "unified") == 0 ? c->facts->cgroup2_mount != NULL
                                               : wh_compile_v1(c, w->controller) != NULL);
}

static void compile(const struct wh_spec *spec, const struct any_host *h, enum wh_res_mode mode)
{
    struct wh_arena *arena = wh_arena_new();
    struct wh_errlist errs = { 0 };
    struct wh_compile c = { .spec = spec, .facts = &h->facts, .arena = arena, .errs = &errs };
    struct wh_cg_writes w = { 0 };
    struct wh_unit_prop props[WH_UNIT_LIMIT_MAX];

    wh_compile_resources(&c, &spec->linux_.resources, mode, &w);
    must(c.failed == (errs.n > 0) && !wh_arena_failed(arena));
    for (unsigned int i = 0; i < errs.n; i++)
        must(errs.e[i].code < 0 && errs.e[i].msg[0] && !strchr(errs.e[i].msg, '\n'));
    for (size_t i = 0; mode == WH_RES_HOST && i < w.n; i++) {
        size_t n;

        check_write(&c, &w.v[i]);
        n = wh_unit_limit(arena, w.v, w.n, i, props);
        must(n <= WH_UNIT_LIMIT_MAX);
        for (size_t k = 0; k < n; k++)
            must(props[k].name && props[k].type && props[k].n > 0 && props[k].v[0]);
    }
    must(mode == WH_RES_HOST || w.n == 0);
    wh_arena_free(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    WH_CLEANUP_SPEC struct wh_spec *spec = NULL;
    struct fuzz_bytes b = { data, size };
    struct wh_errlist errs = { 0 };
    struct any_host h = { 0 };
    int r;

    if (size < ANY_HOST_BYTES)
        return 0;
    any_facts(&h, &b);
    any_request(&h, &b);
    r = wh_spec_parse_resources((const char *)data + ANY_HOST_BYTES, size - ANY_HOST_BYTES, "r.json", &spec, &errs);
    if (r < 0) {
        must(r == -EINVAL && !spec && errs.n > 0);
        for (unsigned int i = 0; i < errs.n; i++)
            must(strncmp(errs.e[i].path, "r.json:", 7) == 0 && errs.e[i].msg[0] && !strchr(errs.e[i].msg, '\n'));
        return 0;
    }
    compile(spec, &h, WH_RES_HOST);
    compile(spec, &h, WH_RES_NO_CGROUP);
    compile(spec, &h, WH_RES_LOOK);
    return 0;
}

__attribute__((unused)) static uint8_t *seed(unsigned int n, size_t *ret_size)
{
    static const char *const seeds[] = {
        "{\"memory\":{\"limit\":1048576,\"swap\":2097152,\"reservation\":5,\"checkBeforeUpdate\":true},\"pids\":{"
        "\"limit\":5},\"cpu\":{\"shares\":1024,"
        "\"quota\":20000,\"period\":100000,\"burst\":5,\"idle\":1,\"cpus\":\"0-3,8\",\"mems\":\"0\"},\"blockIO\":{"
        "\"weight\":100,\"weightDevice\":"
        "[{\"major\":8,\"minor\":16,\"weight\":500}],\"throttleReadBpsDevice\":[{\"major\":8,\"minor\":0,\"rate\":600}]"
        "}}",
        "{\"unified\":{\"memory.high\":\"5\",\"io.max\":\"8:16 rbps=1\\n8:0 "
        "wbps=2\",\"cpu.pressure\":\"x\"},\"hugepageLimits\":[{\"pageSize\":\"2MB\","
        "\"limit\":5}],\"rdma\":{\"mlx5_1\":{\"hcaHandles\":3,\"hcaObjects\":10}},\"network\":{\"classID\":5,"
        "\"priorities\":[{\"name\":\"eth0\","
        "\"priority\":3}]},\"devices\":[{\"allow\":false,\"access\":\"rwm\"}]}",
    };
    uint8_t *data;

    /* Each on a unified and on a hybrid host. */
    if (n >= 2 * WH_ELEMENTSOF(seeds))
        return NULL;
    *ret_size = ANY_HOST_BYTES + strlen(seeds[n / 2]);
    data = calloc(1, *ret_size);
    data[1] = (uint8_t)(1 + n % 2);
    data[2] = 2;
    data[3] = 0x7f;
    memcpy(data + ANY_HOST_BYTES, seeds[n / 2], strlen(seeds[n / 2]));
    return data;
}
