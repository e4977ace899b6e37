/* SPDX-License-Identifier: BSD-2-Clause
 *
 * site - the site file: where things are and who runs what
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/sbuf.h"
#include "common/base/xalloc.h"
#include "common/domain/list.h"
#include "common/domain/site.h"
#include "common/domain/site_queue.h"
#include "common/mail/address.h"

#ifndef SEPTET_SITE_FILE
#define SEPTET_SITE_FILE "/etc/septet/septet.yaml"
#endif
#ifndef SEPTET_LIBEXEC
#define SEPTET_LIBEXEC "/usr/local/lib/septet"
#endif
#ifndef SEPTET_DATADIR
#define SEPTET_DATADIR "/usr/local/share/septet"
#endif

#define HOST_MAX 20
#define MINUTE_MS (60LL * 1000)
#define DAY_MS (24LL * 60 * MINUTE_MS)

static const char top_keys[] = "site, host, spool, lists, run, log, log_level, "
    "owner, programs, templates, user, group, flush, give_up, hold, keep, "
    "timer, low_space, trusted_authserv, lmtp, queues, defaults";

bool
site_is_word(const char *text, size_t max)
{
	size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-");

	return n > 0 && n <= max && text[n] == '\0' && text[0] != '-';
}

void
site_not_yet(struct conf_errors *errors, const struct conf_node *map,
    const char *key)
{
	const struct conf_node *node = conf_get(map, key);

	if (node != NULL) {
		conf_error(errors, node, "%s is not in this version, it is "
		    "allowed to leave it out", key);
	}
}

void
site_absolute(const struct site *site, char **path)
{
	const char *slash = strrchr(site->file, '/');
	struct sbuf out = {0};
	char *rest = *path;

	if (rest == NULL) {
		return;
	}
	if (strncmp(rest, "unix:", 5) == 0) {
		sbuf_adds(&out, "unix:");
		rest += 5;
	}
	if (*rest != '/') {
		sbuf_add(&out, site->file, (size_t)(slash - site->file) + 1);
		rest += strncmp(rest, "./", 2) == 0 ? 2 : 0;
	}
	sbuf_adds(&out, rest);
	while (out.len > 1 && out.data[out.len - 1] == '/') {
		sbuf_truncate(&out, out.len - 1);
	}
	free(*path);
	*path = xstrdup(sbuf_str(&out));
	sbuf_free(&out);
}

static char *
absolute_file(const char *path)
{
	struct sbuf out = {0};
	char *cwd, *result;

	if (*path != '/') {
		cwd = getcwd(NULL, 0);
		sbuf_printf(&out, "%s/", cwd == NULL ? "" : cwd);
		free(cwd);
	}
	sbuf_adds(&out, path + (strncmp(path, "./", 2) == 0 ? 2 : 0));
	result = xstrdup(sbuf_str(&out));
	sbuf_free(&out);
	return result;
}

/* A host or domain name as DNS has it, made lower-case. */
static int
check_domain(char *name)
{
	size_t label = 0;

	if (strlen(name) > 253) {
		return -1;
	}
	for (char *p = name; *p != '\0'; p++) {
		if (*p >= 'A' && *p <= 'Z') {
			*p += 'a' - 'A';
		}
		if (*p == '.') {
			if (label == 0 || p[-1] == '-') {
				return -1;
			}
			label = 0;
			continue;
		}
		if (strchr("abcdefghijklmnopqrstuvwxyz0123456789-", *p) ==
		    NULL || (label == 0 && *p == '-') || ++label > 63) {
			return -1;
		}
	}
	return label == 0 || name[strlen(name) - 1] == '-' ? -1 : 0;
}

/* This host's name as IDs can have it. */
static char *
own_host(void)
{
	char name[256] = "";
	char *p;

	if (gethostname(name, sizeof(name) - 1) == -1) {
		name[0] = '\0';
	}
	name[HOST_MAX] = '\0';
	name[strcspn(name, ".")] = '\0';
	for (p = name; *p != '\0'; p++) {
		if (*p >= 'A' && *p <= 'Z') {
			*p += 'a' - 'A';
		}
		if (strchr("abcdefghijklmnopqrstuvwxyz0123456789", *p) ==
		    NULL) {
			*p = '-';
		}
	}
	return xstrdup(site_is_word(name, HOST_MAX) ? name : "host");
}

