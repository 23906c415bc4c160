# SPDX-License-Identifier: LGPL-2.1-or-later
# unit_tests += tests/unit/NAME
unit_tests += tests/unit/test-opts
tests_unit_test_opts_SOURCES = tests/unit/test-opts.c src/cli/commands.c src/cli/help.c src/cli/log.c \
    src/cli/near.c src/cli/opts.c src/cli/out.c
tests_unit_test_opts_LDADD =
unit_tests += tests/fuzz/fuzz-args
tests_fuzz_fuzz_args_SOURCES = tests/fuzz/fuzz-args.c src/cli/commands.c src/cli/near.c src/cli/opts.c
tests_fuzz_fuzz_args_LDADD =
# The program against a library that only tells what it was asked for.
unit_tests += tests/unit/cli-verbs
tests_unit_cli_verbs_SOURCES = tests/unit/cli-verbs.c $(cli_sources)
tests_unit_cli_verbs_CPPFLAGS = $(AM_CPPFLAGS) -Dmain=cli_main
tests_unit_cli_verbs_LDADD = $(SECCOMP_LIBS)
tests_unit_cli_verbs_CFLAGS = $(AM_CFLAGS) -Wno-missing-prototypes
