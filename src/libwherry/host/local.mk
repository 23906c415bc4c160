# SPDX-License-Identifier: LGPL-2.1-or-later
# Sources and headers of this floor, one a line: host_sources += src/libwherry/host/file.c
host_sources += src/libwherry/host/cgroup/cgroup.h
host_sources += src/libwherry/host/cgroup/cgroup.c
host_sources += src/libwherry/host/cgroup/internal.h
host_sources += src/libwherry/host/cgroup/tree.c
host_sources += src/libwherry/host/cgroup/unified.c
host_sources += src/libwherry/host/cgroup/hybrid.c
host_sources += src/libwherry/host/cgroup/bpf.c
host_sources += src/libwherry/host/console.c
host_sources += src/libwherry/host/console.h
host_sources += src/libwherry/host/tty.c
host_sources += src/libwherry/host/tty.h
