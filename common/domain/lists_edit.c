/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lists_edit - make and remove a list; see lists.h
 *
 * Apart from lists.c, so that programs that only look lists up do not link the
 * store.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/io.h"
#include "common/base/xalloc.h"
#include "common/domain/lists.h"
#include "common/domain/liststate.h"
#include "common/domain/roster.h"
#include "common/mail/address.h"
#include "common/system/fsutil.h"

/* -1 with EINVAL, and the reason. */
static int __attribute__((format(printf, 2, 3)))
refuse(struct sbuf *why, const char *fmt, ...)
{
	va_list ap;

	if (why != NULL) {
		va_start(ap, fmt);
		sbuf_vprintf(why, fmt, ap);
		va_end(ap);
	}
	errno = EINVAL;
	return -1;
}

static int
check_name(const char *address, struct sbuf *key, struct sbuf *why)
{
	const char *reason = "not an address";
	bool is_name;
	char *at;

	if (address_check(address, NULL, &reason) == -1 ||
	    address_key(address, key) == -1) {
		return refuse(why, "%s: %s", address, reason);
	}
	at = strrchr(key->data, '@');
	*at = '\0';
	is_name = list_is_name(key->data) &&
	    strcmp(key->data, "postmaster") != 0;
	*at = '@';
	if (!is_name || !fs_is_name(key->data)) {
		return refuse(why, "%s: no list's name; 1 to %d of a-z 0-9 . _ "
		    "+ - beginning with a letter or digit are allowed before "
		    "the @, and not postmaster", address, LIST_NAME_MAX);
	}
	return 0;
}

static int
check_owners(const struct strv *owners, struct sbuf *why)
{
	const char *reason;

	for (size_t i = 0; owners != NULL && i < owners->n; i++) {
		if (address_check(owners->items[i], NULL, &reason) == -1) {
			return refuse(why, "owner %s: %s", owners->items[i],
			    reason);
		}
	}
	return 0;
}

/* Would a list called name have address as one of its roles? */
static bool
makes_role(const char *name, const char *address)
{
	const char *domain = strrchr(name, '@');
	const char *end = strrchr(address, '@');
	size_t n = (size_t)(domain - name);
	const char *rest = address + n;

	if (strcmp(domain, end) != 0 || strncmp(name, address, n) != 0 ||
	    rest > end) {
		return false;
	}
	for (const struct lists_suffix *s = lists_suffixes(); s->text != NULL;
	    s++) {
		size_t len = strlen(s->text);

		if (strncmp(rest, s->text, len) == 0 &&
		    (rest[len] == '@' || rest[len] == '+')) {
			return true;
		}
	}
	return false;
}

static int
check_makes(struct lists *lists, const char *key, struct sbuf *why)
{
	struct strv names = {0};
	const struct list *list;
	int result;

	result = lists_names(lists, &names);
	for (size_t i = 0; result == 0 && i < names.n; i++) {
		if (lists_get(lists, names.items[i], &list, NULL) != 1) {
			continue;
		}
		for (size_t j = 0; result == 0 && j < list->addresses.n; j++) {
			if (makes_role(key, list->addresses.items[j])) {
				result = refuse(why, "%s: list %s would be "
				    "one of its addresses", key,
				    list->addresses.items[j]);
			}
		}
	}
	strv_free(&names);
	return result;
}

/* Neither a list, nor a role of one, nor making one. */
static int
check_free(struct lists *lists, const char *key, struct sbuf *why)
{
	struct lists_match match = {0};
	struct sbuf name = {0};
	struct stat st;
	int found;

	sbuf_printf(&name, "%s/%s", lists_folder(lists), key);
	found = lstat(sbuf_str(&name), &st);
	sbuf_free(&name);
	if (found == 0) {
		errno = EEXIST;
		return -1;
	}
	found = lists_resolve(lists, key, &match);
	if (found == 1) {
		found = refuse(why, "%s: is an address of list %s (%s)", key,
		    match.list == NULL ? "postmaster" : match.list->address,
		    lists_role_name(match.role));
	} else if (found == -1 && errno == EINVAL) {
		found = refuse(why, "%s: a list of this domain has a bad "
		    "list.yaml, so nobody knows its addresses", key);
	}
	lists_match_free(&match);
	return found == -1 ? -1 : check_makes(lists, key, why);
}

