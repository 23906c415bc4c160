/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Any rules of linux.seccomp: the program that comes of them answers random calls as the rules say (seccomp-model.h), and the kernel would
 * load it. The first eight bytes are the seed of the calls; the rest is the value of linux.seccomp.
 */
#define FUZZ_NAME "seccomp"
#define FUZZ_INPUTS 1500u
#include "fuzz.h"

#include "seccomp-model.h"
#define FUZZ_HEADER 8
#include "json-mutate.h"

#ifndef FUZZ_CALLS
#define FUZZ_CALLS 64u
#endif

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    WH_CLEANUP_SPEC struct wh_spec *spec = NULL;

    if (size < FUZZ_HEADER)
        return 0;
    memcpy(&random_state, data, sizeof random_state);
    random_state |= 1;
    spec = parse((const char *)data + FUZZ_HEADER, size - FUZZ_HEADER);
    if (spec && spec->linux_.set && spec->linux_.seccomp.set)
        check_spec(spec, FUZZ_CALLS);
    return 0;
}

static const char *const profiles[] = {
    "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":38,\"architectures\":[\"SCMP_ARCH_X86_64\",\"SCMP_ARCH_"
    "X86\",\"SCMP_ARCH_X32\"],"
    "\"syscalls\":[{\"names\":[\"read\",\"write\",\"clone3\"],\"action\":\"SCMP_ACT_ALLOW\"},{\"names\":["
    "\"personality\"],\"action\":\"SCMP_ACT_ALLOW\","
    "\"args\":[{\"index\":0,\"value\":131072,\"op\":\"SCMP_CMP_EQ\"}]},{\"names\":[\"clone\"],\"action\":\"SCMP_ACT_"
    "ALLOW\",\"args\":[{\"index\":0,"
    "\"value\":2114060288,\"valueTwo\":0,\"op\":\"SCMP_CMP_MASKED_EQ\"}]}]}",
    "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[{\"names\":[\"openat\",\"bpf\"],\"action\":\"SCMP_ACT_ERRNO\","
    "\"errnoRet\":13,\"args\":[{\"index\":1,"
    "\"value\":5,\"op\":\"SCMP_CMP_GE\"},{\"index\":2,\"value\":4294967296,\"op\":\"SCMP_CMP_LT\"}]},{\"names\":["
    "\"ioctl\"],\"action\":\"SCMP_ACT_TRAP\","
    "\"args\":[{\"index\":1,\"value\":21522,\"op\":\"SCMP_CMP_NE\"}]},{\"names\":[\"ptrace\"],\"action\":\"SCMP_ACT_"
    "KILL_PROCESS\"},"
    "{\"names\":[\"openat2\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":[{\"index\":0,\"value\":7,\"op\":\"SCMP_CMP_GT\"}]"
    "}]}",
    "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"kexec_load\",\"mount\"],\"action\":\"SCMP_ACT_"
    "KILL\"},{\"names\":[\"dup2\",\"dup3\"],"
    "\"action\":\"SCMP_ACT_TRACE\",\"errnoRet\":9,\"args\":[{\"index\":0,\"value\":18446744073709551615,\"op\":\"SCMP_"
    "CMP_LE\"},{\"index\":5,\"value\":0,"
    "\"op\":\"SCMP_CMP_GT\"}]},{\"names\":[\"socket\"],\"action\":\"SCMP_ACT_LOG\",\"args\":[{\"index\":0,\"value\":1,"
    "\"op\":\"SCMP_CMP_EQ\"},{\"index\":0,"
    "\"value\":16,\"op\":\"SCMP_CMP_EQ\"}]}]}",
    "{\"defaultAction\":\"SCMP_ACT_KILL\",\"architectures\":[\"SCMP_ARCH_X86_64\"],\"syscalls\":[{\"names\":["
    "\"getpid\",\"nosuchcall\"],\"action\":"
    "\"SCMP_ACT_NOTIFY\"},{\"names\":[\"getpid\"],\"action\":\"SCMP_ACT_LOG\",\"args\":[{\"index\":3,\"value\":9,"
    "\"op\":\"SCMP_CMP_GE\"}]}]}",
};

__attribute__((unused)) static uint8_t *seed(unsigned int n, size_t *ret_size)
{
    uint8_t *data;

    if (n >= WH_ELEMENTSOF(profiles))
        return NULL;
    *ret_size = FUZZ_HEADER + strlen(profiles[n]);
    data = malloc(*ret_size);
    memcpy(data, "wherry!\1", FUZZ_HEADER);
    memcpy(data + FUZZ_HEADER, profiles[n], strlen(profiles[n]));
    return data;
}