static void
read_names(struct site *site, struct conf_errors *errors)
{
	const struct conf_node *root = site->tree;
	const struct conf_node *node = conf_get(root, "site");

	conf_string(errors, root, "site", &site->name);
	if (node == NULL) {
		conf_error(errors, root, "site is missing, the site's domain "
		    "name is needed (site: lists.example.org)");
	} else if (site->name != NULL && check_domain(site->name) == -1) {
		conf_error(errors, node, "site is \"%.60s\", a domain name is "
		    "allowed (in ASCII: xn-- for other letters)", site->name);
	}
	conf_string(errors, root, "host", &site->host);
	if (!site_is_word(site->host, HOST_MAX)) {
		conf_error(errors, conf_get(root, "host"), "host is \"%.60s\", "
		    "1 to 20 of a-z, 0-9 and - are allowed", site->host);
	}
}

static void
read_path(struct site *site, struct conf_errors *errors, const char *key,
    char **out)
{
	conf_string(errors, site->tree, key, out);
	site_absolute(site, out);
}

static void
read_paths(struct site *site, struct conf_errors *errors)
{
	const char *programs = getenv("SEPTET_PROGRAMS");
	const char *templates = getenv("SEPTET_TEMPLATES");

	read_path(site, errors, "spool", &site->spool);
	read_path(site, errors, "lists", &site->lists);
	read_path(site, errors, "run", &site->run);
	read_path(site, errors, "log", &site->log);
	read_path(site, errors, "programs", &site->programs);
	read_path(site, errors, "templates", &site->templates);
	if (programs != NULL && *programs != '\0') {
		free(site->programs);
		site->programs = absolute_file(programs);
	}
	if (templates != NULL && *templates != '\0') {
		free(site->templates);
		site->templates = absolute_file(templates);
	}
	if (strcmp(site->spool, site->lists) == 0 ||
	    strcmp(site->spool, site->run) == 0 ||
	    strcmp(site->lists, site->run) == 0) {
		conf_error(errors, site->tree, "spool, lists and run are not "
		    "three folders, a folder for each is allowed");
	}
}

static void
read_people(struct site *site, struct conf_errors *errors)
{
	const struct conf_node *node = conf_get(site->tree, "owner");
	const char *why;

	conf_strings(errors, site->tree, "owner", &site->owners);
	for (size_t i = 0; i < site->owners.n; i++) {
		if (address_check(site->owners.items[i], NULL, &why) == -1) {
			conf_error(errors, node, "owner \"%.60s\" (%s), "
			    "addresses are allowed", site->owners.items[i],
			    why);
		}
	}
	conf_string(errors, site->tree, "user", &site->user);
	conf_string(errors, site->tree, "group", &site->group);
	conf_strings(errors, site->tree, "trusted_authserv",
	    &site->trusted_authserv);
}

static void
read_habits(struct site *site, struct conf_errors *errors)
{
	static const char *const levels[] = {"debug", "info", "warn", "error",
		NULL};
	static const char *const flushes[] = {"auto", "syncfs", "fsync", NULL};
	const struct conf_node *root = site->tree;
	int level = LOG_LEVEL_INFO;
	int flush = SITE_FLUSH_AUTO;

	conf_choice(errors, root, "log_level", levels, &level);
	site->log_level = (enum log_level)level;
	conf_choice(errors, root, "flush", flushes, &flush);
	site->flush = (enum site_flush)flush;
	conf_time(errors, root, "give_up", &site->give_up);
	conf_time(errors, root, "hold", &site->hold);
	conf_time(errors, root, "keep", &site->keep);
	conf_time(errors, root, "timer", &site->timer);
	if (site->timer < 1000) {
		conf_error(errors, conf_get(root, "timer"), "timer is under a "
		    "second, 1s and more is allowed");
	}
	conf_size(errors, root, "low_space", &site->low_space);
}

/* "host:port", "[v6]:port", or "unix:/path" that a socket can have. */
static bool
is_listen(const char *text)
{
	const char *colon = strrchr(text, ':');
	size_t digits;
	long port;

	if (strncmp(text, "unix:", 5) == 0) {
		struct sockaddr_un un;

		return text[5] != '\0' &&
		    strlen(text + 5) < sizeof(un.sun_path);
	}
	if (colon == NULL || colon == text) {
		return false;
	}
	if (memchr(text, ':', (size_t)(colon - text)) != NULL &&
	    (text[0] != '[' || colon[-1] != ']')) {
		return false;
	}
	digits = strspn(colon + 1, "0123456789");
	port = digits <= 5 ? strtol(colon + 1, NULL, 10) : 0;
	return colon[1 + digits] == '\0' && port >= 1 && port <= 65535;
}

static bool
is_client(const char *text)
{
	unsigned char bin[sizeof(struct in6_addr)];

	return strcmp(text, "unix") == 0 ||
	    inet_pton(AF_INET, text, bin) == 1 ||
	    inet_pton(AF_INET6, text, bin) == 1;
}

