#include "app/keyring_option.h"

#include <inttypes.h>
#include <stdlib.h>

#include "app/config.h"

int keyring_option_name(const char *path)
{
    return setenv(KEYRING_ENVIRONMENT, path, 1) == 0 ? 0 : ERR_NOMEM;
}

int keyring_option_config(const struct config *config)
{
    const char *path = config_path(config, "encryption.keyring");
    return path == NULL ? 0 : keyring_option_name(path);
}

const char *keyring_option_path(void)
{
    const char *path = getenv(KEYRING_ENVIRONMENT);
    return path == NULL || path[0] == '\0' ? NULL : path;
}

int keyring_option(struct keyring **out, struct diag *diag)
{
    const char *path = keyring_option_path();
    *out = NULL;
    return path == NULL ? 0 : keyring_open(out, path, diag);
}

int keyring_option_check(size_t *count, const struct config *config, struct diag *diag)
{
    const char *path = config_path(config, "encryption.keyring");
    struct keyring *keys = NULL;
    size_t wanted = 0;
    int err = 0;
    for (size_t i = 0; i < config_tenant_count(config); i++)
        wanted += config_encrypts(config, config_tenant_code(config, i));
    if (path == NULL && (wanted != 0 || config_encrypts(config, 0))) {
        diag_add(diag, NULL, 0, 0,
                 "municipalities are to be encrypted, and encryption.keyring names no keyring");
        return ERR_CONF;
    }
    if (path != NULL && keyring_open(&keys, path, diag) != 0)
        return ERR_CONF;
    for (size_t i = 0; i < config_tenant_count(config); i++) {
        uint32_t tenant = config_tenant_code(config, i);
        if (!config_encrypts(config, tenant) || keyring_active(keys, tenant) != NULL)
            continue;
        diag_add(diag, path, 0, 0,
                 "%06" PRIu32
                 " is to be encrypted and has no active key here; make one with: sekisho "
                 "keyring add --tenant %06" PRIu32,
                 tenant, tenant);
        err = ERR_CONF;
    }
    keyring_close(keys);
    *count = wanted;
    return err;
}
