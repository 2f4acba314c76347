#!/bin/sh
# Builds the image with whichever builder is there. Usage: image.sh IMAGE BASE
set -eu
cd "$(dirname "$0")/.."

version=$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
for builder in docker podman buildah; do
    if command -v $builder >/dev/null 2>&1; then
        exec $builder build -f deploy/Dockerfile --build-arg BASE="$2" --build-arg VERSION="$version" -t "$1:$version" .
    fi
done
echo "image: none of docker, podman and buildah is on PATH" >&2
exit 1
