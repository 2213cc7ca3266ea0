// SPDX-License-Identifier: Apache-2.0
// Idmapped mounts in the plan: where the mapping comes from, how engines spell it, what is refused.
#include "plan_fixture.h"

#include <errno.h>

#define USERNS                                                      \
	"'namespaces':[{'type':'mount'},{'type':'user'}],"          \
	"'uidMappings':[{'containerID':0,'hostID':1000,'size':50}," \
	"{'containerID':50,'hostID':9000,'size':50}],"              \
	"'gidMappings':[{'containerID':0,'hostID':2000,'size':100}]"
#define JOINED		 "'namespaces':[{'type':'mount'},{'type':'user','path':'/run/ns'}]"

#define MAPS(uids, gids) "'uidMappings':[" uids "],'gidMappings':[" gids "]"
#define MAP(in, out, n)	 "{'containerID':" #in ",'hostID':" #out ",'size':" #n "}"

/* A bind mount with OPTIONS and MORE members. */
#define BIND(options, more)                                                                     \
	",'mounts':[{'destination':'/m','type':'none','source':'/s','options':['rbind'" options \
	"]" more "}]"

static const struct mount_idmap *mapped(const char *linux_, const char *more)
{
	struct parts p = {.linux_ = linux_, .more = more};

	if (build(&p, &root_facts) != 0) {
		printf("# %s (at %s)\n", err.text, err.at);
		return NULL;
	}
	return plan->mounts[0].idmap;
}

static void fails(const char *linux_, const char *more, const char *at, const char *text,
		  int expected)
{
	struct parts p = {.linux_ = linux_, .more = more};

	CHECK_INT(build(&p, &root_facts), expected);
	CHECK_STR(err.at, at);
	if (!strstr(err.text, text))
		TEST_FAIL("no `%s` in `%s`", text, err.text);
}

#define IS_RANGE(range, in, out, n) \
	((range).container_id == (in) && (range).host_id == (out) && (range).size == (n))

TEST(nothing_is_mapped_unless_asked_for)
{
	PLAN(.more = BIND("", ""));
	CHECK(plan->mounts[0].idmap == NULL);
}

TEST(own_mappings)
{
	const struct mount_idmap *map;

	map = mapped(NULL, BIND(",'idmap'", "," MAPS(MAP(0, 10, 5), MAP(1, 20, 6))));
	CHECK(map && map->uids_len == 1 && map->gids_len == 1 && !map->recursive);
	CHECK(IS_RANGE(map->uids[0], 0, 10, 5));
	CHECK(IS_RANGE(map->gids[0], 1, 20, 6));
	map = mapped(NULL, BIND(",'ridmap'", "," MAPS(MAP(0, 10, 5), MAP(1, 20, 6))));
	CHECK(map && map->recursive);
	/* The option is a SHOULD of the specification only. */
	map = mapped(NULL, BIND("", "," MAPS(MAP(0, 10, 5), MAP(1, 20, 6))));
	CHECK(map && map->uids_len == 1 && !map->recursive);
	/* They win over the container's. */
	map = mapped(USERNS, BIND(",'idmap'", "," MAPS(MAP(0, 10, 5), MAP(1, 20, 6))));
	CHECK(map && IS_RANGE(map->uids[0], 0, 10, 5));
}

TEST(containers_mappings)
{
	const struct mount_idmap *map = mapped(USERNS, BIND(",'idmap'", ""));

	CHECK(map && map->uids_len == 2 && map->gids_len == 1);
	CHECK(IS_RANGE(map->uids[1], 50, 9000, 50));
	/* Those of a joined namespace are its own: the configuration's may be dummies. */
	map = mapped(JOINED, BIND(",'ridmap'", ""));
	CHECK(map && map->uids_len == 0 && map->gids_len == 0 && map->recursive);
}

TEST(engines_spelling)
{
	const struct mount_idmap *map;

	map = mapped(NULL, BIND(",'idmap=uids=0-1-10#10-500-4294967;gids=7-100-1'", ""));
	CHECK(map && map->uids_len == 2 && map->gids_len == 1);
	CHECK(IS_RANGE(map->uids[0], 0, 1, 10));
	CHECK(IS_RANGE(map->uids[1], 10, 500, 4294967));
	CHECK(IS_RANGE(map->gids[0], 7, 100, 1));
	map = mapped(NULL, BIND(",'ridmap=gids=0-1-10;uids=0-2-10'", ""));
	CHECK(map && map->recursive && IS_RANGE(map->uids[0], 0, 2, 10));
	/* The last one counts. */
	map = mapped(NULL,
		     BIND(",'ridmap=uids=0-1-1;gids=0-1-1','idmap=uids=0-2-1;gids=0-2-1'", ""));
	CHECK(map && !map->recursive && IS_RANGE(map->uids[0], 0, 2, 1));
}

