//! Calls into the server process: latches, signals, transactions, settings, locks, errors.
//!
//! PostgreSQL is not thread-safe: nothing here may be called from another thread than the process's
//! own. All `unsafe` of the extension is here and in `waiting` (the latch, signals), `wake` (the
//! latch at commit, shared memory), `worker_error` (texts in shared memory), `catalog` (rows of
//! catalogs), `expectations` (invalidations of caches), `sender` (a thread's signal mask, a signal
//! to itself) and `channel::file` (access(2)). Each block has its proof beside it. In common they
//! have that every function is called on the main thread of a live backend or worker.

use std::ffi::CStr;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use pgrx::pg_sys::panic::CaughtError;
use pgrx::prelude::*;

/// Returns a value made of two byte strings, allocated in the current memory context.
pub fn varlena(head: &[u8], rest: &[u8]) -> pg_sys::Datum {
    // SAFETY: palloc gives so many bytes, aligned for any type, or raises an error; new memory
    // overlaps nothing.
    unsafe {
        let value = pg_sys::palloc(head.len() + rest.len()).cast::<u8>();
        value.copy_from_nonoverlapping(head.as_ptr(), head.len());
        value
            .add(head.len())
            .copy_from_nonoverlapping(rest.as_ptr(), rest.len());
        pg_sys::Datum::from(value)
    }
}

/// Returns PostgreSQL's own jsonb of a value, with its length word.
pub fn jsonb(value: serde_json::Value) -> Option<Vec<u8>> {
    let datum = pgrx::JsonB(value).into_datum()?;
    let jsonb = datum.cast_mut_ptr::<pg_sys::varlena>();
    // SAFETY: jsonb_in gives a new value that begins with its length; it is copied before it is
    // freed.
    unsafe {
        let bytes = std::slice::from_raw_parts(jsonb.cast::<u8>(), pgrx::varsize_any(jsonb)).to_vec();
        pg_sys::pfree(jsonb.cast());
        Some(bytes)
    }
}

/// Runs `work` on the state of an aggregate, its first argument: it is made at the first call and
/// lives as long as the aggregate's memory. All functions of one aggregate must ask for one type.
pub fn with_aggregate_state<T: Default>(
    fcinfo: pg_sys::FunctionCallInfo,
    work: impl FnOnce(&mut T),
) -> pgrx::Internal {
    let mut context = std::ptr::null_mut();
    // SAFETY: `fcinfo` is that of the running call. SQL cannot make a value of type internal, so
    // the state comes from this function, and only the aggregate's own functions take it.
    unsafe {
        if pg_sys::AggCheckCallContext(fcinfo, &raw mut context) == 0 {
            ereport!(
                ERROR,
                PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
                "a function of an aggregate was called outside of one"
            );
        }
        let mut state = pgrx::Internal::from(pgrx::pg_getarg_datum(fcinfo, 0));
        let outer = pg_sys::MemoryContextSwitchTo(context);
        let value = state.get_or_insert_default::<T>();
        pg_sys::MemoryContextSwitchTo(outer);
        work(value);
        state
    }
}

/// Returns an argument of type bigint; None for NULL.
pub fn bigint_argument(fcinfo: pg_sys::FunctionCallInfo, number: usize) -> Option<i64> {
    // SAFETY: `fcinfo` is that of the running call, whose argument has that type.
    unsafe { pgrx::pg_getarg_datum(fcinfo, number) }.map(|datum| datum.value() as i64)
}

