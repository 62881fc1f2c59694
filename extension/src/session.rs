//! Settings of the worker's own session.
//!
//! A server, a database or a role may carry any setting. The worker keeps its own value of each
//! that could stop its work or change a result, as autovacuum does. The values are set before it
//! connects, because connecting is a transaction too, and neither a reload nor the database's own
//! settings replace them.

use std::ffi::CStr;

use crate::pg;

/// How long the worker waits for another session's lock: less than deadlock_timeout, after which
/// that session looks for deadlocks.
const LOCK_TIMEOUT: &CStr = c"500ms";

const SETTINGS: &[(&CStr, &CStr)] = &[
    (c"application_name", c"logwatch worker"),
    (c"search_path", c"pg_catalog, pg_temp"),
    (c"role", c"none"),
    // Limits for people's sessions.
    (c"statement_timeout", c"0"),
    (c"lock_timeout", LOCK_TIMEOUT),
    (c"idle_in_transaction_session_timeout", c"0"),
    (c"idle_session_timeout", c"0"),
    #[cfg(any(feature = "pg17", feature = "pg18"))]
    (c"transaction_timeout", c"0"),
    (c"temp_file_limit", c"-1"),
    // Rights and view of a transaction.
    (c"default_transaction_read_only", c"off"),
    (c"default_transaction_isolation", c"read committed"),
    (c"default_transaction_deferrable", c"off"),
    (c"row_security", c"on"),
    (c"session_replication_role", c"origin"),
    (c"exit_on_error", c"off"),
    // How values and queries are written.
    (c"client_encoding", c"SQL_ASCII"),
    (c"DateStyle", c"ISO, MDY"),
    (c"IntervalStyle", c"postgres"),
    (c"bytea_output", c"hex"),
    (c"extra_float_digits", c"1"),
    (c"standard_conforming_strings", c"on"),
    (c"backslash_quote", c"safe_encoding"),
    (c"array_nulls", c"on"),
    (c"transform_null_equals", c"off"),
    (c"quote_all_identifiers", c"off"),
    // Compiling takes far longer than any of the worker's plans takes to run.
    (c"jit", c"off"),
];

/// Sets the worker's own values; called before the worker connects.
pub fn pin_settings() {
    for (name, value) in SETTINGS {
        pg::pin(name, value);
    }
}
