# SPDX-License-Identifier: LGPL-2.1-or-later
# unit_tests += tests/unit/NAME
unit_tests += tests/unit/spec-corpus
unit_tests += tests/unit/spec-schema
unit_tests += tests/unit/spec-values
unit_tests += tests/unit/spec-limits
unit_tests += tests/unit/spec-names
unit_tests += tests/fuzz/fuzz-spec
EXTRA_DIST += tests/fuzz/run tests/unit/read-file.h
