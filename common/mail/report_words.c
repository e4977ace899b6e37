/* SPDX-License-Identifier: BSD-2-Clause
 *
 * report_words - the phrases of mail servers that report_text looks for
 *
 * To make the reader know one more mailer, a phrase here is usually all it
 * takes.  Phrases are kept general: what only one server says, and another
 * could mean otherwise, does not belong here.  All are matched without regard
 * to ASCII case; leads and delays may stand on two lines.
 */
#include <string.h>
#include <strings.h>

#include "common/mail/report_source.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* From says that a mail system speaks. */
static const char *const mailers[] = {
	"mailer-daemon", "mailer daemon", "postmaster", "post_master",
	"mail delivery", "mail.delivery", "delivery subsystem",
	"delivery system", "mdaemon@", "system administrator",
	"mail administrator", "smtp_mail_service", "mailerdaemon",
};

/* Subject says that a mail did not get through. */
static const char *const subjects[] = {
	"undeliver", "returned mail", "failure notice", "failure delivery",
	"delivery failure", "delivery fail", "delivery status",
	"delivery problem", "delivery error", "delivery has failed",
	"delivery report", "delivery notification", "not delivered",
	"not be delivered", "delivery unsuccessful", "mail failure",
	"mail system error", "mail error", "nondeliver", "non-deliver",
	"failed mail", "message delayed", "delayed mail", "delivery delayed",
	"returned to sender", "returning message to sender",
	"error sending your mail", "user unknown", "unknown user",
	"processing error", "could not send message",
	"could not send mail", "unable to deliver", "server: errors from",
	"unzustellbar", "nicht zugestellt", "zustellung", "non remis",
	"non distribu", "no entregado", "no se pudo entregar",
	"mancata consegna", "nie dostarczon", "onbestelbaar",
	"mensagem nao entregue", "\xe9\x80\x80\xe4\xbf\xa1",
	"\xe9\x85\x8d\xe4\xbf\xa1",
};

/* Sentences that lead to the addresses which were not reached, on their own
 * line or after. */
static const char *const leads[] = {
	"not be delivered", "cannot be delivered", "not been delivered",
	"not delivered", "was not delivered", "wasn't delivered",
	"couldn't be delivered", "not be reached", "did not reach",
	"unable to deliver", "able to deliver", "not deliver",
	"error delivering", "trouble delivering", "problem delivering",
	"problems delivering", "trying to deliver", "attempting to deliver",
	"failed to deliver", "delivery failed", "delivery has failed",
	"delivery to the following", "delevery to the following",
	"delivery to these recipients", "has been delayed",
	"is delayed for more than", "list of recipients",
	"following recipient", "following address", "following user",
	"these recipients", "recipients were affected",
	"affected recipient", "undeliverable", "unknown user:",
	"failed recipient", "error-for:", "intended recipient:",
	"fatal errors", "permanent error", "transient", "address failed",
	"addresses failed", "address(es) failed",
	"invalid final delivery userid", "delivery problems",
	"attempted to send to", "addressed to", "was rejected by",
	"your message to ", "your mail to ", "yet been delivered",
	"rcpt to generated", "recipient:", "duplicated message-id in",
	"nicht zugestellt werden", "nicht ausgeliefert", "folgende empf",
	"folgenden empf", "folgende adresse", "folgenden adresse",
	"pas pu \xc3\xaatre", "impossible de remettre",
	"no pudo ser entregado", "no se pudo entregar",
	"no se ha podido entregar", "nao pode ser",
	"n\xc3\xa3o p\xc3\xb4" "de ser",
	"non \xc3\xa8 stato possibile", "impossibile recapitare",
	"niet worden afgeleverd", "niet worden bezorgd",
	"nie mog\xc5\x82" "a zosta\xc4\x87",
	/* Japanese: failed to send, cannot be sent, not delivered */
	"\xe9\x80\x81\xe4\xbf\xa1\xe3\x81\xab\xe5\xa4\xb1\xe6\x95\x97",
	"\xe9\x80\x81\xe4\xbf\xa1\xe3\x81\xa7\xe3\x81\x8d\xe3\x81\xbe"
	"\xe3\x81\x9b\xe3\x82\x93",
	"\xe9\x85\x8d\xe4\xbf\xa1\xe3\x81\xa7\xe3\x81\x8d\xe3\x81\xbe"
	"\xe3\x81\x9b\xe3\x82\x93",
	/* Chinese: cannot be delivered */
	"\xe6\x97\xa0\xe6\xb3\x95\xe9\x80\x81\xe8\xbe\xbe",
	"\xe6\x97\xa0\xe6\xb3\x95\xe6\x8a\x95\xe9\x80\x92",
};

