//! The functions and procedures of the extension that a tailer calls, and the GRANT that lets a
//! role call them.

/// A function or procedure of the extension.
pub struct Function {
    pub name: &'static str,
    /// The types of its arguments. `logwatch_ingest` has other forms, which are for applications.
    pub arguments: &'static str,
    /// A tailer without it goes on, with less.
    pub is_needed: bool,
    /// For messages: `role "app" may …`.
    pub purpose: &'static str,
}

/// The arguments of both forms that store a byte range.
const RANGE: &str = "text,bigint,bigint,text,bigint,bigint,bigint,bigint,integer,bigint,integer,bigint,text[],integer[],text,text,text";

pub const FUNCTIONS: [Function; 5] = [
    Function {
        name: "logwatch_attach",
        arguments: "text,text,text,text",
        is_needed: true,
        purpose: "claim a source",
    },
    Function {
        name: "logwatch_ingest",
        arguments: RANGE,
        is_needed: true,
        purpose: "store records of many files",
    },
    Function {
        name: "logwatch_ingest_range",
        arguments: RANGE,
        is_needed: true,
        purpose: "store records",
    },
    Function {
        name: "logwatch_heartbeat",
        arguments: "text,bigint,bigint[],bigint[],boolean[],text[],text[],text[]",
        is_needed: false,
        purpose: "send heartbeats",
    },
    Function {
        name: "logwatch_files",
        arguments: "text",
        is_needed: false,
        purpose: "answer --status",
    },
];

impl Function {
    /// Returns `schema.name(types)`, which names one function in SQL.
    pub fn signature(&self) -> String {
        format!("{{schema}}.{}({})", self.name, self.arguments)
    }
}

/// Returns the statement that lets a role call all of them; `schema` is quoted.
pub fn grant(role: &str, schema: &str) -> String {
    format!(
        "SELECT {schema}.logwatch_grant('{}'::regrole, 'tailer'::text);",
        quoted(role).replace('\'', "''")
    )
}

/// Returns a name as an SQL identifier.
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
