/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_conf - values by key and type, and every error at its line
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/xalloc.h"
#include "common/domain/conf.h"

static struct conf_errors errors;

static struct conf_node *
parse(const char *text)
{
	conf_errors_free(&errors);
	return conf_parse("f", text, strlen(text), &errors);
}

static const char *
error_at(size_t i)
{
	return i < errors.lines.n ? errors.lines.items[i] : "(no error)";
}

static const struct {
	const char *text, *error;
} broken[] = {
	{"a: [1, 2", "f:2: not YAML: did not find expected ',' or ']' "
	    "(while parsing a flow sequence)"},
	{"a: 1\nb: *x\n", "f:2: an anchor, alias or tag (& * !), plain values "
	    "are allowed; quote the value if it is one"},
	{"a: &x 1\n", "f:1: an anchor, alias or tag (& * !), plain values "
	    "are allowed; quote the value if it is one"},
	{"a: !!binary x\n", "f:1: an anchor, alias or tag (& * !), plain "
	    "values are allowed; quote the value if it is one"},
	{"a: 1\n---\nb: 2\n", "f:2: a second document, one is allowed"},
	{"- a\n", "f:1: the file is not a map, \"key: value\" lines are "
	    "allowed"},
	{"\njust words\n", "f:2: the file is not a map, \"key: value\" lines "
	    "are allowed"},
	{"a: \"x\\0y\"\n", "f:1: a NUL character in a value, text is allowed"},
	{"[a]: 1\n", "f:1: a list or map as a key, a word is allowed"},
	{"? {a: 1}\n: 1\n", "f:1: a list or map as a key, a word is allowed"},
	{"\"\": 1\n", "f:1: key is empty or long, 1 to 255 bytes are allowed"},
	{"a: [[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]\n",
	    "f:1: nested too deep, at most 16 levels are allowed"},
	{"%YAML 1.1\n%TAG !a! b\n---\na: 1\n", "f:2: a %TAG directive, none is "
	    "allowed"},
	{"a: 1\nb: \xff\n", "f:2: not YAML: invalid leading UTF-8 octet"},
};

START_TEST(test_broken)
{
	ck_assert_ptr_null(parse(broken[_i].text));
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_uint_eq(errors.lines.n, 1);
	ck_assert_str_eq(error_at(0), broken[_i].error);
}
END_TEST

START_TEST(test_tree)
{
	struct conf_node *root;
	const struct conf_node *map;
	struct strv list = {0};

	root = parse("# c\na: x\nm:\n  k: v\n  n: ~\nl: [p, 'q r']\none: p\n"
	    "none:\nempty: ''\ndeep: [[[[[[[[[[[[[[1]]]]]]]]]]]]]]\n");
	ck_assert_ptr_nonnull(root);
	ck_assert_uint_eq(errors.lines.n, 0);
	ck_assert_int_eq(root->kind, CONF_MAP);
	ck_assert_int_eq(conf_get(root, "a")->line, 2);
	ck_assert_str_eq(conf_get(root, "a")->text, "x");
	map = conf_get_map(&errors, root, "m");
	ck_assert_ptr_nonnull(map);
	ck_assert_int_eq(conf_get(map, "k")->line, 4);
	ck_assert_str_eq(conf_get(map, "k")->file, "f");
	ck_assert_ptr_null(conf_get(map, "n"));
	ck_assert_ptr_null(conf_get(map, "absent"));
	ck_assert_ptr_null(conf_get(NULL, "a"));
	ck_assert_ptr_null(conf_get(conf_get(root, "a"), "b"));
	ck_assert_ptr_null(conf_get(root, "none"));
	ck_assert_ptr_nonnull(conf_get(root, "empty"));
	conf_strings(&errors, root, "l", &list);
	ck_assert_uint_eq(list.n, 2);
	ck_assert_str_eq(list.items[1], "q r");
	conf_strings(&errors, root, "one", &list);
	ck_assert_uint_eq(list.n, 1);
	conf_strings(&errors, root, "absent", &list);
	ck_assert_uint_eq(list.n, 1);
	ck_assert_uint_eq(errors.lines.n, 0);
	ck_assert_ptr_null(conf_get_map(&errors, root, "a"));
	ck_assert_str_eq(error_at(0), "f:2: a is \"x\", a map (\"key: value\" "
	    "lines) is allowed");
	strv_free(&list);
	conf_free(&root);
	ck_assert_ptr_null(root);
}
END_TEST

