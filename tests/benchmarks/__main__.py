"""Runs the benchmarks beside TensorFlow and says what was reached: `tests/benchmarks/run --help`.

Times are not tests: a goal that is missed is shown, and only a benchmark that could not be run makes the run fail.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib.metadata
import json
import os
import platform
import re
import sys
from pathlib import Path
from typing import Any

from tests.benchmarks import measure, table
from tests.benchmarks.measure import ROOT, BenchmarkError, Round, Spread, Workshop, workshop

PAGE = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
WORSE = 1.15
BUSY = 0.5  # load average above which numbers mean little


def main() -> int:
    arguments = _arguments()
    if arguments.load:
        document = _joined([json.loads(file.read_text()) for file in arguments.load])
    else:
        document = {"schema": 1, "quick": arguments.quick, "machine": _machine(), "results": _run(arguments)}
    if arguments.json:
        arguments.json.write_text(json.dumps(document, indent=1) + "\n")
    if arguments.write_docs:
        _write_page(document)
    worse = _worse(document, json.loads(arguments.against.read_text())) if arguments.against else []
    for line in worse:
        print(line, file=sys.stderr)
    return 1 if worse or any("failure" in result for result in document["results"]) else 0


def _worse(now: dict[str, Any], before: dict[str, Any]) -> list[str]:
    """What got worse, even by the best round of now: a line for each."""
    known = {(r["name"], goal["what"]): goal for r in before["results"] for goal in r.get("goals", ())}
    lines = []
    for result in now["results"]:
        for goal in result.get("goals", ()):
            old = known.get((result["name"], goal["what"]))
            if old is None:
                continue
            at_least = goal["goal"].startswith("at least") or "faster" in goal["what"] or "less" in goal["what"]
            is_worse = goal["high"] < old["median"] / WORSE if at_least else goal["low"] > old["median"] * WORSE
            if is_worse:
                lines.append(f"worse: {result['name']}: {_number(goal)} {goal['what']}, and {old['median']:.3g} before")
    return lines


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests/benchmarks/run", description=__doc__.splitlines()[0])
    parser.add_argument("--only", metavar="REGEX", default="", help="run the benchmarks whose name matches")
    parser.add_argument("--runs", metavar="N", type=int, default=5, help="rounds of each, at most (default 5)")
    parser.add_argument("--json", metavar="OUT", type=Path, help="write all measurements to a file")
    parser.add_argument(
        "--load",
        metavar="JSON",
        type=Path,
        nargs="+",
        help="measure nothing, take what --json wrote before, in one run or several",
    )
    parser.add_argument(
        "--against",
        metavar="JSON",
        type=Path,
        help="fail where a number is worse than in these results by more than 15%%",
    )
    parser.add_argument(
        "--python",
        metavar="SIDE=PATH",
        action="append",
        default=[],
        help="the interpreter of a side that has one of its own: pytorch=.., jax=..",
    )
    parser.add_argument("--write-docs", action="store_true", help="write the table into docs/performance.md")
    parser.add_argument(
        "--large", action="store_true", help="up to a million nodes where the time a node is to be flat"
    )
    parser.add_argument("--quick", action="store_true", help="small graphs, to see that everything runs")
    parser.add_argument("--list", action="store_true", help="list the benchmarks and run none")
    arguments = parser.parse_args()
    measure.pythons.update(item.split("=", 1) for item in arguments.python)
    if arguments.write_docs and arguments.quick:
        parser.error("--write-docs wants full size: leave out --quick")
    if arguments.list:
        for benchmark in table.benchmarks(arguments.large, arguments.quick):
            print(f"{benchmark.name:24} {benchmark.what}")
        sys.exit(0)
    return arguments


def _joined(documents: list[dict[str, Any]]) -> dict[str, Any]:
    """Several runs as one; of a benchmark in more than one of them the last counts."""
    results = {result["name"]: result for document in documents for result in document["results"]}
    quick = any(document.get("quick") for document in documents)
    return {**documents[-1], "quick": quick, "results": list(results.values())}


def _run(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    load = os.getloadavg()[0]
    if load > BUSY:
        print(f"the machine is busy (load {load:.1f}): these numbers are rough", file=sys.stderr)
    results = []
    with workshop() as shop:
        for benchmark in table.benchmarks(arguments.large, arguments.quick):
            if re.search(arguments.only, benchmark.name):
                results.append(_measured(benchmark, shop, arguments.runs))
                _show(results[-1])
    return results


def _measured(benchmark: table.Benchmark, shop: Workshop, runs: int) -> dict[str, Any]:
    result: dict[str, Any] = {"name": benchmark.name, "what": benchmark.what, "load": os.getloadavg()[0]}
    try:
        rounds = benchmark.measure(shop, min(runs, benchmark.most_runs))
    except BenchmarkError as error:
        return {**result, "failure": str(error)}
    result["goals"] = [_judged(goal, rounds) for goal in benchmark.goals]
    result["rounds"] = [{side: dataclasses.asdict(usage) for side, usage in r.items()} for r in rounds]
    return result


def _judged(goal: table.Goal, rounds: list[Round]) -> dict[str, Any]:
    spread = Spread.of([goal.of(r) for r in rounds])
    reached = goal.reached(spread.median)
    return {"what": goal.what, "goal": str(goal), "reached": reached, **dataclasses.asdict(spread)}


# ------------------------------------------------------------------ showing
def _show(result: dict[str, Any]) -> None:
    """A benchmark as lines of text, at once: a full run takes a while."""
    print(f"{result['name']}: {result['what']}")
    if "failure" in result:
        print(f"    could not be run: {result['failure']}")
    for goal in result.get("goals", ()):
        print(f"    {_number(goal)} {goal['what']}  [{goal['goal']}: {_verdict(goal)}]")
    if "rounds" in result:
        print(f"    {_absolute(result)}")
    sys.stdout.flush()


def _number(goal: dict[str, Any]) -> str:
    return f"{goal['median']:.3g} ({goal['low']:.3g} to {goal['high']:.3g})"


def _verdict(goal: dict[str, Any]) -> str:
    if goal["reached"] is None:
        return "measured"
    return "reached" if goal["reached"] else "missed"


def _absolute(result: dict[str, Any]) -> str:
    """The medians of each side, in units one can read."""
    texts = []
    for side in result["rounds"][0]:
        usages = [r[side] for r in result["rounds"]]
        seconds = Spread.of([u["seconds"] for u in usages]).median
        if usages[0]["nodes"]:
            text = f"{seconds / usages[0]['nodes'] * 1e6:.3g} µs a node"
        else:
            text = f"{seconds:.3g} s" if seconds >= 1 else f"{seconds * 1e3:.3g} ms"
        if usages[0]["megabytes"]:
            text += f", {Spread.of([u['megabytes'] for u in usages]).median:.0f} MB"
        texts.append(f"{side} {text}")
    return "; ".join(texts)


def _machine() -> dict[str, Any]:
    packages = {name: importlib.metadata.version(name) for name in ("numpy", "protobuf", "click")}
    packages["tensorflow"] = importlib.metadata.version("tensorflow-cpu")
    return {"processor": _processor(), "cores": os.cpu_count(), "python": platform.python_version(), **packages}


def _processor() -> str:
    with open("/proc/cpuinfo") as file:
        return next((line.partition(":")[2].strip() for line in file if line.startswith("model name")), "unknown")


def _write_page(document: dict[str, Any]) -> None:
    """Puts the table between the two markers of docs/performance.md."""
    if document["quick"]:
        raise SystemExit("these are small graphs: the page wants a run without --quick")
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise SystemExit(f"{PAGE} lacks the markers {BEGIN} and {END}")
    PAGE.write_text("\n".join([before + BEGIN, *_page(document), END + after]))


def _page(document: dict[str, Any]) -> list[str]:
    m, loads = document["machine"], [result["load"] for result in document["results"]]
    measured = {result["name"] for result in document["results"]}
    left = [f"`{b.name}`" for b in table.benchmarks(large=True, quick=False) if b.name not in measured]
    lines = [
        f"{m['processor']}, {m['cores']} cores; Python {m['python']}, NumPy {m['numpy']}, protobuf {m['protobuf']}, "
        f"TensorFlow {m['tensorflow']}. Medians of the rounds, smallest and largest in brackets. "
        f"Load average of the machine before each benchmark: {min(loads):.1f} to {max(loads):.1f}"
        f"{', so other work took part of the time' if max(loads) > m['cores'] else ''}.",
        *(["", f"Not measured this time: {', '.join(left)}."] if left else []),
        "",
        "| benchmark | to reach | measured | | each side |",
        "| --- | --- | --- | --- | --- |",
    ]
    missed = []
    for result in document["results"]:
        if "failure" in result:
            lines.append(f"| `{result['name']}`: {result['what']} | | could not be run: {result['failure']} | | |")
        for i, goal in enumerate(result.get("goals", ())):
            head, sides = (f"`{result['name']}`: {result['what']}", _absolute(result)) if i == 0 else ("", "")
            verdict = _verdict(goal)
            lines.append(f"| {head} | {goal['goal']} | {_number(goal)} {goal['what']} | {verdict} | {sides} |")
            if verdict == "missed":
                missed.append(
                    f"- `{result['name']}`: {_number(goal)} {goal['what']}, {goal['goal']} was to be reached."
                )
    return [*lines, "", *(["Not reached:", "", *missed] if missed else ["Every goal is reached."])]


if __name__ == "__main__":
    sys.exit(main())