/// Runs `work` on each element of an argument of type bigint[] that has no NULL in it. Each row of
/// an aggregate has one: pgrx's own array takes three times as long.
pub fn each_bigint(fcinfo: pg_sys::FunctionCallInfo, number: usize, mut work: impl FnMut(i64)) {
    /// Bytes of an array of one dimension before its elements, without the length word
    /// (`ArrayType` in PostgreSQL's array.h): dimensions, offset of a bitmap of NULLs, type,
    /// number of elements, lower bound.
    const HEAD: usize = 20;
    // SAFETY: `fcinfo` is that of the running call, whose argument has that type. The value stays
    // where it is until the call ends.
    let bytes = unsafe {
        let Some(datum) = pgrx::pg_getarg_datum(fcinfo, number) else {
            return;
        };
        pgrx::varlena_to_byte_slice(pg_sys::pg_detoast_datum_packed(datum.cast_mut_ptr()))
    };
    let word = |at: usize| {
        let word = bytes.get(at..at + 4).and_then(|word| word.try_into().ok());
        word.map_or(0, u32::from_ne_bytes)
    };
    match (word(0), word(4)) {
        (0, _) => {}
        (1, 0) => {
            let (elements, _) = bytes.get(HEAD..).unwrap_or_default().as_chunks::<8>();
            elements.iter().for_each(|it| work(i64::from_ne_bytes(*it)));
        }
        _ => {
            ereport!(
                ERROR,
                PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
                "an array of one dimension without NULL was expected"
            );
        }
    }
}

/// Whether `pg_upgrade` runs this server: nothing may be started then.
pub fn in_binary_upgrade() -> bool {
    // SAFETY: a plain read of a variable that is set before any library is loaded.
    unsafe { pg_sys::IsBinaryUpgrade }
}

/// Whether the postmaster is loading `shared_preload_libraries`.
pub fn preloading() -> bool {
    // SAFETY: a plain read of a variable of this process.
    unsafe { pg_sys::process_shared_preload_libraries_in_progress }
}

/// Keeps Rust backtraces out of the DETAIL of errors, where pgrx puts them if the server's
/// environment asks for them.
pub fn forget_backtraces() {
    // SAFETY: called from _PG_init, when this process has no other thread.
    unsafe { std::env::remove_var("RUST_BACKTRACE") };
}

/// Makes PostgreSQL refuse settings of this prefix that nobody has defined.
pub fn reserve_setting_prefix(prefix: &'static CStr) {
    // SAFETY: the name is a static string; called from _PG_init after the settings are defined.
    unsafe {
        #[cfg(feature = "pg14")]
        pg_sys::EmitWarningsOnPlaceholders(prefix.as_ptr());
        #[cfg(not(feature = "pg14"))]
        pg_sys::MarkGUCPrefixReserved(prefix.as_ptr());
    }
}

/// Returns a setting's value as text, without its unit; None for one that does not exist.
pub fn config_option(name: &CStr) -> Option<String> {
    // SAFETY: the result points into memory that PostgreSQL keeps until the setting changes, and is
    // copied at once.
    unsafe {
        let value = pg_sys::GetConfigOption(name.as_ptr(), true, false);
        (!value.is_null()).then(|| CStr::from_ptr(value).to_string_lossy().into_owned())
    }
}

/// Ends this worker so that the postmaster starts it again: code 0 would mean never.
pub fn leave() -> ! {
    // SAFETY: called by the worker outside of any transaction.
    unsafe {
        pg_sys::proc_exit(1);
    }
    #[allow(unreachable_code, reason = "in the bindings of 18 proc_exit returns")]
    {
        unreachable!("proc_exit does not return")
    }
}

/// Reads postgresql.conf again.
pub fn reload_config() {
    // SAFETY: called by the worker between transactions.
    unsafe { pg_sys::ProcessConfigFile(pg_sys::GucContext::PGC_SIGHUP) }
}

/// Returns this process's id.
pub fn my_pid() -> i32 {
    // SAFETY: a plain read of a variable of this process.
    unsafe { pg_sys::MyProcPid }
}

/// Gives a setting of this session a value that outranks those of files, databases and roles.
/// Within a function, SET still changes it.
pub fn pin(name: &'static CStr, value: &'static CStr) {
    // SAFETY: both are static, terminated strings.
    unsafe {
        pg_sys::SetConfigOption(
            name.as_ptr(),
            value.as_ptr(),
            pg_sys::GucContext::PGC_SUSET,
            pg_sys::GucSource::PGC_S_OVERRIDE,
        );
    }
}

