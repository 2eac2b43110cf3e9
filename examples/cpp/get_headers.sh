#!/usr/bin/env bash
# get_headers.sh DIR: ONNX Runtime's C++ headers into DIR, on Debian 12 and later.
#
# The Python package brings the library alone, and Debian has headers since its release 13 (trixie). They are taken out
# of that release's package, whose signature apt checks; nothing is installed, and root is not needed. The headers are
# of version 1.21: every later library keeps their binary interface. Where they lie in DIR already, nothing is fetched.
set -euo pipefail
target=${1:?usage: get_headers.sh DIR}
version=21
mark=onnxruntime_c_api.h # it names the version, and is copied last
if grep -qs "^#define ORT_API_VERSION $version\$" "$target/$mark"; then
    echo "headers of ONNX Runtime are in $target already"
    exit
fi
keys=/usr/share/keyrings/debian-archive-keyring.gpg

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/{lists,cache/archives}/partial "$target"
echo "deb [signed-by=$keys] http://deb.debian.org/debian trixie main" >"$work/sources.list"
apt=(apt-get -qq -o Dir::Etc::SourceList="$work/sources.list" -o Dir::Etc::SourceParts=- -o Dir::State::Lists="$work/lists"
    -o Dir::Cache="$work/cache" -o APT::Sandbox::User=root -o Acquire::Retries=3)
"${apt[@]}" update
(cd "$work" && "${apt[@]}" download libonnxruntime-dev)
dpkg-deb -x "$work"/libonnxruntime-dev_*.deb "$work/unpacked"
mv "$work/unpacked/usr/include/onnxruntime/$mark" "$work"
cp "$work"/unpacked/usr/include/onnxruntime/*.h "$target"
cp "$work/$mark" "$target"
echo "headers of ONNX Runtime are in $target"
