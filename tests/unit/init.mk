# SPDX-License-Identifier: LGPL-2.1-or-later
# unit_tests += tests/unit/NAME
unit_tests += tests/unit/init-features
unit_tests += tests/unit/init-home
unit_tests += tests/unit/init-hostile
unit_tests += tests/unit/init-ops
unit_tests += tests/unit/init-run
unit_tests += tests/unit/init-verify
unit_tests += tests/fault/fault-init
unit_tests += tests/fuzz/fuzz-home
unit_tests += tests/fuzz/fuzz-verify
EXTRA_DIST += tests/unit/fake-sys.h tests/unit/fake-calls.h tests/unit/init-host.h tests/unit/init-plan.h tests/unit/init-trace.h tests/unit/compile-spoil.h tests/fuzz/fuzz.h tests/fuzz/fake-files.h tests/fuzz/any-host.h tests/fuzz/json-mutate.h