/// Why a transaction of the worker was rolled back.
#[derive(Debug, thiserror::Error)]
pub enum TransactionError {
    /// To be tried again soon, and not reported.
    #[error("another session holds a lock")]
    Locked,
    #[error("{message}{}", .detail.as_ref().map(|detail| format!(" ({detail})")).unwrap_or_default())]
    Raised { message: String, detail: Option<String> },
    #[error(transparent)]
    Spi(#[from] spi::Error),
}

/// Runs `body` in a transaction of the worker and commits it; an error aborts the transaction. The
/// extension is locked meanwhile, without waiting: while DROP EXTENSION has it, the worker yields.
pub fn transaction<R>(activity: &CStr, body: impl FnOnce() -> R) -> Result<R, TransactionError> {
    // SAFETY: called by the worker outside of any transaction; a snapshot is pushed for SPI and
    // popped before the commit, or released by the abort.
    unsafe {
        pg_sys::SetCurrentStatementStartTimestamp();
        pg_sys::pgstat_report_activity(pg_sys::BackendState::STATE_RUNNING, activity.as_ptr());
        pg_sys::StartTransactionCommand();
        pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot());
    }
    let result = PgTryBuilder::new(AssertUnwindSafe(|| {
        if !hold_extension(IfDropped::Yield) {
            return Err(TransactionError::Locked);
        }
        let value = body();
        // SAFETY: as above.
        unsafe {
            pg_sys::PopActiveSnapshot();
            pg_sys::CommitTransactionCommand();
        }
        Ok(value)
    }))
    .catch_others(|error| Err(failure(&error)))
    .catch_rust_panic(|error| Err(failure(&error)))
    .execute();
    // SAFETY: as above; after an error the transaction is still open and must be aborted.
    unsafe {
        if result.is_err() {
            pg_sys::AbortCurrentTransaction();
        }
        pg_sys::pgstat_report_activity(pg_sys::BackendState::STATE_IDLE, std::ptr::null());
    }
    result
}

/// Reports the statistics of the worker's transactions since the last call: autovacuum depends on
/// them. Not after each of them, since a mail may wait for the next one.
pub fn report_statistics() {
    // SAFETY: called by the worker outside of any transaction.
    unsafe { pg_sys::pgstat_report_stat(true) };
}

fn failure(error: &CaughtError) -> TransactionError {
    use PgSqlErrorCode::{ERRCODE_LOCK_NOT_AVAILABLE, ERRCODE_T_R_DEADLOCK_DETECTED};
    let report = match error {
        CaughtError::PostgresError(report) | CaughtError::ErrorReport(report) => report,
        CaughtError::RustPanic { ereport, .. } => ereport,
    };
    match report.sql_error_code() {
        ERRCODE_LOCK_NOT_AVAILABLE | ERRCODE_T_R_DEADLOCK_DETECTED => TransactionError::Locked,
        _ => TransactionError::Raised {
            message: report.message().to_owned(),
            detail: report.detail().map(str::to_owned),
        },
    }
}

/// How to lock an extension that is being dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IfDropped {
    Wait,
    Yield,
}

/// Makes DROP EXTENSION wait for the end of this transaction. That command locks the extension
/// before any of its tables; a session that does the same cannot deadlock with it. Returns false
/// when the extension is being dropped and the caller does not want to wait.
pub fn hold_extension(if_dropped: IfDropped) -> bool {
    // SAFETY: called within a transaction, which releases the lock at its end. An extension that
    // does not exist needs no lock; a lock on one that has just been dropped has no effect.
    unsafe {
        let extension = pg_sys::get_extension_oid(c"logwatch".as_ptr(), true);
        let mode = pg_sys::AccessShareLock as pg_sys::LOCKMODE;
        if extension == pg_sys::InvalidOid {
            true
        } else if if_dropped == IfDropped::Wait {
            pg_sys::LockDatabaseObject(pg_sys::ExtensionRelationId, extension, 0, mode);
            true
        } else {
            pg_sys::ConditionalLockDatabaseObject(pg_sys::ExtensionRelationId, extension, 0, mode)
        }
    }
}

