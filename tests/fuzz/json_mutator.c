// SPDX-License-Identifier: Apache-2.0
// libFuzzer's custom mutator for JSON documents: changes follow the schema's tables, so that most results are read and get to the checks.

#include "json_mutator.h"

#include "fuzz.h"

#include "base/buf.h"
#include "spec/mount_options.h"
#include "spec/tables.h"

#include <libocispec/runtime/model.h>

#include <stdio.h>

#define DEPTH_MAX 8
#define EDITS_MAX 4

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

static uint64_t state;

static unsigned below(unsigned n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned)(state >> 16) % n;
}

#define PICK(list) ((list)[below(sizeof(list) / sizeof((list)[0]))])

/* ---- making values ---- */

static const char *word_for(const char *key)
{
	static const char *const paths[] = {
		"/",	  "/proc", "/proc/sys",	     "/dev",   "/dev/pts", "/sys",	 "/a/b",
		"a/../b", "..",	   "/sys/fs/cgroup", "rootfs", "/dev/x",   "/run/notify"};
	static const char *const fstypes[] = {"bind",	 "tmpfs",  "proc",   "sysfs", "cgroup",
					      "cgroup2", "mqueue", "devpts", "none",  "overlay"};
	static const char *const options[] = {"mode=755",
					      "size=64k",
					      "idmap=uids=0-1000-10;gids=0-1000-10",
					      "ridmap",
					      "idmap=uids=@0-1-1#5-6-7",
					      "context=\"s:r:t:s0\"",
					      "gid=5",
					      "nr_inodes=2",
					      "idmap=uids=",
					      "ridmap=gids=0-0-1"};
	static const char *const rlimits[] = {"RLIMIT_NOFILE", "RLIMIT_CORE", "RLIMIT_AS",
					      "RLIMIT_NPROC", "RLIMIT_X"};
	static const char *const names[] = {"",
					    "a",
					    "0-3",
					    "0,2",
					    "PATH=/bin",
					    "A=",
					    "net.ipv4.x",
					    "kernel.shmmax",
					    "eth0",
					    "eth%d",
					    "2MB",
					    "1GB",
					    "L3:0=f;1=f0",
					    "MB:0=20",
					    "0",
					    "-1",
					    "10000000000",
					    "us-ascii\\u0001",
					    "\\n",
					    "box.slice:crun:box",
					    "1.2.0",
					    "1.0.0-rc5",
					    "rwm",
					    "all"};

	if (strcmp(key, "options") == 0)
		return below(4) ? mount_options[below((unsigned)mount_options_len)].name
				: PICK(options);
	if (strcmp(key, "type") == 0 && below(2))
		return below(2) ? PICK(fstypes) : PICK(rlimits);
	if (strcmp(key, "bounding") == 0 || strcmp(key, "effective") == 0 ||
	    strcmp(key, "permitted") == 0 || strcmp(key, "inheritable") == 0 ||
	    strcmp(key, "ambient") == 0)
		return cap_name(below(CAP_NAMES_LEN));
	if (strcmp(key, "ociVersion") == 0)
		return "1.2.0";
	return below(2) ? PICK(paths) : PICK(names);
}

static const char *map_key(void)
{
	static const char *const keys[] = {"run.oci.keep_original_groups",
					   "run.oci.seccomp.receiver",
					   "run.oci.seccomp_bpf_data",
					   "run.oci.delegate-cgroup",
					   "run.oci.systemd.subgroup",
					   "org.systemd.property.TimeoutStopUSec",
					   "net.ipv4.ip_forward",
					   "kernel.sem",
					   "kernel.domainname",
					   "memory.high",
					   "cgroup.procs",
					   "pids.max",
					   "monotonic",
					   "boottime",
					   "eth0",
					   "lo",
					   "",
					   "a~b/c"};

	return PICK(keys);
}

