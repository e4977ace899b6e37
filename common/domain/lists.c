/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lists - all lists of a site: which list and role is an address?
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include <uthash.h>

#include "common/base/clock.h"
#include "common/base/xalloc.h"
#include "common/domain/lists.h"
#include "common/mail/address.h"
#include "common/system/fsutil.h"

#define LOOK_AGAIN_MS 1000

/* A list as it was when its list.yaml had this stamp. */
struct cached {
	char *name;
	struct stat stamp;
	struct list *list;
	UT_hash_handle hh;
};

struct alias {
	char *address;
	char *name;
	UT_hash_handle hh;
};

struct lists {
	const struct site *site;
	struct cached *cache;
	struct alias *aliases;
	struct strv domains;    /* of all lists */
	struct strv broken;     /* domains with a list that cannot be read */
	struct strv broken_why; /* of each, the first such list's fault */
	struct sbuf why;        /* of the last lists_resolve */
	int64_t looked;         /* monotonic ms, 0 never */
};

static const struct lists_suffix suffixes[] = {
	{"", ROLE_POST, false},
	{"-request", ROLE_REQUEST, false},
	{"-join", ROLE_JOIN, false},
	{"-subscribe", ROLE_JOIN, false},
	{"-leave", ROLE_LEAVE, false},
	{"-unsubscribe", ROLE_LEAVE, false},
	{"-confirm", ROLE_CONFIRM, true},
	{"-bounces", ROLE_BOUNCES, true},
	{"-owner", ROLE_OWNER, false},
	{NULL, ROLE_POST, false},
};

static const char *const role_names[] = {"post", "request", "join", "leave",
	"confirm", "bounces", "owner", "site-owner"};

const struct lists_suffix *
lists_suffixes(void)
{
	return suffixes;
}

const char *
lists_role_name(enum lists_role role)
{
	return role_names[role];
}

int
lists_role_parse(const char *name, enum lists_role *role)
{
	for (int i = ROLE_POST; i <= ROLE_SITE_OWNER; i++) {
		if (strcmp(name, role_names[i]) == 0) {
			*role = (enum lists_role)i;
			return 0;
		}
	}
	errno = EINVAL;
	return -1;
}

struct lists *
lists_open(const struct site *site)
{
	struct lists *lists = xcalloc(1, sizeof(*lists));

	lists->site = site;
	return lists;
}

const char *
lists_folder(const struct lists *lists)
{
	return lists->site->lists;
}

static void
forget_list(struct lists *lists, struct cached *c)
{
	HASH_DEL(lists->cache, c);
	list_free(&c->list);
	free(c->name);
	free(c);
}

static void
forget_aliases(struct lists *lists)
{
	struct alias *alias, *next;

	HASH_ITER(hh, lists->aliases, alias, next) {
		HASH_DEL(lists->aliases, alias);
		free(alias->address);
		free(alias->name);
		free(alias);
	}
	strv_free(&lists->domains);
	strv_free(&lists->broken);
	strv_free(&lists->broken_why);
}

void
lists_close(struct lists **lists)
{
	struct cached *c, *next;

	if (*lists == NULL) {
		return;
	}
	HASH_ITER(hh, (*lists)->cache, c, next) {
		forget_list(*lists, c);
	}
	forget_aliases(*lists);
	sbuf_free(&(*lists)->why);
	free(*lists);
	*lists = NULL;
}

