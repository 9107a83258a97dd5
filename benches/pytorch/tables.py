"""The tables of a comparison, for docs/benchmarks.md.

Of one benchmark.json the tables that compare.py writes; of two, the earlier first, the differences
of their ratios and of their rates. With --write FILE the table in that document is generated anew
from the newest result, with --check FILE the table has to be the one that --write would write.
"""

import argparse
import json
import re
import statistics
import sys
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
#: The table of a document: a comment with the result's file, the table, a comment.
TABLE = re.compile(r"(<!-- table of \S*/)(\S+\.json)(: .*? -->\n).*?(<!-- end of table -->)", re.S)

OURS = ("occlumap --method direct", "occlumap", "occlumap --precision tf32",
        "occlumap --precision fp16", "occlumap --precision bf16x3", "occlumap --precision bf16")
THEIRS = ("reference", "captum", "tuned", "tuned in bf16")
#: What two runs' ratios may differ by.
AGREEMENT = 0.15
#: What others may take of the processors while rates are measured, as a part of all.
QUIET = 0.05


def tables(setting, rates, errors):
    """What was compared, the rates and the errors."""
    swept = ", ".join(map(str, setting["maps_swept"].values()))
    presentations = sum(setting["network"].values()) / 1e6
    pairs, rounds = setting["pairs"], setting["rounds"]
    timed = f"medians of {rounds} rounds in turn" if rounds > 1 else "one round, in turn"
    return "\n".join([
        f"{setting['model']}; {setting['date']}, {setting['processor']}, {setting['threads']} "
        f"threads, device {setting['device']}; {', '.join(setting['versions'])}. "
        f"{pairs} map{'s' if pairs > 1 else ''} a layer for PyTorch and the plain engine, {swept} "
        f"for occlumap (about {setting['seconds']:.0f} s each), {timed}. "
        f"All units: {presentations:.0f} million presentations, {setting['images_a_unit']} images a "
        "unit, at these rates." + meanwhile(setting.get("others")),
        "", rate_table(rates, setting["network"]), "",
        "Errors of maps from the same noise, against whole images in 64-bit arithmetic, as a part of "
        "a map's largest value:", "", error_table(errors),
    ])


def meanwhile(others):
    """What others took of the processors: on a busy machine PyTorch, whose threads wait for each
    other after every layer, falls behind by far more than it shares."""
    if others is None:
        return ""
    told = f" Others took {others:.0%} of the processors meanwhile."
    if others > QUIET:
        told += " **That is too much: the ratios say more about them than about what is compared.**"
    return told


def rate_table(rates, network):
    """Medians, the spread of the rounds, the hours that `network`, the presentations of each
    layer, would take at these rates, and how many times the others' rates occlumap's are."""
    layers = list(network)
    lines = head("presentations a second", [*layers, "all units, hours"])
    for name, found in rates.items():
        cells = [f"{median:,.{0 if median > 99 else 1}f}{spread(found[layer])}"
                 for layer, median in medians(found, layers).items()]
        whole = hours(found, network)
        lines.append(row(name, [*cells, f"{whole:,.2f}" if whole >= 0.1 else f"{whole:.5f}"]))
    for ours in filter(rates.get, OURS):
        for base in filter(rates.get, THEIRS):
            cells = [f"{ratio:,.0f}×" for ratio in ratios(rates, ours, base, network)]
            lines.append(row(f"{ours} over {base}", cells))
    return "\n".join(lines)


