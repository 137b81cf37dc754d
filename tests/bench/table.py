"""The one table of a run: a row for each kind of work, peer and ours, and their ratio."""
import json
import os

rows = []


def row(work, peer, ours, unit, wanted):
    ratio = peer / ours if peer and ours else None
    if ratio and unit.endswith("/s"):  # more is better
        ratio = 1 / ratio
    rows.append({"work": work, "peer": peer, "ours": ours, "unit": unit, "ratio": ratio, "wanted": wanted})
    show = lambda v: "–" if v is None else f"{v:.3g}"  # noqa: E731
    print(f"| {work} | {show(peer)} | {show(ours)} | {unit} | {show(ratio)} | {wanted} |", flush=True)


def begin():
    print("| work | peer | nacelle | unit | ratio | wanted |\n|---|---|---|---|---|---|")


def save():
    """For tests/bench/plot: where $RESULTS says."""
    if os.environ.get("RESULTS"):
        with open(os.environ["RESULTS"], "w") as f:
            json.dump(rows, f, indent=1)
