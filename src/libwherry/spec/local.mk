# SPDX-License-Identifier: LGPL-2.1-or-later
# Sources and headers of this floor, one a line: spec_sources += src/libwherry/spec/file.c
spec_sources += src/libwherry/spec/spec.h
