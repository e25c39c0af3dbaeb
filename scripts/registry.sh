#!/usr/bin/env bash
# Fetches Apicurio Registry from Maven Central into the cache, once, and holds it against the
# checksum below. The tests start it in memory; its Confluent API is under /apis/ccompat/v7.

. "$(dirname "$0")/common.sh"

version="3.0.9"
checksum="2b28181501a20cbf6efcd77f9b7153908fc01f3d3a7c32024c0bd9e1b04c8a43"
home="$cache/apicurio-$version"

fetch() {
    local scratch="$1" archive
    # Its parent is not in Maven Central, so this goal must be one that does not look at it.
    mvn --batch-mode --quiet -Dstyle.color=never \
        org.apache.maven.plugins:maven-dependency-plugin:2.10:get -Dtransitive=false \
        "-Dartifact=io.apicurio:apicurio-registry-app:$version:tar.gz:all" \
        "-Ddest=$scratch" || return 1
    archive="$scratch/apicurio-registry-app-$version-all.tar.gz"
    echo "$checksum  $archive" | sha256sum --check --quiet \
        && tar --extract --gzip --file "$archive" --directory "$scratch" \
        && rm "$archive" \
        && test -f "$scratch/apicurio-registry-app-$version-runner.jar"
}

if [ -f "$home/apicurio-registry-app-$version-runner.jar" ]; then
    say "Apicurio Registry $version: there already ($home)"
else
    say "Apicurio Registry $version: fetching from Maven Central into $home (about 110 MB)"
    build_once "$home" fetch || die "Apicurio Registry $version could not be fetched."
fi