static void
read_lmtp(struct site *site, struct conf_errors *errors)
{
	static const unsigned connections[2] = {1, 10000};
	static const unsigned recipients[2] = {1, 100000};
	const struct conf_node *map = conf_get_map(errors, site->tree, "lmtp");
	struct site_lmtp *lmtp = &site->lmtp;

	conf_strings(errors, map, "listen", &lmtp->listen);
	for (size_t i = 0; i < lmtp->listen.n; i++) {
		if (strncmp(lmtp->listen.items[i], "unix:", 5) == 0) {
			site_absolute(site, &lmtp->listen.items[i]);
		}
		if (!is_listen(lmtp->listen.items[i])) {
			conf_error(errors, conf_get(map, "listen"),
			    "listen is \"%.60s\", 127.0.0.1:8024, [::1]:8024 "
			    "or unix:/path (107 bytes) is allowed",
			    lmtp->listen.items[i]);
		}
	}
	conf_strings(errors, map, "xforward", &lmtp->xforward);
	for (size_t i = 0; i < lmtp->xforward.n; i++) {
		if (!is_client(lmtp->xforward.items[i])) {
			conf_error(errors, conf_get(map, "xforward"),
			    "xforward is \"%.60s\", an IP address or unix is "
			    "allowed", lmtp->xforward.items[i]);
		}
	}
	conf_count(errors, map, "connections", connections,
	    &lmtp->connections);
	conf_count(errors, map, "recipients", recipients, &lmtp->recipients);
	conf_time(errors, map, "timeout", &lmtp->timeout);
	conf_unknown(errors, map, "listen, connections, recipients, timeout, "
	    "xforward");
}

static void
set_defaults(struct site *site)
{
	site->host = own_host();
	site->spool = xstrdup("/var/spool/septet");
	site->lists = xstrdup("/var/lib/septet/lists");
	site->run = xstrdup("/run/septet");
	site->programs = xstrdup(SEPTET_LIBEXEC);
	site->templates = xstrdup(SEPTET_DATADIR "/templates");
	site->give_up = 5 * DAY_MS;
	site->hold = 14 * DAY_MS;
	site->keep = 30 * DAY_MS;
	site->timer = 5 * MINUTE_MS;
	site->low_space = 64 << 20;
	strv_add(&site->lmtp.listen, "127.0.0.1:8024");
	strv_add(&site->lmtp.xforward, "127.0.0.1");
	strv_add(&site->lmtp.xforward, "::1");
	strv_add(&site->lmtp.xforward, "unix");
	site->lmtp.connections = 200;
	site->lmtp.recipients = 1000;
	site->lmtp.timeout = 5 * MINUTE_MS;
}

struct site *
site_make(const char *path, struct conf_node *tree, struct conf_errors *errors)
{
	struct site *site = xcalloc(1, sizeof(*site));
	size_t before = errors->lines.n;

	site->file = absolute_file(path);
	site->tree = tree;
	set_defaults(site);
	read_names(site, errors);
	read_paths(site, errors);
	read_people(site, errors);
	read_habits(site, errors);
	read_lmtp(site, errors);
	site_queues_read(site, conf_get_map(errors, tree, "queues"), errors);
	/* The tree is the site's own; only readers see it as constant. */
	site->defaults = (struct conf_node *)conf_get_map(errors, tree,
	    "defaults");
	list_check_defaults(site, errors);
	site_not_yet(errors, tree, "hosts");
	site_not_yet(errors, tree, "clusters");
	conf_unknown(errors, tree, top_keys);
	if (errors->lines.n > before) {
		site_free(&site);
		errno = EINVAL;
	}
	return site;
}

struct site *
site_load(const char *path, struct conf_errors *errors)
{
	size_t before = errors->lines.n;
	struct conf_node *tree = conf_load(path, errors);
	struct site *site;

	if (tree == NULL) {
		return NULL;
	}
	site = site_make(path, tree, errors);
	if (site != NULL && errors->lines.n > before) {
		site_free(&site);
		errno = EINVAL;
	}
	return site;
}

void
site_free(struct site **site)
{
	struct site *s = *site;

	if (s == NULL) {
		return;
	}
	site_queues_free(s);
	strv_free(&s->owners);
	strv_free(&s->trusted_authserv);
	strv_free(&s->lmtp.listen);
	strv_free(&s->lmtp.xforward);
	free(s->file);
	free(s->name);
	free(s->host);
	free(s->spool);
	free(s->lists);
	free(s->run);
	free(s->log);
	free(s->programs);
	free(s->templates);
	free(s->user);
	free(s->group);
	conf_free(&s->tree);
	free(s);
	*site = NULL;
}

const char *
site_path(const char *option)
{
	const char *env = getenv("SEPTET_SITE");

	if (option != NULL) {
		return option;
	}
	return env != NULL && *env != '\0' ? env : SEPTET_SITE_FILE;
}