/* The mailer still tries. */
static const char *const delays[] = {
	"has been delayed", "is delayed", "been delayed", "message delayed",
	"will be retried", "will continue to be made",
	"delivery attempts will continue", "attempts will continue",
	"this is a warning message only", "warning message only",
	"only a temporary failure", "not yet been delivered",
	"not yet been able to", "will keep trying", "will try again",
	"still trying", "(delay)", "do not need to resend", "do not need to re-send",
	"could not send message for past", "will continue trying",
	"noch nicht zugestellt", "retry the delivery",
};

/* Here begins the message that was returned. */
static const char *const cuts[] = {
	"original message follows", "original mail as follows",
	"message header follow", "message headers follow",
	"message header is", "unsent message follows",
	"unsent message below", "copy of the original message",
	"copy of the message", "copy of your message", "below this line is",
	"header of the original", "headers of the original",
	"message reads (in part)", "returned message follows",
	"returned message below", "returned mail follows", "old message:",
	"message text follows", "start of returned message",
	"top 20 lines", "begin forwarded message", "original message header",
	"-- original message", "original headers", "the message follows",
	"message content follows", "rejected message follows",
};

/* Fields of that message, where it follows without a word. */
static const char *const cut_fields[] = {
	"return-path:", "received: ", "delivered-to:", "message-id:",
	"dkim-signature:", "mime-version:", "x-originating-ip:",
	"domainkey-signature:", "x-mailer:",
};

/* What may stand before an address at the beginning of a line. */
static const char *const labels[] = {
	"recipient", "recipients", "failed recipient",
	"recipient address", "recipient(s)", "email address", "e-mail address",
	"address", "user", "smtp", "mailto", "rcpt to", "email", "e-mail",
	"original recipient", "final recipient", "x-envelope-to",
	"empf\xc3\xa4nger", "destinataire", "destinatario", "adresse",
};

static const struct {
	const char *const *words;
	size_t n;
} tables[] = {
	[REPORT_WORDS_MAILER] = { mailers, COUNT(mailers) },
	[REPORT_WORDS_SUBJECT] = { subjects, COUNT(subjects) },
	[REPORT_WORDS_DELAY] = { delays, COUNT(delays) },
	[REPORT_WORDS_CUT] = { cuts, COUNT(cuts) },
};

const char *
report_words_find(enum report_words table, const char *text)
{
	const char *hit;
	size_t i;

	for (i = 0; i < tables[table].n; i++) {
		hit = strcasestr(text, tables[table].words[i]);
		if (hit != NULL)
			return hit + strlen(tables[table].words[i]);
	}
	return NULL;
}

const char *
report_words_lead(const char *text, size_t from)
{
	const char *hit, *first = NULL, *at;
	size_t i;

	for (i = 0; i < COUNT(leads); i++) {
		for (at = text; (hit = strcasestr(at, leads[i])) != NULL;
		    at = hit) {
			hit += strlen(leads[i]);
			if (hit > text + from &&
			    (first == NULL || hit < first))
				first = hit;
		}
	}
	return first;
}

bool
report_words_is_field(const char *line)
{
	size_t i;

	for (i = 0; i < COUNT(cut_fields); i++) {
		if (strncasecmp(line, cut_fields[i],
		    strlen(cut_fields[i])) == 0)
			return true;
	}
	return false;
}

size_t
report_words_label(const char *p)
{
	size_t i, n;

	for (i = 0; i < COUNT(labels); i++) {
		n = strlen(labels[i]);
		if (strncasecmp(p, labels[i], n) == 0 && (p[n] == ':' ||
		    (p[n] == ' ' && p[n + 1] == ':')))
			return n;
	}
	return 0;
}