TEST(relative_to_the_container)
{
	const struct mount_idmap *map;

	map = mapped(USERNS, BIND(",'idmap=uids=@0-60-10#100-7-1;gids=@0-5-10'", ""));
	CHECK(map && map->uids_len == 2);
	CHECK(IS_RANGE(map->uids[0], 0, 9010, 10));
	CHECK(IS_RANGE(map->uids[1], 100, 7, 1));
	CHECK(IS_RANGE(map->gids[0], 0, 2005, 10));
	/* 45 to 54 are in two pieces on the host. */
	fails(USERNS, BIND(",'idmap=uids=@0-45-10;gids=0-5-10'", ""), "/mounts/0/options/1",
	      "linux.uidMappings", -EINVAL);
	fails(NULL, BIND(",'idmap=uids=@0-4-1;gids=0-5-1'", ""), "/mounts/0/options/1",
	      "user namespace", -EINVAL);
}

TEST(malformed)
{
	static const char *const words[] = {
		"idmap=",
		"idmap=uids",
		"idmap=uids=",
		"idmap=uids=;gids=0-1-1",
		"idmap=uids=0-1;gids=0-1-1",
		"idmap=uids=0-1-1;gids=0-1-1;",
		"idmap=uids=0-1-1#;gids=0-1-1",
		"idmap=uids=0-1-1;uids=0-1-1",
		"idmap=uids=0-1-1;gids=0-1-1x",
		"idmap=uids=0--1-1;gids=0-1-1",
		"idmap=uids=0-1-4294967296;gids=0-1-1",
		"idmap=uids=0 -1-1;gids=0-1-1",
		"idmap=guids=0-1-1;gids=0-1-1",
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		_cleanup_buf_ struct buf more = {0};

		buf_printf(&more,
			   ",'mounts':[{'destination':'/m','source':'/s','options':"
			   "['bind','%s']}]",
			   words[i]);
		fails(NULL, more.data, "/mounts/0/options/1", "malformed", -EINVAL);
	}
}

TEST(impossible_mappings)
{
	fails(NULL, BIND(",'idmap=uids=0-1-1'", ""), "/mounts/0/options/1", "no gids", -EINVAL);
	fails(NULL, BIND(",'idmap=uids=0-1-0;gids=0-1-1'", ""), "/mounts/0/options/1", "size 0",
	      -EINVAL);
	fails(NULL, BIND(",'idmap=uids=0-1-2#1-9-2;gids=0-1-1'", ""), "/mounts/0/options/1",
	      "overlaps", -EINVAL);
	fails(NULL, BIND(",'idmap'", "," MAPS(MAP(0, 1, 1), MAP(0, 1, 0))),
	      "/mounts/0/gidMappings/0", "size 0", -EINVAL);
	fails(NULL, BIND("", ",'uidMappings':[" MAP(0, 1, 1) "]"), "/mounts/0/uidMappings",
	      "need each other", -EINVAL);
	fails(NULL, BIND(",'idmap=uids=0-1-1;gids=0-1-1'", "," MAPS(MAP(0, 1, 1), MAP(0, 1, 1))),
	      "/mounts/0/uidMappings", "twice", -EINVAL);
	fails(NULL, BIND(",'idmap'", ""), "/mounts/0/options", "no user namespace", -EINVAL);
}

TEST(impossible_mounts)
{
	static const struct parts unprivileged = {
		.linux_ = "'namespaces':[{'type':'mount'},{'type':'user'}],"
			  "'uidMappings':[{'containerID':0,'hostID':1000,'size':1}],"
			  "'gidMappings':[{'containerID':0,'hostID':1000,'size':1}]",
		.more = BIND(",'idmap'", ""),
	};

	fails(USERNS, ",'mounts':[{'destination':'/m','type':'tmpfs','options':['idmap']}]",
	      "/mounts/0", "tmpfs", -EOPNOTSUPP);
	fails(USERNS, ",'mounts':[{'destination':'/m','options':['remount','idmap']}]", "/mounts/0",
	      "remount", -EINVAL);
	fails(USERNS, ",'mounts':[{'destination':'/m','type':'cgroup','options':['idmap']}]",
	      "/mounts/0", "cgroup", -EINVAL);
	CHECK_INT(build(&unprivileged, &user_facts), -EPERM);
	CHECK_INT(err.kind, KIND_PERMISSION);
	CHECK(strstr(err.text, "not permitted"));
}

TEST(equal_mappings_share_a_namespace)
{
#define ONE(destination, out)                                               \
	"{'destination':'" destination "','source':'/s','options':['bind'," \
	"'idmap=uids=0-" #out "-1;gids=0-1-1']}"
	PLAN(.more = ",'mounts':[" ONE("/a", 1) "," ONE(
		     "/b", 2) ","
			      "{'destination':'/c','type':'tmpfs'}," ONE("/d", 1) "," ONE("/e",
											  2) "]");
	CHECK_INT(plan->mounts[0].idmap->first, 0);
	CHECK_INT(plan->mounts[1].idmap->first, 1);
	CHECK_INT(plan->mounts[3].idmap->first, 0);
	CHECK_INT(plan->mounts[4].idmap->first, 1);
}

TEST_MAIN()
