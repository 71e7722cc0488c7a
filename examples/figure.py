#!/usr/bin/env python3
"""Draws the figure of the README: the error of two hypergradients against the number of steps.

    cargo build --release
    python3 examples/figure.py target/release/proxdiff

Needs the standard library only. The problem is tests/golden/a_enet_published at l1 = 0.02,
l2 = 0.002. Every point of a curve is one run of the program, stopped after t steps. The reference is
the hypergradient by the direct method at the polished solution. The figure goes to
target/figures/hypergradient_error.svg, or to the file named as second argument. A file that git tracks
is never written over: to publish a figure, copy it to examples/figures.
"""

import json
import math
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CASE = ROOT / "tests" / "golden" / "a_enet_published"
LAST = 500
# Every 8th step, more where the support becomes final, and steps with published errors to compare.
STEPS = sorted({1, *range(4, LAST + 1, 8), *range(170, 182), 200, 240, 280, 320, 400, LAST})
CURVES = [
    # method, label, colour
    ("itd-reverse", "ITD", "#c2410c"),
    ("aid-fp", "AID-FP", "#1d4ed8"),
]


def run(binary, method, *flags):
    """One run of `proxdiff hypergrad` on the case; its only point."""
    command = [binary, "hypergrad"]
    for flag, name in [("--x", "X"), ("--y", "y"), ("--x-val", "Xval"), ("--y-val", "yval")]:
        command += [flag, str(CASE / f"{name}.npy")]
    command += ["--l1", "0.02", "--l2", "0.002", "--no-intercept", "--no-standardize"]
    command += ["--method", method, "--format", "json", *flags]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    (point,) = json.loads(text)["points"]
    return point


def gradient(point):
    """(d/dl1, d/dl2) of the criterion."""
    return point["hypergradient"]["l1"], point["hypergradient"]["l2"]


def after(binary, method, t, *flags):
    """The point after exactly t Picard steps (and t adjoint steps for AID-FP)."""
    return run(binary, method, "--solver", "ista", "--tol", "0", "--max-steps", str(t), *flags)


def normalised_error(found, reference):
    """‖found − reference‖/‖reference‖."""
    return math.dist(found, reference) / math.hypot(*reference)


def identification(binary, final):
    """The first t from which on the support of w_t is the final one."""
    t = LAST
    while t > 0:
        w = after(binary, "direct", t, "--coefficients")["coefficients"]
        if [value != 0.0 for value in w] != final:
            break
        t -= 1
    return t + 1


def exponent(value):
    """10 to an integer power, as SVG text."""
    return f'10<tspan dy="-6" font-size="10">{"−" if value < 0 else ""}{abs(value)}</tspan>'


def draw(curves, identified, support):
    """The figure as SVG text."""
    width, height = 760, 440
    left, right, top, bottom = 74, 690, 66, 372
    highest, lowest = 1, -12

    def x(t):
        return left + (right - left) * t / LAST

    def y(error):
        return top + (bottom - top) * (highest - math.log10(error)) / (highest - lowest)

    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" role="img" aria-labelledby="title" '
        'font-family="Helvetica, Arial, sans-serif" font-size="13" fill="#1f2937">',
        '<title id="title">Normalised hypergradient error against the number of steps, '
        "for ITD and AID-FP</title>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        f'<text x="{left}" y="27" font-size="16" font-weight="bold">'
        "Error of the hypergradient after t steps</text>",
        f'<text x="{left}" y="47" fill="#4b5563">'
        "elastic net, 100 rows × 100 columns, l1 = 0.02, l2 = 0.002, double precision</text>",
    ]
    for power in range(lowest, highest + 1):
        labelled = power % 2 == 0
        colour = "#e5e7eb" if labelled else "#f3f4f6"
        at = y(10.0**power)
        out.append(
            f'<line x1="{left}" y1="{at:.1f}" x2="{right}" y2="{at:.1f}" stroke="{colour}"/>'
        )
        if labelled:
            out.append(
                f'<text x="{left - 10}" y="{at + 5:.1f}" text-anchor="end" fill="#4b5563">'
                f"{exponent(power)}</text>"
            )
    for t in range(0, LAST + 1, 100):
        at = x(t)
        out.append(
            f'<line x1="{at:.1f}" y1="{bottom}" x2="{at:.1f}" y2="{bottom + 5}" stroke="#6b7280"/>'
            f'<text x="{at:.1f}" y="{bottom + 21}" text-anchor="middle" fill="#4b5563">{t}</text>'
        )
    middle = (top + bottom) / 2
    out += [
        f'<line x1="{left}" y1="{bottom}" x2="{right}" y2="{bottom}" stroke="#6b7280"/>',
        f'<text x="{(left + right) / 2}" y="{bottom + 46}" text-anchor="middle">'
        "steps t of the solver</text>",
        f'<text transform="translate(20 {middle}) rotate(-90)" text-anchor="middle">'
        "normalised error ‖g − ∇f‖ / ‖∇f‖</text>",
        f'<line x1="{x(identified):.1f}" y1="{top}" x2="{x(identified):.1f}" y2="{bottom}" '
        'stroke="#6b7280" stroke-dasharray="4 4"/>',
        f'<text x="{x(identified) - 8:.1f}" y="{bottom - 30}" text-anchor="end" fill="#4b5563">'
        f"support final from t = {identified}</text>",
        f'<text x="{x(identified) - 8:.1f}" y="{bottom - 13}" text-anchor="end" fill="#4b5563">'
        f"({support} of 100 coefficients)</text>",
    ]
    for (_, label, colour), errors in zip(CURVES, curves):
        points = " ".join(f"{x(t):.1f},{y(error):.1f}" for t, error in errors)
        out.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2" '
            'stroke-linejoin="round"/>'
        )
        t, error = errors[-1]
        out.append(
            f'<text x="{x(t) + 7:.1f}" y="{y(error) + 4:.1f}" fill="{colour}" '
            f'font-weight="bold">{label}</text>'
        )
    out.append("</svg>\n")
    return "\n".join(out)


def is_tracked(path):
    """True for a file that git keeps; false where there is no git."""
    if not path.exists():
        return False
    command = ["git", "-C", str(path.parent), "ls-files", "--error-unmatch", path.name]
    try:
        return subprocess.run(command, capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


def main(arguments):
    """Runs the program, prints the errors, writes the figure."""
    if len(arguments) not in (1, 2):
        sys.exit("usage: figure.py BINARY [SVG]")
    binary = str(Path(arguments[0]).resolve())
    path = ROOT / "target" / "figures" / "hypergradient_error.svg"
    if len(arguments) == 2:
        path = Path(arguments[1]).resolve()
    if is_tracked(path):
        sys.exit(f"{path} is tracked by git; name another file, and copy it there to publish it")

    best = run(binary, "direct", "--coefficients")
    reference = gradient(best)
    final = [value != 0.0 for value in best["coefficients"]]
    identified = identification(binary, final)
    print(f"support of {sum(final)} coefficients, final from t = {identified}")
    curves = []
    for method, *_ in CURVES:
        errors = []
        for t in STEPS:
            point = after(binary, method, t)
            errors.append((t, normalised_error(gradient(point), reference)))
        curves.append(errors)
    print("t " + " ".join(label for _, label, *_ in CURVES))
    for rows in zip(*curves):
        print(rows[0][0], *(f"{error:.2e}" for _, error in rows))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(draw(curves, identified, sum(final)), encoding="utf-8")
    print(f"written: {path}")


if __name__ == "__main__":
    main(sys.argv[1:])
