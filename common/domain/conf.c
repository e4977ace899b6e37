/* SPDX-License-Identifier: BSD-2-Clause
 *
 * conf - a YAML document as a tree that knows its lines
 *
 * Built from libyaml's events and not from its documents, so that depth and
 * number of nodes are bounded while reading.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <yaml.h>

#include "common/base/esc.h"
#include "common/base/io.h"
#include "common/base/xalloc.h"
#include "common/domain/conf.h"

#define TEXT_MAX (1024 * 1024)
#define DEPTH_MAX 16
#define NODES_MAX 65536
/* Keys are looked for one by one, so many of them would be slow. */
#define MAP_MAX 4096
#define KEY_MAX 255
#define ERRORS_MAX 100
#define SHOWN_MAX 60

/* What stands between the start of the file and the node being read. */
struct builder {
	const char *file;
	struct conf_errors *errors;
	struct conf_node *stack[DEPTH_MAX];
	size_t cap[DEPTH_MAX];
	size_t depth;
	struct conf_node *root;
	char *key;              /* read, its value not yet */
	size_t nodes;
	unsigned documents;
	bool is_failed;
};

/* The last error moves up before those of the same file ("FILE:") that stand
 * further down in it: readers look for keys in an order of their own. */
static void
sort_last(struct strv *lines, const char *file)
{
	size_t n = strlen(file);
	char *last = lines->items[lines->n - 1];
	long line = strtol(last + n, NULL, 10);
	size_t i;

	for (i = lines->n - 1; i > 0; i--) {
		char *before = lines->items[i - 1];

		if (strncmp(before, file, n) != 0 ||
		    strtol(before + n, NULL, 10) <= line) {
			break;
		}
		lines->items[i] = before;
	}
	lines->items[i] = last;
}

/* Line 0: of the file as a whole. */
static void
add_error(struct conf_errors *errors, const char *file, int line,
    const char *text)
{
	bool is_last = errors->lines.n == ERRORS_MAX - 1;
	struct sbuf out = {0}, start = {0};

	if (errors->lines.n >= ERRORS_MAX) {
		return;
	}
	if (is_last) {
		text = "more errors follow; they are not listed";
	}
	esc_add(&start, file, strlen(file));
	sbuf_addc(&start, ':');
	sbuf_adds(&out, sbuf_str(&start));
	if (line > 0) {
		sbuf_printf(&out, "%d:", line);
	}
	sbuf_addc(&out, ' ');
	esc_add(&out, text, strlen(text));
	strv_add(&errors->lines, sbuf_str(&out));
	if (!is_last) {
		sort_last(&errors->lines, sbuf_str(&start));
	}
	sbuf_free(&out);
	sbuf_free(&start);
}

void
conf_error(struct conf_errors *errors, const struct conf_node *at,
    const char *fmt, ...)
{
	struct sbuf text = {0};
	va_list ap;

	va_start(ap, fmt);
	sbuf_vprintf(&text, fmt, ap);
	va_end(ap);
	add_error(errors, at->file, at->line, sbuf_str(&text));
	sbuf_free(&text);
}

void
conf_errors_free(struct conf_errors *errors)
{
	strv_free(&errors->lines);
}

static void
stop(struct builder *b, size_t line, const char *text)
{
	add_error(b->errors, b->file, (int)line + 1, text);
	b->is_failed = true;
}

static void
free_inside(struct conf_node *node)
{
	for (size_t i = 0; i < node->n; i++) {
		free_inside(&node->items[i]);
	}
	free(node->items);
	free(node->key);
	free(node->text);
}

void
conf_free(struct conf_node **root)
{
	if (*root == NULL) {
		return;
	}
	free((char *)(*root)->file);
	free_inside(*root);
	free(*root);
	*root = NULL;
}

static struct conf_node *
new_root(const char *file)
{
	struct conf_node *root = xcalloc(1, sizeof(*root));

	root->kind = CONF_MAP;
	root->file = xstrdup(file);
	root->line = 1;
	return root;
}

/* A place for the next node: the root, or one more item of the innermost
 * collection.  That one's items may move, but nobody points to them: only its
 * last item can be open. */
static struct conf_node *
new_node(struct builder *b, size_t line)
{
	struct conf_node *top, *node;

	if (++b->nodes > NODES_MAX) {
		stop(b, line, "too many values, at most 65536 are allowed");
		return NULL;
	}
	if (b->depth == 0) {
		b->root = new_root(b->file);
		b->root->line = (int)line + 1;
		return b->root;
	}
	top = b->stack[b->depth - 1];
	if (top->n == b->cap[b->depth - 1]) {
		size_t cap = top->n == 0 ? 8 : 2 * top->n;

		top->items = xreallocarray(top->items, cap, sizeof(*node));
		b->cap[b->depth - 1] = cap;
	}
	node = &top->items[top->n++];
	*node = (struct conf_node){.file = b->root->file,
	    .line = (int)line + 1, .key = b->key};
	b->key = NULL;
	return node;
}

