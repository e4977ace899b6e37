/* SPDX-License-Identifier: BSD-2-Clause
 *
 * post - a message from a file or standard input into the queue inbound
 *
 * Streamed: memory does not grow with the message, but for its header.  Line
 * ends become LF, an mbox line that begins it goes (mail-rules: dropped files
 * are treated alike).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "common/base/io.h"
#include "common/base/xalloc.h"
#include "common/mail/address.h"
#include "common/mail/header.h"
#include "runners/septet/septet.h"

#define CHUNK 65536

struct post {
	int fd;
	const char *file;       /* for errors */
	uint64_t limit;
	uint64_t taken;
	char *chunk;
	bool has_cr;            /* the chunk before ended in a CR */
	bool is_end;
	struct sbuf start;      /* the header, and what was read with it */
	size_t body;
	struct sbuf sender;     /* bracketed; empty: unknown */
};

/* Append the next bytes with LF line ends; 0 or an exit code. */
static int
read_more(struct post *p, struct sbuf *out)
{
	ssize_t got = io_read_full(p->fd, p->chunk, CHUNK);
	const char *at = p->chunk, *end, *cr;

	if (got == -1)
		return cli_errno("%s", p->file);
	end = at + got;
	p->is_end = got < CHUNK;
	p->taken += (uint64_t)got;
	if (p->taken > p->limit)
		return cli_fail(EXIT_DATA, "%s: more than the %llu bytes that "
		    "inbound takes (size_limit)", p->file,
		    (unsigned long long)p->limit);
	if (p->has_cr && (got == 0 || *at != '\n'))
		sbuf_addc(out, '\r');
	p->has_cr = false;
	while ((cr = memchr(at, '\r', (size_t)(end - at))) != NULL) {
		sbuf_add(out, at, (size_t)(cr - at));
		at = cr + 1;
		if (at == end && !p->is_end)
			p->has_cr = true;
		else if (at == end || *at != '\n')
			sbuf_addc(out, '\r');
	}
	sbuf_add(out, at, (size_t)(end - at));
	return 0;
}

static void
take_sender(struct post *p, const char *text, size_t n)
{
	char *word = xstrndup(text, n);
	struct sbuf address = {0};

	if (address_unwrap(word, &address) == -1)
		sbuf_set(&address, word);
	if (strcasecmp(sbuf_str(&address), "MAILER-DAEMON") == 0)
		sbuf_set(&address, "");
	if (address.len == 0 ? n > 0 :
	    address_check(address.data, NULL, NULL) == 0)
		sbuf_printf(&p->sender, "<%s>", sbuf_str(&address));
	sbuf_free(&address);
	free(word);
}

/* Take off the mbox line, whose address is the sender where no option says
 * another. */
static void
take_mbox_line(struct post *p)
{
	struct header_field field;
	const char *end, *word;
	size_t at = 0, n;

	if (p->start.len < 5 || memcmp(p->start.data, "From ", 5) != 0 ||
	    header_next(p->start.data, p->start.len, &at, &field) ||
	    (end = memchr(p->start.data, '\n', p->start.len)) == NULL)
		return;
	word = p->start.data + 5;
	word += strspn(word, " ");
	if (p->sender.len == 0)
		take_sender(p, word, strcspn(word, " \t\n"));
	n = (size_t)(end - p->start.data) + 1;
	memmove(p->start.data, p->start.data + n, p->start.len - n);
	sbuf_truncate(&p->start, p->start.len - n);
}

/* Read up to the end of the header; 0 or an exit code. */
static int
read_header(struct post *p)
{
	int code = read_more(p, &p->start);

	if (code != 0)
		return code;
	if (p->start.len == 0)
		return cli_fail(EXIT_DATA, "%s: an empty message", p->file);
	take_mbox_line(p);
	while ((p->body = header_end(sbuf_str(&p->start), p->start.len,
	    p->is_end)) == SIZE_MAX && p->start.len <= HEADER_MAX) {
		code = read_more(p, &p->start);
		if (code != 0)
			return code;
	}
	if (p->body > HEADER_MAX)
		return cli_fail(EXIT_DATA, "%s: a header over 1 MiB", p->file);
	if (p->body == 0)
		return cli_fail(EXIT_DATA, "%s: does not begin with a header; "
		    "a message is From: and Subject: lines, an empty line, "
		    "text", p->file);
	/* What is all header still ends in a whole line. */
	if (p->body == p->start.len && p->start.data[p->body - 1] != '\n') {
		sbuf_addc(&p->start, '\n');
		p->body++;
	}
	return 0;
}

static int
copy(struct post *p, struct spool_draft *d)
{
	struct sbuf bytes = {0};
	int code = 0;

	if (spool_draft_write(d, sbuf_str(&p->start), p->start.len) == -1)
		return cli_errno("cannot write the message");
	while (code == 0 && !p->is_end) {
		sbuf_truncate(&bytes, 0);
		code = read_more(p, &bytes);
		if (code == 0 &&
		    spool_draft_write(d, sbuf_str(&bytes), bytes.len) == -1)
			code = cli_errno("cannot write the message");
	}
	sbuf_free(&bytes);
	return code;
}

