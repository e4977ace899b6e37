/* SPDX-License-Identifier: BSD-2-Clause
 *
 * address_header - the mailboxes of an address field, parsed by GMime
 */
#include <gmime/gmime.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/xalloc.h"
#include "common/mail/address.h"

/* GMime calls itself once for every group inside a group; a colon opens one.
 * Unbounded, a header of colons ends the process by its stack. */
#define COLONS_MAX 256
#define GROUP_DEPTH_MAX 8

struct gather {
	struct strv *out;
	size_t max;
	size_t n_taken;
	size_t n_left;
};

/* GMime turns A-labels into U-labels as it parses.  Turn them back, so that
 * an ASCII address never comes to need SMTPUTF8. */
static void
respell(const char *addr, struct sbuf *out)
{
	const char *at = strrchr(addr, '@');
	struct sbuf domain = {0};

	sbuf_set(out, addr);
	if (at == NULL)
		return;
	for (const char *p = at; *p != '\0'; p++) {
		if ((unsigned char)*p < 0x80)
			continue;
		if (address_domain_key(at + 1, &domain) == 0) {
			sbuf_truncate(out, (size_t)(at + 1 - addr));
			sbuf_adds(out, sbuf_str(&domain));
		}
		break;
	}
	sbuf_free(&domain);
}

static void
take_mailbox(struct gather *g, const char *addr)
{
	struct sbuf spelled = {0};

	if (addr != NULL)
		respell(addr, &spelled);
	if (g->n_taken < g->max && spelled.len > 0 &&
	    address_check(sbuf_str(&spelled), NULL, NULL) == 0) {
		strv_add(g->out, sbuf_str(&spelled));
		g->n_taken++;
	} else {
		g->n_left++;
	}
	sbuf_free(&spelled);
}

static void
take_list(struct gather *g, InternetAddressList *list, int depth)
{
	int n = internet_address_list_length(list);

	for (int i = 0; i < n; i++) {
		InternetAddress *a = internet_address_list_get_address(list, i);

		if (INTERNET_ADDRESS_IS_MAILBOX(a)) {
			take_mailbox(g, internet_address_mailbox_get_addr(
			    INTERNET_ADDRESS_MAILBOX(a)));
			continue;
		}
		if (depth == GROUP_DEPTH_MAX) {
			g->n_left++;
			continue;
		}
		take_list(g, internet_address_group_get_members(
		    INTERNET_ADDRESS_GROUP(a)), depth + 1);
	}
}

/* Length of value up to the colon that is one too many. */
static size_t
bounded_len(const char *value)
{
	size_t n = 0, colons = 0;

	for (; value[n] != '\0'; n++) {
		if (value[n] == ':' && ++colons > COLONS_MAX)
			break;
	}
	return n;
}

size_t
address_header(const char *value, size_t max, struct strv *out)
{
	struct gather g = {.out = out, .max = max};
	InternetAddressList *list;
	size_t n = bounded_len(value);
	char *text;

	if (value[n] != '\0')
		g.n_left++;
	text = xstrndup(value, n);
	g_mime_init();
	list = internet_address_list_parse(NULL, text);
	free(text);
	if (list == NULL)
		return g.n_left;
	take_list(&g, list, 0);
	g_object_unref(list);
	return g.n_left;
}
