# SPDX-License-Identifier: LGPL-2.1-or-later
# Sources and headers of this floor, one a line: spec_sources += src/libwherry/spec/file.c
spec_sources += src/libwherry/spec/spec.h
spec_sources += src/libwherry/spec/fields.c src/libwherry/spec/fields.h
spec_sources += src/libwherry/spec/parse.c src/libwherry/spec/parse-value.c src/libwherry/spec/parse.h
spec_sources += src/libwherry/spec/values.c
spec_sources += src/libwherry/spec/checks.c
spec_sources += src/libwherry/spec/validate.c src/libwherry/spec/validate.h
spec_sources += src/libwherry/spec/validate-process.c src/libwherry/spec/validate-resources.c
spec_sources += src/libwherry/spec/srcmap.c
