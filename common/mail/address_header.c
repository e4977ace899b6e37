/* SPDX-License-Identifier: BSD-2-Clause
 *
 * address_header - the mailboxes of an address field, parsed by GMime
 */
#include <gmime/gmime.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/xalloc.h"
#include "common/mail/address.h"
#include "common/mail/header.h"

/* GMime calls itself for every group inside a group, and looks through all that
 * follows for every word that is no address: a megabyte of "a:" overran the
 * stack, one of "a," took half an hour.  So it is given one address at a time,
 * and none longer than this. */
#define PIECE_MAX 4096
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

/* Where the quoted string or comment that opens at text[i] ends: the offset of
 * its last character, or of the NUL. */
static size_t
quote_end(const char *text, size_t i)
{
	char close = text[i] == '(' ? ')' : '"';
	size_t depth = 1;

	for (i++; text[i] != '\0'; i++) {
		if (text[i] == '\\' && text[i + 1] != '\0')
			i++;
		else if (text[i] == close && --depth == 0)
			break;
		else if (text[i] == '(' && close == ')')
			depth++;
	}
	return i;
}

/* Length up to the comma or semicolon that ends the address at text, or up to a
 * comment that is not closed: GMime would take nothing, and leaks (3.2).
 * A route ("<@a.example,@b.example:ann@example.net>") has commas of its own. */
static size_t
piece_len(const char *text)
{
	bool is_route = false;
	size_t i, end;

	for (i = 0; text[i] != '\0'; i++) {
		if (text[i] == '"' || text[i] == '(') {
			end = quote_end(text, i);
			if (text[end] == '\0')
				return text[i] == '(' ? i : end;
			i = end;
		} else if (text[i] == '<') {
			is_route = text[i + 1] == '@';
		} else if (text[i] == '>') {
			is_route = false;
		} else if ((text[i] == ',' && !is_route) || text[i] == ';') {
			break;
		}
	}
	return i;
}

static void
take_piece(struct gather *g, const char *text, size_t n)
{
	InternetAddressList *list;
	char *piece;

	if (n > PIECE_MAX) {
		g->n_left++;
		return;
	}
	piece = xstrndup(text, n);
	if (*header_skip_cfws(piece) != '\0') {
		list = internet_address_list_parse(NULL, piece);
		if (list == NULL) {
			g->n_left++;
		} else {
			take_list(g, list, 0);
			g_object_unref(list);
		}
	}
	free(piece);
}

size_t
address_header(const char *value, size_t max, struct strv *out)
{
	struct gather g = {.out = out, .max = max};

	g_mime_init();
	for (;;) {
		size_t n = piece_len(value);

		take_piece(&g, value, n);
		if (value[n] == '\0' || value[n] == '(')
			return g.n_left;
		value += n + 1;
	}
}
