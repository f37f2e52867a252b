#!/usr/bin/env bash
# Builds the kernels of `kernels/` for Linux on x64 with g++ 12 or later, and writes down the file's hash, without which
# it is not loaded. `npm run kernels`; with a folder as its argument it builds there and leaves the rest alone.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../kernels"
target=${1:-prebuilt/linux-x64}
mkdir -p "$target"
objects=$(mktemp -d)
trap 'rm -rf "$objects"' EXIT
common=(-c -O3 -std=c++17 -fPIC -fno-exceptions -fno-rtti -fvisibility=hidden -Wall -Wextra -Wno-ignored-attributes -Wno-maybe-uninitialized -Wno-uninitialized "-ffile-prefix-map=$PWD=.")
wide=(-march=x86-64-v4 -mavx512bf16 -mavx512vnni -mprefer-vector-width=512)
g++ "${common[@]}" processor.cpp -o "$objects/processor.o"
for file in linear few-rows read-weights attention ggml-operators; do g++ "${common[@]}" "${wide[@]}" "$file.cpp" -o "$objects/$file.o"; done
gcc -shared -s -Wl,--build-id=none -Wl,-soname,libatalaya-kernels.so -o "$target/libatalaya-kernels.so" \
  "$objects"/{processor,linear,few-rows,read-weights,attention,ggml-operators}.o
[ $# = 0 ] || exit 0
node -e '
  const { readFileSync, writeFileSync } = require("fs");
  const sha256 = require("crypto").createHash("sha256").update(readFileSync("prebuilt/linux-x64/libatalaya-kernels.so")).digest("hex");
  writeFileSync("prebuilt/hashes.json", `${JSON.stringify({ "linux-x64": sha256 }, null, 2)}\n`);
'
