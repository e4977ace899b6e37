/* SPDX-License-Identifier: BSD-2-Clause
 *
 * smtp_private - what smtp.c and smtp_transaction.c share
 */
#ifndef SEPTET_OUTBOUND_SMTP_PRIVATE_H
#define SEPTET_OUTBOUND_SMTP_PRIVATE_H

#include "runners/outbound/smtp.h"

enum smtp_stage {
	STAGE_RESET, STAGE_MAIL, STAGE_RCPT, STAGE_DATA, STAGE_CONTENT,
	STAGE_DOT,
	STAGE_LONE_DOT          /* 354 though every RCPT was refused */
};

/* A reply for the current transaction. */
void smtp_transaction_reply(struct smtp *s);
/* The session is closed: end both transactions. */
void smtp_transaction_abort(struct smtp *s);
/* Close for what the latest reply says. */
void smtp_close_reply(struct smtp *s, const char *where);

#endif
