#!/bin/sh
# Installs a build into a fresh prefix, builds examples/ against it with find_package(Heed) alone, and runs them.
# Needs cmake and the generator's tool, nothing else.
#
#   tests/install/run.sh CMAKE BUILD_FOLDER SOURCE_FOLDER CXX_COMPILER CXX_FLAGS
#
# HEED_SHARED names the folder of shared test files (by default ../shared beside the source); without the model in it
# the examples are built but not run.
set -eu
cmake=$1 build=$2 source=$3 compiler=$4 flags=$5
shared=${HEED_SHARED:-$source/../shared}
export OMP_NUM_THREADS=1  # threads that wait for each other take minutes on a busy machine
model=$shared/models/marian-multi30k-en-de

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$cmake" --install "$build" --prefix "$work/prefix" >"$work/install.log" || { cat "$work/install.log"; exit 1; }
"$cmake" -S "$source/examples" -B "$work/examples" -DCMAKE_PREFIX_PATH="$work/prefix" \
  -DCMAKE_CXX_COMPILER="$compiler" -DCMAKE_CXX_FLAGS="$flags -Wall -Wextra -Werror"
"$cmake" --build "$work/examples"

# Nothing of the build's or the source's folders may be in what was installed.
if grep -rlF -e "$build" -e "$source/src" "$work/prefix/include" "$work"/prefix/lib*/cmake; then
  echo "the files above name folders of the build"
  exit 1
fi

# The program, if the build has it, must run from its new place.
if [ -x "$work/prefix/bin/heed" ]; then
  "$work/prefix/bin/heed" --version
  # With its library for GPUs, if the build has one, whether or not there is a GPU.
  for library in "$work"/prefix/lib*/heed/libheed_cuda.so; do
    if [ -e "$library" ]; then "$work/prefix/bin/heed" info --devices | grep -E '^CUDA +'; fi
  done
fi

if [ ! -d "$model" ]; then
  echo "skipped: no $model (set HEED_SHARED to the folder of shared test files); the examples were built, not run"
  exit 77
fi

expect() {  # expect WHAT EXPECTED GOT
  if [ "$2" != "$3" ]; then
    echo "$1: expected \"$2\", got \"$3\""
    exit 1
  fi
  echo "$1: $3"
}

sentence='A man in an orange hat starring at something.'
translation=$(head -n 1 "$model/test_2016_flickr.beam5.hyp.de")
greedy=$(head -n 1 "$model/test_2016_flickr.beam1.hyp.de")
expect translate "$translation" "$(echo "$sentence" | "$work/examples/translate" "$model" | head -n 1 | cut -f 2)"
expect serve_threads "$greedy
$greedy" "$("$work/examples/serve_threads" "$model" "$sentence" "$sentence")"
expect score all "$("$work/examples/score" "$model" "$sentence" "$translation" | tail -n 1 | cut -f 2)"
expect "score's end token" '</s>' \
  "$("$work/examples/score" "$model" "$sentence" "$translation" | tail -n 2 | head -n 1 | cut -f 2)"

# A missing model is an exception of the public type, caught on this side of the library's edge.
if "$work/examples/translate" "$work/none" 2>"$work/error" </dev/null; then
  echo "translate: a missing model went unnoticed"
  exit 1
fi
grep -F "$work/none" "$work/error"

head -n 200 "$model/test_2016_flickr.beam1.hyp.de" >"$work/source"
head -n 200 "$model/test_2016_flickr.beam5.hyp.de" >"$work/target"
expect "steps of a training" '1 2' "$("$work/examples/train" "$work/source" "$work/target" "$work/trained" 2 | cut -f 1 | xargs)"
expect "and of its resumption" 3 "$("$work/examples/train" "$work/source" "$work/target" "$work/trained" 3 | cut -f 1)"
expect "lines by the trained model" 1 "$("$work/examples/serve_threads" "$work/trained" 'Ein Mann.' | wc -l)"
