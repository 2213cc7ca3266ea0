// SPDX-License-Identifier: Apache-2.0
// The sentence about a bad document: place, pointer, what was expected and what was found.

#include <libocispec/runtime/model.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Longest name that is compared; longer ones have no near relative. */
#define MAX_NAME 63
/* Space for the list of known values in a sentence. */
#define MAX_LIST 400

/* Length of the longest prefix of at most max bytes that does not cut a character. */
static size_t whole_chars(const char *text, size_t len, size_t max)
{
	if (len <= max)
		return len;
	while (max > 0 && ((unsigned char)text[max] & 0xc0) == 0x80)
		max--;
	return max;
}

/* Takes off a character that a full buffer has cut. */
static void trim_partial(char *text)
{
	size_t len = strlen(text), start = len;

	while (start > 0 && len - start < 4) {
		start--;
		if (((unsigned char)text[start] & 0xc0) != 0x80)
			break;
	}
	if (oci_utf8_char(text + start, len - start) != len - start)
		text[start] = '\0';
}

/* A document must not be able to write terminal sequences or further lines into a log. */
static void make_printable(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = '?';
}

int oci_error_set(struct oci_parse_error *err, int errnum, const struct oci_place *place,
		  const char *format, ...)
{
	char sentence[640];
	const char *pointer = place->pointer ? place->pointer : "";
	va_list args;
	int n;

	va_start(args, format);
	vsnprintf(sentence, sizeof(sentence), format, args);
	va_end(args);

	*err = (struct oci_parse_error){.errnum = errnum};
	snprintf(err->pointer, sizeof(err->pointer), "%s", pointer);
	if (place->at_text) {
		oci_line_column(place->data, place->offset, &err->line, &err->column);
		n = snprintf(err->text, sizeof(err->text), "%s:%u:%u: %s%s%s", place->name,
			     err->line, err->column, pointer, *pointer ? ": " : "", sentence);
	} else {
		n = snprintf(err->text, sizeof(err->text), "%s: %s%s%s", place->name, pointer,
			     *pointer ? ": " : "", sentence);
	}
	if (n >= (int)sizeof(err->text))
		trim_partial(err->text);
	make_printable(err->text);
	return -errnum;
}

const char *oci_error_quote(const char *given, size_t len, char *text, size_t size)
{
	static const char cut[] = "…";
	size_t n = whole_chars(given, len, size - sizeof(cut) - 2), i;

	snprintf(text, size, "\"%.*s%s\"", (int)n, given, n < len ? cut : "");
	/* A NUL would have ended the text early. */
	if (memchr(given, '\0', n)) {
		for (i = 0; i < n; i++)
			text[1 + i] = given[i] == '\0' ? '?' : given[i];
		snprintf(text + 1 + n, size - 1 - n, "%s\"", n < len ? cut : "");
	}
	return text;
}

static unsigned char lower(char c)
{
	return (unsigned char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

/* Levenshtein distance without regard to case. */
static size_t distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t row[MAX_NAME + 1], i, j, corner, best;

	for (j = 0; j <= b_len; j++)
		row[j] = j;
	for (i = 1; i <= a_len; i++) {
		corner = row[0];
		row[0] = i;
		for (j = 1; j <= b_len; j++) {
			best = corner + (lower(a[i - 1]) != lower(b[j - 1]));
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			corner = row[j];
			row[j] = best;
		}
	}
	return row[b_len];
}

static const char *nearest(const struct oci_enum *values, const char *given, size_t len)
{
	/* More than a third of the letters wrong is another word, not a slip. */
	size_t limit = len / 3 > 2 ? len / 3 : 2;
	const char *found = NULL;
	size_t d;
	unsigned i;

	if (len == 0 || len > MAX_NAME)
		return NULL;
	for (i = 1; i < values->count; i++) {
		d = distance(given, len, values->names[i], strlen(values->names[i]));
		if (d <= limit && d < len) {
			found = values->names[i];
			limit = d > 0 ? d - 1 : 0;
			if (d == 0)
				break;
		}
	}
	return found;
}

static void list_values(const struct oci_enum *values, char *text, size_t size)
{
	size_t used = 0;
	unsigned i;
	int n;

	for (i = 1; i < values->count; i++) {
		n = snprintf(text + used, size - used, "%s%s", i > 1 ? ", " : "", values->names[i]);
		if (n < 0 || (size_t)n >= size - used - sizeof(", …")) {
			snprintf(text + used, size - used, ", …");
			return;
		}
		used += (size_t)n;
	}
}

const char *oci_error_enum(const struct oci_enum *values, const char *given, size_t len, char *text,
			   size_t size)
{
	char quoted[64], list[MAX_LIST];
	const char *near = nearest(values, given, len);

	oci_error_quote(given, len, quoted, sizeof(quoted));
	if (near) {
		snprintf(text, size, "expected %s, found %s (did you mean \"%s\"?)", values->what,
			 quoted, near);
	} else {
		list_values(values, list, sizeof(list));
		snprintf(text, size, "expected %s (one of %s), found %s", values->what, list,
			 quoted);
	}
	return text;
}