START_TEST(test_nothing)
{
	static const char *const texts[] = {"", "# only a comment\n", "---\n",
		"~\n", "{}\n"};
	struct conf_node *root;

	for (size_t i = 0; i < 5; i++) {
		root = parse(texts[i]);
		ck_assert_ptr_nonnull(root);
		ck_assert_int_eq(root->kind, CONF_MAP);
		ck_assert_uint_eq(root->n, 0);
		conf_free(&root);
	}
}
END_TEST

START_TEST(test_twice)
{
	struct conf_node *root = parse("a: 1\nb: 2\na: 3\nb: 4\n");

	ck_assert_ptr_nonnull(root);
	ck_assert_uint_eq(errors.lines.n, 2);
	ck_assert_str_eq(error_at(0),
	    "f:3: key \"a\" stands in line 1 already, only once is allowed");
	ck_assert_str_eq(error_at(1),
	    "f:4: key \"b\" stands in line 2 already, only once is allowed");
	ck_assert_str_eq(conf_get(root, "a")->text, "1");
	conf_free(&root);
}
END_TEST

START_TEST(test_bounds)
{
	size_t n = 1024 * 1024 + 1;
	char *text = xmalloc(n + 1);
	struct sbuf many = {0};

	memset(text, ' ', n);
	text[n] = '\0';
	ck_assert_ptr_null(parse(text));
	ck_assert_int_eq(errno, EFBIG);
	memset(text, '[', 1000);
	text[1000] = '\0';
	ck_assert_ptr_null(parse(text));
	ck_assert_str_eq(error_at(0),
	    "f:1: nested too deep, at most 16 levels are allowed");
	free(text);
	for (int i = 0; i < 5000; i++) {
		sbuf_printf(&many, "k%d: 1\n", i);
	}
	ck_assert_ptr_null(parse(sbuf_str(&many)));
	ck_assert_str_eq(error_at(0),
	    "f:4097: too many keys, at most 4096 are allowed here");
	sbuf_set(&many, "a: [");
	for (int i = 0; i < 70000; i++) {
		sbuf_adds(&many, "1,\n");
	}
	sbuf_adds(&many, "]\n");
	ck_assert_ptr_null(parse(sbuf_str(&many)));
	ck_assert_str_eq(error_at(0),
	    "f:65535: too many values, at most 65536 are allowed");
	sbuf_set(&many, "");
	for (int i = 0; i < 200; i++) {
		sbuf_adds(&many, "a: 1\n");
	}
	conf_free(&(struct conf_node *){parse(sbuf_str(&many))});
	ck_assert_uint_eq(errors.lines.n, 100);
	ck_assert_str_eq(error_at(99),
	    "f:101: more errors follow; they are not listed");
	sbuf_free(&many);
}
END_TEST

START_TEST(test_unknown)
{
	struct conf_node *root = parse("ownrs: 1\nzzz: 2\nhold: 3\n"
	    "\"x\\x1b\": 4\n");

	conf_get(root, "hold");
	conf_unknown(&errors, root, "site, owners, hold");
	ck_assert_uint_eq(errors.lines.n, 3);
	ck_assert_str_eq(error_at(0), "f:1: unknown key \"ownrs\", nearest is "
	    "\"owners\"; allowed are site, owners, hold");
	ck_assert_str_eq(error_at(1), "f:2: unknown key \"zzz\"; allowed are "
	    "site, owners, hold");
	ck_assert_ptr_nonnull(strstr(error_at(2), "\"x\\x1b\""));
	conf_unknown(&errors, NULL, "a");
	ck_assert_uint_eq(errors.lines.n, 3);
	conf_free(&root);
}
END_TEST

START_TEST(test_near)
{
	static const struct {
		const char *key;
		bool is_near;
	} keys[] = {{"holt", true}, {"hod", true}, {"hholdd", true},
		{"xxld", true}, {"xxxd", false}, {"on", false}, {"h", false},
		{"holdings", false}};
	struct sbuf text = {0};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		struct conf_node *root;

		sbuf_set(&text, "");
		sbuf_printf(&text, "%s: 1\n", keys[i].key);
		root = parse(sbuf_str(&text));
		conf_unknown(&errors, root, "hold, at");
		ck_assert_uint_eq(errors.lines.n, 1);
		ck_assert_msg((strstr(error_at(0), "nearest is \"hold\"") !=
		    NULL) == keys[i].is_near, "%s", error_at(0));
		conf_free(&root);
	}
	sbuf_free(&text);
}
END_TEST

