/* SPDX-License-Identifier: BSD-2-Clause
 *
 * site_queue - the queues: of a site file; for site.c only
 */
#ifndef SEPTET_DOMAIN_SITE_QUEUE_H
#define SEPTET_DOMAIN_SITE_QUEUE_H

#include "common/domain/conf.h"
#include "common/domain/site.h"

/* Fill site's queues: the stock ones, changed and added to by map (may be
 * NULL). */
void site_queues_read(struct site *site, const struct conf_node *map,
    struct conf_errors *errors);
void site_queues_free(struct site *site);

/* Make *path absolute from the site file's folder; also behind "unix:". */
void site_absolute(const struct site *site, char **path);
/* An error that this version does not know key yet, where it is there. */
void site_not_yet(struct conf_errors *errors, const struct conf_node *map,
    const char *key);
/* [a-z0-9][a-z0-9-]*, at most max bytes. */
bool site_is_word(const char *text, size_t max);

#endif
