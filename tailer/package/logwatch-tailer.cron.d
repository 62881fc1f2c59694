# Instead of the service: reads what is new in these logs once a minute. Copy to
# /etc/cron.d/logwatch-tailer and take the # away. Connects as psql does: a password belongs into
# ~/.pgpass of the user named below, who must be able to read the logs.
#
# PGHOST=db.example.com
# PGDATABASE=appdb
# PGUSER=logwatch_tailer
# * * * * * logwatch /usr/bin/logwatch-tailer --once --max-runtime 50 '/var/log/app/*.log'
