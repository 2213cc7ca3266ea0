// SPDX-License-Identifier: Apache-2.0
// The sections of the specification in spec/rules.c are those of the schema, for every field.
#include "spec/rules.h"

#include "../test.h"

TEST(sections_are_those_of_the_schema)
{
	const char *build = getenv("top_builddir");
	char path[4096], line[4096];
	size_t fields = 0;
	FILE *leaves;

	snprintf(path, sizeof(path), "%s/libocispec/generated/leaves.tsv", build ? build : ".");
	leaves = fopen(path, "re");
	CHECK(leaves);
	while (fgets(line, sizeof(line), leaves)) {
		char *rest = line, *cell[5];
		const struct rule *rule;

		for (size_t i = 0; i < 5; i++)
			cell[i] = strsep(&rest, "\t");
		if (strcmp(cell[0], "config") != 0)
			continue;
		rule = rule_find(cell[1]);
		if (strcmp(rule->section, cell[4]) != 0)
			TEST_FAIL("%s: %s, not %s", cell[1], rule->section, cell[4]);
		CHECK(rule->fix[0]);
		fields++;
	}
	fclose(leaves);
	CHECK(fields > 100);
}

TEST(what_is_no_field)
{
	CHECK_STR(rule_find("")->section, "config.md");
	CHECK_STR(rule_find("/nothing")->section, "config.md");
	CHECK_STR(rule_find("/processes")->section, "config.md");
	CHECK_STR(rule_find("/mounts/3/options/2")->section, "config.md#mounts");
}

TEST_MAIN()
