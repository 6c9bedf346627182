"""Charts of a page for the plots of utils.point_plots, such as the final error against batch size."""

from __future__ import annotations

from collections.abc import Mapping

from utils.looks import COLORS, DASHES
from utils.pages.charts import Chart, Look, legend, line_chart, use_ticks
from utils.point_plots import PointPlot


def point_chart(plot: PointPlot, looks: Mapping[str, Look]) -> Chart | None:
    """Return the chart of a plot, or None where no point has a value.

    Args:
        looks: of the groups, by their labels.
    """
    shown = [looks[name] for name in plot.names] if plot.by_group else [
        Look(name, COLORS[index % len(COLORS)], DASHES[index // len(COLORS) % len(DASHES)])
        for index, name in enumerate(plot.names)
    ]  # fmt: skip
    different = list(dict.fromkeys(shown))
    chart = line_chart(
        plot.title, shown, plot.points, x_labels={plot.x: plot.x_label}, x=plot.x, y_label=plot.y_label,
        log_x=plot.log_base is not None, parts=('bars', 'marks'),
        legend=legend(different, marked=True) if len(different) > 1 else None,
    )  # fmt: skip
    if chart and plot.has_ticks:
        use_ticks(chart, sorted(plot.points[plot.x].unique()))
    return chart