/* Whatever the order in which somebody asks. */
START_TEST(test_order)
{
	struct conf_node *root = parse("a: x\nb: y\nfrob: 1\nc: z\nc: 2\n");
	struct conf_node *other;
	long long n = 0;

	conf_number(&errors, root, "c", 0, 9, &n);
	other = conf_parse("g", "a: x\n", 5, &errors);
	conf_number(&errors, other, "a", 0, 9, &n);
	conf_number(&errors, root, "b", 0, 9, &n);
	conf_number(&errors, root, "a", 0, 9, &n);
	conf_unknown(&errors, root, "a, b, c");
	ck_assert_uint_eq(errors.lines.n, 6);
	ck_assert_int_eq(strncmp(error_at(0), "f:4: c is", 9), 0);
	ck_assert_int_eq(strncmp(error_at(1), "f:5: key", 8), 0);
	ck_assert_int_eq(strncmp(error_at(2), "g:1: a is", 9), 0);
	ck_assert_int_eq(strncmp(error_at(3), "f:1: a is", 9), 0);
	ck_assert_int_eq(strncmp(error_at(4), "f:2: b is", 9), 0);
	ck_assert_int_eq(strncmp(error_at(5), "f:3: unknown", 12), 0);
	conf_free(&root);
	conf_free(&other);
}
END_TEST

enum type { NUMBER, SIZE, TIME, BOOL, CHOICE, STRING };

/* want: the value, or -1 and the error's end. */
static const struct {
	enum type type;
	const char *text;
	long long want;
	const char *error;
} values[] = {
	{NUMBER, "7", 7, NULL},
	{NUMBER, "-5", -5, NULL},
	{NUMBER, "100", 100, NULL},
	{NUMBER, "101", -1, "k is \"101\", a number from -5 to 100 is allowed"},
	{NUMBER, "-6", -1, "k is \"-6\", a number from -5 to 100 is allowed"},
	{NUMBER, "7x", -1, "k is \"7x\", a number from -5 to 100 is allowed"},
	{NUMBER, "''", -1, "k is \"\", a number from -5 to 100 is allowed"},
	{NUMBER, "99999999999999999999", -1,
	    "k is \"99999999999999999999\", a number from -5 to 100 is "
	    "allowed"},
	{NUMBER, "[7]", -1, "k is a list, a number from -5 to 100 is allowed"},
	{SIZE, "0", 0, NULL},
	{SIZE, "4096", 4096, NULL},
	{SIZE, "64K", 65536, NULL},
	{SIZE, "40M", 41943040, NULL},
	{SIZE, "2G", 2147483648, NULL},
	{SIZE, "1T", 1099511627776, NULL},
	{SIZE, "1024T", 1125899906842624, NULL},
	{SIZE, "1025T", -1, "k is \"1025T\", a size such as 4096, 64K, 40M, 2G "
	    "or 1T is allowed"},
	{SIZE, "18446744073709551615T", -1, "k is \"18446744073709551615T\", "
	    "a size such as 4096, 64K, 40M, 2G or 1T is allowed"},
	{SIZE, "40MB", -1, "k is \"40MB\", a size such as 4096, 64K, 40M, 2G "
	    "or 1T is allowed"},
	{SIZE, "M", -1, "k is \"M\", a size such as 4096, 64K, 40M, 2G or 1T "
	    "is allowed"},
	{TIME, "0", 0, NULL},
	{TIME, "500ms", 500, NULL},
	{TIME, "30s", 30000, NULL},
	{TIME, "10m", 600000, NULL},
	{TIME, "2h", 7200000, NULL},
	{TIME, "5d", 432000000, NULL},
	{TIME, "1w", 604800000, NULL},
	{TIME, "3650d", 315360000000, NULL},
	{TIME, "3651d", -1, "k is \"3651d\", a time such as 500ms, 30s, 10m, "
	    "2h, 5d or 1w is allowed"},
	{TIME, "30", -1, "k is \"30\", a time such as 500ms, 30s, 10m, 2h, 5d "
	    "or 1w is allowed"},
	{TIME, "{a: 1}", -1, "k is a map, a time such as 500ms, 30s, 10m, 2h, "
	    "5d or 1w is allowed"},
	{BOOL, "yes", 1, NULL},
	{BOOL, "true", 1, NULL},
	{BOOL, "on", 1, NULL},
	{BOOL, "no", 0, NULL},
	{BOOL, "maybe", -1, "k is \"maybe\", no, yes, false, true, off or on "
	    "is allowed"},
	{CHOICE, "none", 0, NULL},
	{CHOICE, "may", 1, NULL},
	{CHOICE, "mai", -1, "k is \"mai\", none or may is allowed"},
	{STRING, "x", 0, NULL},
	{STRING, "\"a\\nb\"", -1, "k is \"a\\x0ab\", one line of text, not "
	    "empty, is allowed"},
	{STRING, "''", -1, "k is \"\", one line of text, not empty, is "
	    "allowed"},
	{STRING, "[a]", -1, "k is a list, one line of text, not empty, is "
	    "allowed"},
};

