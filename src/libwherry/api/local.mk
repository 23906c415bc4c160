# SPDX-License-Identifier: LGPL-2.1-or-later
# Sources and headers of this floor, one a line: api_sources += src/libwherry/api/file.c
api_sources += src/libwherry/api/features.h
api_sources += src/libwherry/api/features.c
api_sources += src/libwherry/api/spec.c
api_sources += src/libwherry/api/about.c
api_sources += src/libwherry/api/api.h
api_sources += src/libwherry/api/create.c
api_sources += src/libwherry/api/error.c
api_sources += src/libwherry/api/lifecycle.c
api_sources += src/libwherry/api/load.c
api_sources += src/libwherry/api/opts.c
api_sources += src/libwherry/api/query.c
api_sources += src/libwherry/api/start.c
