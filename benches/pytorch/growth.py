"""How the time of a sweep grows: with the receptive field, the maps, the threads and the batch.

Takes the options of compare.py. Writes growth.json and growth.png to --out.
"""

import json

import matplotlib.pyplot as plt

from compare import INCREMENTAL, Comparison, arguments

#: The layer whose maps and batches are varied.
LAYER = "conv3"
#: Those that are swept by different numbers of threads: sweeps of the first ones are too short.
THREADED = ["conv3", "conv4", "conv5"]


def best(comparison, layer, jobs, *more):
    """Presentations, and the shortest of three sweeps in seconds: others use the machine too."""
    runs = [comparison.sweep(layer, jobs, INCREMENTAL, *more) for _ in range(3)]
    return runs[0][0], min(seconds for _, seconds in runs)


def powers(most):
    return [2**power for power in range(most.bit_length()) if 2**power <= most]


def threads(comparison, layer):
    """The best presentations a second of each number of threads: three sweeps each, in turn."""
    most = comparison.options.threads
    jobs = comparison.jobs(layer, comparison.size(layer, INCREMENTAL))
    rates = dict.fromkeys(powers(most), 0)
    for count in 3 * list(rates):
        comparison.options.threads = count
        presentations, seconds = comparison.sweep(layer, jobs, INCREMENTAL)
        rates[count] = max(rates[count], presentations / seconds)
    comparison.options.threads = most
    return rates


def measure(comparison):
    jobs = comparison.jobs(LAYER, 64)
    found = {"batch": {}, "maps": {}, "layer": {}}
    for layer in comparison.layers:
        found["layer"][layer] = best(comparison, layer, comparison.jobs(layer, 64))
    for count in powers(256):
        found["maps"][count] = best(comparison, LAYER, comparison.jobs(LAYER, count))
    found["threads"] = {layer: threads(comparison, layer) for layer in THREADED}
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
    for layer, rates in found["threads"].items():
        faster = [rate / rates[1] for rate in rates.values()]
        axes[2].plot(list(rates), faster, "o-", label=f"{layer}: {faster[-1]:.2f}")
    axes[2].plot(list(rates), list(rates), "--", color="grey", label="as many times as threads")
    axes[2].set(title="threads", xlabel="threads", ylabel="times as fast as one",
                xticks=list(rates), ylim=(0, 1.1 * max(rates)))
    axes[2].legend()
    rates = [count / seconds for count, seconds in found["batch"].values()]
    axes[3].semilogx(list(found["batch"]), rates, "o-", base=2)
    axes[3].set(title=f"{LAYER}: batch", xlabel="batch", ylabel="presentations a second",
                ylim=(0, 1.1 * max(rates)))
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
