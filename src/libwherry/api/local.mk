# SPDX-License-Identifier: LGPL-2.1-or-later
# Sources and headers of this floor, one a line: api_sources += src/libwherry/api/file.c
api_sources += src/libwherry/api/features.h
api_sources += src/libwherry/api/features.c
api_sources += src/libwherry/api/spec.c
