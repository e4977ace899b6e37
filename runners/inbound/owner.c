/* SPDX-License-Identifier: BSD-2-Clause
 *
 * owner - mail to a list's owners, or to postmaster, goes on to people
 *
 * It is their mail, not a list's: nothing is judged or held, also not mail with
 * a null sender.
 */
#include <errno.h>

#include "common/base/clock.h"
#include "common/mail/header.h"
#include "common/mail/message.h"
#include "runners/inbound/inbound.h"

void
owner_head(const struct owner_head *in, const struct sbuf *old,
    struct sbuf *out)
{
	static const char *const dropped[] = {"Return-Path", "Bcc",
	    "Resent-Bcc"};
	char date[CLOCK_RFC5322_SIZE];
	struct header_field field;
	size_t i, at = 0;

	clock_format_mail(clock_ms(), date);
	sbuf_printf(out, "Received: by %s (Septet)%s id %s;\n\t%s\n",
	    in->site->name, in->is_smtp ? " with LMTP" : "", in->id, date);
	header_write_raw(out, "X-Loop", in->loop);
	while (header_next(sbuf_str(old), old->len, &at, &field) == 1) {
		for (i = 0; i < 3 && !header_is(&field, dropped[i]); i++)
			;
		if (i == 3)
			sbuf_add(out, field.raw, field.raw_len);
	}
	/* The last field's line may have no end where there is no body. */
	if (out->data[out->len - 1] != '\n')
		sbuf_addc(out, '\n');
	sbuf_addc(out, '\n');
}

static int
stage_head(struct runner *r, struct entry *e, const struct facts *f,
    const struct list *list)
{
	struct owner_head in = {.site = runner_site(r), .id = entry_id(e),
		.is_smtp = envelope_get(entry_envelope(e), "Client") != NULL};
	struct sbuf head = {0}, postmaster = {0};
	int rc;

	sbuf_printf(&postmaster, "postmaster@%s", runner_site(r)->name);
	in.loop = list != NULL ? list->address : postmaster.data;
	owner_head(&in, &f->header, &head);
	rc = entry_stage_head(e, &head);
	sbuf_free(&head);
	sbuf_free(&postmaster);
	return rc;
}

static int
stage_owners(struct entry *e, const struct strv *owners)
{
	struct rcpt_writer writer;
	size_t i;
	int rc = 0, rc2;

	if (entry_stage_rcpt(e, &writer) == -1)
		return -1;
	for (i = 0; rc == 0 && i < owners->n; i++)
		rc = rcpt_write(&writer, RCPT_TODO, owners->items[i], "");
	rc2 = entry_stage_rcpt_end(e, &writer);
	return rc == -1 || rc2 == -1 ? -1 : 0;
}

int
owner_forward(struct runner *r, struct entry *e, const struct facts *f,
    const struct list *list)
{
	const struct strv *owners = list != NULL && list->owners.n > 0 ?
	    &list->owners : &runner_site(r)->owners;
	struct sbuf text = {0};
	const char *sender = inbound_sender(e, &text);

	if (owners->n == 0) {
		inbound_bury(e, "mail for owners, and there are none");
		sbuf_free(&text);
		return 0;
	}
	/* A bounce stays one on its way to a person: were it sent on with a
	 * sender of ours, an owner's dead mailbox would send it back to
	 * postmaster for ever. */
	if (sender != NULL && *sender == '\0')
		entry_set(e, "Send-From", "<>");
	else
		entry_setf(e, "Send-From", "<postmaster@%s>",
		    runner_site(r)->name);
	entry_set(e, "Verp", "none");
	sbuf_free(&text);
	if (stage_head(r, e, f, list) == -1 || stage_owners(e, owners) == -1)
		return -1;
	runner_forward(r, e, "owner");
	return 0;
}
