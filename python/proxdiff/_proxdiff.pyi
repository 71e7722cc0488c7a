"""The compiled part; the package's Python files alone call it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

class Problem:
    def __new__(cls, statement: dict[str, Any], n_threads: int) -> Problem: ...
    @property
    def scale(self) -> list[float]: ...
    def l1_max(self, target: int, l2: float, n_threads: int) -> float: ...
    def run(
        self, points: dict[str, Any], settings: dict[str, Any], starts: Outcomes | None
    ) -> tuple[dict[str, Any], Outcomes]: ...
    def vjp(
        self,
        outcomes: Outcomes,
        coefficients: NDArray[np.float64],
        intercepts: NDArray[np.float64],
        wrt: list[str],
        settings: dict[str, Any],
    ) -> dict[str, Any]: ...

class Outcomes: ...

def cross_validate(
    statement: dict[str, Any],
    splits: list[tuple[list[int], list[int]]],
    l1: NDArray[np.float64],
    l2: NDArray[np.float64],
    keep_coefficients: bool,
    settings: dict[str, Any],
) -> dict[str, Any]: ...
def tune(
    statement: dict[str, Any],
    splits: list[tuple[list[int], list[int]]] | None,
    variables: list[tuple[str, tuple[float, float] | None, float | None]],
    l1: float,
    l2: float,
    max_evaluations: int,
    guard: str | None,
    settings: dict[str, Any],
) -> dict[str, Any]: ...
def run_command(words: list[str]) -> int: ...
