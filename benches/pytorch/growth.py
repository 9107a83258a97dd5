"""How the time of a sweep grows: with the receptive field, the maps, the threads and the batch.

Takes the options of compare.py. Writes growth.json and growth.png to --out.
"""

import json

import matplotlib.pyplot as plt

from compare import Comparison, arguments

#: The layer whose maps, threads and batches are varied.
LAYER = "conv3"


def best(comparison, layer, jobs, *more):
    """Presentations, and the shortest of three sweeps in seconds: others use the machine too."""
    runs = [comparison.sweep(layer, jobs, "incremental", *more) for _ in range(3)]
    return runs[0][0], min(seconds for _, seconds in runs)


def powers(most):
    return [2**power for power in range(most.bit_length()) if 2**power <= most]


def measure(comparison):
    threads = comparison.options.threads
    jobs = comparison.jobs(LAYER, 64)
    found = {"threads": {}, "batch": {}, "maps": {}, "layer": {}}
    for layer in comparison.layers:
        found["layer"][layer] = best(comparison, layer, comparison.jobs(layer, 64))
    for count in powers(256):
        found["maps"][count] = best(comparison, LAYER, comparison.jobs(LAYER, count))
    for count in powers(threads):
        comparison.options.threads = count
        found["threads"][count] = best(comparison, LAYER, jobs)
    comparison.options.threads = threads
    for batch in powers(128):
        found["batch"][batch] = best(comparison, LAYER, jobs, "--batch", batch)
    return found


def draw(found, path):
    figure, axes = plt.subplots(1, 4, figsize=(15, 3.4), layout="constrained")
    microseconds = {layer: 1e6 * seconds / count
                    for layer, (count, seconds) in found["layer"].items()}
    axes[0].bar(list(microseconds), list(microseconds.values()))
    axes[0].set(title="by layer, and so by receptive field", ylabel="µs a presentation",
                yscale="log")
    x = [count for count, _ in found["maps"].values()]
    axes[1].loglog(x, [seconds for _, seconds in found["maps"].values()], "o-")
    axes[1].set(title=f"{LAYER}: presentations", xlabel="presentations", ylabel="seconds")
    for panel, name in ((axes[2], "threads"), (axes[3], "batch")):
        rates = [count / seconds for count, seconds in found[name].values()]
        panel.semilogx(list(found[name]), rates, "o-", base=2)
        panel.set(title=f"{LAYER}: {name}", xlabel=name, ylabel="presentations a second", ylim=0)
    for panel in axes:
        panel.grid(alpha=0.3)
    figure.savefig(path, dpi=110)


def main():
    comparison = Comparison(arguments())
    found = measure(comparison)
    (comparison.work / "growth.json").write_text(json.dumps(found, indent=2))
    draw(found, comparison.work / "growth.png")


if __name__ == "__main__":
    main()
