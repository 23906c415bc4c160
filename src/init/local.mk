# SPDX-License-Identifier: LGPL-2.1-or-later
# Sources and headers of this floor, one a line.
init_sources += src/init/copyup.c
init_sources += src/init/exec-check.c
init_sources += src/init/home.c
init_sources += src/init/ini.h
init_sources += src/init/main.c
init_sources += src/init/ops-dev.c
init_sources += src/init/ops-mount.c
init_sources += src/init/ops-ns.c
init_sources += src/init/ops-proc.c
init_sources += src/init/ops-reap.c
init_sources += src/init/ops-sec.c
init_sources += src/init/ops-sync.c
init_sources += src/init/resolve.c
init_sources += src/init/run.c
init_sources += src/init/sys.h
