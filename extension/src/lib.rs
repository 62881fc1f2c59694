//! logwatch: alerting on your logs, inside PostgreSQL.
//!
//! This file loads the parts: settings, the worker, and the hand-written SQL in `sql/`, in its load
//! order. Parsing and I/O are Rust, set logic is SQL.

use pgrx::prelude::*;

mod catalog;
mod certificates;
mod channel;
mod claim;
mod column;
mod copies;
mod disk;
mod expectations;
mod heartbeat;
mod home;
mod ingest;
mod jsonb;
mod last_check;
mod message;
mod outbox;
mod patterns;
mod pg;
mod plans;
mod points;
mod regex_cache;
mod report;
mod sender;
mod session;
mod settings;
mod smtp;
mod test_channel;
mod time_limit;
mod upkeep;
mod waiting;
mod wake;
mod with_limit;
mod work;
mod worker;
mod worker_error;
mod worker_start;

pgrx::pg_module_magic!(name, version);

extension_sql_file!("../../sql/schema.sql", name = "schema", bootstrap);
extension_sql_file!("../../sql/settings.sql", name = "settings", requires = ["schema"]);
extension_sql_file!("../../sql/storage.sql", name = "storage", requires = ["settings"]);
extension_sql_file!("../../sql/rules.sql", name = "rules", requires = ["storage"]);
extension_sql_file!(
    "../../sql/schedules.sql",
    name = "schedules",
    requires = ["rules"]
);
extension_sql_file!(
    "../../sql/expected_lines.sql",
    name = "expected_lines",
    requires = ["schedules"]
);
extension_sql_file!(
    "../../sql/alerts.sql",
    name = "alerts",
    requires = ["expected_lines"]
);
extension_sql_file!("../../sql/silence.sql", name = "silence", requires = ["alerts"]);
extension_sql_file!("../../sql/ingest.sql", name = "ingest", requires = ["silence"]);
extension_sql_file!("../../sql/health.sql", name = "health", requires = ["ingest"]);
extension_sql_file!(
    "../../sql/last_check.sql",
    name = "last_check",
    requires = ["health"]
);
extension_sql_file!(
    "../../sql/surroundings.sql",
    name = "surroundings",
    requires = ["last_check"]
);
extension_sql_file!(
    "../../sql/foreign_functions.sql",
    name = "foreign_functions",
    requires = ["surroundings"]
);
extension_sql_file!(
    "../../sql/pause.sql",
    name = "pause",
    requires = ["foreign_functions"]
);
extension_sql_file!("../../sql/citus.sql", name = "citus", requires = ["pause"]);
extension_sql_file!("../../sql/disk.sql", name = "disk", requires = ["citus"]);
extension_sql_file!("../../sql/copies.sql", name = "copies", requires = ["disk"]);
extension_sql_file!("../../sql/restore.sql", name = "restore", requires = ["copies"]);
extension_sql_file!(
    "../../sql/source_status.sql",
    name = "source_status",
    requires = ["restore"]
);
extension_sql_file!(
    "../../sql/status.sql",
    name = "status",
    requires = ["source_status"]
);
extension_sql_file!(
    "../../sql/alert_payload.sql",
    name = "alert_payload",
    requires = ["status"]
);
extension_sql_file!(
    "../../sql/outbox.sql",
    name = "outbox",
    requires = ["alert_payload"]
);
extension_sql_file!(
    "../../sql/hourly_limits.sql",
    name = "hourly_limits",
    requires = ["outbox"]
);
extension_sql_file!(
    "../../sql/report.sql",
    name = "report",
    requires = ["hourly_limits"]
);
extension_sql_file!("../../sql/fleet.sql", name = "fleet", requires = ["report"]);
extension_sql_file!(
    "../../sql/fleet_acceptance.sql",
    name = "fleet_acceptance",
    requires = ["fleet"]
);
extension_sql_file!(
    "../../sql/fleet_view.sql",
    name = "fleet_view",
    requires = ["fleet_acceptance"]
);
extension_sql_file!(
    "../../sql/fleet_commands.sql",
    name = "fleet_commands",
    requires = ["fleet_view"]
);
extension_sql_file!(
    "../../sql/rolling.sql",
    name = "rolling",
    requires = ["fleet_commands"]
);
extension_sql_file!("../../sql/minutes.sql", name = "minutes", requires = ["rolling"]);
extension_sql_file!("../../sql/fields.sql", name = "fields", requires = ["minutes"]);
extension_sql_file!("../../sql/take.sql", name = "take", requires = ["fields"]);
extension_sql_file!(
    "../../sql/interruptions.sql",
    name = "interruptions",
    requires = ["take"]
);
extension_sql_file!(
    "../../sql/renewal.sql",
    name = "renewal",
    requires = ["interruptions"]
);
extension_sql_file!(
    "../../sql/episodes.sql",
    name = "episodes",
    requires = ["renewal"]
);
extension_sql_file!("../../sql/follow.sql", name = "follow", requires = ["episodes"]);
extension_sql_file!("../../sql/check.sql", name = "check", requires = ["follow"]);
extension_sql_file!("../../sql/backtest.sql", name = "backtest", requires = ["check"]);
extension_sql_file!(
    "../../sql/check_rule.sql",
    name = "check_rule",
    requires = ["backtest"]
);
extension_sql_file!(
    "../../sql/interfaces.sql",
    name = "interfaces",
    requires = ["check_rule"]
);
extension_sql_file!("../../sql/page.sql", name = "page", requires = ["interfaces"]);
extension_sql_file!("../../sql/maintain.sql", name = "maintain", requires = ["page"]);
extension_sql_file!("../../sql/grants.sql", name = "grants", requires = ["maintain"]);
extension_sql_file!(
    "../../sql/privileges.sql",
    name = "privileges",
    requires = ["grants"],
    finalize
);

