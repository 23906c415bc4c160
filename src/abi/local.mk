# SPDX-License-Identifier: LGPL-2.1-or-later
# Sources and headers of this floor, one a line.
abi_sources += src/abi/kernel.h
abi_sources += src/abi/machine.h
abi_sources += src/abi/ops.def
abi_sources += src/abi/plan.h
abi_sources += src/abi/plan-verify.c
abi_sources += src/abi/proto.h
abi_sources += src/abi/sites.def
