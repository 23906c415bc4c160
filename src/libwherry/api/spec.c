/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The config.json that `spec` writes: a shell in a confined container. Two variants of one text. */
#include <string.h>

#include "api/features.h"
#include "wherry.h"

/* R: with --rootless only, U: without it only. */
enum which { ALWAYS, U, R };

struct part {
    enum which which;
    const char *text;
};

static const struct part head[] = {
    { ALWAYS, "\t\"process\": {\n"
              "\t\t\"terminal\": true,\n"
              "\t\t\"user\": {\n"
              "\t\t\t\"uid\": 0,\n"
              "\t\t\t\"gid\": 0\n"
              "\t\t},\n"
              "\t\t\"args\": [\n"
              "\t\t\t\"sh\"\n"
              "\t\t],\n"
              "\t\t\"env\": [\n"
              "\t\t\t\"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\",\n"
              "\t\t\t\"TERM=xterm\"\n"
              "\t\t],\n"
              "\t\t\"cwd\": \"/\",\n"
              "\t\t\"capabilities\": {\n"
              "\t\t\t\"bounding\": [\n"
              "\t\t\t\t\"CAP_AUDIT_WRITE\",\n"
              "\t\t\t\t\"CAP_KILL\",\n"
              "\t\t\t\t\"CAP_NET_BIND_SERVICE\"\n"
              "\t\t\t],\n"
              "\t\t\t\"effective\": [\n"
              "\t\t\t\t\"CAP_AUDIT_WRITE\",\n"
              "\t\t\t\t\"CAP_KILL\",\n"
              "\t\t\t\t\"CAP_NET_BIND_SERVICE\"\n"
              "\t\t\t],\n"
              "\t\t\t\"permitted\": [\n"
              "\t\t\t\t\"CAP_AUDIT_WRITE\",\n"
              "\t\t\t\t\"CAP_KILL\",\n"
              "\t\t\t\t\"CAP_NET_BIND_SERVICE\"\n"
              "\t\t\t]\n"
              "\t\t},\n"
              "\t\t\"rlimits\": [\n"
              "\t\t\t{\n"
              "\t\t\t\t\"type\": \"RLIMIT_NOFILE\",\n"
              "\t\t\t\t\"hard\": 1024,\n"
              "\t\t\t\t\"soft\": 1024\n"
              "\t\t\t}\n"
              "\t\t],\n"
              "\t\t\"noNewPrivileges\": true\n"
              "\t},\n"
              "\t\"root\": {\n"
              "\t\t\"path\": \"rootfs\",\n"
              "\t\t\"readonly\": true\n"
              "\t},\n"
              "\t\"hostname\": \"wherry\",\n"
              "\t\"mounts\": [\n"
              "\t\t{\n"
              "\t\t\t\"destination\": \"/proc\",\n"
              "\t\t\t\"type\": \"proc\",\n"
              "\t\t\t\"source\": \"proc\"\n"
              "\t\t},\n"
              "\t\t{\n"
              "\t\t\t\"destination\": \"/dev\",\n"
              "\t\t\t\"type\": \"tmpfs\",\n"
              "\t\t\t\"source\": \"tmpfs\",\n"
              "\t\t\t\"options\": [\n"
              "\t\t\t\t\"nosuid\",\n"
              "\t\t\t\t\"strictatime\",\n"
              "\t\t\t\t\"mode=755\",\n"
              "\t\t\t\t\"size=65536k\"\n"
              "\t\t\t]\n"
              "\t\t},\n"
              "\t\t{\n"
              "\t\t\t\"destination\": \"/dev/pts\",\n"
              "\t\t\t\"type\": \"devpts\",\n"
              "\t\t\t\"source\": \"devpts\",\n"
              "\t\t\t\"options\": [\n"
              "\t\t\t\t\"nosuid\",\n"
              "\t\t\t\t\"noexec\",\n"
              "\t\t\t\t\"newinstance\",\n"
              "\t\t\t\t\"ptmxmode=0666\",\n" },
    /* Group 5 (tty) is not mapped there. */
    { U, "\t\t\t\t\"mode=0620\",\n"
         "\t\t\t\t\"gid=5\"\n" },
    { R, "\t\t\t\t\"mode=0620\"\n" },
    { ALWAYS, "\t\t\t]\n"
              "\t\t},\n"
              "\t\t{\n"
              "\t\t\t\"destination\": \"/dev/shm\",\n"
              "\t\t\t\"type\": \"tmpfs\",\n"
              "\t\t\t\"source\": \"shm\",\n"
              "\t\t\t\"options\": [\n"
              "\t\t\t\t\"nosuid\",\n"
              "\t\t\t\t\"noexec\",\n"
              "\t\t\t\t\"nodev\",\n"
              "\t\t\t\t\"mode=1777\",\n"
              "\t\t\t\t\"size=65536k\"\n"
              "\t\t\t]\n"
              "\t\t},\n"
              "\t\t{\n"
              "\t\t\t\"destination\": \"/dev/mqueue\",\n"
              "\t\t\t\"type\": \"mqueue\",\n"
              "\t\t\t\"source\": \"mqueue\",\n"
              "\t\t\t\"options\": [\n"
              "\t\t\t\t\"nosuid\",\n"
              "\t\t\t\t\"noexec\",\n"
              "\t\t\t\t\"nodev\"\n"
              "\t\t\t]\n"
              "\t\t},\n"
              "\t\t{\n"
              "\t\t\t\"destination\": \"/sys\",\n" },
    { U, "\t\t\t\"type\": \"sysfs\",\n"
         "\t\t\t\"source\": \"sysfs\",\n"
         "\t\t\t\"options\": [\n" },
    /* The kernel gives a new sysfs to the owner of the network namespace alone. */
    { R, "\t\t\t\"type\": \"none\",\n"
         "\t\t\t\"source\": \"/sys\",\n"
         "\t\t\t\"options\": [\n"
         "\t\t\t\t\"rbind\",\n" },
    { ALWAYS, "\t\t\t\t\"nosuid\",\n"
              "\t\t\t\t\"noexec\",\n"
              "\t\t\t\t\"nodev\",\n"
              "\t\t\t\t\"ro\"\n"
              "\t\t\t]\n"
              "\t\t},\n"
              "\t\t{\n"
              "\t\t\t\"destination\": \"/sys/fs/cgroup\",\n"
              "\t\t\t\"type\": \"cgroup\",\n"
              "\t\t\t\"source\": \"cgroup\",\n"
              "\t\t\t\"options\": [\n"
              "\t\t\t\t\"nosuid\",\n"
              "\t\t\t\t\"noexec\",\n"
              "\t\t\t\t\"nodev\",\n"
              "\t\t\t\t\"relatime\",\n"
              "\t\t\t\t\"ro\"\n"
              "\t\t\t]\n"
              "\t\t}\n"
              "\t],\n"
              "\t\"linux\": {\n" },
    { U, "\t\t\"resources\": {\n"
         "\t\t\t\"devices\": [\n"
         "\t\t\t\t{\n"
         "\t\t\t\t\t\"allow\": false,\n"
         "\t\t\t\t\t\"access\": \"rwm\"\n"
         "\t\t\t\t}\n"
         "\t\t\t]\n"
         "\t\t},\n" },
};

