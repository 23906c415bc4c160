/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Any configuration on any host: what is parsed is compiled to a plan that verify accepts, that can be explained, and each of whose steps can
 * fail with a sentence; or it is refused in sentences of one line, none of which is an internal error.
 */
#define FUZZ_NAME "plan"
#define FUZZ_INPUTS 4000u
#include "fuzz.h"

#include "any-host.h"
#define FUZZ_HEADER ANY_HOST_BYTES
#include "json-mutate.h"

#ifndef WH_LIBFUZZER
#include "../unit/read-file.h"
#endif

static void devices(const struct wh_spec *spec, const struct any_host *h)
{
    struct wh_arena *arena = wh_arena_new();
    const char *const *unit = NULL, *path = NULL;
    struct bpf_insn *program = NULL;
    struct wh_err err = { 0 };
    size_t n = 0;

    if (wh_devbpf_compile(spec, &h->req, arena, &program, &n, &err) == 0)
        must(program && n > 0 && n <= 65536);
    else
        must(err.code < 0 && err.msg[0]);
    if (wh_devbpf_unit(spec, arena, &unit, &n) == 1)
        must(n % 2 == 0);
    err = (struct wh_err){ 0 };
    if (wh_cgroup_path(spec, &h->req, &h->facts, arena, &path, &err) == 0 && path)
        must(path[0] == '/' && !strstr(path, "/../") && !strstr(path, "//"));
    wh_arena_free(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    WH_CLEANUP_SPEC struct wh_spec *spec = NULL;
    struct fuzz_bytes b = { data, size };
    struct wh_errlist errs = { 0 };
    struct any_host h = { 0 };

    if (size < ANY_HOST_BYTES)
        return 0;
    any_facts(&h, &b);
    any_request(&h, &b);
    if (wh_spec_parse((const char *)data + ANY_HOST_BYTES, size - ANY_HOST_BYTES, "config.json", 0, &spec, &errs) < 0)
        return 0;
    any_compile(spec, &h);
    devices(spec, &h);
    return 0;
}

#ifndef WH_LIBFUZZER
/* Each configuration on a different host. */
static uint8_t *seed(unsigned int n, size_t *ret_size)
{
    static const char *const files[] = {
        "tests/oci-validation/good/everything.json", "tests/configs/runc-1.1-spec-rootless.json",
        "tests/configs/runc-1.1-spec.json",          "tests/configs/podman-4.3-default.json",
        "tests/configs/containerd-1.6-default.json",
    };
    static const uint8_t hosts[][ANY_HOST_BYTES] = {
        { 0x12, 1, 3, 0x7f, 0, 0, 0, 0 },
        { 0x2d, 0x45, 0, 0xff, 0, 0x14, 0, 0 },
        { 0x12, 2, 2, 0x7d, 0x41, 0x84, 0x31 },
        { 0x12, 1, 5, 0x7f, 2, 0x20, 0x13, 0x51 },
    };
    uint8_t *data;
    char *json;

    if (n >= WH_ELEMENTSOF(files) * WH_ELEMENTSOF(hosts))
        return NULL;
    json = read_file(files[n % WH_ELEMENTSOF(files)], ret_size);
    if (!json) {
        fail_test("%s cannot be read", files[n % WH_ELEMENTSOF(files)]);
        return NULL;
    }
    data = malloc(ANY_HOST_BYTES + *ret_size);
    memcpy(data, hosts[n / WH_ELEMENTSOF(files)], ANY_HOST_BYTES);
    memcpy(data + ANY_HOST_BYTES, json, *ret_size);
    free(json);
    *ret_size += ANY_HOST_BYTES;
    return data;
}
#endif