static void
open_collection(struct builder *b, const yaml_event_t *event,
    enum conf_kind kind)
{
	const struct conf_node *top;
	struct conf_node *node;

	if (b->depth == DEPTH_MAX) {
		stop(b, event->start_mark.line,
		    "nested too deep, at most 16 levels are allowed");
		return;
	}
	top = b->depth == 0 ? NULL : b->stack[b->depth - 1];
	if (top != NULL && top->kind == CONF_MAP && b->key == NULL) {
		stop(b, event->start_mark.line,
		    "a list or map as a key, a word is allowed");
		return;
	}
	node = new_node(b, event->start_mark.line);
	if (node == NULL) {
		return;
	}
	node->kind = kind;
	b->cap[b->depth] = 0;
	b->stack[b->depth++] = node;
}

static bool
is_null(const yaml_event_t *event)
{
	const char *text = (const char *)event->data.scalar.value;

	return event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
	    (*text == '\0' || strcmp(text, "~") == 0 ||
	    strcmp(text, "null") == 0);
}

/* A key that is there twice is an error, but the rest can be looked at. */
static void
check_twice(struct builder *b, const char *text, size_t line)
{
	const struct conf_node *top = b->stack[b->depth - 1];
	struct sbuf why = {0};

	for (size_t i = 0; i < top->n; i++) {
		if (strcmp(top->items[i].key, text) == 0) {
			sbuf_printf(&why, "key \"%.*s\" stands in line %d "
			    "already, only once is allowed", SHOWN_MAX, text,
			    top->items[i].line);
			add_error(b->errors, b->file, (int)line + 1,
			    sbuf_str(&why));
			break;
		}
	}
	sbuf_free(&why);
}

static void
take_key(struct builder *b, const yaml_event_t *event)
{
	const char *text = (const char *)event->data.scalar.value;
	size_t line = event->start_mark.line;

	if (*text == '\0' || event->data.scalar.length > KEY_MAX) {
		stop(b, line,
		    "key is empty or long, 1 to 255 bytes are allowed");
	} else if (b->stack[b->depth - 1]->n >= MAP_MAX) {
		stop(b, line, "too many keys, at most 4096 are allowed here");
	} else {
		check_twice(b, text, line);
		b->key = xstrdup(text);
	}
}

static void
take_scalar(struct builder *b, const yaml_event_t *event)
{
	const char *text = (const char *)event->data.scalar.value;
	struct conf_node *node;

	if (strlen(text) != event->data.scalar.length) {
		stop(b, event->start_mark.line, "a NUL character in a value, "
		    "text is allowed");
		return;
	}
	if (b->depth > 0 && b->key == NULL &&
	    b->stack[b->depth - 1]->kind == CONF_MAP) {
		take_key(b, event);
		return;
	}
	node = new_node(b, event->start_mark.line);
	if (node != NULL) {
		node->kind = CONF_SCALAR;
		node->text = xstrdup(text);
		node->is_null = is_null(event);
	}
}

static bool
has_anchor_or_tag(const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		return event->data.scalar.anchor != NULL ||
		    event->data.scalar.tag != NULL;
	case YAML_SEQUENCE_START_EVENT:
		return event->data.sequence_start.anchor != NULL ||
		    event->data.sequence_start.tag != NULL;
	case YAML_MAPPING_START_EVENT:
		return event->data.mapping_start.anchor != NULL ||
		    event->data.mapping_start.tag != NULL;
	case YAML_ALIAS_EVENT:
		return true;
	default:
		return false;
	}
}

static void
take_event(struct builder *b, const yaml_event_t *event)
{
	if (has_anchor_or_tag(event)) {
		stop(b, event->start_mark.line,
		    "an anchor, alias or tag (& * !), plain values are "
		    "allowed; quote the value if it is one");
		return;
	}
	switch (event->type) {
	case YAML_DOCUMENT_START_EVENT:
		if (b->documents++ > 0) {
			stop(b, event->start_mark.line,
			    "a second document, one is allowed");
		}
		break;
	case YAML_SCALAR_EVENT:
		take_scalar(b, event);
		break;
	case YAML_SEQUENCE_START_EVENT:
		open_collection(b, event, CONF_SEQUENCE);
		break;
	case YAML_MAPPING_START_EVENT:
		open_collection(b, event, CONF_MAP);
		break;
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		b->depth--;
		break;
	default:
		break;
	}
}

