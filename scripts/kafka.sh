#!/usr/bin/env bash
# Fetches Apache Kafka from Maven Central into the cache, once. The tests start it by its classes,
# so all that is needed is a directory of jars; log4j-slf4j-impl is what makes them write a log.
# KAFKA_VERSION picks another version.

. "$(dirname "$0")/common.sh"

version="${KAFKA_VERSION:-4.4.0}"
home="$cache/kafka-$version"

fetch() {
    local scratch="$1"
    cat > "$scratch/pom.xml" <<EOF
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>watchfire</groupId>
  <artifactId>kafka-for-tests</artifactId>
  <version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_2.13</artifactId>
      <version>$version</version>
    </dependency>
    <dependency>
      <groupId>org.apache.logging.log4j</groupId>
      <artifactId>log4j-slf4j-impl</artifactId>
      <version>2.25.5</version>
    </dependency>
  </dependencies>
</project>
EOF
    mvn --batch-mode --quiet -Dstyle.color=never --file "$scratch/pom.xml" \
        org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies \
        -DincludeScope=runtime -DoutputDirectory="$scratch/libs" \
        && test -f "$scratch/libs/kafka_2.13-$version.jar"
}

if [ -d "$home/libs" ]; then
    say "Apache Kafka $version: there already ($home)"
else
    say "Apache Kafka $version: fetching from Maven Central into $home (about 45 MB)"
    build_once "$home" fetch || die "Kafka $version could not be fetched from Maven Central."
fi
