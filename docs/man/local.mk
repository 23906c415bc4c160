# SPDX-License-Identifier: LGPL-2.1-or-later
dist_man_MANS = docs/man/wherry.1 docs/man/libwherry.3
