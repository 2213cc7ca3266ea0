// SPDX-License-Identifier: Apache-2.0
// Values: JSON numbers and strings become members of structs, exactly or not at all.

#include <libocispec/runtime/value.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

unsigned oci_enum_lookup(const struct oci_enum *values, const char *name, size_t len)
{
	unsigned i;

	for (i = 1; i < values->count; i++)
		if (strlen(values->names[i]) == len && memcmp(values->names[i], name, len) == 0)
			return i;
	return 0;
}

const char *oci_expected(const struct oci_field *field, bool item, char *text, size_t size)
{
	if (field->shape == OCI_ARRAY && !item)
		return "an array";
	if (field->shape == OCI_MAP && !item)
		return "an object";
	switch ((enum oci_kind)field->kind) {
	case OCI_STRING:
		return "a string";
	case OCI_BOOL:
		return "true or false";
	case OCI_ENUM:
		return field->values->what;
	case OCI_OBJECT:
		return "an object";
	case OCI_UINT16:
	case OCI_INT32:
	case OCI_UINT32:
	case OCI_INT64:
	case OCI_UINT64:
		break;
	}
	snprintf(text, size, "an integer from %" PRId64 " to %" PRIu64, field->min, field->max);
	return text;
}

static void store_integer(enum oci_kind kind, void *dest, uint64_t value)
{
	if (kind == OCI_UINT16)
		*(uint16_t *)dest = (uint16_t)value;
	else if (kind == OCI_INT32)
		*(int32_t *)dest = (int32_t)(int64_t)value;
	else if (kind == OCI_UINT32)
		*(uint32_t *)dest = (uint32_t)value;
	else if (kind == OCI_INT64)
		*(int64_t *)dest = (int64_t)value;
	else
		*(uint64_t *)dest = value;
}

/* Whether -magnitude or magnitude lies within the field's range; *ret is then its two's
 * complement. */
static bool in_range(const struct oci_field *field, bool negative, uint64_t magnitude,
		     uint64_t *ret)
{
	if (!negative || magnitude == 0) {
		*ret = magnitude;
		return magnitude <= field->max &&
		       (field->min <= 0 || magnitude >= (uint64_t)field->min);
	}
	*ret = -magnitude;
	/* -(min + 1) + 1 is the magnitude of min, and defined for the least one too. */
	return field->min < 0 && magnitude <= (uint64_t)(-(field->min + 1)) + 1;
}

int oci_store_number(const struct oci_field *field, void *dest, const char *digits, size_t len,
		     char sentence[OCI_SENTENCE])
{
	bool negative = len > 0 && digits[0] == '-', good = true;
	uint64_t magnitude = 0, value = 0;
	char range[80];
	size_t i;

	/* Not through double: limits up to 2^64 - 1 must arrive exactly. A fraction or an exponent
	 * is no integer even when its value is one: the specification's types are Go's. */
	for (i = negative; i < len && good; i++) {
		good = digits[i] >= '0' && digits[i] <= '9' &&
		       !__builtin_mul_overflow(magnitude, 10, &magnitude) &&
		       !__builtin_add_overflow(magnitude, (uint64_t)(digits[i] - '0'), &magnitude);
	}
	if (good && in_range(field, negative, magnitude, &value)) {
		store_integer(field->kind, dest, value);
		return 0;
	}
	snprintf(sentence, OCI_SENTENCE, "expected %s, found %.*s%s",
		 oci_expected(field, true, range, sizeof(range)), (int)(len > 40 ? 40 : len),
		 digits, len > 40 ? "…" : "");
	return -EINVAL;
}

int oci_store_string(const struct oci_field *field, void *dest, const char *value, size_t len,
		     struct oci_arena *arena, char sentence[OCI_SENTENCE])
{
	char quoted[64];
	const char *expected;
	unsigned found;
	char *copy;

	if (field->kind == OCI_ENUM) {
		found = oci_enum_lookup(field->values, value, len);
		if (found == 0) {
			oci_error_enum(field->values, value, len, sentence, OCI_SENTENCE);
			return -EINVAL;
		}
		*(unsigned *)dest = found;
		return 0;
	}
	/* A C string would end there, and a path would mean another file than the one checked. */
	if (memchr(value, '\0', len)) {
		snprintf(sentence, OCI_SENTENCE, "expected a string without \\u0000, found %s",
			 oci_error_quote(value, len, quoted, sizeof(quoted)));
		return -EINVAL;
	}
	copy = oci_arena_strndup(arena, value, len);
	if (!copy)
		return -ENOMEM;
	expected = field->check ? field->check(copy) : NULL;
	if (expected) {
		snprintf(sentence, OCI_SENTENCE, "expected %s, found %s", expected,
			 oci_error_quote(value, len, quoted, sizeof(quoted)));
		return -EINVAL;
	}
	*(const char **)dest = copy;
	return 0;
}
