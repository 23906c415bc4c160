# SPDX-License-Identifier: LGPL-2.1-or-later
# unit_tests += tests/unit/NAME
unit_tests += tests/unit/plan-build
unit_tests += tests/unit/plan-text
unit_tests += tests/unit/devbpf
unit_tests += tests/unit/resources
unit_tests += tests/fuzz/fuzz-process
unit_tests += tests/fuzz/fuzz-resources
unit_tests += tests/unit/seccomp
unit_tests += tests/unit/seccomp-calls
unit_tests += tests/fuzz/fuzz-seccomp
unit_tests += tests/unit/mountopts
unit_tests += tests/fuzz/fuzz-mountopts
unit_tests += tests/unit/cgroup-path
unit_tests += tests/unit/compile
unit_tests += tests/unit/compile-refuse
unit_tests += tests/fuzz/fuzz-plan
unit_tests += tests/unit/annotations
unit_tests += tests/unit/limits
tests_unit_resources_LDADD = $(LDADD) -lm
EXTRA_DIST += tests/golden/hints.txt
tests_unit_compile_refuse_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=malloc -Wl,--wrap=calloc -Wl,--wrap=realloc -Wl,--wrap=wh_plan_verify \
	-Wl,--wrap=seccomp_attr_set -Wl,--wrap=seccomp_arch_add -Wl,--wrap=seccomp_rule_add_array -Wl,--wrap=seccomp_export_bpf
