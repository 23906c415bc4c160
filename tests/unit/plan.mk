# SPDX-License-Identifier: LGPL-2.1-or-later
# unit_tests += tests/unit/NAME
unit_tests += tests/unit/plan-build
unit_tests += tests/unit/plan-text
unit_tests += tests/unit/devbpf
unit_tests += tests/unit/resources
unit_tests += tests/unit/seccomp
unit_tests += tests/unit/mountopts
unit_tests += tests/fuzz/fuzz-mountopts
unit_tests += tests/unit/cgroup-path
unit_tests += tests/unit/compile
unit_tests += tests/unit/annotations
unit_tests += tests/unit/limits
tests_unit_resources_LDADD = $(LDADD) -lm
