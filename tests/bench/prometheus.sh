#!/usr/bin/env bash
# Runs mtail, Prometheus and Alertmanager, all tuned to one second, which mail each new kind of
# ERROR line of a file through an SMTP server on loopback: prometheus.sh DIRECTORY FILE PORT They
# listen on loopback only and end with this script.
set -euo pipefail
cd "$1"

first=$((20000 + $$ % 20000))
mtail_port=$first prometheus_port=$((first + 1)) alertmanager_port=$((first + 2))

mkdir progs
cat >progs/errors.mtail <<'END'
counter errors_total by what
/ERROR (?P<what>.*)/ {
  errors_total[$what]++
}
END
cat >rules.yml <<'END'
groups:
  - name: errors
    interval: 1s
    rules:
      - alert: error
        expr: errors_total > 0
END
cat >prometheus.yml <<END
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [rules.yml]
scrape_configs:
  - job_name: mtail
    static_configs: [{targets: ["127.0.0.1:$mtail_port"]}]
alerting:
  alertmanagers:
    - static_configs: [{targets: ["127.0.0.1:$alertmanager_port"]}]
END
cat >alertmanager.yml <<END
global: {smtp_smarthost: "127.0.0.1:$3", smtp_from: am@example.com, smtp_require_tls: false, smtp_hello: localhost}
route: {receiver: mail, group_by: [what], group_wait: 0s, group_interval: 1s}
receivers: [{name: mail, email_configs: [{to: ops@example.com}]}]
END

# Each gets a signal from the kernel when this script is gone, however it goes.
run() { setpriv --pdeathsig TERM "$@" >>log 2>&1 & }
run mtail --progs progs --logs "$2" --address 127.0.0.1 --port "$mtail_port" --poll_interval 100ms --poll_log_interval 100ms
run prometheus --config.file=prometheus.yml --storage.tsdb.path=data --web.listen-address="127.0.0.1:$prometheus_port"
run prometheus-alertmanager --config.file=alertmanager.yml --storage.path=am --web.listen-address="127.0.0.1:$alertmanager_port" --cluster.listen-address=
wait
