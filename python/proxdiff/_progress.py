"""A display of progress: tqdm's where it is installed, else a line on the standard error."""

from __future__ import annotations

import sys
import time

#: Seconds between two states of the plain line.
_PAUSE = 0.2


class Progress:
    """How much of a work is done."""

    def __init__(self, shown, total, unit):
        self.total, self.unit, self.done = total, unit, 0
        self._bar = self._stream = None
        self._best = ""
        if not shown:
            return
        try:
            from tqdm.auto import tqdm
        except ImportError:
            self._stream, self._last, self._begin = sys.stderr, 0.0, time.monotonic()
        else:
            self._bar = tqdm(total=total, unit=unit.removesuffix("s"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._bar is not None:
            self._bar.close()
        if self._stream is not None:
            self._write(self.done)
            self._stream.write("\n")

    def at(self, done, best=None):
        """So much is done; `best` is the lowest criterion so far, where one is looked for."""
        done = min(int(done), self.total)
        if best is not None:
            self._best = f" | best {best:.6g}"
        if self._bar is not None:
            if best is not None:
                self._bar.set_postfix(best=f"{best:.6g}", refresh=False)
            self._bar.update(done - self.done)
        self.done = done
        if self._stream is not None and time.monotonic() - self._last > _PAUSE:
            self._last = time.monotonic()
            self._write(done)

    def share(self, share):
        """This share more of the whole is done."""
        self._shares = getattr(self, "_shares", 0.0) + share
        self.at(round(self._shares * self.total))

    def _write(self, done):
        seconds = time.monotonic() - self._begin
        percent = 100 * done // max(self.total, 1)
        self._stream.write(f"\r{percent:3d} % | {done} of {self.total} {self.unit}{self._best} | {seconds:.1f} s")
        self._stream.flush()
