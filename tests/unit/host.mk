# SPDX-License-Identifier: LGPL-2.1-or-later
# unit_tests += tests/unit/NAME
unit_tests += tests/unit/cgroup
unit_tests += tests/unit/cgroup-said
unit_tests += tests/unit/sigsys
unit_tests += tests/unit/tty
unit_tests += tests/unit/serve
unit_tests += tests/fuzz/fuzz-serve
unit_tests += tests/unit/filter-cache
unit_tests += tests/unit/store
unit_tests += tests/fuzz/fuzz-state
unit_tests += tests/unit/spawn
unit_tests += tests/unit/apart
unit_tests += tests/unit/host-said
unit_tests += tests/unit/forked
unit_tests += tests/unit/unit
unit_tests += tests/unit/rdt
unit_tests += tests/unit/doctor
unit_tests += tests/unit/stat
unit_tests += tests/fuzz/fuzz-texts
tests_unit_host_said_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=syscall -Wl,--wrap=fstat -Wl,--wrap=ioctl
