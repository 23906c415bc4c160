# SPDX-License-Identifier: LGPL-2.1-or-later
# Sources and headers of this floor, one a line: cli_sources += src/cli/file.c
