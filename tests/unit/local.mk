# SPDX-License-Identifier: LGPL-2.1-or-later
# Unit tests: a test is one C file that prints TAP (tap.h) and one line in the list of its floor: unit_tests += tests/unit/NAME
# The program is built from tests/unit/NAME.c and linked with the library's objects.
unit_tests =

include tests/unit/base.mk
include tests/unit/spec.mk
include tests/unit/plan.mk
include tests/unit/host.mk
include tests/unit/api.mk
include tests/unit/init.mk
include tests/unit/cli.mk

# Every command with each call failing; tests/fault/run starts it.
include tests/fault/wrap.mk
check_PROGRAMS += tests/fault/said
tests_fault_said_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/unit
tests_fault_said_LDFLAGS = $(wrap_ldflags)
EXTRA_DIST += tests/fault/said-text.h tests/fault/wrap.h tests/fault/said.txt tests/fault/run

check_PROGRAMS += $(unit_tests)
LDADD = libwherry-core.la $(core_libs)
EXTRA_DIST += tests/unit/tap.h tests/unit/serve-world.h tests/unit/check-tests.h tests/unit/mutate.h tests/unit/mutate-hosts.h
