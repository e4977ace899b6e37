/* SPDX-License-Identifier: BSD-2-Clause
 *
 * facts - read a message through once, and say what it is
 *
 * Everything is taken from the message itself: what a creator wrote of it
 * counts only where it is the same.
 */
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

#include "common/base/esc.h"
#include "common/base/io.h"
#include "common/base/xalloc.h"
#include "common/mail/address.h"
#include "common/mail/header.h"
#include "common/mail/message.h"
#include "runners/inbound/inbound.h"

#define CHUNK 65536
#define AUTHORS_MAX 50
#define SUBJECT_MAX 500

struct reading {
	int fd;
	unsigned char *chunk;
	bool is_end;
	crypto_hash_sha256_state hash;
};

/* ---- reading ----------------------------------------------------------- */

static bool
has_high_bit(const unsigned char *bytes, size_t n)
{
	unsigned char all = 0;
	size_t i;

	for (i = 0; i < n; i++)
		all |= bytes[i];
	return (all & 0x80) != 0;
}

static void
take_body(struct facts *f, struct reading *in, const void *bytes, size_t n)
{
	crypto_hash_sha256_update(&in->hash, bytes, n);
	if (!f->is_8bit)
		f->is_8bit = has_high_bit(bytes, n);
}

/* The next chunk: its length, or -1. */
static ssize_t
read_chunk(struct facts *f, struct reading *in)
{
	ssize_t got = io_read_full(in->fd, in->chunk, CHUNK);

	if (got == -1)
		return -1;
	in->is_end = got < CHUNK;
	f->size += (size_t)got;
	f->crc = (uint32_t)crc32(f->crc, in->chunk, (uInt)got);
	return got;
}

/* Read until the header block is whole: 1, 0 it is too large, -1. */
static int
read_header(struct facts *f, struct reading *in)
{
	ssize_t got;

	do {
		got = read_chunk(f, in);
		if (got == -1)
			return -1;
		sbuf_add(&f->header, in->chunk, (size_t)got);
		f->body = header_end(sbuf_str(&f->header), f->header.len,
		    in->is_end);
	} while (f->body == SIZE_MAX && f->header.len <= HEADER_MAX);
	if (f->body > HEADER_MAX)
		return 0;
	take_body(f, in, sbuf_str(&f->header) + f->body,
	    f->header.len - f->body);
	if (f->header.len > 0)
		sbuf_truncate(&f->header, f->body);
	return 1;
}

static int
read_body(struct facts *f, struct reading *in)
{
	unsigned char digest[crypto_hash_sha256_BYTES];
	ssize_t got;

	while (!in->is_end) {
		got = read_chunk(f, in);
		if (got == -1)
			return -1;
		take_body(f, in, in->chunk, (size_t)got);
	}
	crypto_hash_sha256_final(&in->hash, digest);
	sodium_bin2hex(f->sha256, sizeof(f->sha256), digest, sizeof(digest));
	return 0;
}

/* Is the message what its creator says it is?  One who says nothing (a shell
 * script) is believed. */
static const char *
find_damage(const struct entry *e, const struct facts *f)
{
	const struct envelope *env = entry_envelope(e);
	const char *crc = envelope_get(env, "Crc32");
	unsigned long long size;
	char want[9];

	if (envelope_number(env, "Size", &size) == 1 && size != f->size)
		return "the message is not whole: its length is not its Size";
	snprintf(want, sizeof(want), "%08x", (unsigned)f->crc);
	if (crc != NULL && strcmp(crc, "-") != 0 && strcmp(crc, want) != 0)
		return "the message is not whole: its sum is not its Crc32";
	return NULL;
}

/* Read through an open message: 1, 0 *why, -1. */
static int
read_message(struct runner *r, struct entry *e, struct facts *f, int fd,
    const char **why)
{
	struct reading in = {.fd = fd};
	struct stat st;
	int rc;

	if (fstat(fd, &st) == -1)
		return -1;
	if ((uint64_t)st.st_size > runner_queue(r)->size_limit) {
		*why = "the message is over this queue's size_limit";
		return 0;
	}
	in.chunk = xmalloc(CHUNK);
	crypto_hash_sha256_init(&in.hash);
	rc = read_header(f, &in);
	if (rc == 0)
		*why = "a header block over 1 MiB";
	if (rc == 1)
		rc = read_body(f, &in) == -1 ? -1 : 1;
	free(in.chunk);
	if (rc == 1)
		*why = find_damage(e, f);
	return *why != NULL ? 0 : rc;
}

int
facts_read(struct runner *r, struct entry *e, struct facts *f)
{
	const char *why = NULL;
	int fd, rc;

	memset(f, 0, sizeof(*f));
	fd = entry_message_open(e);
	if (fd == -1) {
		if (errno != ENOENT && errno != ELOOP && errno != EINVAL &&
		    errno != EACCES && errno != EPERM)
			return -1;
		inbound_bury(e, "its message is no file that can be read");
		return 0;
	}
	rc = read_message(r, e, f, fd, &why);
	io_close(&fd);
	if (why != NULL)
		inbound_bury(e, why);
	return rc;
}

