/* SPDX-License-Identifier: BSD-2-Clause
 *
 * fuzz_conf - no bytes of a config file crash, hang or leak
 *
 * For libFuzzer (-fsanitize=fuzzer,address); with -DFUZZ_MAIN a program that
 * runs each file it is given, for other fuzzers and for what was found.  The
 * first byte says what the rest is taken for.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/domain/conf.h"
#include "common/domain/list.h"
#include "common/domain/site.h"

#define INPUT_MAX (1024 * 1024 + 2)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
check(int is_good, const char *what)
{
	if (!is_good) {
		fprintf(stderr, "%s\n", what);
		abort();
	}
}

static void
check_errors(const struct conf_errors *errors)
{
	check(errors->lines.n <= 100, "too many errors");
	for (size_t i = 0; i < errors->lines.n; i++) {
		const char *p = errors->lines.items[i];

		check(strncmp(p, "f:", 2) == 0, "an error without a place");
		for (; *p != '\0'; p++) {
			check((unsigned char)*p >= 0x20 && *p != 0x7f,
			    "a control character in an error");
		}
	}
}

static void
try_site(struct conf_node *tree, struct conf_errors *errors)
{
	struct site *site = site_make("/f", tree, errors);

	check((site == NULL) == (errors->lines.n > 0),
	    "a site and errors, or neither");
	if (site != NULL) {
		for (size_t i = 0; i < site->n_queues; i++) {
			(void)site_reaches(site, "inbound",
			    site->queues[i].name);
			(void)site_stage(site, site->queues[i].name);
		}
	}
	site_free(&site);
}

static void
try_list(struct conf_node **tree, struct conf_errors *errors)
{
	static const char text[] = "site: x.org\ndefaults: {verp: none}\n";
	struct conf_errors none = {0};
	struct conf_node *root;
	struct site *site;
	struct list *list;

	root = conf_parse("s", text, sizeof(text) - 1, &none);
	site = site_make("/s", root, &none);
	check(site != NULL, "no site");
	list = list_make(site, "/l/dev@x.org", *tree, errors);
	check((list == NULL) == (errors->lines.n > 0),
	    "a list and errors, or neither");
	check(list == NULL || strcmp(list->address, "dev@x.org") == 0,
	    "a list that is not called as its directory");
	list_free(&list);
	site_free(&site);
	conf_free(tree);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct conf_errors errors = {0};
	struct conf_node *tree;

	if (n == 0) {
		return 0;
	}
	tree = conf_parse("f", (const char *)data + 1, n - 1, &errors);
	check(tree != NULL || errors.lines.n > 0, "nothing and no error");
	/* A key that is there twice leaves a tree and an error. */
	if (tree != NULL && errors.lines.n > 0) {
		check_errors(&errors);
		conf_errors_free(&errors);
		conf_free(&tree);
	}
	if (tree != NULL && data[0] % 2 == 0) {
		try_site(tree, &errors);
	} else if (tree != NULL) {
		try_list(&tree, &errors);
	}
	check_errors(&errors);
	conf_errors_free(&errors);
	return 0;
}

#ifdef FUZZ_MAIN
int
main(int argc, char **argv)
{
	uint8_t *data = malloc(INPUT_MAX);

	check(data != NULL, "out of memory");
	for (int i = 1; i < argc; i++) {
		FILE *f = fopen(argv[i], "rb");
		size_t n;

		if (f == NULL) {
			perror(argv[i]);
			return 1;
		}
		n = fread(data, 1, INPUT_MAX, f);
		fclose(f);
		(void)LLVMFuzzerTestOneInput(data, n);
	}
	free(data);
	return 0;
}
#endif