/// Initialises the library when PostgreSQL loads it: in the postmaster when it is preloaded, else
/// in the first session that needs it.
#[pg_guard]
pub extern "C-unwind" fn _PG_init() {
    if pg::in_binary_upgrade() {
        return;
    }
    pg::forget_backtraces();
    let preloading = pg::preloading();
    settings::init(preloading);
    wake::init(preloading);
    last_check::init(preloading);
    worker_error::init(preloading);
    worker_start::init(preloading);
    if preloading {
        worker::init();
    }
}

/// Returns the version of this library, which must be the version of the installed extension.
#[pg_extern(sql = false)]
fn library_version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

/// Makes DROP EXTENSION wait for the end of this transaction.
#[pg_extern(sql = false)]
fn hold() {
    pg::hold_extension(pg::IfDropped::Wait);
}

/// Takes a turn at work that one session does at a time.
#[pg_extern(sql = false)]
fn take_turn(work: &str) -> bool {
    let (turn, command) = match work {
        "check" => (pg::Turn::Check, c"logwatch_check()"),
        "fold" => (pg::Turn::Fold, c"logwatch_maintain()"),
        "fleet" => (pg::Turn::Fleet, c"logwatch_check()"),
        "renew" => (pg::Turn::Renew, c"logwatch_check()"),
        other => pg::raise(
            PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
            &format!("there are no turns for \"{other}\""),
            "Use check, fold, fleet or renew.",
        ),
    };
    // The lock would be refused there with an error that means something else to a tailer.
    pg::refuse_in_recovery(command);
    pg::take_turn(turn)
}

/// Waits for a check that is running, and lets none begin until the transaction ends.
#[pg_extern(sql = false)]
fn delay_checks() {
    pg::close_turn(pg::Turn::Check);
}

/// Keeps checks from calling all patterns renewed until the transaction ends.
#[pg_extern(sql = false)]
fn delay_renewal() {
    pg::close_turn(pg::Turn::Renew);
}

/// Waits for this session's turn to attach to a source.
#[pg_extern(sql = false)]
fn queue_for_source(name: &str) {
    pg::refuse_in_recovery(c"logwatch_attach()");
    pg::queue_for_source(logwatch_record::source::id(name));
}

/// Takes the source's queue unless another session has it.
#[pg_extern(sql = false)]
fn try_queue_for_source(name: &str) -> bool {
    pg::try_queue_for_source(logwatch_record::source::id(name))
}