void
facts_free(struct facts *f)
{
	sbuf_free(&f->header);
}

/* ---- writing ----------------------------------------------------------- */

void
facts_message_id(struct runner *r, const struct entry *e,
    const struct facts *f, struct sbuf *out)
{
	const char *root = envelope_get(entry_envelope(e), "Origin");

	if (message_id(sbuf_str(&f->header), f->header.len, out) == 1)
		return;
	/* The root's: the same message keeps one name in all its lists. */
	if (root == NULL || !id_is_valid(root))
		root = entry_id(e);
	sbuf_truncate(out, 0);
	sbuf_printf(out, "<%s@%s>", root, runner_site(r)->name);
}

/* The mailboxes of the topmost field of that name, each as a line. */
static void
write_mailboxes(struct entry *e, const struct facts *f, const char *field,
    const char *name, size_t max)
{
	struct sbuf value = {0}, text = {0};
	struct strv found = {0};
	size_t i;

	if (header_get(sbuf_str(&f->header), f->header.len, field, 0,
	    &value) == 1)
		(void)address_header(sbuf_str(&value), max, &found);
	for (i = 0; i < found.n; i++) {
		sbuf_truncate(&text, 0);
		sbuf_printf(&text, "<%s>", found.items[i]);
		entry_set(e, name, text.data);
	}
	if (found.n == 0)
		inbound_set(e, name, "");
	sbuf_free(&value);
	sbuf_free(&text);
	strv_free(&found);
}

static void
write_subject(struct entry *e, const struct facts *f)
{
	struct sbuf value = {0}, text = {0};

	if (header_get(sbuf_str(&f->header), f->header.len, "Subject", 0,
	    &value) == 1)
		header_decode(sbuf_str(&value), SUBJECT_MAX, &text);
	inbound_set(e, "Subject", sbuf_str(&text));
	sbuf_free(&value);
	sbuf_free(&text);
}

static bool
is_8bit_declared(const struct entry *e)
{
	const char *options = envelope_get(entry_envelope(e), "Mail-Options");
	struct sbuf value = {0};
	bool is;

	is = options != NULL && kv_get(options, "BODY", &value) == 1 &&
	    strcmp(value.data, "8BITMIME") == 0;
	sbuf_free(&value);
	return is;
}

static bool
is_utf8_address(const struct entry *e, const char *name)
{
	struct sbuf address = {0};
	bool is;

	is = envelope_address(entry_envelope(e), name, &address) == 1 &&
	    message_needs_utf8(sbuf_str(&address), address.len);
	sbuf_free(&address);
	return is;
}

/* An undeclared header of another charset is no SMTPUTF8 mail (RFC 6532 is
 * UTF-8 only): it goes as the 8-bit data that it came as. */
static void
write_needs(struct entry *e, const struct facts *f)
{
	const char *header = sbuf_str(&f->header);
	bool is_8bit = message_needs_utf8(header, f->header.len);
	bool is_utf8 = (is_8bit && esc_is_utf8(header, f->header.len)) ||
	    is_utf8_address(e, "Mail-From") || is_utf8_address(e, "Rcpt-To");

	is_8bit = is_8bit || f->is_8bit || is_8bit_declared(e);
	inbound_set(e, "Needs", is_8bit && is_utf8 ? "8BITMIME SMTPUTF8" :
	    is_8bit ? "8BITMIME" : is_utf8 ? "SMTPUTF8" : "");
}

/* What the creator left out, or saw otherwise. */
static void
write_measures(struct entry *e, const struct facts *f)
{
	const struct envelope *env = entry_envelope(e);
	unsigned long long number;
	const char *crc = envelope_get(env, "Crc32");

	if (envelope_number(env, "Size", &number) != 1)
		entry_setf(e, "Size", "%llu", f->size);
	if (crc == NULL || strcmp(crc, "-") == 0)
		entry_setf(e, "Crc32", "%08x", (unsigned)f->crc);
	if (envelope_number(env, "Body-Offset", &number) != 1 ||
	    number != f->body)
		entry_setf(e, "Body-Offset", "%zu", f->body);
}

void
facts_write(struct runner *r, struct entry *e, const struct facts *f)
{
	const char *header = sbuf_str(&f->header);
	struct sbuf text = {0};

	write_measures(e, f);
	facts_message_id(r, e, f, &text);
	entry_set(e, "Message-Id", text.data);
	write_subject(e, f);
	write_mailboxes(e, f, "From", "Author", AUTHORS_MAX);
	write_mailboxes(e, f, "Sender", "Sender", 1);
	write_mailboxes(e, f, "Resent-From", "Resent-From", 1);
	entry_set(e, "Auto", message_auto_name(message_auto_of(header,
	    f->header.len, inbound_sender(e, &text))));
	entry_setf(e, "Hops", "%zu", message_hops(header, f->header.len));
	write_needs(e, f);
	entry_set(e, "Digest-Sha256", f->sha256);
	sbuf_free(&text);
}
