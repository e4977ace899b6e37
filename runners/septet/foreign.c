/* SPDX-License-Identifier: BSD-2-Clause
 *
 * foreign - a file that was dropped and could not be taken in
 *
 * Nothing is known of it but what it says itself, so its header is looked at
 * here: as far as a header of mail goes as a rule.
 */
#include "runners/septet/foreign.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/base/esc.h"
#include "common/base/io.h"
#include "common/mail/header.h"
#include "common/system/fsutil.h"

#define HEADER_LOOKED_AT ((size_t)64 * 1024)
#define SHOWN_MAX 200

void
foreign_free(struct foreign *f)
{
	sbuf_free(&f->name);
	sbuf_free(&f->path);
	sbuf_free(&f->from);
	sbuf_free(&f->to);
	sbuf_free(&f->subject);
}

static void
read_field(const struct sbuf *start, size_t at, const char *name,
    struct sbuf *out)
{
	struct sbuf value = {0};

	if (header_get(start->data + at, start->len - at, name, 0, &value) == 1)
		header_decode(sbuf_str(&value), SHOWN_MAX, out);
	sbuf_free(&value);
}

static void
read_header(int fd, struct foreign *out)
{
	struct sbuf start = {0};
	const char *end;
	size_t at = 0;
	ssize_t n;

	sbuf_reserve(&start, HEADER_LOOKED_AT + 1);
	n = io_read_full(fd, start.data, HEADER_LOOKED_AT);
	if (n > 0) {
		start.len = (size_t)n;
		start.data[start.len] = '\0';
		/* Its mbox line. */
		end = memchr(start.data, '\n', start.len);
		if (end != NULL && strncmp(start.data, "From ", 5) == 0)
			at = (size_t)(end - start.data) + 1;
		read_field(&start, at, "From", &out->from);
		read_field(&start, at, "To", &out->to);
		read_field(&start, at, "Subject", &out->subject);
	}
	sbuf_free(&start);
}

bool
foreign_read(const struct cli *c, const char *queue, const char *id,
    const struct envelope *env, struct foreign *out)
{
	const char *source = envelope_get(env, "Source");
	struct sbuf path = {0};
	int fd;

	sbuf_set(&out->name, "");
	sbuf_set(&out->path, "");
	sbuf_set(&out->from, "");
	sbuf_set(&out->to, "");
	sbuf_set(&out->subject, "");
	if (!look_is_foreign(env))
		return false;
	(void)kv_get(source, "name", &out->name);
	sbuf_printf(&path, "%s/dead/%s+bare", queue, id);
	fd = fs_open_regular(spool_dir(c->spool), path.data, O_RDONLY, NULL);
	if (fd != -1)
		read_header(fd, out);
	/* A folder or a link is there too. */
	if (faccessat(spool_dir(c->spool), path.data, F_OK,
	    AT_SYMLINK_NOFOLLOW) == 0)
		sbuf_printf(&out->path, "%s/%s", c->site->spool, path.data);
	io_close(&fd);
	sbuf_free(&path);
	return true;
}

static void
print_fact(const char *word, const struct sbuf *value)
{
	if (value->len == 0)
		return;
	printf("  %-13s ", word);
	out_text(stdout, value->data);
	putchar('\n');
}

void
foreign_print(const struct foreign *f, bool has_header)
{
	print_fact("dropped as", &f->name);
	print_fact("kept as", &f->path);
	if (!has_header)
		return;
	print_fact("its From", &f->from);
	print_fact("its To", &f->to);
	print_fact("its Subject", &f->subject);
}

static void
json_fact(struct json *j, const char *key, const struct sbuf *value)
{
	json_string(j, key, value->len == 0 ? NULL : value->data);
}

void
foreign_json(const struct foreign *f, struct json *j)
{
	if (f == NULL) {
		json_string(j, "foreign", NULL);
		return;
	}
	json_object(j, "foreign");
	json_fact(j, "name", &f->name);
	json_fact(j, "path", &f->path);
	json_fact(j, "from", &f->from);
	json_fact(j, "to", &f->to);
	json_fact(j, "subject", &f->subject);
	json_close(j, '}');
}
