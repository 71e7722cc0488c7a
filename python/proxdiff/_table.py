"""Tables: as frames, and as HTML for notebooks."""

from __future__ import annotations

from html import escape

import numpy as np


class Tabular:
    """Frames of whatever has a `table`: columns by name, of which `status` holds objects."""

    def to_pandas(self):
        """The table as a frame of pandas."""
        import pandas

        return pandas.DataFrame(self.table())

    def to_polars(self):
        """The table as a frame of polars."""
        import polars

        columns = self.table()
        columns["status"] = columns["status"].tolist()
        return polars.DataFrame(columns)


def html(columns, most):
    """A table of columns by name, of which the first rows are shown."""
    count = len(next(iter(columns.values()))) if columns else 0
    head = "".join(f"<th>{escape(name)}</th>" for name in columns)

    def cell(value):
        return f"{value:.6g}" if isinstance(value, (float, np.floating)) else escape(str(value))

    rows = "".join(
        "<tr>" + "".join(f"<td>{cell(column[at])}</td>" for column in columns.values()) + "</tr>"
        for at in range(min(count, most))
    )
    more = f"<p>… {count - most} more points</p>" if count > most else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{more}"