static const struct part tail[] = {
    { ALWAYS, "\t\t\"namespaces\": [\n"
              "\t\t\t{\n"
              "\t\t\t\t\"type\": \"pid\"\n"
              "\t\t\t},\n" },
    { U, "\t\t\t{\n"
         "\t\t\t\t\"type\": \"network\"\n"
         "\t\t\t},\n" },
    { ALWAYS, "\t\t\t{\n"
              "\t\t\t\t\"type\": \"ipc\"\n"
              "\t\t\t},\n"
              "\t\t\t{\n"
              "\t\t\t\t\"type\": \"uts\"\n"
              "\t\t\t},\n"
              "\t\t\t{\n"
              "\t\t\t\t\"type\": \"mount\"\n"
              "\t\t\t},\n"
              "\t\t\t{\n"
              "\t\t\t\t\"type\": \"cgroup\"\n" },
    { R, "\t\t\t},\n"
         "\t\t\t{\n"
         "\t\t\t\t\"type\": \"user\"\n" },
    { ALWAYS, "\t\t\t}\n"
              "\t\t],\n"
              "\t\t\"maskedPaths\": [\n"
              "\t\t\t\"/proc/acpi\",\n"
              "\t\t\t\"/proc/asound\",\n"
              "\t\t\t\"/proc/kcore\",\n"
              "\t\t\t\"/proc/keys\",\n"
              "\t\t\t\"/proc/latency_stats\",\n"
              "\t\t\t\"/proc/timer_list\",\n"
              "\t\t\t\"/proc/timer_stats\",\n"
              "\t\t\t\"/proc/sched_debug\",\n"
              "\t\t\t\"/sys/firmware\",\n"
              "\t\t\t\"/proc/scsi\"\n"
              "\t\t],\n"
              "\t\t\"readonlyPaths\": [\n"
              "\t\t\t\"/proc/bus\",\n"
              "\t\t\t\"/proc/fs\",\n"
              "\t\t\t\"/proc/irq\",\n"
              "\t\t\t\"/proc/sys\",\n"
              "\t\t\t\"/proc/sysrq-trigger\"\n"
              "\t\t]\n"
              "\t}\n"
              "}\n" },
};

static void parts(const struct part *p, size_t n, bool rootless, struct wh_buf *out)
{
    for (size_t i = 0; i < n; i++)
        if (p[i].which == ALWAYS || (p[i].which == R) == rootless)
            wh_buf_puts(out, p[i].text);
}

static void mapping(const char *key, unsigned id, struct wh_buf *out)
{
    wh_buf_printf(out,
                  "\t\t\"%s\": [\n\t\t\t{\n\t\t\t\t\"containerID\": 0,\n\t\t\t\t\"hostID\": %u,\n"
                  "\t\t\t\t\"size\": 1\n\t\t\t}\n\t\t],\n",
                  key, id);
}

void wh_spec_write(bool rootless, unsigned euid, unsigned egid, struct wh_buf *out)
{
    wh_buf_printf(out, "{\n\t\"ociVersion\": \"%s\",\n", wherry_spec_version());
    parts(head, WH_ELEMENTSOF(head), rootless, out);
    if (rootless) {
        mapping("uidMappings", euid, out);
        mapping("gidMappings", egid, out);
    }
    parts(tail, WH_ELEMENTSOF(tail), rootless, out);
}
