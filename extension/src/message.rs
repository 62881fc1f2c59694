//! The texts of the console, the server log, the alert file, mails and the report page.
//!
//! No PostgreSQL, no I/O. Log text is hostile: control characters are removed, and HTML is escaped.

mod alert;
mod bundle;
mod chart;
mod clean;
mod digest;
mod facts;
mod html;
mod limit;
mod page;
mod records;
mod rule_line;
mod status;
mod text;
mod words;

pub use alert::{Alert, test_alert};
pub use bundle::Bundle;
pub use clean::printable;
pub use digest::Digest;
pub use page::Page;
pub use rule_line::RuleLine;
pub use status::{Status, StatusRow};

/// A notification in words.
#[derive(Default)]
pub struct Message {
    pub subject: String,
    pub text: String,
    pub html: String,
}
