"""occlumap beside PyTorch: the same maps first, then the time of each.

Makes random weights and images where none are given, chooses units and
positions all over each layer, checks that every contender finds the same maps from the same noise,
and times them in turn, several rounds. Prints a table, and writes it with everything measured to
--out.
"""

import argparse
import functools
import importlib.util
import json
import math
import os
import platform
import re
import signal
import subprocess
import sys
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
try:
    import numpy as np
    import safetensors.torch
    import torch
    import torchvision
except ImportError as missing:
    sys.exit(f"{missing}; install what is compared with:\n"
             f"  {sys.executable} -m pip install -r {HERE / 'requirements.txt'}")

from common import convolutional, is_head, layers
from limits import limits
from machine import Others, processor
from tables import tables

#: Pixels of an image's side: of the networks that came with Caffe, and of all others.
CAFFE_SIDE, SIDE = 227, 224
#: Error of PyTorch's maps that is allowed, as a part of a map's largest value.
TOLERANCE = 1e-4
#: Error of occlumap's maps that is allowed where it is more than the limit of the precision, as a multiple of the
#: reference's error in 32 bits on the same map. Most of either error is that of the original image's activations,
#: where a ReLU cuts a delta: a few independent errors a map, whose sums scatter by as much. The tests of ONNX files
#: allow the same.
OF_REFERENCE = 3.0
#: On a GPU PyTorch is in reduced precision, tf32 unless told otherwise, and bf16 at its best, and
#: nearly equal responses are subtracted.
REDUCED_TOLERANCE = 0.2
#: Images a unit in a whole sweep: the 100 best and the 100 worst.
IMAGES_A_UNIT = 200


@dataclass(frozen=True)
class Way:
    """How occlumap computes."""
    method: str
    precision: str = "fp32"
    #: Where, if not where the others do.
    device: str | None = None


INCREMENTAL = Way("incremental")
#: Whole images in 64 bits: what all others are compared with.
EXACT = Way("full", "fp64", "cpu")
#: The ways that are compared, by the names of their rows.
WAYS = {
    "cpu": {"occlumap --method full": Way("full"), "occlumap --method direct": Way("direct"),
            "occlumap": INCREMENTAL,
            "occlumap --precision bf16x3": Way("incremental", "bf16x3"),
            "occlumap --precision bf16": Way("incremental", "bf16")},
    "cuda": {"occlumap --method full": Way("full"), "occlumap": INCREMENTAL,
             "occlumap --precision tf32": Way("incremental", "tf32"),
             "occlumap --precision fp16": Way("incremental", "fp16"),
             "occlumap --precision bf16": Way("incremental", "bf16")},
}
#: Contenders that can be left out, by what --without calls them.
OPTIONAL = {"captum": "captum", "tuned": "tuned", "tuned-bf16": "tuned in bf16", "full": "occlumap --method full",
            "direct": "occlumap --method direct", "tf32": "occlumap --precision tf32",
            "fp16": "occlumap --precision fp16", "bf16x3": "occlumap --precision bf16x3",
            "bf16": "occlumap --precision bf16"}
#: Contenders in PyTorch, but for captum: the script, and its options.
THEIRS = {"reference": ("reference", ()), "tuned": ("tuned", ()),
          "tuned in bf16": ("tuned", ("--precision", "bf16"))}


def left_out(text):
    names = text.split(",")
    for name in names:
        if name not in OPTIONAL:
            raise argparse.ArgumentTypeError(
                f"`{name}` cannot be left out, only {', '.join(OPTIONAL)}")
    return {OPTIONAL[name] for name in names}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--occlumap", default=HERE.parents[1] / "target/release/occlumap", type=Path)
    parser.add_argument("--out", default=Path("benchmark"), type=Path, help="folder for results")
    parser.add_argument("--model", default="alexnet", help="torchvision's name: alexnet, vgg16, resnet18, convnext_tiny, …")
    parser.add_argument("--weights", type=Path, help="as torchvision names them, .safetensors")
    parser.add_argument("--images", type=Path, help="folder of 0.npy, 1.npy, …, [3, height, width]")
    parser.add_argument("--layers", help="such as conv1,conv3 [default: all]")
    parser.add_argument("--without", type=left_out, default=set(), metavar="NAMES",
                        help=f"contenders to leave out, of {','.join(OPTIONAL)}")
    parser.add_argument("--pairs", type=int, default=4, help="maps of each layer for PyTorch")
    parser.add_argument("--seconds", type=float, default=5.0,
                        help="about how long occlumap sweeps each layer")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--device", default="cpu", choices=list(WAYS),
                        help="where all compute; on cuda occlumap does so in each precision")
    return parser.parse_args()


def side(model):
    return CAFFE_SIDE if model == "alexnet" or model.startswith("vgg") else SIDE


