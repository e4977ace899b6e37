/* SPDX-License-Identifier: BSD-2-Clause
 *
 * report_reason - what a diagnostic text tells: reply code, status, class
 *
 * The words are those that mail servers of many makes share; a text that has a
 * code of RFC 3463 is judged by that code.
 */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "common/mail/report_source.h"

/* The first match counts, so what names its reason most clearly stands
 * first. */
static const struct {
	const char *words;
	const char *status;
} reasons[] = {
	{ "quota", "5.2.2" },
	{ "mailbox full", "5.2.2" },
	{ "mailbox is full", "5.2.2" },
	{ "mailfolder is full", "5.2.2" },
	{ "mail box full", "5.2.2" },
	{ "inbox is full", "5.2.2" },
	{ "over the maximum allowed", "5.2.2" },
	{ "not enough space", "5.2.2" },
	{ "insufficient disk", "5.2.2" },
	{ "storage space", "5.2.2" },
	{ "postfach ist voll", "5.2.2" },
	{ "message too large", "5.3.4" },
	{ "message too big", "5.3.4" },
	{ "message is too large", "5.3.4" },
	{ "size limit", "5.3.4" },
	{ "message size exceeds", "5.3.4" },
	{ "exceeds the maximum message size", "5.3.4" },
	{ "exceeds size", "5.3.4" },
	{ "spam", "5.7.1" },
	{ "virus", "5.7.1" },
	{ "blacklist", "5.7.1" },
	{ "black list", "5.7.1" },
	{ "blocklist", "5.7.1" },
	{ "block list", "5.7.1" },
	{ "spamhaus", "5.7.1" },
	{ "dnsbl", "5.7.1" },
	{ "dmarc", "5.7.1" },
	{ "spf", "5.7.1" },
	{ "reputation", "5.7.1" },
	{ "blocked", "5.7.1" },
	{ "policy", "5.7.1" },
	{ "prohibited", "5.7.1" },
	{ "not permitted", "5.7.1" },
	{ "not authorized", "5.7.1" },
	{ "not authorised", "5.7.1" },
	{ "not accepting mail from", "5.7.1" },
	{ "unauthenticated", "5.7.1" },
	{ "relaying denied", "5.7.1" },
	{ "unable to relay", "5.7.1" },
	{ "relay access denied", "5.7.1" },
	{ "relay not permitted", "5.7.1" },
	{ "not a relay", "5.7.1" },
	{ "access denied", "5.7.1" },
	{ "content rejected", "5.7.1" },
	{ "message rejected", "5.7.1" },
	{ "too many hops", "5.4.6" },
	{ "hop count", "5.4.6" },
	{ "message looping", "5.4.6" },
	{ "mail loop", "5.4.6" },
	{ "mail for", "5.4.6" },
	{ "user unknown", "5.1.1" },
	{ "unknown user", "5.1.1" },
	{ "user not known", "5.1.1" },
	{ "no such user", "5.1.1" },
	{ "no such address", "5.1.1" },
	{ "no such recipient", "5.1.1" },
	{ "no such person", "5.1.1" },
	{ "no such account", "5.1.1" },
	{ "no such mailbox", "5.1.1" },
	{ "no such local user", "5.1.1" },
	{ "no mailbox", "5.1.1" },
	{ "no user", "5.1.1" },
	{ "no account", "5.1.1" },
	{ "user doesn't have", "5.1.1" },
	{ "does not have a final email", "5.1.1" },
	{ "unknown recipient", "5.1.1" },
	{ "recipient unknown", "5.1.1" },
	{ "unknown address", "5.1.1" },
	{ "address unknown", "5.1.1" },
	{ "addressee unknown", "5.1.1" },
	{ "unknown local", "5.1.1" },
	{ "unknown or illegal", "5.1.1" },
	{ "unrouteable address", "5.1.1" },
	{ "unroutable address", "5.1.1" },
	{ "recipient not found", "5.1.1" },
	{ "user not found", "5.1.1" },
	{ "account not found", "5.1.1" },
	{ "address not found", "5.1.1" },
	{ "mailbox not found", "5.1.1" },
	{ "wasn't found", "5.1.1" },
	{ "couldn't be found", "5.1.1" },
	{ "could not be found", "5.1.1" },
	{ "not found in directory", "5.1.1" },
	{ "not recognized", "5.1.1" },
	{ "not listed in", "5.1.1" },
	{ "doesn't exist", "5.1.1" },
	{ "does not exist", "5.1.1" },
	{ "not exist", "5.1.1" },
	{ "invalid recipient", "5.1.1" },
	{ "invalid address", "5.1.1" },
	{ "invalid user", "5.1.1" },
	{ "invalid mailbox", "5.1.1" },
	{ "invalid final delivery userid", "5.1.1" },
	{ "not our customer", "5.1.1" },
	{ "not a valid", "5.1.1" },
	{ "existiert nicht", "5.1.1" },
	{ "unbekannt", "5.1.1" },
	{ "utilisateur inconnu", "5.1.1" },
	{ "desconocido", "5.1.1" },
	{ "inconnu", "5.1.1" },
	{ "disabled", "5.2.1" },
	{ "discontinued", "5.2.1" },
	{ "deactivated", "5.2.1" },
	{ "inactive", "5.2.1" },
	{ "suspended", "5.2.1" },
	{ "account is locked", "5.2.1" },
	{ "mailbox unavailable", "5.1.1" },
	{ "host unknown", "5.1.2" },
	{ "unknown host", "5.1.2" },
	{ "unknown domain", "5.1.2" },
	{ "domain does not exist", "5.1.2" },
	{ "host not found", "5.1.2" },
	{ "couldn't find any host", "5.1.2" },
	{ "no mx", "5.1.2" },
	{ "nullmx", "5.1.10" },
	{ "null mx", "5.1.10" },
	{ "timed out", "4.4.1" },
	{ "timeout", "4.4.1" },
	{ "retry time", "4.4.7" },
	{ "failing for a long time", "4.4.7" },
	{ "expired", "4.4.7" },
	{ "in the queue too long", "4.4.7" },
	{ "giving up", "4.4.7" },
	{ "connection refused", "4.4.1" },
	{ "connection reset", "4.4.2" },
	{ "connection dropped", "4.4.2" },
	{ "lost connection", "4.4.2" },
	{ "name service error", "4.4.3" },
	{ "dns lookup failure", "4.4.3" },
	{ "establish an smtp connection", "4.4.1" },
	{ "temporarily unavailable", "4.3.0" },
	{ "temporary failure", "4.3.0" },
	{ "network error", "4.4.1" },
	{ "unreachable", "4.4.1" },
	{ "no route to host", "4.4.1" },
};

