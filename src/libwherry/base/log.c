/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

_Thread_local struct wh_logger wh_logger;

void wh_log_record(enum wh_log_level level, const char *file, const char *func, const char *fmt, ...)
{
    int kept = errno;
    char text[2048];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (wh_logger.fn)
        wh_logger.fn(wh_logger.data, level, file, func, text);
    /* A record is written between a call and the look at what it said. */
    errno = kept;
}
