# SPDX-License-Identifier: LGPL-2.1-or-later
# unit_tests += tests/unit/NAME
unit_tests += tests/unit/check
unit_tests += tests/unit/check-foresee
unit_tests += tests/unit/api
unit_tests += tests/unit/embed
unit_tests += tests/unit/embed-killed
unit_tests += tests/unit/oom
unit_tests += tests/unit/mutate-config
unit_tests += tests/unit/mutate-files
