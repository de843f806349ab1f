"""published.py DIR [PAGE]: the table of docs/published.md from the reports that tools/corpus.py --resume DIR keeps.

A row for each kernel and target. Every failure has a verdict: whose it is, and how that is known. Written into PAGE between its
marks, or printed.
"""

import collections
import math
import os
import re
import sys

from corpus import report_lines
from corpus_levels import LEVELS

LARGE = ("4096", "5120", "8192", "16384", "32768", "36864")  # what the library's simulation mode leaves out, by name

# What a failure says or whose case it is, whose it is, and how that is known.
VERDICTS = [
    (r"folded_load_store_dst", "theirs", "its two cores write the same rows of the result, in no order"),
    (r"is_input_swizzled", "theirs", "the test passes an argument that its kernel `qkv` does not take"),
    (r"test_qkv_cte.*`module` object is not callable", "theirs", "qkv_cte.py imports the module of that name, not the function in it"),
    (r"[Uu]nable to allocate|can't allocate|MemoryError|bad_alloc", "memory", "inputs or reference do not fit in the memory given"),
    (r"not done in|signal|ended with -", "time", "not done in the time given to a case, most of it in its inputs and reference"),
]
COLUMNS = ("level", "kernel", "target", "cases", "large", "matched", "not run", "seconds", "longest trace", "largest array",
           "first failure")


def verdict(case):
    """(whose the failure is, why) of a case that did not match."""
    text = f"{case.get('case', '')} {case.get('kernel', '')} {case.get('failure', '')}"
    for pattern, whose, why in VERDICTS:
        if re.search(pattern, text):
            return whose, why
    return "open", case.get("failure") or "?"


def reports_of(folder):
    """(target, module, cases with a result, cases without one) of every module in the reports, whatever their files."""
    for target in sorted(os.listdir(folder)):
        results, wanted = {}, {}
        for name in sorted(os.listdir(os.path.join(folder, target))):
            known, collected, _ = report_lines(os.path.join(folder, target, name))
            wanted.update(dict.fromkeys(collected))
            for case, line in known.items():
                if "case" in line and not results.get(case, {}).get("matched"):
                    results[case] = line
        for module in sorted({case.partition("::")[0] for case in [*results, *wanted]}):
            mine = [line for case, line in results.items() if case.startswith(module + "::") and not line.get("skipped")]
            yield target, module, mine, [case for case in wanted if case.startswith(module + "::") and case not in results and not is_large(case)]


def is_large(case):
    return any(size in case.rpartition("::")[2] for size in LARGE)


def test_of(case):
    return case.partition("[")[0]


def rows_of(folder):
    """The table: {(level, kernel, target): row}."""
    rows = {}
    for target, module, results, missed in reports_of(folder):
        kernels = collections.Counter(case["kernel"] for case in results if case.get("kernel"))
        by_test = {test_of(case["case"]): case["kernel"] for case in results if case.get("kernel")}
        usual = kernels.most_common(1)[0][0] if kernels else os.path.basename(module).removeprefix("test_").removesuffix(".py")
        for case in [*results, *({"case": case, "missed": True} for case in missed)]:
            kernel = case.get("kernel") or by_test.get(test_of(case["case"]), usual)
            row = rows.setdefault((LEVELS.get(kernel, 9), kernel, target), collections.defaultdict(int, failures=[], largest=None))
            if case.get("missed"):
                row["not run"] += 1
                continue
            row["cases"] += 1
            row["large"] += is_large(case["case"])
            row["matched"] += bool(case.get("matched"))
            row["seconds"] += case.get("seconds", 0)
            row["longest trace"] = max(row["longest trace"], case.get("trace_seconds", 0))
            if case.get("matched") and case.get("largest"):
                row["largest"] = max(row["largest"] or case["largest"], case["largest"], key=lambda array: math.prod(array[0]))
            if not case.get("matched"):
                row["failures"].append(verdict(case))
    return dict(sorted(rows.items()))


def line_of(level, kernel, target, row):
    largest = f"{' x '.join(map(str, row['largest'][0]))} {row['largest'][1]}" if row["largest"] else ""
    largest = re.sub(r"\[\('(\w+)'.*", r"\1", largest)
    whose = collections.Counter(row["failures"])
    failures = "; ".join(f"{count} {who}: {why}" for (who, why), count in whose.most_common()).replace("|", "/").replace("\n", " ")
    cells = (level if level < 9 else "", f"`{kernel}`", target, row["cases"], row["large"], row["matched"], row["not run"],
             f"{row['seconds']:.0f}", f"{row['longest trace']:.2f} s" if row["longest trace"] else "", largest, failures)
    return "| " + " | ".join(map(str, cells)) + " |"


def totals_of(rows):
    for target in sorted({key[2] for key in rows}):
        mine = [(key, row) for key, row in rows.items() if key[2] == target]
        total = {c: sum(row[c] for _, row in mine) for c in ("cases", "large", "matched", "not run")}
        whose = collections.Counter(who for _, row in mine for who, _ in row["failures"])
        told = ", ".join(f"{count} {who}" for who, count in whose.most_common())
        yield (f"- {target}: {len(mine)} kernels, {total['cases']} cases run, {total['large']} of them large, {total['matched']} "
               f"matched{f' (others: {told})' if told else ''}; {total['not run']} of those marked fast not run")


def main():
    if len(sys.argv) not in (2, 3) or sys.argv[1].startswith('-'):
        print(__doc__)
        return 2
    rows = rows_of(sys.argv[1])
    text = "\n".join([*totals_of(rows), "", "| " + " | ".join(COLUMNS) + " |", "|" + " --- |" * len(COLUMNS),
                      *(line_of(*key, row) for key, row in rows.items())])
    if len(sys.argv) == 2:
        print(text)
        return 0
    with open(sys.argv[2], encoding="utf-8") as file:
        before, _, rest = file.read().partition("<!-- table -->\n")
    with open(sys.argv[2], "w", encoding="utf-8") as file:
        file.write(f"{before}<!-- table -->\n{text}\n<!-- end -->\n{rest.partition('<!-- end -->' + chr(10))[2]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
