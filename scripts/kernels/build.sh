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
declare -A levels=(
  [avx2]="-march=x86-64-v3"
  [avx512]="-march=x86-64-v4 -mprefer-vector-width=512"
  [avx512bf16]="-march=x86-64-v4 -mavx512bf16 -mavx512vnni -mprefer-vector-width=512"
)
built=()
# A source, what its object is called, flags.
compile() { g++ "${common[@]}" "${@:3}" "$1.cpp" -o "$objects/$2.o"; built+=("$objects/$2.o"); }
for file in processor ggml-operators; do compile "$file" "$file"; done
compile few-rows few-rows ${levels[avx512bf16]}
for level in avx2 avx512 avx512bf16; do
  for file in linear read-weights attention level; do compile "$file" "$file-$level" ${levels[$level]} "-DLEVEL=$level"; done
done
gcc -shared -s -Wl,--build-id=none -Wl,-soname,libatalaya-kernels.so -o "$target/libatalaya-kernels.so" "${built[@]}"
[ $# = 0 ] || exit 0
node -e '
  const { readFileSync, writeFileSync } = require("fs");
  const sha256 = require("crypto").createHash("sha256").update(readFileSync("prebuilt/linux-x64/libatalaya-kernels.so")).digest("hex");
  writeFileSync("prebuilt/hashes.json", `${JSON.stringify({ "linux-x64": sha256 }, null, 2)}\n`);
'
