# SPDX-License-Identifier: LGPL-2.1-or-later
# Sources and headers of this floor, one a line: plan_sources += src/libwherry/plan/file.c
plan_sources += src/libwherry/plan/plan.h src/libwherry/plan/compile.h src/libwherry/plan/facts.h
plan_sources += src/libwherry/plan/build.c
plan_sources += src/libwherry/plan/compile-mount.h
plan_sources += src/libwherry/plan/compile-paths.c
plan_sources += src/libwherry/plan/compile-seccomp.c
plan_sources += src/libwherry/plan/compile-devbpf.c
plan_sources += src/libwherry/plan/compile-cgroup.c
plan_sources += src/libwherry/plan/compile-mountopts.c
plan_sources += src/libwherry/plan/compile-mounts.c
plan_sources += src/libwherry/plan/compile-mountcg.c
plan_sources += src/libwherry/plan/compile-dev.c