/* Words that only a mail server that gave up writes; for lines that have an
 * address. */
static const char *const failures[] = {
	"user unknown", "unknown user", "no such user", "user not known",
	"no mailbox here", "recipient rejected", "address rejected",
	"mailbox unavailable", "mailbox full", "over quota", "quota violation",
	"unknown recipient", "recipient unknown", "addressee unknown",
	"not listed in", "did not exactly match", "no such address",
	"invalid recipient", "unrouteable address", "unroutable address",
	"malformed address", "host unknown", "does not exist",
	"remote protocol error", "originally addressed to",
	"account has been disabled", "doesn't have a", "user not found",
	"no such recipient", "undeliverable", "unknown address",
	"invalid final delivery userid", "connection timed out",
	"duplicated message-id in", "mailbox is full", "mailfolder is full",
	"no such person", "no such account", "is disabled", "is inactive",
	"been deactivated", "address not found", "not found in directory",
};

static bool
is_word(char c)
{
	return isalnum((unsigned char)c) || c == '.';
}

size_t
report_reason_code(const char *text, const char **at)
{
	const char *p;
	size_t subject, detail, n;

	for (p = text; *p != '\0'; p++) {
		if ((*p != '2' && *p != '4' && *p != '5') || p[1] != '.')
			continue;
		if (p > text && is_word(p[-1]))
			continue;
		subject = strspn(p + 2, "0123456789");
		if (subject < 1 || subject > 3 || p[2 + subject] != '.')
			continue;
		n = 3 + subject;
		detail = strspn(p + n, "0123456789");
		/* four numbers are an address of a host */
		if (detail < 1 || detail > 3 || (p[n + detail] == '.' &&
		    isdigit((unsigned char)p[n + detail + 1])))
			continue;
		*at = p;
		return n + detail;
	}
	return 0;
}

int
report_reason_reply(const char *text)
{
	const char *p;

	for (p = text; *p != '\0'; p++) {
		if ((*p != '4' && *p != '5') || (p > text &&
		    (is_word(p[-1]) || strchr("-_@/", p[-1]) != NULL)))
			continue;
		if (p[1] < '0' || p[1] > '5' || !isdigit((unsigned char)p[2]))
			continue;
		if (strchr(" -:\t\n,;)]#", p[3]) != NULL)
			return (p[0] - '0') * 100 + (p[1] - '0') * 10 +
			    (p[2] - '0');
	}
	return 0;
}

static bool
is_vague(const char *code, size_t n)
{
	return n == 5 && memcmp(code + 1, ".0.0", 4) == 0;
}

void
report_reason_status(const char *text, struct sbuf *out)
{
	const char *at, *found = NULL;
	size_t i, n, len = 0;
	int reply;

	sbuf_truncate(out, 0);
	/* "5.0.0" tells nothing that a later code or the words may not tell
	 * better. */
	for (at = text; (n = report_reason_code(at, &at)) > 0; at += n) {
		found = at;
		len = n;
		if (!is_vague(at, n))
			break;
	}
	if (found != NULL && !is_vague(found, len)) {
		sbuf_add(out, found, len);
		return;
	}
	reply = report_reason_reply(text);
	for (i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		if (strcasestr(text, reasons[i].words) == NULL)
			continue;
		sbuf_adds(out, reasons[i].status);
		if (reply / 100 == 4)
			out->data[0] = '4';
		return;
	}
	if (reply / 100 == 4)
		sbuf_adds(out, "4.0.0");
}

bool
report_reason_is_failure(const char *text)
{
	size_t i;

	for (i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
		if (strcasestr(text, failures[i]) != NULL)
			return true;
	}
	return false;
}