static long long
read_value(enum type type, const struct conf_node *root)
{
	static const char *const words[] = {"none", "may", NULL};
	long long number = -1;
	uint64_t size = UINT64_MAX;
	int64_t ms = -1;
	bool is_on = false;
	int word = -1;
	char *text = NULL;

	switch (type) {
	case NUMBER:
		conf_number(&errors, root, "k", -5, 100, &number);
		return number;
	case SIZE:
		conf_size(&errors, root, "k", &size);
		return (long long)size;
	case TIME:
		conf_time(&errors, root, "k", &ms);
		return ms;
	case BOOL:
		conf_bool(&errors, root, "k", &is_on);
		return errors.lines.n > 0 ? -1 : is_on;
	case CHOICE:
		conf_choice(&errors, root, "k", words, &word);
		return word;
	default:
		conf_string(&errors, root, "k", &text);
		number = text == NULL ? -1 : 0;
		free(text);
		return number;
	}
}

START_TEST(test_values)
{
	struct sbuf text = {0};
	struct conf_node *root;

	sbuf_printf(&text, "k: %s\n", values[_i].text);
	root = parse(sbuf_str(&text));
	ck_assert_ptr_nonnull(root);
	ck_assert_int_eq(read_value(values[_i].type, root), values[_i].want);
	if (values[_i].error == NULL) {
		ck_assert_uint_eq(errors.lines.n, 0);
	} else {
		ck_assert_uint_eq(errors.lines.n, 1);
		ck_assert_str_eq(error_at(0) + strlen("f:1: "),
		    values[_i].error);
	}
	conf_free(&root);
	root = parse("other: 1\n");
	(void)read_value(values[_i].type, root);
	ck_assert_uint_eq(errors.lines.n, 0);
	conf_free(&root);
	sbuf_free(&text);
}
END_TEST

START_TEST(test_load)
{
	const char *tmp = getenv("TMPDIR");
	struct conf_node *root;
	char dir[256], path[300];
	FILE *f;

	snprintf(dir, sizeof(dir), "%.200s/septet-conf.XXXXXX",
	    tmp == NULL ? "/tmp" : tmp);
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/a.yaml", dir);
	conf_errors_free(&errors);
	ck_assert_ptr_null(conf_load(path, &errors));
	ck_assert_int_eq(errno, ENOENT);
	ck_assert_ptr_nonnull(strstr(error_at(0),
	    "a.yaml: cannot be read: No such file or directory"));
	ck_assert_ptr_null(conf_load(dir, &errors));
	ck_assert_int_eq(errno, EISDIR);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert_ptr_null(conf_load(path, &errors));
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_int_eq(unlink(path), 0);
	f = fopen(path, "w");
	fputs("a: 1\n", f);
	ck_assert_int_eq(fclose(f), 0);
	root = conf_load(path, &errors);
	ck_assert_ptr_nonnull(root);
	ck_assert_str_eq(conf_get(root, "a")->file, path);
	conf_free(&root);
	ck_assert_int_eq(truncate(path, 1024 * 1024 + 1), 0);
	ck_assert_ptr_null(conf_load(path, &errors));
	ck_assert_int_eq(errno, EFBIG);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(rmdir(dir), 0);
}
END_TEST

static void
teardown(void)
{
	conf_errors_free(&errors);
}

#define COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))

int
main(void)
{
	Suite *suite = suite_create("conf");
	TCase *tc = tcase_create("conf");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, NULL, teardown);
	tcase_add_loop_test(tc, test_broken, 0, COUNT(broken));
	tcase_add_test(tc, test_tree);
	tcase_add_test(tc, test_nothing);
	tcase_add_test(tc, test_twice);
	tcase_add_test(tc, test_bounds);
	tcase_add_test(tc, test_unknown);
	tcase_add_test(tc, test_near);
	tcase_add_test(tc, test_order);
	tcase_add_loop_test(tc, test_values, 0, COUNT(values));
	tcase_add_test(tc, test_load);
	suite_add_tcase(suite, tc);
	sr = srunner_create(suite);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