/* In single quotes YAML knows one escape: the quote twice. */
static void
add_quoted(struct sbuf *out, const char *text)
{
	sbuf_addc(out, '\'');
	for (; *text != '\0'; text++) {
		sbuf_addc(out, *text);
		if (*text == '\'') {
			sbuf_addc(out, '\'');
		}
	}
	sbuf_addc(out, '\'');
}

static int
write_policy(const char *dir, const char *key, const struct strv *owners)
{
	struct sbuf path = {0}, text = {0};
	int result;

	sbuf_adds(&text, "# See list.yaml(5).\nversion: 1\naddresses:\n  - ");
	add_quoted(&text, key);
	sbuf_adds(&text, owners == NULL || owners->n == 0
	    ? "\n" : "\nowners:\n");
	for (size_t i = 0; owners != NULL && i < owners->n; i++) {
		sbuf_adds(&text, "  - ");
		add_quoted(&text, owners->items[i]);
		sbuf_addc(&text, '\n');
	}
	sbuf_printf(&path, "%s/list.yaml", dir);
	result = fs_replace(AT_FDCWD, sbuf_str(&path), text.data, text.len,
	    0660);
	sbuf_free(&path);
	sbuf_free(&text);
	return result;
}

static int
fill(const char *dir, const char *key, const struct strv *owners)
{
	struct roster *roster;
	struct liststate *state;

	if (io_mkdirat(AT_FDCWD, dir, 0770) == -1 ||
	    write_policy(dir, key, owners) == -1) {
		return -1;
	}
	roster = roster_open(dir, STORE_CREATE);
	if (roster == NULL) {
		return -1;
	}
	roster_close(&roster);
	state = liststate_open(dir, STORE_CREATE);
	if (state == NULL) {
		return -1;
	}
	liststate_close(&state);
	return fs_sync_dir(AT_FDCWD, dir);
}

/* Filled under a name that no list can have; it is a list from its rename on.
 * A list's directory is never empty, so the rename replaces none. */
static int
make(const char *folder, const char *key, const struct strv *owners)
{
	struct sbuf tmp = {0}, name = {0};
	int result;

	sbuf_printf(&tmp, "%s/.new.%ld", folder, (long)getpid());
	sbuf_printf(&name, "%s/%s", folder, key);
	result = fs_remove_tree(AT_FDCWD, sbuf_str(&tmp));
	if (result == 0) {
		result = fill(sbuf_str(&tmp), key, owners);
	}
	if (result == 0) {
		result = io_renameat(AT_FDCWD, sbuf_str(&tmp), AT_FDCWD,
		    sbuf_str(&name));
	}
	if (result == 0) {
		result = fs_sync_dir(AT_FDCWD, folder);
	} else {
		int saved = errno == ENOTEMPTY ? EEXIST : errno;

		(void)!fs_remove_tree(AT_FDCWD, sbuf_str(&tmp));
		errno = saved;
	}
	sbuf_free(&tmp);
	sbuf_free(&name);
	return result;
}

int
lists_create(struct lists *lists, const char *address,
    const struct strv *owners, struct sbuf *why)
{
	struct sbuf key = {0};
	int result;

	result = check_name(address, &key, why);
	if (result == 0) {
		result = check_owners(owners, why);
	}
	if (result == 0) {
		result = check_free(lists, sbuf_str(&key), why);
	}
	if (result == 0) {
		result = make(lists_folder(lists), sbuf_str(&key), owners);
	}
	sbuf_free(&key);
	return result;
}

int
lists_delete(struct lists *lists, const char *address)
{
	const char *folder = lists_folder(lists);
	struct sbuf key = {0}, tmp = {0}, name = {0};
	int result = -1;

	if (check_name(address, &key, NULL) == -1) {
		sbuf_free(&key);
		errno = ENOENT;
		return -1;
	}
	sbuf_printf(&name, "%s/%s", folder, sbuf_str(&key));
	sbuf_printf(&tmp, "%s/.gone.%ld", folder, (long)getpid());
	if (fs_remove_tree(AT_FDCWD, sbuf_str(&tmp)) == 0) {
		result = io_renameat(AT_FDCWD, sbuf_str(&name), AT_FDCWD,
		    sbuf_str(&tmp));
	}
	if (result == 0) {
		result = fs_sync_dir(AT_FDCWD, folder);
	}
	if (result == 0) {
		result = fs_remove_tree(AT_FDCWD, sbuf_str(&tmp));
	}
	sbuf_free(&key);
	sbuf_free(&tmp);
	sbuf_free(&name);
	return result;
}
