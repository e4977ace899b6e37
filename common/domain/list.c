/* SPDX-License-Identifier: BSD-2-Clause
 *
 * list - one list's policy: LISTS/NAME@DOMAIN/list.yaml
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/xalloc.h"
#include "common/domain/list.h"
#include "common/mail/address.h"

#define ADDRESSES_MAX 100
#define PEOPLE_MAX 1000
#define LANGUAGE_MAX 20
#define DAY_MS (24LL * 3600 * 1000)

#define POLICY_KEYS "owners, moderators, description, language, " \
    "subject_prefix, member_action, nonmember_action, size_action, " \
    "size_limit, identity, subscribe, verp, closed, bounce_threshold, " \
    "bounce_stale"

static const char *const actions[] = {"accept", "hold", "reject", "discard",
	NULL};

const char *
list_action_name(enum list_action action)
{
	return actions[action];
}

bool
list_is_name(const char *local)
{
	size_t n = strspn(local, "abcdefghijklmnopqrstuvwxyz0123456789._+-");

	return n > 0 && n <= LIST_NAME_MAX && local[n] == '\0' &&
	    strchr("._+-", local[0]) == NULL && local[n - 1] != '.' &&
	    strstr(local, "..") == NULL;
}

void
list_role_address(const struct list *list, const char *suffix,
    struct sbuf *out)
{
	const char *at = strrchr(list->address, '@');

	sbuf_truncate(out, 0);
	sbuf_add(out, list->address, (size_t)(at - list->address));
	sbuf_adds(out, suffix);
	sbuf_adds(out, at);
}

void
list_id(const struct list *list, struct sbuf *out)
{
	const char *at = strrchr(list->address, '@');

	sbuf_truncate(out, 0);
	sbuf_add(out, list->address, (size_t)(at - list->address));
	sbuf_addc(out, '.');
	sbuf_adds(out, at + 1);
}

static void
read_action(struct conf_errors *errors, const struct conf_node *map,
    const char *key, enum list_action *out)
{
	int word = (int)*out;

	conf_choice(errors, map, key, actions, &word);
	*out = (enum list_action)word;
}

/* Whom to believe first: [from, envelope] and the like. */
static void
read_identity(struct conf_errors *errors, const struct conf_node *map,
    enum list_identity *out)
{
	static const struct {
		const char *words[2];
		size_t n;
		enum list_identity value;
	} forms[] = {{{"from", "envelope"}, 2, LIST_FROM_FIRST},
		{{"from", NULL}, 1, LIST_FROM_ONLY},
		{{"envelope", NULL}, 1, LIST_ENVELOPE_ONLY},
		{{"envelope", "from"}, 2, LIST_ENVELOPE_FIRST}};
	const struct conf_node *node = conf_get(map, "identity");
	struct conf_errors ignored = {0};
	struct strv words = {0};
	bool is_found = false;

	if (node == NULL) {
		return;
	}
	conf_strings(&ignored, map, "identity", &words);
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		if (ignored.lines.n == 0 && words.n == forms[i].n &&
		    strcmp(words.items[0], forms[i].words[0]) == 0 &&
		    (words.n == 1 ||
		    strcmp(words.items[1], forms[i].words[1]) == 0)) {
			*out = forms[i].value;
			is_found = true;
		}
	}
	if (!is_found) {
		conf_error(errors, node, "identity is something else, [from, "
		    "envelope], [envelope, from], [from] or [envelope] is "
		    "allowed");
	}
	strv_free(&words);
	conf_errors_free(&ignored);
}

static void
read_people(struct conf_errors *errors, const struct conf_node *map,
    const char *key, struct strv *out)
{
	const struct conf_node *node = conf_get(map, key);
	const char *why;

	if (node == NULL) {
		return;
	}
	conf_strings(errors, map, key, out);
	if (out->n > PEOPLE_MAX) {
		conf_error(errors, node, "%s has %zu addresses, at most 1000 "
		    "are allowed", key, out->n);
		return;
	}
	for (size_t i = 0; i < out->n; i++) {
		if (address_check(out->items[i], NULL, &why) == -1) {
			conf_error(errors, node, "%s has \"%.60s\" (%s), "
			    "addresses are allowed", key, out->items[i], why);
		}
	}
}

/* It is the name of a folder of templates, so it must not lead anywhere. */
static void
read_language(struct conf_errors *errors, const struct conf_node *map,
    char **out)
{
	size_t n;

	conf_string(errors, map, "language", out);
	n = strspn(*out, "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-");
	if (n < 2 || n > LANGUAGE_MAX || (*out)[n] != '\0' ||
	    (*out)[0] == '-') {
		conf_error(errors, conf_get(map, "language"), "language is "
		    "\"%.60s\", a language tag such as en or pt-BR is allowed",
		    *out);
	}
}

static void
read_policy(struct list *list, const struct conf_node *map,
    struct conf_errors *errors)
{
	static const char *const subscribe[] = {"confirm", "closed", NULL};
	static const char *const verp[] = {"each", "none", NULL};
	static const unsigned threshold[2] = {0, 1000000};
	int word;