/// Work that one session does at a time. The number is part of the lock's tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    Check = 1,
    Fold = 2,
    Fleet = 3,
    Renew = 4,
}

/// Takes a turn until the transaction ends; returns false when another session has it. The lock is
/// on a part of the extension that no SQL command locks, so that nobody without the right to call
/// this can be in its way, as with an advisory lock.
pub fn take_turn(turn: Turn) -> bool {
    // SAFETY: called within a transaction, which releases the lock at its end; the tag need not
    // name an object that exists.
    unsafe {
        let extension = pg_sys::get_extension_oid(c"logwatch".as_ptr(), true);
        let mode = pg_sys::ExclusiveLock as pg_sys::LOCKMODE;
        pg_sys::ConditionalLockDatabaseObject(pg_sys::ExtensionRelationId, extension, turn as u16, mode)
    }
}

/// Keeps all others from the turn until the transaction ends; waits for one that has it.
pub fn close_turn(turn: Turn) {
    // SAFETY: as above.
    unsafe {
        let extension = pg_sys::get_extension_oid(c"logwatch".as_ptr(), true);
        let mode = pg_sys::ShareLock as pg_sys::LOCKMODE;
        pg_sys::LockDatabaseObject(pg_sys::ExtensionRelationId, extension, turn as u16, mode);
    }
}

/// Waits until no other session has the queue of this source, and keeps it until the transaction
/// ends. Waiters are served in the order in which they came, unlike those for a row.
pub fn queue_for_source(source_id: i64) {
    // SAFETY: as above; no catalog has the extension's oid as its own, so that nothing else locks
    // objects of this class.
    unsafe {
        let extension = pg_sys::get_extension_oid(c"logwatch".as_ptr(), true);
        let mode = pg_sys::ExclusiveLock as pg_sys::LOCKMODE;
        let object = pg_sys::Oid::from((source_id ^ (source_id >> 32)) as u32);
        pg_sys::LockDatabaseObject(extension, object, 0, mode);
    }
}

/// Takes the queue of this source as `queue_for_source` does, unless another session has it.
pub fn try_queue_for_source(source_id: i64) -> bool {
    // SAFETY: as above.
    unsafe {
        let extension = pg_sys::get_extension_oid(c"logwatch".as_ptr(), true);
        let mode = pg_sys::ExclusiveLock as pg_sys::LOCKMODE;
        let object = pg_sys::Oid::from((source_id ^ (source_id >> 32)) as u32);
        pg_sys::ConditionalLockDatabaseObject(extension, object, 0, mode)
    }
}

/// A procedure's right to commit while it runs.
pub struct Procedure(());

impl Procedure {
    /// Opens a non-atomic SPI session: PostgreSQL itself refuses a commit where the procedure was
    /// called inside a transaction block.
    pub fn begin() -> Self {
        // SAFETY: paired with SPI_finish in `end`; an error in between releases the session with
        // the transaction.
        unsafe { pg_sys::SPI_connect_ext(pg_sys::SPI_OPT_NONATOMIC as i32) };
        Self(())
    }

    /// Commits what was done and begins a new transaction, which holds no snapshot until it is
    /// used.
    pub fn commit(&self) {
        // SAFETY: the non-atomic session of `begin` is the innermost: all others were closed.
        unsafe { pg_sys::SPI_commit() };
    }

    pub fn end(self) {
        // SAFETY: closes the session of `begin`.
        unsafe { pg_sys::SPI_finish() };
    }
}

/// Returns the identifier that initdb gave to the data directory; copies have the same one.
pub fn system_identifier() -> u64 {
    // SAFETY: a plain read of the control file's copy in shared memory.
    unsafe { pg_sys::GetSystemIdentifier() }
}

