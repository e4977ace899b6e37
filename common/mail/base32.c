/* SPDX-License-Identifier: BSD-2-Clause
 *
 * base32 - bits to characters that survive a change of case
 */
#include "common/mail/base32.h"

#include <string.h>

void
base32_write(const unsigned char *bytes, size_t n_bytes, char *out,
    size_t n_chars)
{
	static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";

	for (size_t i = 0; i < n_chars; i++) {
		unsigned value = 0;

		for (size_t bit = i * 5; bit < i * 5 + 5; bit++) {
			value <<= 1;
			if (bit / 8 < n_bytes)
				value |= bytes[bit / 8] >> (7 - bit % 8) & 1;
		}
		out[i] = alphabet[value];
	}
	out[n_chars] = '\0';
}

static int
value_of(char c)
{
	if (c >= 'a' && c <= 'z')
		return c - 'a';
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= '2' && c <= '7')
		return c - '2' + 26;
	return -1;
}

int
base32_read(const char *text, size_t n_chars, unsigned char *out,
    size_t n_bytes)
{
	memset(out, 0, n_bytes);
	for (size_t i = 0; i < n_chars; i++) {
		int value = value_of(text[i]);

		if (value == -1)
			return -1;
		for (size_t k = 0; k < 5; k++) {
			size_t bit = i * 5 + k;

			if ((value >> (4 - k) & 1) == 0)
				continue;
			if (bit / 8 >= n_bytes)
				return -1;
			out[bit / 8] |= (unsigned char)(0x80 >> bit % 8);
		}
	}
	return 0;
}
