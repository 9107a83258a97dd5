"""Maps the receptive field of every unit of a convolutional network with noise occluders.

For the images that drive a unit most and least, many copies with a small patch of noise somewhere in
the unit's receptive field are presented to the network. How much the unit's response changes, summed
at each patch's centre, is its *discrepancy map* (Zhou et al. 2015, arXiv 1412.6856, section 3.2).

>>> import occlumap, torchvision
>>> net = torchvision.models.resnet18(weights="DEFAULT").eval()
>>> maps = occlumap.map_units(net, "photos/", layers=["layer2.0.conv1"], units=range(16), top=50)
>>> maps.plot("layer2.0.conv1", unit=3)
"""

from ._api import (
    Device,
    LayerPlan,
    Plan,
    UnitMap,
    check_files,
    devices,
    map_shard,
    map_sizes,
    map_unit,
    map_units,
    merge,
    open,
    plan,
    rank,
    status,
)
from ._comparison import Comparison, compare
from ._errors import DeviceError, InputError, Stopped, UnsupportedLayer
from ._findings import (
    Derived,
    DerivedMaps,
    ReliabilityCurve,
    Summary,
    UnitNumbers,
    derive,
    models,
    reliability_curve,
    sizes,
    summary,
)
from ._geometry import (
    ReceptiveField,
    load_images,
    occlude,
    occluder_noise,
    receptive_field,
)
from ._network import Layer, Network
from ._occlumap import __version__
from ._results import Cells, LayerMaps, LayerRanking, Maps, Ranking, Sides
from ._settings import SweepOptions

__all__ = [
    "Cells",
    "Comparison",
    "Derived",
    "DerivedMaps",
    "Device",
    "DeviceError",
    "InputError",
    "Layer",
    "LayerMaps",
    "LayerPlan",
    "LayerRanking",
    "Maps",
    "Network",
    "Plan",
    "Ranking",
    "ReceptiveField",
    "ReliabilityCurve",
    "Sides",
    "Stopped",
    "Summary",
    "SweepOptions",
    "UnitMap",
    "UnitNumbers",
    "UnsupportedLayer",
    "__version__",
    "check_files",
    "compare",
    "derive",
    "devices",
    "load_images",
    "map_shard",
    "map_sizes",
    "map_unit",
    "map_units",
    "merge",
    "models",
    "occlude",
    "occluder_noise",
    "open",
    "plan",
    "rank",
    "receptive_field",
    "reliability_curve",
    "sizes",
    "status",
    "summary",
]