def agreement_table(first, second):
    """Ratios of two runs to the reference, and how much each contender's rate changed."""
    network = second["setting"]["network"]
    dates = [run["setting"]["date"] for run in (first, second)]
    if dates[0] == dates[1]:
        dates = ["first", "second"]
    lines = head("over the reference", [*network, "all units"])
    for ours in (ours for ours in OURS if all(ours in run["rates"] for run in (first, second))):
        both = [ratios(run["rates"], ours, "reference", network) for run in (first, second)]
        for date, found in zip(dates, both):
            lines.append(row(f"{ours}, {date}", [f"{ratio:,.0f}×" for ratio in found]))
        lines.append(row("difference", [differing(new / old - 1) for old, new in zip(*both)]))
    lines += ["", *head("presentations a second, change", [*network, "all units"])]
    for name in first["rates"]:
        if name in second["rates"]:
            old, new = (run["rates"][name] for run in (first, second))
            cells = [new / old - 1 for old, new in
                     zip(medians(old, network).values(), medians(new, network).values())]
            cells.append(hours(old, network) / hours(new, network) - 1)
            lines.append(row(name, [f"{cell:+.0%}" for cell in cells]))
    return "\n".join(lines)


def differing(change):
    """Bold where it is more than two runs should differ by."""
    return f"**{change:+.0%}**" if abs(change) > AGREEMENT else f"{change:+.0%}"


def ratios(rates, ours, base, network):
    """How many times a contender's rate another's is: of each layer, and of the network."""
    ours, base = rates[ours], rates[base]
    pairs = zip(medians(ours, network).values(), medians(base, network).values())
    return [*(mine / other for mine, other in pairs), hours(base, network) / hours(ours, network)]


def medians(found, layers):
    return {layer: statistics.median(found[layer]) for layer in layers}


def hours(found, network):
    """What the presentations of each layer in `network` take at a contender's median rates."""
    return sum(network[layer] / rate for layer, rate in medians(found, network).items()) / 3600


def error_table(errors):
    layers = list(next(iter(errors.values())))
    lines = head("largest error", layers)
    lines += [row(name, [f"{found[layer]:.1e}" for layer in layers])
              for name, found in errors.items()]
    return "\n".join(lines)


def head(corner, columns):
    return [row(corner, columns), "| --- |" + " ---: |" * len(columns)]


def row(name, cells):
    return f"| {name} | " + " | ".join(cells) + " |"


def spread(values):
    """Half the distance from the lowest to the highest, as a part of the median."""
    if len(values) == 1:
        return ""
    return f" (±{(max(values) - min(values)) / 2 / statistics.median(values):.0%})"


def newest():
    """The newest result that covers all of AlexNet: of one date, the last by name."""
    results = {path: json.loads(path.read_text()) for path in RESULTS.glob("alexnet-*.json")}
    whole = {path: found for path, found in results.items() if len(found["setting"]["network"]) == 5}
    return max(whole, key=lambda path: (whole[path]["setting"]["date"], path.stem))


def document(text, path):
    """The document with the table of the result at `path`."""
    found = json.loads(path.read_text())
    table = rate_table(found["rates"], found["setting"]["network"])
    if not TABLE.search(text):
        raise SystemExit("error: no `<!-- table of FILE: … -->` … `<!-- end of table -->`")
    return TABLE.sub(lambda m: f"{m[1]}{path.name}{m[3]}{table}\n{m[4]}", text)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("results", nargs="*", type=Path, help="benchmark.json, one or two")
    parser.add_argument("--write", type=Path, help="generate this document's table anew")
    parser.add_argument("--check", type=Path, help="fail unless this document's table is current")
    given = parser.parse_args()
    results = [json.loads(path.read_text()) for path in given.results]
    if given.write:
        given.write.write_text(document(given.write.read_text(), newest()))
    elif given.check:
        text = given.check.read_text()
        if document(text, newest()) != text:
            sys.exit(f"error: {given.check}: its table is not that of {newest().name}; "
                     f"run {Path(__file__).name} --write {given.check}")
    elif len(results) == 1:
        result = results[0]
        print(tables(result["setting"], result["rates"], result["map_errors"]))
    elif len(results) == 2:
        print(agreement_table(*results))
    else:
        parser.error(f"{len(results)} results; one is shown, two are compared")


if __name__ == "__main__":
    main()