def make_weights(model, images, path):
    """Weights that keep the size of activations from layer to layer (He et al. 2015), and batch
    normalisation that was fitted to the images."""
    torch.manual_seed(0)
    network = convolutional(model)
    for layer in network.modules():
        if isinstance(layer, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.momentum = None
            layer.train()
    with torch.inference_mode():
        network(torch.stack([torch.from_numpy(np.load(image))
                             for image in sorted(images.glob("*.npy"))[:8]]))
    tensors = {name: value for name, value in network.state_dict().items()
               if not is_head(network, name)}
    safetensors.torch.save_file(tensors, path)


def export(model, weights, pixels, path):
    """The network as an ONNX file, for one that occlumap has no preset of. Batch normalisation is not
    folded: units are a convolution's."""
    network = torchvision.models.get_model(model, weights=None).eval()
    network.load_state_dict(safetensors.torch.load_file(weights), strict=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(network, torch.zeros(1, 3, pixels, pixels), path, dynamo=False,
                          training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False)


def make_images(folder, pixels, count=32):
    """Images with the spectrum of natural ones, on [-1, 1]."""
    folder.mkdir(exist_ok=True)
    random = np.random.default_rng(0)
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(pixels), np.fft.fftfreq(pixels), indexing="ij"))
    frequency[0, 0] = 1
    for index in range(count):
        white = np.fft.fft2(random.standard_normal((3, pixels, pixels)))
        image = np.fft.ifft2(white / frequency).real
        image /= np.abs(image).max()
        np.save(folder / f"{index}.npy", image.astype(np.float32))


class Outputs(torch.fx.Interpreter):
    """Units and side length of each convolution's output."""

    def __init__(self, model):
        super().__init__(convolutional(model))
        self.names = {node: name for name, node in layers(self.module).items()}
        self.sizes = {}

    def run_node(self, node):
        output = super().run_node(node)
        if node in self.names:
            self.sizes[self.names[node]] = (output.shape[1], output.shape[2])
        return output


def outputs(model):
    found = Outputs(model)
    with torch.inference_mode():
        found.run(torch.zeros(1, 3, side(model), side(model)))
    return found.sizes


