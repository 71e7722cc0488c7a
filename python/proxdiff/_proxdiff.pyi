"""The compiled part; the package's Python files alone call it."""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Split: TypeAlias = tuple[NDArray[np.int64], NDArray[np.int64]]

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

class CrossValidation:
    def __new__(
        cls, statement: dict[str, Any], splits: list[Split], points: int, n_threads: int
    ) -> CrossValidation: ...
    def l1_max(self, l2: float) -> float: ...
    def fit(self, l1: float, l2: float, settings: dict[str, Any]) -> dict[str, Any]: ...
    def run(
        self, l1: NDArray[np.float64], l2: NDArray[np.float64], keep_coefficients: bool, settings: dict[str, Any]
    ) -> dict[str, Any]: ...

class Sweep:
    def __new__(
        cls,
        statement: dict[str, Any],
        folds: tuple[int, int] | list[Split] | None,
        space: dict[str, Any],
        settings: dict[str, Any],
        keep_coefficients: bool,
        names: tuple[str, list[str], bool],
    ) -> Sweep: ...
    def plan(self, store: str) -> tuple[int, int]: ...
    def run(self, store: str, shard: tuple[int, int], progress: Callable[[int], object] | None) -> int: ...

def compress(
    statement: dict[str, Any], fold_of: NDArray[np.int64], features: list[str], targets: list[str], out: str
) -> int: ...
def read_factors(files: list[str]) -> dict[str, Any]: ...
def read_model(folder: str) -> tuple[str, list[NDArray[np.float64]]]: ...
def merge_stores(from_: list[str], into: str) -> int: ...
def read_sweep(store: str) -> dict[str, Any]: ...
def report(store: str, folder: str) -> None: ...
def tune(
    statement: dict[str, Any],
    splits: list[Split] | None,
    variables: list[tuple[str, tuple[float, float] | None, float | None]],
    l1: float,
    l2: float,
    max_evaluations: int,
    guard: str | None,
    settings: dict[str, Any],
    progress: Callable[[int, float | None], object] | None,
) -> dict[str, Any]: ...
def run_command(words: list[str]) -> int: ...
