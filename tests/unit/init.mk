# SPDX-License-Identifier: LGPL-2.1-or-later
# unit_tests += tests/unit/NAME
unit_tests += tests/unit/init-run tests/unit/init-verify
EXTRA_DIST += tests/unit/init-plan.h
