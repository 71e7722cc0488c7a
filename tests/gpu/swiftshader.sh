#!/usr/bin/env bash
# The GPU suite on SwiftShader, a second software driver: subgroups of 4, no f16, no cap on loops.
#
#     tests/gpu/swiftshader.sh [options of the suite]
#
# The driver is taken from SWIFTSHADER, a folder with libvk_swiftshader.so, or else out of Debian's
# chromium packages, which need not be installed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
folder=${SWIFTSHADER:-}
version=unknown
if [ -z "$folder" ]; then
    # Which of the packages holds the driver has changed over time.
    for package in chromium-common chromium; do
        (cd "$scratch" && apt-get download "$package" >/dev/null 2>"$scratch/log") || {
            cat "$scratch/log" >&2
            echo "cannot fetch $package: run apt-get update, or name a folder in SWIFTSHADER" >&2
            exit 1
        }
        archive=$(echo "$scratch/$package"_*.deb)
        dpkg-deb --fsys-tarfile "$archive" |
            tar -x -C "$scratch" --wildcards '*/libvk_swiftshader.so' 2>/dev/null || true
        library=$(find "$scratch" -name libvk_swiftshader.so -print -quit)
        if [ -n "$library" ]; then
            folder=$(dirname "$library")
            version=$(dpkg-deb --field "$archive" Version)
            break
        fi
        rm -f "$archive"
    done
fi
if [ ! -e "$folder/libvk_swiftshader.so" ]; then
    echo "libvk_swiftshader.so was not found in ${folder:-the packages}: name its folder in SWIFTSHADER" >&2
    exit 1
fi
printf 'SwiftShader of chromium %s\n' "$version"
printf '{"file_format_version": "1.0.0", "ICD": {"library_path": "%s", "api_version": "1.0.5"}}\n' \
    "$(realpath "$folder/libvk_swiftshader.so")" >"$scratch/icd.json"
export VK_DRIVER_FILES="$scratch/icd.json" VK_ICD_FILENAMES="$scratch/icd.json"
export PROXDIFF_REQUIRE_GPU=1
# The loader wants a private folder.
if [ -z "${XDG_RUNTIME_DIR:-}" ]; then
    mkdir -m 700 "$scratch/run"
    export XDG_RUNTIME_DIR="$scratch/run"
fi
cargo test --locked --test gpu -- "$@"