/// Returns the timeline that this server writes; None on a standby.
pub fn timeline() -> Option<u32> {
    if in_recovery() {
        return None;
    }
    // SAFETY: the end of recovery has set it; in version 14 RecoveryInProgress() has just copied it
    // into this process.
    unsafe {
        #[cfg(feature = "pg14")]
        return Some(pg_sys::ThisTimeLineID);
        #[cfg(not(feature = "pg14"))]
        return Some(pg_sys::GetWALInsertionTimeLine());
    }
}

/// Returns the port that the server listens on.
pub fn port() -> u16 {
    // SAFETY: a plain read of a variable that does not change after the start.
    u16::try_from(unsafe { pg_sys::PostPortNumber }).unwrap_or_default()
}

/// Whether the server is in recovery: a standby, where nothing can be written.
pub fn in_recovery() -> bool {
    // SAFETY: reads shared memory.
    unsafe { pg_sys::RecoveryInProgress() }
}

/// Raises PostgreSQL's own error where the server is in recovery; `what` is the command in its
/// message.
pub fn refuse_in_recovery(what: &'static CStr) {
    // SAFETY: a static, terminated string.
    unsafe { pg_sys::PreventCommandDuringRecovery(what.as_ptr()) }
}

/// Raises an error with a hint.
pub fn raise(code: PgSqlErrorCode, message: &str, hint: &str) -> ! {
    pgrx::pg_sys::panic::ErrorReport::new(code, message.to_owned(), "logwatch")
        .set_hint(hint)
        .report(PgLogLevel::ERROR);
    unreachable!("an ERROR does not return")
}

/// Writes one line to the server log, at level LOG, with a DETAIL.
pub fn server_log(message: &str, detail: &str) {
    pgrx::pg_sys::panic::ErrorReport::new(
        PgSqlErrorCode::ERRCODE_SUCCESSFUL_COMPLETION,
        message.to_owned(),
        "logwatch",
    )
    .set_detail(detail)
    .report(PgLogLevel::LOG);
}

// PostgreSQL's timers (utils/timeout.h), which pgrx does not bind.
unsafe extern "C-unwind" {
    fn enable_timeout_after(id: std::ffi::c_int, delay_ms: std::ffi::c_int);
    fn enable_timeout_at(id: std::ffi::c_int, at: pg_sys::TimestampTz);
    fn disable_timeout(id: std::ffi::c_int, keep_indicator: bool);
    fn get_timeout_active(id: std::ffi::c_int) -> bool;
    fn get_timeout_finish_time(id: std::ffi::c_int) -> pg_sys::TimestampTz;
}

/// STATEMENT_TIMEOUT, the fourth of enum TimeoutId in versions 14 to 18.
const STATEMENT_TIMEOUT: std::ffi::c_int = 3;

/// Starts the timer of statement_timeout, which cancels what runs (57014) after this time. Returns
/// the time of the session's own timer, which is put off until `end_timer`; None where there is
/// none.
pub fn start_timer(limit: Duration) -> Option<i64> {
    let limit = i32::try_from(limit.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: every session and worker that is connected to a database has registered this timer
    // (InitPostgres).
    unsafe {
        let own = get_timeout_active(STATEMENT_TIMEOUT).then(|| get_timeout_finish_time(STATEMENT_TIMEOUT));
        disable_timeout(STATEMENT_TIMEOUT, false);
        enable_timeout_after(STATEMENT_TIMEOUT, limit);
        own
    }
}

/// Stops the timer and starts the session's own one again.
pub fn end_timer(own: Option<i64>) {
    // SAFETY: as in `start_timer`.
    unsafe {
        disable_timeout(STATEMENT_TIMEOUT, false);
        if let Some(at) = own {
            enable_timeout_at(STATEMENT_TIMEOUT, at);
        }
    }
}
