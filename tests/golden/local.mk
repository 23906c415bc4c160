# SPDX-License-Identifier: LGPL-2.1-or-later
# Golden plans: golden.c compiles every case and compares the text; it needs no root.
check_PROGRAMS += tests/golden/golden
tests_golden_golden_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/unit
tests_golden_golden_SOURCES = tests/golden/golden.c