	read_people(errors, map, "owners", &list->owners);
	read_people(errors, map, "moderators", &list->moderators);
	conf_string(errors, map, "description", &list->description);
	read_language(errors, map, &list->language);
	conf_string(errors, map, "subject_prefix", &list->subject_prefix);
	read_action(errors, map, "member_action", &list->member_action);
	read_action(errors, map, "nonmember_action", &list->nonmember_action);
	read_action(errors, map, "size_action", &list->size_action);
	conf_size(errors, map, "size_limit", &list->size_limit);
	read_identity(errors, map, &list->identity);
	word = (int)list->subscribe;
	conf_choice(errors, map, "subscribe", subscribe, &word);
	list->subscribe = (enum list_subscribe)word;
	word = (int)list->verp;
	conf_choice(errors, map, "verp", verp, &word);
	list->verp = (enum list_verp)word;
	conf_bool(errors, map, "closed", &list->is_closed);
	conf_count(errors, map, "bounce_threshold", threshold,
	    &list->bounce_threshold);
	conf_time(errors, map, "bounce_stale", &list->bounce_stale);
}

static struct list *
new_list(const char *dir)
{
	struct list *list = xcalloc(1, sizeof(*list));

	list->dir = xstrdup(dir);
	list->language = xstrdup("en");
	list->member_action = LIST_ACCEPT;
	list->nonmember_action = LIST_HOLD;
	list->size_action = LIST_HOLD;
	list->size_limit = 10 << 20;
	list->identity = LIST_FROM_FIRST;
	list->subscribe = LIST_OPEN_CONFIRM;
	list->verp = LIST_VERP_EACH;
	list->bounce_threshold = 5;
	list->bounce_stale = 7 * DAY_MS;
	return list;
}

void
list_check_defaults(const struct site *site, struct conf_errors *errors)
{
	struct list *list;

	if (site->defaults == NULL) {
		return;
	}
	list = new_list("");
	read_policy(list, site->defaults, errors);
	conf_unknown(errors, site->defaults, POLICY_KEYS);
	list_free(&list);
}

/* One address of the list in the form that is compared: 0, or -1 and an
 * error. */
static int
read_address(const struct conf_node *node, const char *text,
    struct conf_errors *errors, struct sbuf *key)
{
	const char *why = "not a list's name";
	bool is_name = false;
	char *at;

	if (address_check(text, NULL, &why) == 0 &&
	    address_key(text, key) == 0) {
		at = strrchr(key->data, '@');
		*at = '\0';
		is_name = list_is_name(key->data);
		*at = '@';
	}
	if (!is_name) {
		conf_error(errors, node, "addresses has \"%.60s\" (%s), "
		    "NAME@DOMAIN is allowed with 1 to %d of a-z 0-9 . _ + - "
		    "in NAME", text, why, LIST_NAME_MAX);
	}
	return is_name ? 0 : -1;
}

static void
read_addresses(struct list *list, const struct conf_node *tree,
    struct conf_errors *errors)
{
	const struct conf_node *node = conf_get(tree, "addresses");
	const char *slash = strrchr(list->dir, '/');
	const char *name = slash == NULL ? list->dir : slash + 1;
	struct strv given = {0};
	struct sbuf key = {0};

	conf_strings(errors, tree, "addresses", &given);
	if (given.n == 0 || given.n > ADDRESSES_MAX) {
		conf_error(errors, node == NULL ? tree : node, "addresses has "
		    "%zu addresses, 1 to 100 are allowed", given.n);
		strv_free(&given);
		return;
	}
	for (size_t i = 0; i < given.n; i++) {
		if (read_address(node, given.items[i], errors, &key) == 0) {
			strv_add(&list->addresses, sbuf_str(&key));
		}
	}
	if (list->addresses.n > 0 &&
	    strcmp(list->addresses.items[0], name) != 0) {
		conf_error(errors, node, "addresses begins with \"%.60s\", "
		    "the name of the list's directory is allowed: %.320s",
		    list->addresses.items[0], name);
	}
	if (list->addresses.n > 0) {
		list->address = xstrdup(list->addresses.items[0]);
	}
	strv_free(&given);
	sbuf_free(&key);
}

/* What the site takes at all. */
static uint64_t
site_size_limit(const struct site *site)
{
	const struct site_queue *inbound = site_queue(site, "inbound");

	return inbound == NULL ? UINT64_MAX : inbound->size_limit;
}

struct list *
list_make(const struct site *site, const char *dir,
    const struct conf_node *tree, struct conf_errors *errors)
{
	struct list *list = new_list(dir);
	size_t before = errors->lines.n;
	long long version = 1;

	conf_number(errors, tree, "version", 1, 1, &version);
	read_addresses(list, tree, errors);
	read_policy(list, site->defaults, errors);
	read_policy(list, tree, errors);
	conf_unknown(errors, tree, "version, addresses, " POLICY_KEYS);
	if (list->size_limit > site_size_limit(site)) {
		list->size_limit = site_size_limit(site);
	}
	if (errors->lines.n > before) {
		list_free(&list);
		errno = EINVAL;
	}
	return list;
}

struct list *
list_load(const struct site *site, const char *dir, struct conf_errors *errors)
{
	size_t before = errors->lines.n;
	struct sbuf path = {0};
	struct conf_node *tree;
	struct list *list = NULL;

	sbuf_printf(&path, "%s/list.yaml", dir);
	tree = conf_load(sbuf_str(&path), errors);
	sbuf_free(&path);
	if (tree == NULL) {
		return NULL;
	}
	list = list_make(site, dir, tree, errors);
	conf_free(&tree);
	if (list != NULL && errors->lines.n > before) {
		list_free(&list);
	}
	if (list == NULL) {
		errno = EINVAL;
	}
	return list;
}

void
list_free(struct list **list)
{
	struct list *l = *list;

	if (l == NULL) {
		return;
	}
	strv_free(&l->addresses);
	strv_free(&l->owners);
	strv_free(&l->moderators);
	free(l->address);
	free(l->description);
	free(l->language);
	free(l->subject_prefix);
	free(l->dir);
	free(l);
	*list = NULL;
}
