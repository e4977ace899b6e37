/* SPDX-License-Identifier: BSD-2-Clause
 *
 * job - open an entry, and make transactions of its recipients
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "common/base/esc.h"
#include "common/base/io.h"
#include "common/base/xalloc.h"
#include "common/mail/address.h"
#include "common/mail/header.h"
#include "runners/outbound/job.h"

#define VERP_MARK "{verp}"

/* ---- opening -------------------------------------------------------- */

static bool
has_word(const char *list, const char *word)
{
	size_t n = strlen(word), len;

	for (; list != NULL && *list != '\0'; list += len) {
		list += strspn(list, " \t");
		len = strcspn(list, " \t");
		if (len == n && strncasecmp(list, word, n) == 0)
			return true;
	}
	return false;
}

static void
read_sender(struct job *j)
{
	const struct envelope *env = entry_envelope(j->entry);
	const char *verp = envelope_get(env, "Verp");
	struct sbuf from = {0};
	char *mark;

	if (envelope_address(env, "Send-From", &from) != 1) {
		sbuf_set(&j->bury, "no Send-From to send it from");
		return;
	}
	j->is_null = from.len == 0;
	mark = strstr(sbuf_str(&from), VERP_MARK);
	j->is_verp = mark != NULL
	    && (verp == NULL || strcmp(verp, "none") != 0);
	if (mark == NULL) {
		sbuf_add(&j->sender_head, sbuf_str(&from), from.len);
	} else {
		sbuf_add(&j->sender_head, from.data,
		    (size_t)(mark - from.data));
		sbuf_adds(&j->sender_tail, mark + strlen(VERP_MARK));
	}
	sbuf_free(&from);
}

/* RFC 3461 section 4: what is not a plain character is written +HH. */
static void
add_xtext(struct sbuf *out, const char *str)
{
	for (; *str != '\0'; str++) {
		unsigned char c = (unsigned char)*str;

		if (c > ' ' && c < 0x7f && c != '+' && c != '=')
			sbuf_addc(out, (char)c);
		else
			sbuf_printf(out, "+%02X", c);
	}
}

static void
add_parameter(struct sbuf *out, const char *key, const char *value)
{
	if (out->len > 0)
		sbuf_addc(out, ' ');
	sbuf_printf(out, "%s=", key);
	add_xtext(out, value);
}

/* "NOTIFY=FAILURE RET=HDRS ENVID=x": which go with MAIL, which with RCPT. */
static void
read_options(struct job *j)
{
	const struct envelope *env = entry_envelope(j->entry);
	const char *options = envelope_get(env, "Send-Options");
	const char *needs = envelope_get(env, "Needs");
	struct sbuf value = {0};

	j->needs_8bit = has_word(needs, "8BITMIME");
	j->needs_utf8 = has_word(needs, "SMTPUTF8");
	if (options == NULL)
		return;
	if (kv_get(options, "RET", &value) == 1)
		add_parameter(&j->mail_words, "RET", sbuf_str(&value));
	if (kv_get(options, "ENVID", &value) == 1)
		add_parameter(&j->mail_words, "ENVID", sbuf_str(&value));
	if (kv_get(options, "NOTIFY", &value) == 1)
		add_parameter(&j->rcpt_words, "NOTIFY", sbuf_str(&value));
	sbuf_free(&value);
}

static int
read_message(struct job *j)
{
	struct sbuf header = {0};
	int rc = -1;

	j->message = entry_message_open(j->entry);
	if (j->message != -1
	    && entry_header(j->entry, HEADER_MAX, &header, &j->body) == 0)
		rc = 0;
	if (rc == 0 && runner_queue(j->runner)->maildir != NULL) {
		j->header = header;
		return 0;
	}
	if (rc == 0)
		rc = wire_load(&j->wire, &header, j->message, j->body);
	sbuf_free(&header);
	if (rc == 0 && j->wire.is_whole)
		io_close(&j->message);
	return rc;
}

