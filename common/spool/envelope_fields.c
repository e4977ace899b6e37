/* SPDX-License-Identifier: BSD-2-Clause
 *
 * envelope_fields - whose word counts for which field
 *
 * The table of spool-layout/envelope.md; a change here is one there.
 */
#include <string.h>
#include <strings.h>

#include "common/spool/envelope.h"
#include "common/spool/envelope_fields.h"

/* Stages by name; a bit each. */
enum {
	LMTP = 1 << 0,
	INBOUND = 1 << 1,
	AUTH = 1 << 2,
	MODERATION = 1 << 3,
	PENDING = 1 << 4,
	OUTBOUND = 1 << 5,
	BOUNCE = 1 << 6,
	COMMAND = 1 << 7,
	DIGEST = 1 << 8,
	SEPTET = 1 << 9,
	API = 1 << 10,
	ANY = ~0,
	/* Who sends mail of its own. */
	SENDERS = INBOUND | PENDING | BOUNCE | COMMAND,
	/* No custom stage says of what it creates that it is a verdict. */
	STOCK = SEPTET | LMTP | INBOUND | AUTH | MODERATION | PENDING |
	    OUTBOUND | BOUNCE | COMMAND | DIGEST
};

static const struct {
	const char *name;
	int bit;
} stages[] = {
	{"lmtp", LMTP}, {"inbound", INBOUND}, {"auth", AUTH},
	{"moderation", MODERATION}, {"pending", PENDING},
	{"outbound", OUTBOUND}, {"bounce", BOUNCE}, {"command", COMMAND},
	{"digest", DIGEST}, {"septet", SEPTET}, {"api", API},
};

struct envelope_field {
	const char *name;
	int block;              /* stages any of whose blocks may hold it */
	int creation;           /* those whose creation blocks may, besides */
};

/* In the order of the page. */
static const struct envelope_field fields[] = {
	{"Id", 0, ANY},
	{"Origin", 0, ANY},
	{"Parent", 0, ANY},
	{"Kind", 0, ANY},
	{"Created", 0, ANY},
	{"Source", 0, ANY},
	{"Client", 0, LMTP},
	{"Mail-From", 0, ANY},
	{"Rcpt-To", 0, ANY},
	{"Mail-Options", 0, ANY},
	{"Rcpt-Options", 0, ANY},
	{"Size", ANY, 0},
	{"Crc32", ANY, 0},
	{"Body-Offset", ANY, 0},
	{"Head", ANY, 0},
	{"Needs", INBOUND | PENDING, STOCK},
	{"Message-Id", INBOUND, STOCK},
	{"Subject", INBOUND, STOCK},
	{"Author", INBOUND, STOCK},
	{"Sender", INBOUND, STOCK},
	{"Resent-From", INBOUND, STOCK},
	{"Auto", INBOUND, STOCK},
	{"Hops", INBOUND, STOCK},
	{"Digest-Sha256", INBOUND, STOCK},
	{"Duplicate-Of", INBOUND, STOCK},
	{"List", INBOUND, STOCK},
	{"Role", INBOUND, STOCK},
	{"Extension", INBOUND, STOCK},
	{"About", SEPTET, STOCK},
	{"Action", SEPTET, STOCK},
	{"Command", COMMAND, 0},
	{"Task", 0, ANY},
	{"Auth-Result", ANY, 0},
	{"Dmarc-Policy", AUTH, 0},
	{"Identity", ANY, 0},
	{"Assurance", ANY, 0},
	{"Spam", ANY, 0},
	{"Virus", ANY, 0},
	{"Rule", ANY, 0},
	{"Verdict", ANY, 0},
	{"Reason", ANY, 0},
	{"Notice", ANY, 0},
	{"Notice-To", 0, ANY},
	{"Language", INBOUND | COMMAND, 0},
	{"Template", INBOUND | COMMAND, 0},
	{"Held", MODERATION | COMMAND, 0},
	{"Post-Number", PENDING, 0},
	{"Change", ANY, 0},
	{"Archived-At", PENDING, 0},
	{"Digest-Issue", DIGEST, 0},
	{"Recipients", ANY, 0},
	{"Fan-Out", SENDERS, 0},
	{"Send-From", SENDERS, 0},
	{"Send-Options", SENDERS, 0},
	{"Verp", SENDERS, 0},
	{"Merge", SENDERS, 0},
	{"Priority", ANY, 0},
	{"Not-Before", ANY, 0},
	{"Expires", ANY, 0},
	{"Relay", ANY, 0},
	{"Delivery", OUTBOUND, 0},
	{"Bounce", BOUNCE, 0},
	{"Bounce-Source", BOUNCE, 0},
	{"Score", BOUNCE, 0},
	{"Claim", ANY, 0},
	{"Error", ANY, 0},
	{"Staged", ANY, 0},
	{"Note", SEPTET | API, 0},
	{"Trail", ANY, 0},
};

#define N_FIELDS (sizeof(fields) / sizeof(fields[0]))

const struct envelope_field *
envelope_field(const char *name)
{
	for (size_t i = 0; i < N_FIELDS; i++) {
		if (strcasecmp(fields[i].name, name) == 0)
			return &fields[i];
	}
	return NULL;
}

static int
stage_bit(const char *stage)
{
	for (size_t i = 0; i < sizeof(stages) / sizeof(stages[0]); i++) {
		if (strcmp(stages[i].name, stage) == 0)
			return stages[i].bit;
	}
	return 0;
}

static bool
is_custom(const char *name)
{
	return strncasecmp(name, "X-", 2) == 0;
}

/* "X-spamcheck-Score" is the queue spamcheck's. */
static bool
is_custom_of(const char *name, const char *queue)
{
	size_t n = strlen(queue);

	return strncasecmp(name + 2, queue, n) == 0 && name[2 + n] == '-' &&
	    name[2 + n + 1] != '\0';
}

/* ANY is any queue's word, also one whose runner is not of ours. */
static bool
allows(int mask, const char *stage)
{
	return mask == ANY || (mask & stage_bit(stage)) != 0;
}

bool
envelope_field_counts(const struct envelope_field *field, const char *name,
    const struct envelope_trail *trail, const char *stage)
{
	if (field == NULL)
		return !is_custom(name) || is_custom_of(name, trail->queue);
	return allows(field->block, stage) ||
	    (trail->is_creation && allows(field->creation, stage));
}

bool
envelope_owns(const char *stage, const char *queue, const char *name)
{
	const struct envelope_field *field = envelope_field(name);

	if (strcasecmp(name, "Trail") == 0 || strcasecmp(name, "Claim") == 0 ||
	    strcasecmp(name, "Septet-Envelope") == 0)
		return false;
	if (field == NULL)
		return !is_custom(name) || is_custom_of(name, queue);
	return allows(field->block | field->creation, stage);
}
