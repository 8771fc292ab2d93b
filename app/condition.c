#include "app/condition.h"

#include "event/query.h"

int condition_compile(struct condition *out, const char *text, struct diag *diag)
{
    struct arena arena = {0};
    struct ast *ast = NULL;
    struct pred *pred = NULL;
    int err = query_parse(&ast, &arena, slice_from(text), diag);
    if (err == 0 && ast->kind != AST_TRUE) {
        const struct ast *expression = ast;
        err = pred_compile(&pred, &expression, 1, diag);
    }
    arena_release(&arena);
    if (err == 0)
        out->pred = pred;
    return err;
}

void condition_release(struct condition *c)
{
    pred_free(c->pred);
    c->pred = NULL;
}
