"""Corner plots of a trained density, by getdist or anesthetic; those are imported only when asked for."""

from __future__ import annotations

import importlib.util
from typing import Any, List, Optional, Sequence, Tuple

import numpy as np

from creamery import _arguments, _samples
from creamery._arrays import FloatArray
from creamery.v1 import dataset_pb2

PACKAGES = ("getdist", "anesthetic")
Layer = Tuple[str, FloatArray, Optional[FloatArray]]  # legend, (n, d) rows, (n,) weights


def package(wanted: Optional[str]) -> str:
    """The package to draw with: the one that is wanted, else the first that is installed.

    Raises:
        InvalidArgumentError: it is none that is known.
        ImportError: none is installed; the message says what installs one.
    """
    if wanted is not None:
        chosen = _arguments.one_of("package", wanted, PACKAGES)
    else:
        chosen = next((each for each in PACKAGES if importlib.util.find_spec(each) is not None), PACKAGES[0])
    _samples.need(chosen)
    return chosen


def draw(layers: Sequence[Layer], parameters: List[dataset_pb2.Parameter], with_: str) -> Any:
    """A figure of matplotlib with every layer in every panel.

    Args:
        layers: the densities, the one on top last.
        parameters: the d parameters, in order.
        with_: one of PACKAGES.
    """
    if with_ == "getdist":
        plots = _samples.need("getdist.plots")
        made = [_samples.convert(rows, None, parameters, "getdist", weights) for _, rows, weights in layers]
        plotter = plots.get_subplot_plotter()
        plotter.triangle_plot(made, filled=True, legend_labels=[legend for legend, _, _ in layers])
        return plotter.fig
    frames = [_samples.convert(rows, None, parameters, "anesthetic", weights) for _, rows, weights in layers]
    names = [each.name for each in parameters]
    axes: Any = None
    for (legend, _, _), frame in zip(layers, frames):
        axes = frame.plot_2d(names if axes is None else axes, label=legend)
    figure = np.ravel(axes.to_numpy())[0].figure
    if len(names) > 1:
        axes.iloc[-1, 0].legend(loc="lower right", bbox_to_anchor=(len(names), len(names)))
    return figure
