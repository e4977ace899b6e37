/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_id - what an ID is, that new ones differ and sort, children's names
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/spool/id.h"

#define SIXTY_FOUR \
	"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const struct {
	const char *id;
	bool is_valid;
} names[] = {
	{"0k3v9q2t7m-a-1x-01", true},
	{"0k3v9q2t7m-a-1x-01.o3-12", true},
	{"a", true},
	{"0", true},
	{SIXTY_FOUR, true},
	{SIXTY_FOUR "0", false},
	{"", false},
	{".", false},
	{"..", false},
	{".hidden", false},
	{"-dash", false},
	{"Upper", false},
	{"with/slash", false},
	{"with space", false},
	{"under_score", false},
	{"plus+moving", false},
	{"new\n", false},
	{"gr\xc3\xbcn", false},
	{"\x80", false},
};

START_TEST(test_valid)
{
	ck_assert_msg(id_is_valid(names[_i].id) == names[_i].is_valid, "%s",
	    names[_i].id);
}
END_TEST

static int
compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

START_TEST(test_new_differ)
{
	enum { N = 5000 };
	char (*ids)[ID_SIZE] = calloc(N, sizeof(*ids));
	int i;

	/* Frozen: only the counter can tell them apart. */
	clock_freeze(1800000000000);
	for (i = 0; i < N; i++) {
		id_new(ids[i], "a");
		ck_assert_msg(id_is_valid(ids[i]), "%s", ids[i]);
	}
	qsort(ids, N, sizeof(*ids), compare);
	for (i = 1; i < N; i++)
		ck_assert_str_ne(ids[i - 1], ids[i]);
	free(ids);
}
END_TEST

START_TEST(test_new_sorts_by_time)
{
	/* From 1970 over the digits' carries to the far end of ten digits. */
	static const int64_t times[] = {1, 999999999999, 1000000000000,
	    1784289600123, 1784289600124, 3656158440062};
	char before[ID_SIZE] = "", id[ID_SIZE];
	size_t i;

	for (i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		clock_freeze(times[i]);
		id_new(id, "zz");
		ck_assert_str_lt(before, id);
		ck_assert_int_eq(strcspn(id, "-"), 10);
		strcpy(before, id);
	}
}
END_TEST

START_TEST(test_new_layout)
{
	char id[ID_SIZE], want[ID_SIZE];

	clock_freeze(1784289600123);
	id_new(id, "mx-1");
	/* 1784289600123000 in base 36. */
	snprintf(want, sizeof(want), "%s-mx-1-", "hkh7bqx5ko");
	ck_assert_msg(strncmp(id, want, strlen(want)) == 0, "%s", id);
	ck_assert_str_eq(id + strlen(id) - 3, "-00");
}
END_TEST

START_TEST(test_longest_leaves_room_for_children)
{
	char id[ID_SIZE], child[ID_SIZE], grandchild[ID_SIZE];

	id_new(id, "twenty-bytes-of-host");
	ck_assert(strstr(id, "-twenty-bytes-of-host-") != NULL);
	ck_assert_int_eq(id_child(child, id, 'o', 12, 1000), 0);
	ck_assert_int_eq(id_child(grandchild, child, 'b', 3, 1), 0);
}
END_TEST

/* After a fork the counter is the same; the pid is not. */
START_TEST(test_new_after_fork)
{
	char own[ID_SIZE], other[ID_SIZE] = "";
	int ends[2], status;
	pid_t pid;

	clock_freeze(1784289600123);
	ck_assert_int_eq(pipe(ends), 0);
	pid = fork();
	ck_assert_int_ne(pid, -1);
	id_new(own, "a");
	if (pid == 0)
		_exit(write(ends[1], own, ID_SIZE) == ID_SIZE ? 0 : 1);
	ck_assert_int_eq(read(ends[0], other, ID_SIZE), ID_SIZE);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert_str_ne(own, other);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

static const struct {
	const char *parent;
	char letter;
	unsigned claim;
	unsigned number;
	const char *want;       /* NULL: error */
	int error;
} children[] = {
	{"0k3v9q2t7m-a-1x-01", 'o', 3, 1, "0k3v9q2t7m-a-1x-01.o3-1", 0},
	{"p.o3-1", 'b', 12, 400, "p.o3-1.b12-400", 0},
	{"0123456789abcdef0123456789abcdef0123456789abcdef0123456789a", 'n',
	    1, 1, "0123456789abcdef0123456789abcdef0123456789abcdef0123456789a"
	    ".n1-1", 0},
	{"0123456789abcdef0123456789abcdef0123456789abcdef0123456789a", 'n',
	    1, 10, NULL, ENAMETOOLONG},
	{SIXTY_FOUR, 'n', 1, 1, NULL, ENAMETOOLONG},
	{"p", '/', 1, 1, NULL, EINVAL},
	{"p", 'A', 1, 1, NULL, EINVAL},
};

START_TEST(test_child)
{
	char id[ID_SIZE];
	int rc;

	rc = id_child(id, children[_i].parent, children[_i].letter,
	    children[_i].claim, children[_i].number);
	if (children[_i].want == NULL) {
		ck_assert_int_eq(rc, -1);
		ck_assert_int_eq(errno, children[_i].error);
		return;
	}
	ck_assert_int_eq(rc, 0);
	ck_assert_str_eq(id, children[_i].want);
	ck_assert(id_is_valid(id));
}
END_TEST

static const struct {
	const char *id;
	int64_t want;
} times[] = {
	{"0000001000-a-1-00", 46}, /* 36^3 us */
	{"gre6mxr5c0-a-1-00.n3-1", 1702240820137},
	{"0000001000", 46},
	{"000000100", 0},
	{"", 0},
	{"0000-a-01", 0},
	{"mail.eml", 0},
};

START_TEST(test_time)
{
	ck_assert_int_eq(id_time(times[_i].id), times[_i].want);
}
END_TEST

START_TEST(test_time_of_a_new_one)
{
	char id[ID_SIZE];

	clock_freeze(1795165200123);
	id_new(id, "a");
	ck_assert_int_eq(id_time(id), 1795165200123);
	clock_freeze(0);
}
END_TEST

#define COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))

int
main(void)
{
	Suite *suite = suite_create("id");
	TCase *tests = tcase_create("id");
	SRunner *sr;
	int failed;

	tcase_add_loop_test(tests, test_valid, 0, COUNT(names));
	tcase_add_test(tests, test_new_differ);
	tcase_add_test(tests, test_new_sorts_by_time);
	tcase_add_test(tests, test_new_layout);
	tcase_add_test(tests, test_longest_leaves_room_for_children);
	tcase_add_test(tests, test_new_after_fork);
	tcase_add_loop_test(tests, test_child, 0, COUNT(children));
	tcase_add_loop_test(tests, test_time, 0, COUNT(times));
	tcase_add_test(tests, test_time_of_a_new_one);
	suite_add_tcase(suite, tests);
	sr = srunner_create(suite);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
