/* SPDX-License-Identifier: Apache-2.0 */
/* The one header to include: OCI documents as C structs, parsed from and written to JSON. */
#pragma once

#include <libocispec/runtime/arena.h>
#include <libocispec/runtime/json.h>
#include <libocispec/runtime/parse.h>
#include <libocispec/generated/oci_types.h>
