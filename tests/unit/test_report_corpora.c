/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_report_corpora - the reader against collected bounces and list posts
 *
 * The collections are no part of the sources.  They are looked for in the
 * folder that SEPTET_CORPORA names, else in ../shared/corpora; without them
 * the tests are skipped.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/sbuf.h"
#include "common/base/strv.h"
#include "common/mail/report.h"

/* Of the distinct mails whose addresses two readers agree on. */
#define RIGHT_FLOOR 450
#define FALSE_CEILING 3
/* Posts of ordinary lists. */
#define POSTS_FLOOR 4900
#define POSTS_FALSE_CEILING 3

#define COLUMNS 10
enum column { FILE_NAME, SOURCE, KIND, VERDICT, PERMANENT, TEMPORARY, TRUTH,
	STATUS, REASON, COPY_OF };

static char folder[256];

static const char *
corpora(void)
{
	const char *path = getenv("SEPTET_CORPORA");

	return path != NULL ? path : "../shared/corpora";
}

static void
unpack(const char *name)
{
	char archive[512];
	int status;
	pid_t pid;

	snprintf(archive, sizeof(archive), "%s/%s.tar.xz", corpora(), name);
	pid = fork();
	if (pid == 0) {
		execlp("tar", "tar", "-xJf", archive, "-C", folder,
		    (char *)NULL);
		_exit(127);
	}
	ck_assert_int_gt(pid, 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(status == 0, "tar %s: status %d", archive, status);
}

static int
remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static void
make_folder(void)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(folder, sizeof(folder), "%s/report.XXXXXX",
	    tmp != NULL ? tmp : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void
remove_folder(void)
{
	nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Do the recipients of one kind say just what the index does: "-", or
 * addresses with commas? */
static bool
is_same(const struct report *r, enum report_kind kind, const char *want)
{
	size_t i, found = 0, wanted = 0;
	const char *p;
	struct strv list = {0};

	for (p = want; *p != '\0' && strcmp(want, "-") != 0;
	    p += p[strcspn(p, ",")] == ',' ? strcspn(p, ",") + 1 :
	    strcspn(p, ",")) {
		struct sbuf one = {0};

		sbuf_add(&one, p, strcspn(p, ","));
		if (!strv_has_nocase(&list, sbuf_str(&one)))
			strv_add(&list, sbuf_str(&one));
		sbuf_free(&one);
	}
	wanted = list.n;
	for (i = 0; i < r->n; i++) {
		if (r->recipients[i].kind != kind)
			continue;
		found += strv_has_nocase(&list, r->recipients[i].address) ?
		    1 : wanted + 1;
	}
	strv_free(&list);
	return found == wanted;
}

static bool
is_trusted(const char *truth)
{
	return strcmp(truth, "source") == 0 ||
	    (strncmp(truth, "source;", 7) == 0 &&
	    strstr(truth, "sisimai+") != NULL) ||
	    (strncmp(truth, "consensus-", 10) == 0 &&
	    strchr("234", truth[10]) != NULL);
}

static void
read_file(const char *name, struct report *r)
{
	char path[1024];
	int fd;

	snprintf(path, sizeof(path), "%s/bounce/%s", folder, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ck_assert_msg(fd >= 0, "%s: %s", path, strerror(errno));
	ck_assert_int_eq(report_read(fd, r), 0);
	close(fd);
}

/* Split a line of the index at its tabs; false for lines not scored. */
static bool
split(char *line, char *columns[COLUMNS])
{
	int i;

	for (i = 0; i < COLUMNS; i++) {
		columns[i] = line;
		line += strcspn(line, "\t\n");
		if (*line == '\0')
			return false;
		*line++ = '\0';
	}
	return is_trusted(columns[TRUTH]) &&
	    strcmp(columns[COPY_OF], "-") == 0;
}

START_TEST(test_bounces)
{
	char path[512], *line = NULL, *c[COLUMNS];
	size_t size = 0;
	unsigned right = 0, scored = 0, wrong = 0;
	struct report r;
	bool is_bounce;
	FILE *index;

	unpack("bounces-permissive");
	unpack("bounces-perl");
	snprintf(path, sizeof(path), "%s/bounce-index.tsv", corpora());
	index = fopen(path, "re");
	ck_assert_ptr_nonnull(index);
	while (getline(&line, &size, index) != -1) {
		if (!split(line, c) || strcmp(c[VERDICT], "unknown") == 0)
			continue;
		is_bounce = strcmp(c[VERDICT], "perm") == 0 ||
		    strcmp(c[VERDICT], "temp") == 0;
		read_file(c[FILE_NAME], &r);
		if (!is_bounce) {
			wrong += !is_same(&r, REPORT_FAILED, "-");
		} else if (strcmp(c[PERMANENT], "-") != 0 ||
		    strcmp(c[TEMPORARY], "-") != 0) {
			scored++;
			right += is_same(&r, REPORT_FAILED, c[PERMANENT]) &&
			    is_same(&r, REPORT_DELAYED, c[TEMPORARY]);
		}
		report_free(&r);
	}
	free(line);
	fclose(index);
	printf("bounces: %u of %u right, %u false\n", right, scored, wrong);
	ck_assert_uint_ge(right, RIGHT_FLOOR);
	ck_assert_uint_le(wrong, FALSE_CEILING);
}
END_TEST

static unsigned posts, false_posts;

/* As the poster had sent it: without the fields of the list, which alone would
 * tell that it is no bounce. */
static int
post_file(const char *bytes, size_t n)
{
	const char *p = bytes, *end = bytes + n, *line_end;
	bool is_header = true, is_dropped = false;
	int fd = memfd_create("post", MFD_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	for (; p < end; p = line_end) {
		line_end = memchr(p, '\n', (size_t)(end - p));
		line_end = line_end == NULL ? end : line_end + 1;
		if (*p == '\n' || *p == '\r')
			is_header = false;
		if (!is_header) {
			line_end = end;
			is_dropped = false;
		} else if (*p != ' ' && *p != '\t') {
			is_dropped = strncasecmp(p, "list-", 5) == 0 ||
			    strncasecmp(p, "x-beenthere:", 12) == 0 ||
			    strncasecmp(p, "x-mailman-", 10) == 0;
		}
		if (!is_dropped)
			ck_assert_int_eq(write(fd, p, (size_t)(line_end - p)),
			    line_end - p);
	}
	ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

static int
read_post(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	struct sbuf bytes = {0};
	struct report r;
	ssize_t n;
	int fd;

	(void)ftw;
	if (flag != FTW_F || st->st_size == 0)
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	sbuf_reserve(&bytes, (size_t)st->st_size + 1);
	n = read(fd, bytes.data, (size_t)st->st_size);
	ck_assert_int_eq(n, st->st_size);
	close(fd);
	fd = post_file(bytes.data, (size_t)n);
	ck_assert_int_eq(report_read(fd, &r), 0);
	close(fd);
	posts++;
	if (r.kind != REPORT_NONE && r.kind != REPORT_AUTO) {
		false_posts++;
		if (false_posts <= 10)
			printf("taken for a report: %s\n", path);
	}
	report_free(&r);
	sbuf_free(&bytes);
	return 0;
}

START_TEST(test_posts)
{
	unpack("list-openbmc");
	unpack("list-stm32");
	unpack("list-usrp");
	unpack("autoresp");
	posts = false_posts = 0;
	ck_assert_int_eq(nftw(folder, read_post, 16, FTW_PHYS), 0);
	printf("posts: %u, %u taken for reports\n", posts, false_posts);
	ck_assert_uint_ge(posts, POSTS_FLOOR);
	ck_assert_uint_le(false_posts, POSTS_FALSE_CEILING);
}
END_TEST

int
main(void)
{
	char path[512];
	Suite *suite = suite_create("report_corpora");
	TCase *tc = tcase_create("report_corpora");
	SRunner *runner;
	int failed;

	snprintf(path, sizeof(path), "%s/bounce-index.tsv", corpora());
	if (access(path, R_OK) == 0) {
		tcase_set_timeout(tc, 300);
		tcase_add_checked_fixture(tc, make_folder, remove_folder);
		tcase_add_test(tc, test_bounces);
		tcase_add_test(tc, test_posts);
	} else {
		printf("skipped: 2 (no corpora in %s)\n", corpora());
	}
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
