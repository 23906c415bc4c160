# SPDX-License-Identifier: LGPL-2.1-or-later
# Sources and headers of this floor, one a line: base_sources += src/libwherry/base/file.c
base_sources += src/libwherry/base/arena.c src/libwherry/base/arena.h
base_sources += src/libwherry/base/err.c src/libwherry/base/err.h
base_sources += src/libwherry/base/fd.c src/libwherry/base/fd.h
base_sources += src/libwherry/base/log.c src/libwherry/base/log.h
base_sources += src/libwherry/base/str.c src/libwherry/base/str.h
base_sources += src/libwherry/base/json-out.c src/libwherry/base/json-out.h
base_sources += src/libwherry/base/json.c src/libwherry/base/json.h