def choose(layer, images, count, units, side):
    """Jobs with units, images and positions all over a layer, the same every time."""
    random = np.random.default_rng(int(layer.removeprefix("conv")))
    each = -(-count // units)
    chosen = np.concatenate([random.permutation(units) for _ in range(each)])[:count]
    return [
        {"layer": layer, "unit": int(unit), "image": int(random.integers(images)),
         "y": int(random.integers(side)), "x": int(random.integers(side)), "seed": seed}
        for seed, unit in enumerate(chosen)
    ]


def key(job):
    return f"{job['layer']}-{job['unit']}-{job['image']}-{job['y']}-{job['x']}"


def run(command, **more):
    done = subprocess.run([str(part) for part in command], text=True, capture_output=True, **more)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout


class Comparison:
    def __init__(self, options):
        # Ended, it ends the contender at work, which would slow down whatever is timed next.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended from outside"))
        self.options = options
        self.work = options.out
        self.work.mkdir(parents=True, exist_ok=True)
        self.weights, self.images = options.weights, options.images
        if self.images is None:
            self.images = self.work / "images"
            make_images(self.images, side(options.model))
        self.count = len([p for p in self.images.iterdir() if re.fullmatch(r"\d+\.npy", p.name)])
        if not self.count:
            sys.exit(f"{self.images}: expected 0.npy, 1.npy, …, and there is none")
        if self.weights is None:
            self.weights = self.work / f"{options.model}.safetensors"
            make_weights(options.model, self.images, self.weights)
        self.outputs = outputs(options.model)
        self.layers = options.layers.split(",") if options.layers else list(self.outputs)
        self.pairs = {layer: self.jobs(layer, options.pairs) for layer in self.layers}
        self.sizes = {}
        self.occluders = {}
        self.given_network = self.network_options()

    def jobs(self, layer, count):
        return choose(layer, self.count, count, *self.outputs[layer])

    def network_options(self):
        """occlumap's options of the network: its preset's name and the weights, or an ONNX file."""
        model = self.options.model
        if subprocess.run([self.options.occlumap, "info", "--model", model],
                          capture_output=True).returncode == 0:
            return ["--model", model, "--weights", self.weights]
        path = self.work / f"{model}.onnx"
        export(model, self.weights, side(model), path)
        return ["--model", path]

    def occlumap(self, command, way, *more):
        return [self.options.occlumap, command, *self.given_network, "--images", self.images, *more, "--method", way.method,
                "--precision", way.precision, "--device", way.device or self.options.device,
                "--threads", self.options.threads, "--quiet", "--force"]

    def compared(self, contenders):
        """The names of those that were not left out."""
        return [name for name in contenders if name not in self.options.without]

    def theirs(self):
        """Contenders in PyTorch that compute the same maps; on a GPU the tuned one is in bf16 already."""
        return [name for name in THEIRS if self.options.device == "cpu" or "bf16" not in name]

    def torch(self, script, jobs, name, *more, device=None):
        """Runs a contender in PyTorch; returns what it measured."""
        listed, out = self.work / "jobs.json", self.work / f"{name.replace(' ', '-')}.json"
        listed.write_text(json.dumps(jobs))
        run([sys.executable, HERE / script, "--model", self.options.model, "--weights", self.weights,
             "--images", self.images, "--jobs", listed, "--out", out, "--threads", self.options.threads, "--device", device or self.options.device, *more])
        return json.loads(out.read_text())

    def check(self):
        """The largest error of each contender's maps, from the same noise, against whole images in
        64-bit arithmetic: [contender][layer], as a part of the map's largest value. Ends the
        program where it is too large: what is not the same is not compared.

        occlumap is allowed the limit of its precision, or, of a map that 32 bits do not tell so well,
        OF_REFERENCE times what the reference is off by on that map."""
        jobs = [job for jobs in self.pairs.values() for job in jobs]
        exact = {key(job): self.map(job, EXACT) for job in jobs}
        reference = {}

        def error_of(job, maps):
            expected = exact[key(job)]
            difference = maps[key(job)] - expected
            return (float(np.abs(difference).max() / max(np.abs(expected).max(), 1e-30)),
                    float(np.linalg.norm(difference) / max(np.linalg.norm(expected), 1e-30)))

        def errors(name, maps, allowed):
            found = dict.fromkeys(self.pairs, 0.0)
            for job in jobs:
                error, rms = error_of(job, maps)
                limit, rms_limit = allowed(job)
                if not (error <= limit and rms <= rms_limit):
                    sys.exit(f"{key(job)}: {name}'s map differs from that of whole images in 64 "
                             f"bits by {error:.1e} of its largest value and {rms:.1e} in the root "
                             f"mean square, and {limit:.1e} and {rms_limit:.1e} are allowed; "
                             "nothing is compared")
                found[job["layer"]] = max(found[job["layer"]], error)
            return found

        def of_torch(name, limit, device=None):
            script, more = THEIRS[name]
            path = self.work / f"{name.replace(' ', '-')}.npz"
            self.torch(f"{script}.py", jobs, name, "--maps", path, *more, device=device)
            maps = np.load(path)
            if name == "reference" and not reference:
                reference.update({key(job): error_of(job, maps) for job in jobs})
            return errors(name, maps, lambda _: (limit, limit))

        def of_occlumap(way, job):
            # At most so many convolutions lie before a layer.
            before = int(job["layer"].removeprefix("conv")) - 1
            return [max(limit, OF_REFERENCE * error) for limit, error in
                    zip(limits(way.precision, before, self.options.device), reference[key(job)])]

        found = {}
        on_gpu = self.options.device == "cuda"
        if on_gpu:
            # That all compute the same is told in full precision.
            of_torch("reference", TOLERANCE, "cpu")
        for name in self.compared(self.theirs()):
            # What PyTorch rounds in bf16 on a CPU is told, whatever it is.
            limit = REDUCED_TOLERANCE if on_gpu else math.inf if "bf16" in name else TOLERANCE
            found[name] = of_torch(name, limit)
        ways = WAYS[self.options.device]
        for name in self.compared(ways):
            way = ways[name]
            maps = {key(job): self.map(job, way) for job in jobs}
            found[name] = errors(name, maps, functools.partial(of_occlumap, way))
        return found

    def map(self, job, way):
        """The map of a job, as occlumap computes it."""
        path = self.work / "map.npy"
        run(self.occlumap(
            "map", way, "--layer", job["layer"], "--unit", job["unit"], "--image", job["image"],
            "--position", f"{job['y']},{job['x']}", "--noise", f"torch:{job['seed']}",
            "--out", path))
        return np.load(path)

    def sweep(self, layer, jobs, way, *more):
        """Presentations, and the seconds that `occlumap sweep` takes for them."""
        # A ranking with the jobs of each unit: that is what a sweep takes. Units that have fewer
        # than others get some of theirs twice.
        units, side = self.outputs[layer]
        of_unit = {}
        for job in jobs:
            of_unit.setdefault(job["unit"], []).append((job["image"], job["y"] * side + job["x"]))
        each = max(map(len, of_unit.values()))
        ranking = np.zeros((units, each, 4), np.int64)
        for unit, entries in of_unit.items():
            for index in range(each):
                ranking[unit, index] = entries[index % len(entries)] * 2
        folder, out = self.work / "ranking", self.work / "sweep"
        folder.mkdir(exist_ok=True)
        np.save(folder / f"{layer}.npy", ranking)
        run(self.occlumap("sweep", way, "--ranking", folder, "--layers", layer, "--units",
                          ",".join(map(str, sorted(of_unit))), "--out", out, *more))
        record = json.loads((out / "manifest.json").read_text())["layers"][layer]
        self.occluders[layer] = record["presentations"] / (2 * each * len(of_unit))
        return record["presentations"], record["seconds"]

    def rates(self, way):
        """The rates of one of occlumap's ways: of whole images on the jobs that PyTorch gets, of an
        incremental one on as many as fill the time asked for."""
        rates = {}
        for layer in self.layers:
            jobs = self.pairs[layer]
            if way.method != "full":
                if layer not in self.sizes:
                    self.sizes[layer] = self.size(layer, way)
                jobs = self.jobs(layer, self.sizes[layer])
            # A layer may have too few maps for the time asked for: then they are swept again.
            presentations, time_taken = 0, 0
            while time_taken < self.options.seconds / 2:
                count, seconds = self.sweep(layer, jobs, way)
                presentations, time_taken = presentations + count, time_taken + seconds
            rates[layer] = presentations / time_taken
        return rates

    def size(self, layer, way):
        """How many maps of a layer take about the time asked for."""
        maps, seconds, most = 1, 0, IMAGES_A_UNIT * self.outputs[layer][0]
        # What a sweep begins with would weigh too much in a short one.
        while seconds < self.options.seconds / 4 and maps < most:
            maps = min(4 * maps, most)
            _, seconds = self.sweep(layer, self.jobs(layer, maps), way)
        return min(int(maps * self.options.seconds / seconds) + 1, most)

    def network(self):
        """Presentations of a whole sweep of each layer: all units, each over as many images as by
        default, positions all over the layer."""
        return {layer: self.outputs[layer][0] * IMAGES_A_UNIT * self.occluders[layer]
                for layer in self.layers}

    def round(self):
        """Presentations a second of all contenders, in turn: [contender][layer]."""
        rates = {}
        jobs = [job for jobs in self.pairs.values() for job in jobs]
        contenders = {"captum": lambda: self.torch("captum_occlusion.py", jobs, "captum")}
        for name in self.theirs():
            script, more = THEIRS[name]
            contenders[name] = functools.partial(self.torch, f"{script}.py", jobs, name, *more)
        for name, way in WAYS[self.options.device].items():
            contenders[name] = functools.partial(self.rates, way)
        for name in self.compared(contenders):
            start = time.perf_counter()
            found = contenders[name]()
            if "layers" in found:
                found = {layer: times["presentations"] / times["seconds"]
                         for layer, times in found["layers"].items()}
            rates[name] = found
            print(f"{name}, {time.perf_counter() - start:.0f} s", file=sys.stderr)
        return rates


def main():
    options = arguments()
    if "captum" not in options.without and importlib.util.find_spec("captum") is None:
        sys.exit("captum is not installed; `pip install captum`, or give --without captum")
    # A name without a folder is looked for in PATH by what starts it.
    options.occlumap = options.occlumap.resolve()
    if not options.occlumap.is_file():
        sys.exit(f"{options.occlumap}: there is no such program; run `cargo build --release`, or "
                 "name it with --occlumap")
    comparison = Comparison(options)
    errors = comparison.check()
    rates, others = {}, Others()
    for number in range(1, options.rounds + 1):
        print(f"round {number} of {options.rounds}", file=sys.stderr)
        for name, found in comparison.round().items():
            for layer, rate in found.items():
                rates.setdefault(name, {}).setdefault(layer, []).append(rate)
        # After each round: a long comparison that is ended early has what it measured.
        text = write(comparison, number, errors, rates, others.share())
    print(text)


def write(comparison, rounds, errors, rates, others):
    """Writes everything measured, and the tables, which it returns."""
    options = comparison.options
    version = run([options.occlumap, "--version"]).strip()
    setting = {
        "date": time.strftime("%Y-%m-%d"), "processor": processor(), "threads": options.threads,
        "device": torch.cuda.get_device_name() if options.device == "cuda" else "cpu",
        "versions": [version, f"PyTorch {torch.__version__}",
                     f"torchvision {torchvision.__version__}", f"Python {platform.python_version()}"],
        "model": options.model, "pairs": options.pairs, "maps_swept": comparison.sizes,
        "seconds": options.seconds, "rounds": rounds, "network": comparison.network(),
        "images_a_unit": IMAGES_A_UNIT, "others": others,
    }
    (options.out / "benchmark.json").write_text(json.dumps(
        {"setting": setting, "map_errors": errors, "rates": rates}, indent=2))
    text = tables(setting, rates, errors)
    (options.out / "benchmark.md").write_text(text + "\n")
    return text


if __name__ == "__main__":
    main()