static void put_number(struct buf *out, const struct oci_field *f)
{
	static const int64_t usual[] = {0, 1, -1, 2, 7, 10, 100, 1000, 1024, 65535, 65536, 1000000};

	switch (below(6)) {
	case 0:
		buf_printf(out, "%lld", (long long)f->min);
		break;
	case 1:
		buf_printf(out, "%llu", (unsigned long long)f->max);
		break;
	case 2:
		buf_printf(out, "%lld", (long long)((uint64_t)1 << below(64)));
		break;
	default:
		buf_printf(out, "%lld", (long long)PICK(usual));
		break;
	}
}

static void put_object(struct buf *out, const struct oci_type *type, unsigned depth);

/* A value of the field, or of one item of it. */
static void put_one(struct buf *out, const struct oci_field *f, unsigned depth)
{
	switch (f->kind) {
	case OCI_STRING:
		buf_printf(out, "\"%s\"", word_for(f->key));
		break;
	case OCI_BOOL:
		buf_puts(out, below(3) ? "true" : "false");
		break;
	case OCI_ENUM:
		buf_printf(out, "\"%s\"", f->values->names[1 + below(f->values->count - 1)]);
		break;
	case OCI_OBJECT:
		put_object(out, f->type, depth + 1);
		break;
	default:
		put_number(out, f);
		break;
	}
}

static void put_value(struct buf *out, const struct oci_field *f, unsigned depth)
{
	unsigned n = below(4);

	if (f->shape == OCI_ONE) {
		put_one(out, f, depth);
		return;
	}
	buf_puts(out, f->shape == OCI_ARRAY ? "[" : "{");
	for (unsigned i = 0; i < n; i++) {
		buf_puts(out, i ? "," : "");
		if (f->shape == OCI_MAP)
			buf_printf(out, "\"%s\":", map_key());
		put_one(out, f, depth);
	}
	buf_puts(out, f->shape == OCI_ARRAY ? "]" : "}");
}

static void put_object(struct buf *out, const struct oci_type *type, unsigned depth)
{
	bool any = false;

	buf_puts(out, "{");
	for (unsigned i = 0; i < type->count; i++) {
		bool required = type->required >> i & 1;

		if (!required && (depth >= DEPTH_MAX || below(4) != 0))
			continue;
		buf_printf(out, "%s\"%s\":", any ? "," : "", type->fields[i].key);
		put_value(out, &type->fields[i], depth);
		any = true;
	}
	buf_puts(out, "}");
}

/* ---- finding a place in a document ---- */

/* Where something can be changed. */
struct place {
	const char *start;	       /* of the key, or of the value */
	const char *value, *end;       /* behind the value */
	const struct oci_field *field; /* NULL: not of the schema */
	const struct oci_type *type;   /* the value is an object of it */
	bool item;		       /* of an array or a map */
};

struct search {
	unsigned wanted, seen;
	struct place found;
};

static const char *skip_blanks(const char *p)
{
	return p + strspn(p, " \t\r\n");
}

static const char *skip_text(const char *p)
{
	for (p++; *p && *p != '"'; p++) {
		if (*p == '\\' && p[1])
			p++;
	}
	return *p ? p + 1 : p;
}

static const char *walk(struct search *s, const char *p, const struct place *here, unsigned depth);

static const struct oci_field *field_of(const struct oci_type *type, const char *key,
					const char *end)
{
	int i = type && end - key >= 2 ? type->lookup(key + 1, (size_t)(end - key) - 2) : -1;

	return i < 0 ? NULL : &type->fields[i];
}

/* The members or items between brackets, from behind the opening one. */
static const char *walk_inside(struct search *s, const char *p, const struct place *here,
			       bool is_array, unsigned depth)
{
	bool is_map = here->field && here->field->shape == OCI_MAP && !here->item;

	for (p = skip_blanks(p); *p && *p != '}' && *p != ']';) {
		struct place next = {.start = p, .value = p};

		if (is_array || is_map) {
			next.field = here->field;
			next.item = true;
		}
		if (!is_array) {
			const char *key_end = *p == '"' ? skip_text(p) : p;

			if (!is_map)
				next.field = field_of(here->type, p, key_end);
			p = skip_blanks(key_end);
			if (*p == ':')
				p++;
			next.value = p = skip_blanks(p);
		}
		if (next.field && next.field->kind == OCI_OBJECT &&
		    (next.item || next.field->shape == OCI_ONE))
			next.type = next.field->type;
		p = skip_blanks(walk(s, p, &next, depth + 1));
		if (*p != ',')
			break;
		p = skip_blanks(p + 1);
	}
	return *p ? p + 1 : p;
}