static bool
is_same_stamp(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev &&
	    a->st_size == b->st_size &&
	    a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	    a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	    a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
	    a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* list.yaml is not there.  0: nor is the list, -1: it is, or who knows. */
static int
explain_absent(const struct lists *lists, const char *dir, struct sbuf *why)
{
	struct stat st;
	int saved;

	if (stat(lists->site->lists, &st) == -1) {
		saved = errno;
		if (why != NULL) {
			sbuf_printf(why, "%s: %s", lists->site->lists,
			    strerror(saved));
		}
		errno = saved;
		return -1;
	}
	if (stat(dir, &st) == -1) {
		return errno == ENOENT || errno == ENOTDIR ? 0 : -1;
	}
	if (!S_ISDIR(st.st_mode)) {
		return 0;
	}
	if (why != NULL) {
		sbuf_printf(why, "%s: has no list.yaml", dir);
	}
	errno = ENOENT;
	return -1;
}

static struct cached *
read_list(struct lists *lists, const char *name, const char *dir,
    const struct stat *stamp, struct sbuf *why)
{
	struct conf_errors errors = {0};
	struct cached *c;
	struct list *list;
	int saved;

	list = list_load(lists->site, dir, &errors);
	saved = errno;
	for (size_t i = 0; why != NULL && i < errors.lines.n; i++) {
		sbuf_printf(why, "%s%s", i == 0 ? "" : "; ",
		    errors.lines.items[i]);
	}
	conf_errors_free(&errors);
	if (list == NULL) {
		errno = saved;
		return NULL;
	}
	c = xcalloc(1, sizeof(*c));
	c->name = xstrdup(name);
	c->stamp = *stamp;
	c->list = list;
	HASH_ADD_KEYPTR(hh, lists->cache, c->name, strlen(c->name), c);
	return c;
}

/* The list whose directory is called name. */
static int
get_list(struct lists *lists, const char *name, const struct list **list,
    struct sbuf *why)
{
	struct sbuf dir = {0}, path = {0};
	struct cached *c;
	struct stat stamp;
	int found = 1;

	*list = NULL;
	sbuf_printf(&dir, "%s/%s", lists->site->lists, name);
	sbuf_printf(&path, "%s/list.yaml", sbuf_str(&dir));
	HASH_FIND_STR(lists->cache, name, c);
	if (stat(sbuf_str(&path), &stamp) == -1) {
		found = errno == ENOENT || errno == ENOTDIR
		    ? explain_absent(lists, sbuf_str(&dir), why)
		    : errno == ENAMETOOLONG ? 0 : -1;
	}
	if (c != NULL && (found != 1 || !is_same_stamp(&stamp, &c->stamp))) {
		forget_list(lists, c);
		c = NULL;
	}
	if (found == 1 && c == NULL) {
		c = read_list(lists, name, sbuf_str(&dir), &stamp, why);
	}
	if (found == 1) {
		*list = c == NULL ? NULL : c->list;
		found = c == NULL ? -1 : 1;
	}
	sbuf_free(&dir);
	sbuf_free(&path);
	return found;
}

/* Is it a name that a list's directory can have? */
static bool
is_dir_name(const char *name)
{
	const char *at = strrchr(name, '@');
	struct sbuf key = {0};
	char *local;
	bool is_name;

	if (at == NULL || !fs_is_name(name)) {
		return false;
	}
	local = xstrndup(name, (size_t)(at - name));
	is_name = list_is_name(local) && address_key(name, &key) == 0 &&
	    strcmp(sbuf_str(&key), name) == 0;
	free(local);
	sbuf_free(&key);
	return is_name;
}

int
lists_get(struct lists *lists, const char *name, const struct list **list,
    struct sbuf *why)
{
	struct sbuf key = {0};
	int found = 0;

	*list = NULL;
	if (address_key(name, &key) == 0 && is_dir_name(sbuf_str(&key))) {
		found = get_list(lists, sbuf_str(&key), list, why);
	}
	sbuf_free(&key);
	return found;
}

int
lists_names(struct lists *lists, struct strv *out)
{
	DIR *dir = opendir(lists->site->lists);
	struct dirent *entry;
	struct stat st;
	int saved;

	if (dir == NULL) {
		return -1;
	}
	while (errno = 0, (entry = readdir(dir)) != NULL) {
		if (is_dir_name(entry->d_name) && fstatat(dirfd(dir),
		    entry->d_name, &st, 0) == 0 && S_ISDIR(st.st_mode)) {
			strv_add(out, entry->d_name);
		}
	}
	saved = errno;
	closedir(dir);
	errno = saved;
	strv_sort(out);
	return saved == 0 ? 0 : -1;
}

static void
add_once(struct strv *v, const char *text)
{
	if (!strv_has(v, text)) {
		strv_add(v, text);
	}
}

static void
add_aliases(struct lists *lists, const struct list *list)
{
	for (size_t i = 0; i < list->addresses.n; i++) {
		const char *address = list->addresses.items[i];
		struct alias *alias;

		add_once(&lists->domains, strrchr(address, '@') + 1);
		HASH_FIND_STR(lists->aliases, address, alias);
		if (i == 0 || alias != NULL) {
			continue;
		}
		alias = xcalloc(1, sizeof(*alias));
		alias->address = xstrdup(address);
		alias->name = xstrdup(list->address);
		HASH_ADD_KEYPTR(hh, lists->aliases, alias->address,
		    strlen(alias->address), alias);
	}
}

static void
forget_gone(struct lists *lists, const struct strv *names)
{
	struct cached *c, *next;

	/* Names are sorted, but few lists go; so few are looked for. */
	if (HASH_COUNT(lists->cache) <= names->n) {
		return;
	}
	HASH_ITER(hh, lists->cache, c, next) {
		if (!strv_has(names, c->name)) {
			forget_list(lists, c);
		}
	}
}

/* Look at all lists, unless that was done within the last second. */
static int
look_at_all(struct lists *lists)
{
	struct strv names = {0};
	struct sbuf why = {0};
	const struct list *list;
	int64_t now = clock_mono_ms();

	if (lists->looked != 0 && now - lists->looked < LOOK_AGAIN_MS) {
		return 0;
	}
	if (lists_names(lists, &names) == -1) {
		strv_free(&names);
		return -1;
	}
	forget_aliases(lists);
	forget_gone(lists, &names);
	for (size_t i = 0; i < names.n; i++) {
		const char *domain = strrchr(names.items[i], '@') + 1;
		int found;

		sbuf_truncate(&why, 0);
		found = get_list(lists, names.items[i], &list, &why);
		if (found == 1) {
			add_aliases(lists, list);
		} else if (found == -1) {
			add_once(&lists->domains, domain);
			if (!strv_has(&lists->broken, domain)) {
				strv_add(&lists->broken, domain);
				strv_add(&lists->broken_why, sbuf_str(&why));
			}
		}
	}
	strv_free(&names);
	sbuf_free(&why);
	/* 0 means never; a machine may be that young. */
	lists->looked = now == 0 ? 1 : now;
	return 0;
}

/* A list by one of its addresses, given as local part (any case) and domain
 * key. */
static int
find_exact(struct lists *lists, const char *local, size_t n,
    const char *domain, const struct list **list)
{
	struct sbuf key = {0};
	struct alias *alias = NULL;
	int found = 0;

	*list = NULL;
	if (n == 0 || n > LIST_NAME_MAX) {
		return 0;
	}
	for (size_t i = 0; i < n; i++) {
		char c = local[i];

		sbuf_addc(&key, c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a')
		    : c);
	}
	if (list_is_name(sbuf_str(&key))) {
		sbuf_printf(&key, "@%s", domain);
		found = get_list(lists, sbuf_str(&key), list, &lists->why);
		if (found == 0) {
			found = look_at_all(lists);
			HASH_FIND_STR(lists->aliases, sbuf_str(&key), alias);
		}
		if (found == 0 && alias != NULL) {
			found = get_list(lists, alias->name, list,
			    &lists->why);
		}
	}
	sbuf_free(&key);
	return found;
}

static bool
has_suffix(const char *text, size_t n, const char *suffix)
{
	size_t len = strlen(suffix);

	return n > len && strncasecmp(text + n - len, suffix, len) == 0;
}

/* Is local[0..n) a list and a role suffix?  1, 0, -1. */
static int
find_role(struct lists *lists, const char *local, size_t n,
    const char *domain, struct lists_match *match)
{
	for (const struct lists_suffix *s = suffixes + 1; s->text != NULL;
	    s++) {
		int found;

		if (!has_suffix(local, n, s->text)) {
			continue;
		}
		found = find_exact(lists, local, n - strlen(s->text), domain,
		    &match->list);
		if (found != 0) {
			match->role = s->role;
			return found;
		}
	}
	return 0;
}

/* Try what stands before each '+', and all of it, as a list with a role and
 * then as a list. */
static int
find_extended(struct lists *lists, const char *local, const char *domain,
    struct lists_match *match)
{
	for (int is_post = 0; is_post <= 1; is_post++) {
		size_t n = strcspn(local, "+");

		for (;;) {
			int found = is_post
			    ? find_exact(lists, local, n, domain, &match->list)
			    : find_role(lists, local, n, domain, match);

			if (found != 0) {
				sbuf_adds(&match->extension, local[n] == '\0'
				    ? "" : local + n + 1);
				return found;
			}
			if (local[n] == '\0') {
				break;
			}
			n += 1 + strcspn(local + n + 1, "+");
		}
	}
	return 0;
}

static bool
is_postmaster(const struct lists *lists, const char *local, const char *domain)
{
	return strcasecmp(local, "postmaster") == 0 &&
	    (strcmp(domain, lists->site->name) == 0 ||
	    strv_has(&lists->domains, domain));
}

static int
resolve_parts(struct lists *lists, const char *local, const char *domain,
    struct lists_match *match)
{
	int found;

	found = find_exact(lists, local, strlen(local), domain, &match->list);
	if (found == 0) {
		found = find_extended(lists, local, domain, match);
	}
	if (found == 0) {
		found = look_at_all(lists);
	}
	if (found == 0 && is_postmaster(lists, local, domain)) {
		match->role = ROLE_SITE_OWNER;
		found = 1;
	}
	if (found != 0) {
		return found;
	}
	for (size_t i = 0; i < lists->broken.n; i++) {
		if (strcmp(lists->broken.items[i], domain) == 0) {
			sbuf_set(&lists->why, lists->broken_why.items[i]);
			errno = EINVAL;
			return -1;
		}
	}
	return 0;
}

/* The local part as it is meant: without quotes. */
static void
unquote(const char *local, size_t n, struct sbuf *out)
{
	if (n < 2 || local[0] != '"') {
		sbuf_add(out, local, n);
		return;
	}
	for (size_t i = 1; i + 1 < n; i++) {
		if (local[i] == '\\' && i + 2 < n) {
			i++;
		}
		sbuf_addc(out, local[i]);
	}
}

int
lists_resolve(struct lists *lists, const char *address,
    struct lists_match *match)
{
	struct address_info info;
	struct sbuf local = {0}, domain = {0};
	int found = 0;

	match->list = NULL;
	match->role = ROLE_POST;
	sbuf_truncate(&match->extension, 0);
	sbuf_truncate(&lists->why, 0);
	if (strcasecmp(address, "postmaster") == 0) {
		match->role = ROLE_SITE_OWNER;
		return 1;
	}
	if (address_check(address, &info, NULL) == 0 &&
	    address_domain_key(info.domain, &domain) == 0) {
		unquote(address, info.local_len, &local);
		found = resolve_parts(lists, sbuf_str(&local),
		    sbuf_str(&domain), match);
	}
	sbuf_free(&local);
	sbuf_free(&domain);
	return found;
}

const char *
lists_why(const struct lists *lists)
{
	return sbuf_str(&lists->why);
}

void
lists_match_free(struct lists_match *match)
{
	sbuf_free(&match->extension);
	match->list = NULL;
}
