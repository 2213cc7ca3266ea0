# SPDX-License-Identifier: Apache-2.0
"""The figures of bench/run: medians and ratios with their uncertainty, as a table, Markdown or JSON."""
import random
import statistics

RESAMPLES = 400


def percentile(values, share):
    values = sorted(values)
    at = share * (len(values) - 1)
    low = int(at)
    high = min(low + 1, len(values) - 1)
    return values[low] + (values[high] - values[low]) * (at - low)


def ratio_interval(values, others):
    """Bootstrap: between what the ratio of the two medians lies in 95 of 100 resamples; always the same ones."""
    if len(values) < 3 or len(others) < 3:
        return None
    dice = random.Random(1)
    ratios = [statistics.median(dice.choices(values, k=len(values)))
              / statistics.median(dice.choices(others, k=len(others))) for _ in range(RESAMPLES)]
    return [round(percentile(ratios, share), 3) for share in (0.025, 0.975)]


def rows_of(samples, workloads, runtimes, base):
    """SAMPLES: {(workload, runtime): values}; WORKLOADS: name, unit, meaning."""
    out = []
    for workload, unit, meaning in workloads:
        there = {name: samples[(workload, name)] for name in [*runtimes, "yajl_tree"]
                 if (workload, name) in samples}
        medians = {name: statistics.median(values) for name, values in there.items()}
        here = "yajl_tree" if "yajl_tree" in there else base
        for name, values in there.items():
            row = {"workload": workload, "unit": unit, "meaning": meaning, "runtime": name,
                   "n": len(values), "median": round(medians[name], 1),
                   "p10": round(percentile(values, 0.1), 1),
                   "p90": round(percentile(values, 0.9), 1)}
            for key, other in (("of_base", here), ("of_floor", "floor")):
                if medians.get(other):
                    row[key] = round(medians[name] / medians[other], 3)
                    interval = None if name == other else ratio_interval(values, there[other])
                    if interval:
                        row[key + "_95"] = interval
            out.append(row)
    return out


def ratio(row, key):
    if key not in row:
        return "-"
    interval = row.get(key + "_95")
    return f"{row[key]:.2f}" + (f" ({interval[0]:.2f}–{interval[1]:.2f})" if interval else "")


def head_line(document, kernel):
    host = document["host"]
    private = " (private mount namespace)" if host["private_v2"] else ""
    return (f"Linux {kernel} {host['machine']}, {host['cpus']} CPUs, cgroup {host['cgroup']}{private}, "
            f"{document['clock']}, {document['rounds']} rounds, load {host['load']:.1f}, {host['date']}")


def left_out(skipped):
    reasons = {}
    for entry in skipped:
        reasons.setdefault((entry["runtime"], entry["reason"]), []).append(entry["workload"])
    for (name, reason), workloads in reasons.items():
        yield f"left out: {name}: {', '.join(workloads)}: {reason}"


def print_table(document):
    rows, base = document["results"], document["base"]
    print(head_line(document, document["host"]["kernel"]))
    for runtime in document["runtimes"]:
        print(f"  {runtime['name']}: {runtime['path']} ({runtime['version']})")
    width = max([len(r["runtime"]) for r in rows] + [7])
    form = "{:<26} {:<%d} {:>10} {:>10} {:>10} {:>5} {:>17} {:>17}" % width
    print()
    print(form.format("workload", "runtime", "median", "p10", "p90", "n",
                      f"/{base or 'crun'}", "/floor"))
    last = None
    for row in rows:
        title = f"{row['workload']}, {row['unit']}" if row["unit"] else row["workload"]
        print(form.format("" if title == last else title, row["runtime"],
                          *(f"{row[k]:,.0f}" for k in ("median", "p10", "p90")),
                          row["n"], ratio(row, "of_base"), ratio(row, "of_floor")))
        last = title
    for line in left_out(document["skipped"]):
        print(line)
    for text in document["notes"]:
        print(f"note: {text}")


def print_markdown(document):
    """One line for each workload, one column for each runtime: medians, and of ours the ratios."""
    rows, base = document["results"], document["base"]
    names = [r["name"] for r in document["runtimes"]]
    first = names[0] if names else None
    print(head_line(document, document["host"]["kernel"].split("-")[0]) + ".")
    print("; ".join(f"{r['name']}: {r['version']}" for r in document["runtimes"]) + ".")
    print()
    print("| work | " + " | ".join(names) + f" | {first} / {base} | {first} / floor |")
    print("|---|" + "---|" * (len(names) + 2))
    for workload in dict.fromkeys(r["workload"] for r in rows):
        mine = {r["runtime"]: r for r in rows if r["workload"] == workload}
        unit = next(iter(mine.values()))["unit"]
        cells = [f"{mine[n]['median']:,.0f}" if n in mine else "–" for n in names]
        of = mine.get(first, {})
        title = f"`{workload}`" + (f", {unit}" if unit else "")
        if "yajl_tree" in mine:
            title += f"; yajl_tree: {mine['yajl_tree']['median']:,.0f}, ratio {of.get('of_base', 0):.2f}"
            of = {}
        print(f"| {title} | " + " | ".join(cells)
              + f" | {ratio(of, 'of_base')} | {ratio(of, 'of_floor')} |")
    print()
    for line in left_out(document["skipped"]):
        print("- " + line)
    for text in document["notes"]:
        print(f"- note: {text}")
