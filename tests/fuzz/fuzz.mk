# SPDX-License-Identifier: LGPL-2.1-or-later
# The libFuzzer programs, below O (tests/fuzz/run calls this from the source tree): the pure floors, the host floor and the targets, all
# instrumented, so that coverage guides and a sanitizer watches every line that a target reaches.
#   make -f tests/fuzz/fuzz.mk O=build/fuzz [TARGETS='fuzz-spec …']
O ?= build/fuzz
FUZZ_CC ?= clang
TARGETS := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz-*.c))

# -O2 and -g1: a target is worth what it executes in a second, and a report needs names and lines, no more.
SAN = -fsanitize=address,undefined -fno-sanitize-recover=all
CFLAGS = -std=gnu17 -D_GNU_SOURCE -DHAVE_SECCOMP=1 -DHAVE_SYSTEMD=1 -DHAVE_SELINUX=1 -DWHERRY_VERSION='"fuzz"' -DWH_LIBFUZZER \
  -Isrc -Isrc/libwherry -O2 -g1 -fno-omit-frame-pointer $(SAN)
LIBS = $(shell pkg-config --libs yajl libcap libseccomp)

# Without what starts wherry-init: that is embedded in the library, and no target starts a process.
sources = $(filter-out %/init.c %/image.c,$(wildcard src/libwherry/base/*.c src/libwherry/spec/*.c src/libwherry/plan/*.c \
  src/libwherry/host/*.c src/libwherry/host/cgroup/*.c src/abi/*.c) src/cli/opts.c src/cli/near.c src/cli/commands.c src/cli/ids.c)
objects = $(sources:%.c=$O/obj/%.o)
# The names and words that a parser compares with are in its sources; so are those that no list here could keep up with.
words-of-spec = src/libwherry/spec/*.c
words-of-plan = $(words-of-spec) src/libwherry/plan/compile*.c

all: $(TARGETS:%=$O/%)

$O/obj/%.o: %.c
	@mkdir -p $(@D)
	@$(FUZZ_CC) $(CFLAGS) -fsanitize=fuzzer-no-link -MMD -MP -c -o $@ $<

$O/libcore.a: $(objects)
	@rm -f $@
	@ar crs $@ $^

$O/fuzz-%: tests/fuzz/fuzz-%.c $O/libcore.a
	@$(FUZZ_CC) $(CFLAGS) -fsanitize=fuzzer -MMD -MP -MF $@.d -o $@ $< $O/libcore.a $(LIBS)

-include $(wildcard $O/*.d) $(objects:.o=.d)
.SECONDARY:
.PHONY: all
