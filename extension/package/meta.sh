#!/usr/bin/env bash
# Prints META.json, as PGXN's Meta Spec 1.0.0 asks for it.
#
#   extension/package/meta.sh
#
# The version comes from Cargo.toml, the maintainer from DEBFULLNAME and DEBEMAIL.
set -euo pipefail
cd "$(dirname "$0")/../.."

version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"$/\1/p' Cargo.toml)
maintainer="${DEBFULLNAME:-logwatch} <${DEBEMAIL:-logwatch@example.org}>"
cat <<JSON
{
  "name": "logwatch",
  "abstract": "Alerting on your logs, inside PostgreSQL",
  "version": "$version",
  "maintainer": "$maintainer",
  "license": "postgresql",
  "provides": {
    "logwatch": {
      "abstract": "Stores ERROR and FATAL records, checks thresholds, sends notifications",
      "file": "sql/schema.sql",
      "docfile": "extension/README.md",
      "version": "$version"
    }
  },
  "prereqs": { "runtime": { "requires": { "PostgreSQL": "14.0.0" } } },
  "release_status": "stable",
  "tags": ["logs", "alerting", "monitoring", "background worker"],
  "generated_by": "extension/package/meta.sh",
  "meta-spec": { "version": "1.0.0", "url": "https://pgxn.org/meta/spec.txt" }
}
JSON