static void
syntax_error(struct builder *b, const yaml_parser_t *parser, const char *input)
{
	struct sbuf text = {0};
	size_t line = parser->problem_mark.line;

	/* The reader of bytes knows an offset only. */
	if (parser->error == YAML_READER_ERROR) {
		line = 0;
		for (size_t i = 0; i < parser->problem_offset; i++) {
			line += input[i] == '\n';
		}
	}
	sbuf_printf(&text, "not YAML: %s", parser->problem == NULL
	    ? "cannot be read" : parser->problem);
	if (parser->context != NULL) {
		sbuf_printf(&text, " (%s)", parser->context);
	}
	stop(b, line, sbuf_str(&text));
	sbuf_free(&text);
}

/* libyaml compares each %TAG directive with all before it.  Nobody needs one:
 * tags are refused.  Lines end as YAML has it: LF, CR, NEL, LS, PS. */
static bool
refuse_directives(struct builder *b, const char *text, size_t n)
{
	static const char tag[] = "%TAG";
	size_t line = 0;

	for (size_t i = 0; i + 4 <= n; i++) {
		if (memcmp(text + i, tag, 4) == 0 && (i == 0 ||
		    strchr("\n\r\x85\xa8\xa9\xbf", text[i - 1]) != NULL)) {
			stop(b, line, "a %TAG directive, none is allowed");
			return true;
		}
		line += text[i] == '\n';
	}
	return false;
}

static void
read_events(struct builder *b, const char *text, size_t n)
{
	yaml_parser_t parser;
	yaml_event_t event;
	bool is_end = false;

	if (!yaml_parser_initialize(&parser)) {
		stop(b, 0, "out of memory");
		return;
	}
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, n);
	/* Without a say of ours a byte order mark could make it UTF-16. */
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	while (!b->is_failed && !is_end) {
		if (!yaml_parser_parse(&parser, &event)) {
			syntax_error(b, &parser, text);
			break;
		}
		is_end = event.type == YAML_STREAM_END_EVENT;
		take_event(b, &event);
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&parser);
}

struct conf_node *
conf_parse(const char *name, const char *text, size_t n,
    struct conf_errors *errors)
{
	struct builder b = {.file = name, .errors = errors};

	if (n > TEXT_MAX) {
		add_error(errors, name, 1, "too long, at most 1 MiB is "
		    "allowed");
		errno = EFBIG;
		return NULL;
	}
	if (!refuse_directives(&b, text, n)) {
		read_events(&b, text, n);
	}
	free(b.key);
	if (!b.is_failed && b.root == NULL) {
		b.root = new_root(name);
	}
	if (!b.is_failed && b.root->kind == CONF_SCALAR && b.root->is_null) {
		b.root->kind = CONF_MAP;
	}
	if (!b.is_failed && b.root->kind != CONF_MAP) {
		stop(&b, (size_t)b.root->line - 1,
		    "the file is not a map, \"key: value\" lines are allowed");
	}
	if (b.is_failed) {
		conf_free(&b.root);
		errno = EINVAL;
	}
	return b.root;
}

/* A config file may well be a symlink: it is its owner who put it there. */
static int
read_file(const char *path, struct sbuf *out)
{
	struct stat st;
	ssize_t n = -1;
	int fd;

	fd = io_openat(AT_FDCWD, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
	if (fd == -1) {
		return -1;
	}
	if (fstat(fd, &st) == 0 && !S_ISREG(st.st_mode)) {
		errno = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
	} else if (st.st_size > TEXT_MAX) {
		errno = EFBIG;
	} else {
		sbuf_reserve(out, TEXT_MAX + 2);
		n = io_read_full(fd, out->data, TEXT_MAX + 1);
	}
	io_close(&fd);
	if (n == -1) {
		return -1;
	}
	out->len = (size_t)n;
	sbuf_truncate(out, (size_t)n);
	return 0;
}

struct conf_node *
conf_load(const char *path, struct conf_errors *errors)
{
	struct conf_node *root = NULL;
	struct sbuf text = {0}, why = {0};

	if (read_file(path, &text) == 0) {
		root = conf_parse(path, sbuf_str(&text), text.len, errors);
	} else {
		int saved = errno;

		sbuf_printf(&why, "cannot be read: %s", strerror(saved));
		add_error(errors, path, 0, sbuf_str(&why));
		errno = saved;
	}
	sbuf_free(&text);
	sbuf_free(&why);
	return root;
}