static int
open_parts(struct job *j)
{
	struct stat st;

	j->rcpt = entry_rcpt_open(j->entry, O_RDWR);
	if (j->rcpt == -1 || fstat(j->rcpt, &st) == -1
	    || rcpt_read_begin(&j->reader, j->rcpt) == -1)
		return -1;
	j->rcpt_size = st.st_size;
	j->result = entry_result_open(j->entry);
	if (j->result == -1 || fstat(j->result, &st) == -1)
		return -1;
	j->result_size = st.st_size;
	return job_recover(j) == 0 && read_message(j) == 0 ? 0 : -1;
}

/* What no later attempt can mend, as against trouble of this host; NULL. */
static const char *
never_sent(int error)
{
	switch (error) {
	case ENOENT:
		return "a part is missing";
	case EILSEQ:
		return "the message has a NUL, which SMTP cannot send";
	case EPROTO:
		return "the distribution list is malformed";
	case EFBIG:
		return "the header block is too large";
	case EINVAL:
	case ELOOP:
		return "a part is no regular file";
	default:
		return NULL;
	}
}

int
job_open(struct runner *r, struct entry *e, struct job **job)
{
	struct job *j = xcalloc(1, sizeof *j);
	int error;

	*job = NULL;
	*j = (struct job){.runner = r, .entry = e, .rcpt = -1, .result = -1,
		.message = -1, .wire = {.fd = -1},
		.is_alone = entry_is_suspect(e)};
	read_sender(j);
	read_options(j);
	if (j->bury.len == 0 && open_parts(j) == 0) {
		*job = j;
		return 0;
	}
	error = errno;
	if (j->bury.len == 0 && never_sent(error) != NULL)
		sbuf_set(&j->bury, never_sent(error));
	if (j->bury.len > 0)
		entry_bury(e, j->bury.data);
	error = j->bury.len > 0 ? 0 : error;
	job_free(&j);
	errno = error;
	return error == 0 ? 0 : -1;
}

void
job_free(struct job **job)
{
	struct job *j = *job;
	size_t i;

	if (j == NULL)
		return;
	rcpt_read_free(&j->reader);
	io_close(&j->rcpt);
	io_close(&j->result);
	io_close(&j->message);
	wire_free(&j->wire);
	for (i = 0; i < j->n_refusals; i++)
		free(j->refusals[i].reply);
	for (i = 0; i < j->n_counts; i++)
		sbuf_free(&j->counts[i].reply);
	free(j->refusals);
	free(j->counts);
	free(j->known);
	free(j->marks);
	sbuf_free(&j->why);
	sbuf_free(&j->bury);
	sbuf_free(&j->sender_head);
	sbuf_free(&j->sender_tail);
	sbuf_free(&j->mail_words);
	sbuf_free(&j->rcpt_words);
	sbuf_free(&j->header);
	sbuf_free(&j->lines);
	free(j);
	*job = NULL;
}

/* ---- recipients to transactions ------------------------------------- */

void
job_stop(struct job *j, const char *why)
{
	if (!j->is_stopped)
		sbuf_set(&j->why, why);
	j->is_stopped = true;
}

/* The rest of a list that cannot be read is beyond us; those before it are
 * settled first. */
static void
stop_reading(struct job *j, int error)
{
	struct sbuf why = {0};

	if (error == EPROTO) {
		sbuf_printf(&why, "line %lu of the distribution list is "
		    "malformed", j->reader.line);
		sbuf_set(&j->bury, sbuf_str(&why));
	} else {
		sbuf_printf(&why, "distribution list: %s", strerror(error));
	}
	job_stop(j, sbuf_str(&why));
	sbuf_free(&why);
}

int
job_read(struct job *j)
{
	int rc;

	while (!j->is_stopped && !j->is_at_end) {
		rc = rcpt_read(&j->reader);
		if (rc == 0)
			j->is_at_end = true;
		else if (rc == -1)
			stop_reading(j, errno);
		else if (j->reader.state == RCPT_DONE)
			j->done_before++;
		else if (j->reader.state == RCPT_TODO)
			return 1;
	}
	return 0;
}

