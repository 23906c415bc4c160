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

check_PROGRAMS += $(unit_tests)
LDADD = libwherry-core.la $(core_libs)
EXTRA_DIST += tests/unit/tap.h tests/unit/mutate.h tests/unit/mutate-hosts.h
