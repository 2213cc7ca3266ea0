// SPDX-License-Identifier: Apache-2.0
// What resctrl tells of a container: see intelrdt_stats.h.
#include "host/intelrdt_stats.h"

#include "base/buf.h"
#include "base/str.h"
#include "sys/file.h"
#include "sys/io.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCHEMATA_MAX 65536
/* More caches of one level no machine has. */
#define DOMAINS_MAX 256

int intelrdt_stats_open(const struct container *c, struct oci_arena *arena, struct intelrdt *ret,
			struct crun_error *err)
{
	const struct oci_linux_intel_rdt *spec;
	struct oci_config *config;
	struct stat st;
	int fd, r;

	/* Most machines have none: before anything else is read. */
	fd = intelrdt_open(ERR_IGNORED);
	if (fd < 0)
		return 0;
	r = state_read_config(&c->dir, arena, &config, err);
	spec = r >= 0 && config->linux ? config->linux->intel_rdt : NULL;
	if (spec)
		r = intelrdt_update_check(spec, c->dir.id, fd, ret, ERR_IGNORED) >= 0;
	if (!spec || r <= 0) {
		close_fd(&fd);
		return r < 0 ? r : 0;
	}
	snprintf(ret->monitor, sizeof(ret->monitor), "%.300s/mon_groups/%.250s", ret->class,
		 c->dir.id);
	if (sys_fstatat(fd, ret->monitor, &st) < 0)
		ret->monitor[0] = '\0';
	return 1;
}

static void read_number(int base, const char *dir, const char *file, struct stat_value *ret)
{
	char path[INTELRDT_PATH_MAX + 64], text[64];

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	/* A counter may say "Unavailable" or "Error". */
	ret->known = io_read_file_at(base, path, text, sizeof(text)) > 0 &&
		     str_to_u64(text, UINT64_MAX, &ret->value) == 0;
}

/* The line of RESOURCE ("L3") without the blanks in front that the kernel pads with. */
static int find_line(struct oci_arena *arena, const char *text, const char *resource,
		     const char **ret)
{
	for (; *text; text += *text == '\n') {
		const char *rest;

		text += strspn(text, " ");
		rest = str_after(text, resource);
		if (rest && *rest == ':') {
			*ret = oci_arena_strndup(arena, text, strcspn(text, "\n"));
			return *ret ? 0 : -ENOMEM;
		}
		text += strcspn(text, "\n");
	}
	return 0;
}

static int read_schemata(int base, const char *class, struct oci_arena *arena, const char **ret_l3,
			 const char **ret_mb)
{
	_cleanup_free_ char *text = malloc(SCHEMATA_MAX);
	char path[INTELRDT_PATH_MAX + 16];
	int r;

	if (!text)
		return -ENOMEM;
	snprintf(path, sizeof(path), "%s/schemata", class);
	if (io_read_file_at(base, path, text, SCHEMATA_MAX) < 0)
		return 0;
	r = find_line(arena, text, "L3", ret_l3);
	return r < 0 ? r : find_line(arena, text, "MB", ret_mb);
}

static int compare_domains(const void *a, const void *b)
{
	return strcmp(((const struct intelrdt_domain *)a)->name,
		      ((const struct intelrdt_domain *)b)->name);
}

static int read_domains(int base, const char *group, struct intelrdt_stats *ret)
{
	_cleanup_closedir_ DIR *d = NULL;
	char path[INTELRDT_PATH_MAX + 64];
	struct dirent *e;
	int fd;

	snprintf(path, sizeof(path), "%s/mon_data", group);
	fd = sys_openat(base, path, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		return 0;
	d = fdopendir(fd);
	if (!d)
		close(fd);
	ret->domains = oci_arena_alloc(&ret->arena, DOMAINS_MAX * sizeof(*ret->domains));
	if (!d || !ret->domains)
		return -ENOMEM;
	while ((e = readdir(d)) && ret->domains_len < DOMAINS_MAX) {
		struct intelrdt_domain *domain = &ret->domains[ret->domains_len];
		size_t n = strlen(e->d_name);

		if (!str_after(e->d_name, "mon_L3_") || n >= sizeof(domain->name))
			continue;
		*domain = (struct intelrdt_domain){0};
		memcpy(domain->name, e->d_name, n + 1);
		snprintf(path, sizeof(path), "%s/mon_data/%s", group, domain->name);
		read_number(base, path, "llc_occupancy", &domain->occupancy);
		read_number(base, path, "mbm_total_bytes", &domain->total);
		read_number(base, path, "mbm_local_bytes", &domain->local);
		ret->domains_len++;
	}
	qsort(ret->domains, ret->domains_len, sizeof(*ret->domains), compare_domains);
	return 0;
}

int intelrdt_stats_read(const struct intelrdt *rdt, struct intelrdt_stats *ret)
{
	char mask[64];
	int base = rdt->base_fd;
	int r = read_schemata(base, ".", &ret->arena, &ret->l3_root, &ret->mb_root);

	if (r >= 0)
		r = read_schemata(base, rdt->class, &ret->arena, &ret->l3, &ret->mb);
	if (r >= 0)
		r = read_domains(base, rdt->monitor[0] ? rdt->monitor : rdt->class, ret);
	if (r >= 0 && io_read_file_at(base, "info/L3/cbm_mask", mask, sizeof(mask)) > 0) {
		ret->cbm_mask = oci_arena_strndup(&ret->arena, mask, strlen(mask));
		r = ret->cbm_mask ? 0 : -ENOMEM;
	}
	read_number(base, "info/L3", "min_cbm_bits", &ret->min_cbm_bits);
	read_number(base, "info/L3", "num_closids", &ret->l3_closids);
	read_number(base, "info/MB", "bandwidth_gran", &ret->bandwidth_gran);
	read_number(base, "info/MB", "delay_linear", &ret->delay_linear);
	read_number(base, "info/MB", "min_bandwidth", &ret->min_bandwidth);
	read_number(base, "info/MB", "num_closids", &ret->mb_closids);
	return r;
}

void intelrdt_stats_done(struct intelrdt_stats *stats)
{
	oci_arena_free(&stats->arena);
	*stats = (struct intelrdt_stats){0};
}
