/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_BASE_LOG_H
#define WH_BASE_LOG_H

#include <stdbool.h>

#include "base/err.h"

/*
 * Records of what is being done, for a caller that asked for them (--log-level info or debug). Without such a caller a
 * record costs one comparison: its arguments are not evaluated, so what only a record needs (a system call, a text) is
 * an argument, or behind wh_log_on(). The logger belongs to the thread: two threads of a caller may work for two
 * contexts.
 */
enum wh_log_level { WH_LOG_NONE, WH_LOG_INFO, WH_LOG_DEBUG };

struct wh_logger {
    enum wh_log_level level;
    void (*fn)(void *data, enum wh_log_level level, const char *file, const char *func, const char *text);
    void *data;
};

/* Initial-exec: no call to find it, and no allocation at the first use, also in a library. */
extern _Thread_local struct wh_logger wh_logger __attribute__((tls_model("initial-exec")));

static inline bool wh_log_on(enum wh_log_level level)
{
    return wh_logger.level >= level;
}

void wh_log_record(enum wh_log_level level, const char *file, const char *func, const char *fmt, ...) WH_PRINTF(4, 5);

#define WH_LOG(level, ...)                                                                                             \
    do {                                                                                                               \
        if (wh_log_on(level))                                                                                          \
            wh_log_record((level), __FILE__, __func__, __VA_ARGS__);                                                   \
    } while (0)
#define WH_INFO(...) WH_LOG(WH_LOG_INFO, __VA_ARGS__)
#define WH_DEBUG(...) WH_LOG(WH_LOG_DEBUG, __VA_ARGS__)

#endif
