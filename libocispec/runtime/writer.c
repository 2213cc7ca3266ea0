// SPDX-License-Identifier: Apache-2.0
// Writer: generated structs become JSON by the same tables that the reader uses.

#include <libocispec/runtime/model.h>
#include <libocispec/runtime/json.h>

#include <errno.h>
#include <string.h>

static void write_object(const struct oci_type *type, const char *base, struct oci_json *out);

static void write_value(const struct oci_field *field, const char *value, struct oci_json *out)
{
	unsigned number;

	switch ((enum oci_kind)field->kind) {
	case OCI_STRING:
		oci_json_string(out, *(const char *const *)value);
		break;
	case OCI_BOOL:
		oci_json_bool(out, *(const bool *)value);
		break;
	case OCI_UINT16:
		oci_json_uint(out, *(const uint16_t *)value);
		break;
	case OCI_INT32:
		oci_json_int(out, *(const int32_t *)value);
		break;
	case OCI_UINT32:
		oci_json_uint(out, *(const uint32_t *)value);
		break;
	case OCI_INT64:
		oci_json_int(out, *(const int64_t *)value);
		break;
	case OCI_UINT64:
		oci_json_uint(out, *(const uint64_t *)value);
		break;
	case OCI_ENUM:
		number = *(const unsigned *)value;
		if (number == 0 || number >= field->values->count)
			out->error = out->error ? out->error : -EINVAL;
		else
			oci_json_string(out, field->values->names[number]);
		break;
	case OCI_OBJECT:
		write_object(field->type, value, out);
		break;
	}
}

static void write_array(const struct oci_field *field, const char *items, size_t len,
			struct oci_json *out)
{
	size_t i;

	oci_json_begin_array(out);
	for (i = 0; i < len; i++)
		write_value(field, items + i * field->item_size, out);
	oci_json_end_array(out);
}

static void write_map(const struct oci_field *field, const struct oci_any_map *map,
		      struct oci_json *out)
{
	const char *item = map->items;
	size_t i;

	oci_json_begin_object(out);
	for (i = 0; i < map->len; i++, item += field->item_size) {
		oci_json_key(out, *(const char *const *)item);
		write_value(field, item + sizeof(char *), out);
	}
	oci_json_end_object(out);
}

static bool is_present(const struct oci_field *field, const char *base)
{
	const char *value = base + field->offset;

	if (field->shape != OCI_ONE || field->kind == OCI_STRING || field->kind == OCI_OBJECT)
		return *(const void *const *)value != NULL;
	if (field->kind == OCI_ENUM)
		return *(const unsigned *)value != 0;
	return *(const bool *)(base + field->aux);
}

static void write_object(const struct oci_type *type, const char *base, struct oci_json *out)
{
	unsigned i;

	oci_json_begin_object(out);
	for (i = 0; i < type->count && !out->error; i++) {
		const struct oci_field *field = &type->fields[i];
		const char *value = base + field->offset;

		if (!is_present(field, base))
			continue;
		oci_json_key(out, field->key);
		if (field->shape == OCI_ARRAY)
			write_array(field, *(const char *const *)value,
				    *(const size_t *)(base + field->aux), out);
		else if (field->shape == OCI_MAP)
			write_map(field, *(const struct oci_any_map *const *)value, out);
		else if (field->kind == OCI_OBJECT)
			write_object(field->type, *(const char *const *)value, out);
		else
			write_value(field, value, out);
	}
	oci_json_end_object(out);
}

int oci_write(const struct oci_type *type, const void *value, struct oci_json *out)
{
	write_object(type, value, out);
	return out->error;
}