static int
has_room(const struct cli *c, const struct post *p)
{
	struct stat st;
	unsigned long long need = c->site->low_space;
	int low;

	if (fstat(p->fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0)
		need += (unsigned long long)st.st_size;
	low = spool_is_low(c->spool, need);
	if (low == -1)
		return cli_errno("%s", c->site->spool);
	if (low == 1)
		return cli_fail(EXIT_TEMPORARY, "%s: space is low (see "
		    "low_space); try again later", c->site->spool);
	return 0;
}

static int
seal(const struct cli *c, const struct post *p, const char *to,
    struct spool_draft *d)
{
	struct sbuf text = {0};
	int rc;

	spool_draft_set(d, "Kind", "post");
	sbuf_printf(&text, "post uid=%lu", (unsigned long)c->uid);
	spool_draft_set(d, "Source", text.data);
	if (p->sender.len > 0)
		spool_draft_set(d, "Mail-From", p->sender.data);
	sbuf_truncate(&text, 0);
	sbuf_printf(&text, "<%s>", to);
	spool_draft_set(d, "Rcpt-To", text.data);
	sbuf_truncate(&text, 0);
	sbuf_printf(&text, "%zu", p->body);
	spool_draft_set(d, "Body-Offset", text.data);
	sbuf_free(&text);
	rc = spool_draft_seal(d, "septet", "inbound");
	/* Accepted is what stands in the queue, whatever failed after that. */
	if (rc == 0 && spool_draft_commit(c->spool, &d, 1) == -1 &&
	    !spool_draft_is_in(d))
		rc = -1;
	return rc == 0 ? 0 : cli_errno("cannot queue the message");
}

static int
submit(struct cli *c, struct post *p, const char *to)
{
	struct spool_draft *d;
	struct json j;
	int code;

	code = has_room(c, p);
	if (code == 0)
		code = read_header(p);
	if (code != 0)
		return code;
	d = spool_draft_begin(c->spool);
	if (d == NULL)
		return cli_errno("cannot begin a message");
	code = copy(p, d);
	if (code == 0)
		code = seal(c, p, to, d);
	if (code == 0 && c->is_json) {
		json_begin(&j, stdout);
		json_object(&j, NULL);
		json_string(&j, "id", spool_draft_id(d));
		json_close(&j, '}');
		json_end(&j);
	} else if (code == 0) {
		printf("%s\n", spool_draft_id(d));
	}
	spool_draft_free(&d);
	return code;
}

/* Any address of a list: posts as a rule, but join and the like work too. */
static int
find_recipient(struct cli *c, const char *text, struct sbuf *to)
{
	struct lists_match match = {0};
	int found;

	cli_address(c, text, to);
	found = lists_resolve(c->lists, sbuf_str(to), &match);
	lists_match_free(&match);
	if (found == -1)
		return cli_fail(EXIT_TEMPORARY, "%s: a list cannot be read "
		    "now; septet check says more", sbuf_str(to));
	if (found == 0)
		return cli_fail(EXIT_DATA, "%s: no such list; septet list ls "
		    "names them", sbuf_str(to));
	return 0;
}

static int
set_sender(struct post *p, const char *sender)
{
	const char *why = NULL;
	struct sbuf address = {0};
	int code = 0;

	if (sender == NULL)
		return 0;
	if (address_unwrap(sender, &address) == -1)
		sbuf_set(&address, sender);
	if (address.len > 0 && address_check(address.data, NULL, &why) == -1)
		code = cli_fail(EXIT_DATA, "--sender %s: %s", sender, why);
	else
		sbuf_printf(&p->sender, "<%s>", sbuf_str(&address));
	sbuf_free(&address);
	return code;
}

/* Opened as who called, before privileges are dropped. */
static int
open_file(struct post *p, int argc, char **argv)
{
	struct stat st;

	p->file = argc > 1 ? argv[2] : "-";
	p->fd = STDIN_FILENO;
	if (strcmp(p->file, "-") == 0)
		p->file = "standard input";
	else
		p->fd = io_openat(AT_FDCWD, p->file, O_RDONLY, 0);
	if (p->fd != -1)
		return fstat(p->fd, &st) == 0 && S_ISDIR(st.st_mode) ?
		    cli_fail(EXIT_DATA, "%s: a directory, and no message",
		    p->file) : 0;
	return errno == ENOENT || errno == ENOTDIR ? cli_fail(EXIT_DATA,
	    "%s: %s", p->file, strerror(errno)) : cli_errno("%s", p->file);
}

int
post_run(struct cli *c, int argc, char **argv)
{
	struct post p = {.fd = -1};
	const char *sender = NULL;
	const struct cli_option options[] = {
		{.name = "sender", .value = &sender},
		{.name = NULL},
	};
	struct sbuf to = {0};
	int code;

	code = cli_arguments(c, &argc, argv, options, (const int[2]){1, 2});
	if (code != 0)
		return code - 1;
	code = set_sender(&p, sender);
	if (code == 0)
		code = open_file(&p, argc, argv);
	if (code == 0)
		code = cli_open(c, CLI_SPOOL | CLI_LISTS);
	if (code == 0)
		code = find_recipient(c, argv[1], &to);
	if (code == 0) {
		p.limit = site_queue(c->site, "inbound")->size_limit;
		p.chunk = xmalloc(CHUNK);
		code = submit(c, &p, to.data);
		free(p.chunk);
	}
	if (p.fd > STDIN_FILENO)
		io_close(&p.fd);
	sbuf_free(&p.start);
	sbuf_free(&p.sender);
	sbuf_free(&to);
	return code;
}
