/* SPDX-License-Identifier: BSD-2-Clause
 *
 * sasl - AUTH by libgsasl
 */
#include <gsasl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/xalloc.h"
#include "runners/outbound/sasl.h"

struct sasl {
	Gsasl *context;
	Gsasl_session *session;
};

static const struct {
	const char *name;
	bool is_plain;          /* shows the password to who listens */
	bool is_client_first;
} mechanisms_known[] = {
	{"SCRAM-SHA-256", false, true},
	{"SCRAM-SHA-1", false, true},
	{"PLAIN", true, true},
	{"LOGIN", true, false},
};
#define N_MECHANISMS (sizeof mechanisms_known / sizeof mechanisms_known[0])

static bool
has_word(const char *list, const char *word)
{
	size_t n = strlen(word), len;

	for (; *list != '\0'; list += len) {
		list += strspn(list, " \t");
		len = strcspn(list, " \t");
		if (len == n && strncasecmp(list, word, n) == 0)
			return true;
	}
	return false;
}

static size_t
choose(const char *offered, bool is_plain_ok, const char **why)
{
	size_t i;

	*why = "no AUTH mechanism in common";
	for (i = 0; i < N_MECHANISMS; i++) {
		if (!has_word(offered, mechanisms_known[i].name))
			continue;
		if (is_plain_ok || !mechanisms_known[i].is_plain)
			return i;
		*why = "AUTH would show the password: no TLS";
	}
	return N_MECHANISMS;
}

static int
start(struct sasl *s, const char *mechanism, const char *user,
    const char *password)
{
	if (gsasl_init(&s->context) != GSASL_OK)
		return -1;
	if (gsasl_client_start(s->context, mechanism, &s->session) != GSASL_OK)
		return -1;
	if (gsasl_property_set(s->session, GSASL_AUTHID, user) != GSASL_OK
	    || gsasl_property_set(s->session, GSASL_PASSWORD, password)
	    != GSASL_OK)
		return -1;
	return 0;
}

struct sasl *
sasl_begin(const char *mechanisms, const char *user, const char *password,
    bool is_plain_ok, struct sbuf *out, const char **why)
{
	size_t which = choose(mechanisms, is_plain_ok, why);
	struct sasl *s;

	if (which == N_MECHANISMS)
		return NULL;
	s = xcalloc(1, sizeof *s);
	*why = "the SASL library failed";
	if (start(s, mechanisms_known[which].name, user, password) == -1) {
		sasl_free(&s);
		return NULL;
	}
	sbuf_adds(out, mechanisms_known[which].name);
	if (!mechanisms_known[which].is_client_first)
		return s;
	sbuf_addc(out, ' ');
	if (sasl_step(s, "", out) == -1)
		sasl_free(&s);
	return s;
}

int
sasl_step(struct sasl *s, const char *challenge, struct sbuf *out)
{
	char *answer = NULL;
	int rc = gsasl_step64(s->session, challenge, &answer);

	if (rc != GSASL_OK && rc != GSASL_NEEDS_MORE)
		return -1;
	if (answer != NULL)
		sbuf_adds(out, answer);
	gsasl_free(answer);
	return 0;
}

void
sasl_free(struct sasl **s)
{
	if (*s == NULL)
		return;
	if ((*s)->session != NULL)
		gsasl_finish((*s)->session);
	if ((*s)->context != NULL)
		gsasl_done((*s)->context);
	free(*s);
	*s = NULL;
}
