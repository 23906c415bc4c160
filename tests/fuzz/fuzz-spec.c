/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Any bytes as config.json: a spec whose every place can be told, or errors that have one. */
#define FUZZ_NAME "spec"
#include "fuzz.h"

#include <errno.h>

#include "../unit/read-file.h"
#include "spec/spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    WH_CLEANUP_SPEC struct wh_spec *s = NULL;
    struct wh_errlist errs = { 0 };
    char where[160];
    uint32_t col;
    int r = wh_spec_parse((const char *)data, size, "c", WH_SPEC_UNKNOWN, &s, &errs);

    if (r < 0) {
        must(r == -EINVAL && errs.n > 0 && errs.n <= WH_ERRLIST_MAX);
        for (unsigned i = 0; i < errs.n; i++)
            must(strncmp(errs.e[i].path, "c:", 2) == 0 && errs.e[i].msg[0] && !strchr(errs.e[i].msg, '\n'));
    } else {
        must(s && errs.n == 0);
    }
    if (!s)
        return 0;
    /* Also of a spec with errors, which is there for its unknown keys; a text that is cut has a value at its end. */
    for (size_t i = 0; i < s->nunknown; i++)
        must(s->unknown[i].src && s->unknown[i].src < s->nnodes);
    for (wh_node n = 1; n < s->nnodes; n++) {
        must(s->nodes[n].parent < n && s->nodes[n].offset < size + (r < 0));
        must(wh_spec_line(s, n, &col) <= s->nlines && col > 0);
        must(strncmp(wh_spec_where(s, n, where, sizeof where), "c:", 2) == 0);
    }
    return 0;
}

#ifndef WH_LIBFUZZER
static uint8_t *seed(unsigned int n, size_t *ret_size)
{
    static const char *const files[] = {
        "tests/oci-validation/good/everything.json",
        "tests/configs/runc-1.1-spec-rootless.json",
        "tests/oci-validation/official/test/config/good/linux-rdma.json",
        "tests/oci-validation/bad/nul-annotation.json",
        "tests/oci-validation/bad/duplicate-after-inner.json",
        "tests/oci-validation/bad/utf8-overlong.json",
    };
    uint8_t *data;

    if (n >= WH_ELEMENTSOF(files))
        return NULL;
    data = (uint8_t *)read_file(files[n], ret_size);
    if (!data)
        fail_test("%s cannot be read", files[n]);
    return data;
}
#endif
