"""Charts of a page for the plots of utils.reports.point_plots, such as the final error against batch size."""

from __future__ import annotations

from collections.abc import Mapping

from utils.reports.pages.charts import Chart, LineStyle, line_chart, use_ticks
from utils.reports.point_plots import PointPlot
from utils.reports.style import look


def point_chart(plot: PointPlot, styles: Mapping[str, LineStyle]) -> Chart | None:
    """Return the chart of a plot, or None where no point has a value.

    Args:
        styles: of the groups, by their labels.
    """
    shown = [styles[name] for name in plot.names] if plot.by_group else [
        LineStyle(name, *look(index)) for index, name in enumerate(plot.names)
    ]  # fmt: skip
    different = list(dict.fromkeys(shown))
    chart = line_chart(
        plot.title, shown, plot.points, x_labels={plot.x: plot.x_label}, x=plot.x, y_label=plot.y_label,
        log_x=plot.log_base is not None, parts=('bars', 'marks'), legend=different if len(different) > 1 else (),
    )  # fmt: skip
    if chart and plot.has_ticks:
        use_ticks(chart, sorted(plot.points[plot.x].unique()))
    return chart