static const char *walk(struct search *s, const char *p, const struct place *here, unsigned depth)
{
	const char *begin = p;

	if (*p == '"')
		p = skip_text(p);
	else if ((*p == '{' || *p == '[') && depth < 64)
		p = walk_inside(s, p + 1, here, *p == '[', depth);
	else
		p += strcspn(p, ",]}");
	if (s->seen++ == s->wanted) {
		s->found = *here;
		s->found.value = begin;
		s->found.end = p;
	}
	return p;
}

static unsigned count_places(const char *text, const struct oci_type *type)
{
	const struct place root = {.start = text, .value = text, .type = type};
	struct search s = {.wanted = ~0U};

	walk(&s, skip_blanks(text), &root, 0);
	return s.seen;
}

static struct place find_place(const char *text, const struct oci_type *type, unsigned wanted)
{
	const struct place root = {.start = text, .value = text, .type = type};
	struct search s = {.wanted = wanted};

	walk(&s, skip_blanks(text), &root, 0);
	return s.found;
}

/* ---- changes ---- */

static void put_member(struct buf *out, const struct oci_type *type)
{
	const struct oci_field *f = &type->fields[below(type->count)];

	buf_printf(out, "\"%s\":", f->key);
	put_value(out, f, 0);
}

/* The insides of a string or number, changed as libFuzzer changes bytes. */
static void put_mutated(struct buf *out, const struct place *at)
{
	uint8_t bytes[256];
	size_t len = (size_t)(at->end - at->value);

	len = len < sizeof(bytes) / 2 ? len : sizeof(bytes) / 2;
	memcpy(bytes, at->value, len);
	len = LLVMFuzzerMutate(bytes, len, sizeof(bytes));
	buf_append(out, bytes, len);
}

/* What takes the place of [value, end), or with the whole member [start, end). */
static void edit(struct buf *out, const char *text, const struct oci_type *root)
{
	struct place at = find_place(text, root, below(count_places(text, root)));
	const char *from = at.value, *to = at.end;
	struct buf new = {0};

	switch (below(8)) {
	case 0: /* without it; the commas are put right */
		from = at.start;
		to = skip_blanks(at.end);
		if (*to == ',')
			to++;
		else if (from > text && from[-1] == ',')
			from--;
		break;
	case 1: /* twice */
		from = to = at.start;
		buf_append(&new, at.start, (size_t)(at.end - at.start));
		buf_puts(&new, ",");
		break;
	case 2:
		put_mutated(&new, &at);
		break;
	case 3:
	case 4:
		if (at.type && *at.value == '{') { /* one member more */
			from = to = at.value + 1;
			put_member(&new, at.type);
			buf_puts(&new, *skip_blanks(to) == '}' ? "" : ",");
			break;
		}
		__attribute__((fallthrough));
	default:
		if (at.field && at.item)
			put_one(&new, at.field, 0);
		else if (at.field)
			put_value(&new, at.field, 0);
		else
			put_object(&new, root, 0);
		break;
	}
	buf_append(out, text, (size_t)(from - text));
	if (new.data)
		buf_append(out, new.data, new.len);
	buf_puts(out, to);
	buf_done(&new);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	char *text = fuzz_text(data, size);

	state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
	if (below(8) == 0) {
		free(text);
		return LLVMFuzzerMutate(data, size, max_size);
	}
	for (unsigned n = 1 + below(EDITS_MAX); n > 0; n--) {
		struct buf next = {0};

		if (!strchr(text, '{'))
			put_object(&next, fuzz_document_type, 0);
		else
			edit(&next, text, fuzz_document_type);
		free(text);
		text = next.data;
		REQUIRE(text && !next.failed);
	}
	size = strlen(text);
	if (size <= max_size)
		memcpy(data, text, size);
	else
		size = max_size ? LLVMFuzzerMutate(data, 1, max_size) : 0;
	free(text);
	return size;
}