void
job_fail(struct job *j, const char *relay, const char *status,
    const char *why)
{
	struct job_result r = {.line = j->reader.line,
		.offset = j->reader.offset, .state = RCPT_FAILED,
		.relay = relay, .status = status, .reply = why};

	job_record(j, &r);
}

/* An international domain can be written in ASCII, a local part cannot. */
static bool
to_ascii(const char *address, const struct address_info *info,
    struct sbuf *out)
{
	struct sbuf domain = {0};
	bool is_possible = true;
	size_t i;

	for (i = 0; i < info->local_len; i++)
		is_possible = is_possible && (unsigned char)address[i] < 0x80;
	if (is_possible && address_domain_key(info->domain, &domain) == -1)
		is_possible = false;
	if (is_possible) {
		sbuf_truncate(out, 0);
		sbuf_add(out, address, info->local_len);
		sbuf_addc(out, '@');
		sbuf_add(out, sbuf_str(&domain), domain.len);
	}
	sbuf_free(&domain);
	return is_possible;
}

/* The current recipient's address as it is sent: true, or it has failed. */
static bool
fit_recipient(struct job *j, unsigned extensions, const char *relay,
    struct sbuf *out, bool *is_utf8)
{
	const char *address = sbuf_str(&j->reader.address), *why;
	struct address_info info;

	if (address_check(address, &info, &why) == -1) {
		job_fail(j, relay, "5.1.3", why);
		return false;
	}
	if (j->needs_8bit && (extensions & SMTP_HAS_8BITMIME) == 0) {
		job_fail(j, relay, "5.6.3", "the relay has no 8BITMIME, "
		    "which this message needs");
		return false;
	}
	*is_utf8 = info.is_utf8;
	sbuf_set(out, address);
	if ((extensions & SMTP_HAS_UTF8) != 0)
		return true;
	if (!j->needs_utf8
	    && (!info.is_utf8 || to_ascii(address, &info, out))) {
		*is_utf8 = false;
		return true;
	}
	job_fail(j, relay, "5.6.7", "the relay has no SMTPUTF8, which this "
	    "message or address needs");
	return false;
}

int
job_sender(struct job *j, struct sbuf *out, bool *is_utf8)
{
	struct address_info info = {0};
	struct sbuf verp = {0};
	const char *why;

	sbuf_set(out, sbuf_str(&j->sender_head));
	if (j->is_verp && kv_get(j->reader.words, "verp", &verp) == 1)
		sbuf_add(out, sbuf_str(&verp), verp.len);
	else if (out->len > 0 && out->data[out->len - 1] == '+')
		sbuf_truncate(out, out->len - 1);
	sbuf_add(out, sbuf_str(&j->sender_tail), j->sender_tail.len);
	sbuf_free(&verp);
	if (out->len > 0 && address_check(out->data, &info, &why) == -1) {
		sbuf_truncate(&j->bury, 0);
		sbuf_printf(&j->bury, "Send-From for line %lu: %s",
		    j->reader.line, why);
		job_stop(j, j->bury.data);
		return -1;
	}
	*is_utf8 = info.is_utf8;
	return 0;
}

static struct smtp_transaction *
new_transaction(struct job *j)
{
	struct smtp_transaction *t = xcalloc(1, sizeof *t);

	t->is_8bit = j->needs_8bit;
	t->is_utf8 = j->needs_utf8;
	t->mail_words = j->mail_words.len > 0 ? j->mail_words.data : NULL;
	t->rcpt_words = j->rcpt_words.len > 0 ? j->rcpt_words.data : NULL;
	t->wire = &j->wire;
	t->owner = j;
	return t;
}

