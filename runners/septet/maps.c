/* SPDX-License-Identifier: BSD-2-Clause
 *
 * maps - all addresses of a site as a table of the MTA's, so that it refuses
 * unknown ones at RCPT
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "runners/septet/septet.h"

struct maps {
	struct cli *c;
	bool is_postfix;
	struct sbuf nexthop;    /* Postfix: "lmtp:inet:127.0.0.1:8024" */
	struct sbuf host;
	struct sbuf port;       /* empty: host is a socket's path */
	struct strv domains;
	unsigned long broken;
};

/* Where the MTA finds the LMTP server: the first address it listens at; a
 * wildcard is reached by loopback. */
static int
find_server(struct maps *m)
{
	const struct strv *listen = &m->c->site->lmtp.listen;
	const char *first, *colon;

	if (listen->n == 0)
		return cli_fail(EXIT_DATA, "%s: lmtp: has no listen:, so there "
		    "is no server to hand mail to", m->c->site->file);
	first = listen->items[0];
	colon = strrchr(first, ':');
	if (strncmp(first, "unix:", 5) == 0) {
		sbuf_set(&m->host, first + 5);
		sbuf_printf(&m->nexthop, "lmtp:%s", first);
		return 0;
	}
	if (colon == NULL)
		colon = first + strlen(first);
	sbuf_add(&m->host, first, (size_t)(colon - first));
	sbuf_set(&m->port, *colon == ':' ? colon + 1 : "24");
	if (strcmp(m->host.data, "0.0.0.0") == 0 || m->host.len == 0)
		sbuf_set(&m->host, "127.0.0.1");
	else if (strcmp(m->host.data, "[::]") == 0)
		sbuf_set(&m->host, "[::1]");
	sbuf_printf(&m->nexthop, "lmtp:inet:%s:%s", m->host.data,
	    m->port.data);
	return 0;
}

static void
print_address(const struct maps *m, const char *address)
{
	if (m->is_postfix)
		printf("%s %s\n", address, m->nexthop.data);
	else
		printf("%s\n", address);
}

static void
print_list(struct maps *m, const struct list *list)
{
	const struct lists_suffix *suffix;
	const char *address, *domain;
	size_t i;

	for (i = 0; i < list->addresses.n; i++) {
		address = list->addresses.items[i];
		domain = strrchr(address, '@');
		for (suffix = lists_suffixes(); suffix->text != NULL;
		    suffix++) {
			struct sbuf role = {0};

			sbuf_add(&role, address, (size_t)(domain - address));
			sbuf_printf(&role, "%s%s", suffix->text, domain);
			print_address(m, role.data);
			sbuf_free(&role);
		}
		if (!strv_has(&m->domains, domain + 1))
			strv_add(&m->domains, domain + 1);
	}
}

/* postmaster of each domain is ours, also where the site's owner is just that
 * (septet check warns): mail to owners goes out in its name, and an MTA that
 * looks senders up would refuse it. */
static void
print_postmasters(const struct maps *m)
{
	struct sbuf address = {0};
	size_t i;

	for (i = 0; i < m->domains.n; i++) {
		sbuf_set(&address, "postmaster@");
		sbuf_adds(&address, m->domains.items[i]);
		print_address(m, address.data);
	}
	sbuf_free(&address);
}

static void
print_domains(const struct maps *m, const char *separator)
{
	size_t i;

	for (i = 0; i < m->domains.n; i++)
		printf("%s%s", i > 0 ? separator : "", m->domains.items[i]);
}

static void
print_postfix_head(const struct maps *m)
{
	printf("# All addresses of the lists of %s, for Postfix; made by\n"
	    "# septet maps postfix >/etc/postfix/septet.new &&\n"
	    "#     mv /etc/postfix/septet.new /etc/postfix/septet && postfix "
	    "reload\n# whenever a list comes or goes.  main.cf:\n#\n"
	    "#   recipient_delimiter = +\n"
	    "#   transport_maps = texthash:/etc/postfix/septet\n"
	    "#   relay_recipient_maps = texthash:/etc/postfix/septet\n"
	    "#   relay_domains = the domains named at the end\n#\n"
	    "# Where such a domain has other mailboxes too (mydestination), "
	    "put the table\n# into local_recipient_maps instead of "
	    "relay_recipient_maps.\n", m->c->site->name);
}

static void
print_exim_head(const struct maps *m)
{
	printf("# All addresses of the lists of %s, for Exim; made by\n"
	    "# septet maps exim >/etc/exim4/septet.new && mv "
	    "/etc/exim4/septet.new /etc/exim4/septet\n"
	    "# whenever a list comes or goes.  Exim's configuration, a router "
	    "before that for\n# local users, and a transport:\n#\n"
	    "#   septet:\n"
	    "#     driver = accept\n"
	    "#     domains = +local_domains : +relay_to_domains\n"
	    "#     condition = ${lookup{$local_part@$domain}"
	    "lsearch{/etc/exim4/septet}{yes}\\\n"
	    "#       {${lookup{${extract{1}{+}{$local_part}}@$domain}"
	    "lsearch{/etc/exim4/septet}{yes}{no}}}}\n"
	    "#     transport = septet_lmtp\n#\n", m->c->site->name);
	printf("#   septet_lmtp:\n");
	if (m->port.len == 0)
		printf("#     driver = lmtp\n#     socket = %s\n"
		    "#     batch_max = 100\n", m->host.data);
	else
		printf("#     driver = smtp\n#     protocol = lmtp\n"
		    "#     hosts = %s\n#     port = %s\n"
		    "#     allow_localhost\n", m->host.data, m->port.data);
}

static int
print_all(struct maps *m)
{
	struct strv names = {0};
	struct sbuf why = {0};
	const struct list *list;
	size_t i;
	int found;

	if (lists_names(m->c->lists, &names) == -1)
		return cli_errno("%s", m->c->site->lists);
	if (m->is_postfix)
		print_postfix_head(m);
	else
		print_exim_head(m);
	strv_add(&m->domains, m->c->site->name);
	for (i = 0; i < names.n; i++) {
		sbuf_set(&why, "");
		found = lists_get(m->c->lists, names.items[i], &list, &why);
		if (found == 1) {
			print_list(m, list);
			continue;
		}
		m->broken++;
		cli_fail(0, "%s: %s", names.items[i], why.len > 0 ? why.data :
		    "no list.yaml");
	}
	print_postmasters(m);
	printf("# domains: ");
	print_domains(m, " ");
	putchar('\n');
	sbuf_free(&why);
	strv_free(&names);
	/* A table that lacks a list would refuse its mail for good. */
	return m->broken == 0 ? 0 : cli_fail(EXIT_CONFIG,
	    "%lu lists are left out; do not use this table", m->broken);
}

int
maps_run(struct cli *c, int argc, char **argv)
{
	struct maps m = {.c = c};
	int code;

	code = cli_arguments(c, &argc, argv, NULL, (const int[2]){1, 1});
	if (code != 0)
		return code - 1;
	m.is_postfix = strcmp(argv[1], "postfix") == 0;
	if (!m.is_postfix && strcmp(argv[1], "exim") != 0)
		return cli_usage(c, "%s: maps are for postfix or exim",
		    argv[1]);
	code = cli_open(c, CLI_LISTS);
	if (code == 0)
		code = find_server(&m);
	if (code == 0)
		code = print_all(&m);
	sbuf_free(&m.nexthop);
	sbuf_free(&m.host);
	sbuf_free(&m.port);
	strv_free(&m.domains);
	return code;
}
