/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Any process.json (`exec --process`) for a container on any host: parsed, and compiled into the plan of an exec that verify accepts, or refused
 * in sentences of one line with a place in that file.
 */
#define FUZZ_NAME "process"
#define FUZZ_INPUTS 10000u
#include "fuzz.h"

#include "any-host.h"
#define FUZZ_HEADER ANY_HOST_BYTES
#include "json-mutate.h"

/* The container: everything that an exec inherits. */
static const char container[] =
    "{\"ociVersion\":\"1.3.0\",\"process\":{\"cwd\":\"/"
    "\",\"args\":[\"sh\"],\"env\":[\"A=b\"],\"user\":{\"uid\":0,\"gid\":0},"
    "\"capabilities\":{\"bounding\":[\"CAP_KILL\"],\"effective\":[\"CAP_KILL\"],\"permitted\":[\"CAP_KILL\"]},"
    "\"rlimits\":[{\"type\":\"RLIMIT_NOFILE\",\"soft\":5,\"hard\":9}]},\"root\":{\"path\":\"r\"},\"linux\":{"
    "\"namespaces\":"
    "[{\"type\":\"mount\"},{\"type\":\"pid\"},{\"type\":\"user\"}],\"uidMappings\":[{\"containerID\":0,\"hostID\":1000,"
    "\"size\":10}],"
    "\"gidMappings\":[{\"containerID\":0,\"hostID\":1000,\"size\":10}]}}";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct wh_spec *of;
    WH_CLEANUP_SPEC struct wh_spec *process = NULL;
    struct fuzz_bytes b = { data, size };
    struct wh_errlist errs = { 0 };
    struct any_host h = { 0 };
    int r;

    if (size < ANY_HOST_BYTES)
        return 0;
    any_facts(&h, &b);
    any_request(&h, &b);
    h.req.verb = WH_VERB_EXEC;
    h.req.exec = &h.exec;
    h.exec.hook = NULL;
    if (!of)
        must(wh_spec_parse(container, sizeof container - 1, "config.json", 0, &of, &errs) == 0);
    r = wh_spec_parse_process((const char *)data + ANY_HOST_BYTES, size - ANY_HOST_BYTES, "p.json", &process, &errs);
    if (r < 0) {
        must(r == -EINVAL && !process && errs.n > 0);
        for (unsigned int i = 0; i < errs.n; i++)
            must(strncmp(errs.e[i].path, "p.json:", 7) == 0 && errs.e[i].msg[0] && !strchr(errs.e[i].msg, '\n'));
        return 0;
    }
    must(process && process->process);
    of->exec = process;
    any_compile(of, &h);
    of->exec = NULL;
    return 0;
}

__attribute__((unused)) static uint8_t *seed(unsigned int n, size_t *ret_size)
{
    static const char *const seeds[] = {
        "{\"terminal\":true,\"consoleSize\":{\"height\":25,\"width\":80},\"user\":{\"uid\":1,\"gid\":2,\"umask\":18,"
        "\"additionalGids\":[3]},"
        "\"args\":[\"sh\",\"-c\",\"true\"],\"env\":[\"PATH=/bin\",\"A=b\"],\"cwd\":\"/"
        "tmp\",\"noNewPrivileges\":true,\"oomScoreAdj\":5,"
        "\"capabilities\":{\"bounding\":[\"CAP_KILL\"],\"ambient\":[],\"inheritable\":[]},\"apparmorProfile\":\"p\","
        "\"selinuxLabel\":\"a:b:c\","
        "\"rlimits\":[{\"type\":\"RLIMIT_CORE\",\"soft\":1,\"hard\":2}]}",
        "{\"cwd\":\"/"
        "\",\"args\":[\"x\"],\"scheduler\":{\"policy\":\"SCHED_DEADLINE\",\"runtime\":1000000,\"deadline\":2000000,"
        "\"period\":3000000,"
        "\"flags\":[\"SCHED_FLAG_RESET_ON_FORK\"]},\"ioPriority\":{\"class\":\"IOPRIO_CLASS_BE\",\"priority\":4},"
        "\"execCPUAffinity\":{\"initial\":\"0-1\",\"final\":\"2,4-5\"}}",
    };
    uint8_t *data;

    if (n >= WH_ELEMENTSOF(seeds))
        return NULL;
    *ret_size = ANY_HOST_BYTES + strlen(seeds[n]);
    data = calloc(1, *ret_size);
    data[0] = 0x12;
    data[1] = 1;
    data[3] = 0x7f;
    memcpy(data + ANY_HOST_BYTES, seeds[n], strlen(seeds[n]));
    return data;
}
