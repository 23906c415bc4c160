# SPDX-License-Identifier: LGPL-2.1-or-later
# Sources and headers of this floor, one a line: cli_sources += src/cli/file.c
cli_sources += src/cli/cli.h
cli_sources += src/cli/cmd-check.c
cli_sources += src/cli/cmd-create.c
cli_sources += src/cli/cmd-delete.c
cli_sources += src/cli/cmd-doctor.c
cli_sources += src/cli/cmd-events.c
cli_sources += src/cli/cmd-explain.c
cli_sources += src/cli/cmd-features.c
cli_sources += src/cli/cmd-kill.c
cli_sources += src/cli/cmd-licenses.c
cli_sources += src/cli/cmd-list.c
cli_sources += src/cli/licenses.S
cli_sources += src/cli/cmd-pause.c
cli_sources += src/cli/cmd-ps.c
cli_sources += src/cli/cmd-spec.c
cli_sources += src/cli/cmd-start.c
cli_sources += src/cli/cmd-state.c
cli_sources += src/cli/cmd-update.c
cli_sources += src/cli/help.c
cli_sources += src/cli/ids.c
cli_sources += src/cli/log.c
cli_sources += src/cli/near.c
cli_sources += src/cli/out.c
cli_sources += src/cli/report.c
cli_sources += src/cli/twin.c
cli_sources += src/cli/version.c

# Each text below the name of its library, as `wherry licenses` prints them.
licenses.txt: $(notices) src/cli/local.mk
	@for f in $(notices); do name=`basename $$f .txt`; printf '==== %s\n\n' "$$name"; cat $(srcdir)/$$f 2>/dev/null || cat $$f; echo; done >$@
src/cli/wherry-licenses.$(OBJEXT) src/cli/licenses.$(OBJEXT): licenses.txt
CLEANFILES += licenses.txt

# The commit that is built, when it is built from a repository: shown by --version. Written anew only when it is another one.
wherry-commit.h: FORCE
	@id=; if test -e $(srcdir)/.git; then id=`git -C $(srcdir) rev-parse --verify HEAD 2>/dev/null`; \
	elif test -f $(srcdir)/.commit; then id=`cat $(srcdir)/.commit`; fi; \
	echo "#define WHERRY_COMMIT \"$$id\"" >$@.tmp; \
	if cmp -s $@.tmp $@; then rm -f $@.tmp; else mv $@.tmp $@; fi
FORCE:
BUILT_SOURCES += wherry-commit.h
CLEANFILES += wherry-commit.h

bashcompdir = $(datadir)/bash-completion/completions
dist_bashcomp_DATA = contrib/completion/wherry.bash
# Next to the library in the program: what a start of a container touches.
cli_sources += src/cli/main.c
cli_sources += src/cli/opts.c
cli_sources += src/cli/cmd-run.c
cli_sources += src/cli/cmd-exec.c
cli_sources += src/cli/create-opts.c
cli_sources += src/cli/commands.c