static int
set_sender(struct job *j, struct smtp_transaction *t)
{
	struct sbuf sender = {0};
	bool is_utf8 = false;
	int rc = job_sender(j, &sender, &is_utf8);

	t->is_utf8 = t->is_utf8 || is_utf8;
	t->sender = xstrdup(sbuf_str(&sender));
	sbuf_free(&sender);
	return rc;
}

static void
add_recipient(struct job *j, struct smtp_transaction *t,
    const struct sbuf *address, bool is_utf8)
{
	struct smtp_rcpt *r;

	/* Doubled whenever it is a power of two, that is, full. */
	if ((t->n & (t->n - 1)) == 0)
		t->rcpts = xreallocarray(t->rcpts, t->n == 0 ? 1 : t->n * 2,
		    sizeof *t->rcpts);
	r = &t->rcpts[t->n++];
	*r = (struct smtp_rcpt){0};
	r->address = xstrdup(sbuf_str(address));
	r->line = j->reader.line;
	r->offset = j->reader.offset;
	t->is_utf8 = t->is_utf8 || is_utf8;
}

int
job_next(struct job *j, unsigned extensions, unsigned max,
    const char *relay, struct smtp_transaction **t)
{
	struct sbuf address = {0};
	bool is_utf8 = false;

	if (j->is_verp || max == 0)
		max = 1;
	*t = new_transaction(j);
	while ((*t)->n < max && j->n_marks < JOB_MARKS_MAX
	    && job_read(j) == 1) {
		if (!fit_recipient(j, extensions, relay, &address, &is_utf8))
			continue;
		if ((*t)->n == 0 && set_sender(j, *t) == -1)
			break;
		add_recipient(j, *t, &address, is_utf8);
	}
	sbuf_free(&address);
	/* Known now, so that no connection is opened for what is not there. */
	if (j->reader.window_off + (off_t)j->reader.at >= j->rcpt_size)
		j->is_at_end = true;
	if ((*t)->n == 0) {
		smtp_transaction_free(t);
		return 0;
	}
	j->open++;
	return 1;
}

/* ---- and back ------------------------------------------------------- */

static void
take_rcpt(struct job *j, const char *relay, const struct smtp_transaction *t,
    const struct smtp_rcpt *rcpt)
{
	struct job_result r = {.line = rcpt->line, .offset = rcpt->offset,
		.state = rcpt->state, .relay = relay, .code = rcpt->code,
		.status = rcpt->status,
		.reply = rcpt->reply != NULL ? rcpt->reply : t->reply};

	if (r.state == RCPT_FAILED) {
		job_refuse(j, relay, rcpt);
		return;
	}
	if (r.state == 0)
		r.state = RCPT_TODO;
	if (r.reply == NULL)
		r.reply = "never tried";
	/* A word for this one alone: the relay does look at recipients. */
	if (!t->is_fault && (r.state == RCPT_DONE || rcpt->reply != NULL))
		j->is_heard = true;
	job_record(j, &r);
}

void
job_take(struct job *j, const char *relay, struct smtp_transaction **t)
{
	bool is_good = false;
	size_t i;

	j->open--;
	for (i = 0; i < (*t)->n; i++) {
		is_good = is_good || (*t)->rcpts[i].state == RCPT_DONE
		    || ((*t)->rcpts[i].reply != NULL && !(*t)->is_fault);
		take_rcpt(j, relay, *t, &(*t)->rcpts[i]);
	}
	if (j->is_heard && j->n_refusals > 0)
		job_judge_refusals(j);
	if ((*t)->is_fault)
		job_alarm(j, relay, (*t)->reply != NULL ? (*t)->reply
		    : (*t)->rcpts[0].reply);
	j->strikes = is_good ? 0 : j->strikes + 1;
	if (j->strikes >= JOB_STRIKES)
		job_stop(j, (*t)->reply != NULL ? (*t)->reply
		    : "too many refusals in a row");
	smtp_transaction_free(t);
}

bool
job_is_finished(const struct job *j)
{
	return (j->is_at_end || j->is_stopped || j->is_lost) && j->open == 0
	    && (!j->is_cut || j->is_lost);
}
