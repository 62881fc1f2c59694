//! Writes the script of `ALTER EXTENSION logwatch UPDATE` from version 0.1.0: the changes of tables as they stand in
//! `sql/upgrade_0.1.0_0.2.0.sql`, then all functions, views, triggers, comments and privileges of the other files, so that nothing is
//! written twice by hand. `make upgrade-script` runs it; a scenario compares an upgraded extension with a fresh one.

use std::fs;

use anyhow::{Context, Result};
use logwatch_tests::programs;

const FROM: &str = "0.1.0";
const TO: &str = "0.2.0";

/// Replacing keeps what users have granted, and what they have built upon it.
const REPLACED: &[&str] = &["FUNCTION", "PROCEDURE", "VIEW", "TRIGGER"];
/// Taken as they are where version 0.1.0 has no such object.
const NEW: &[&str] = &["TABLE", "INDEX", "UNIQUE", "TYPE"];

fn main() -> Result<()> {
    let root = programs::checkout();
    let sql = root.join("sql");
    let old = fs::read_to_string(root.join(format!("tests/upgrade/logwatch--{FROM}.sql")))?;
    let tables = fs::read_to_string(sql.join(format!("upgrade_{FROM}_{TO}.sql")))?;
    let mut script = format!("-- Made by `make upgrade-script`: do not edit.\n\n{tables}");
    // The load order stands in the extension's lib.rs.
    let library = fs::read_to_string(root.join("extension/src/lib.rs"))?;
    for file in library
        .split("../../sql/")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
    {
        let text = fs::read_to_string(sql.join(file)).with_context(|| file.to_owned())?;
        for statement in statements(&text) {
            if let Some(statement) = upgraded(statement, file, &old) {
                script += &format!("\n{statement}\n");
            }
        }
    }
    fs::write(sql.join(format!("logwatch--{FROM}--{TO}.sql")), script)?;
    Ok(())
}

/// The statement as the upgrade needs it, without the comments above it; None where only a new installation does.
fn upgraded(statement: &str, file: &str, old: &str) -> Option<String> {
    let start = statement
        .lines()
        .take_while(|line| line.trim().is_empty() || line.starts_with("--"))
        .map(|line| line.len() + 1)
        .sum::<usize>();
    let statement = statement.get(start..)?.trim();
    let mut words = statement.split_whitespace();
    match (words.next()?, words.next().unwrap_or_default()) {
        ("CREATE", what) if REPLACED.contains(&what) => {
            Some(statement.replacen("CREATE", "CREATE OR REPLACE", 1))
        }
        ("CREATE", what) if NEW.contains(&what) => {
            let named = statement.split(['(', '\n']).next()?.trim();
            (!old.contains(named)).then(|| statement.to_owned())
        }
        ("DO", _) => (file == "privileges.sql").then(|| statement.to_owned()),
        ("COMMENT" | "GRANT" | "REVOKE" | "ALTER", _) => Some(statement.to_owned()),
        _ => None,
    }
}

/// A file's statements, each with its semicolon: one ends with a line, outside of dollar quotes.
fn statements(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let (mut start, mut at, mut quoted) = (0, 0, false);
    for line in text.split_inclusive('\n') {
        at += line.len();
        quoted ^= line.matches("$$").count() % 2 == 1;
        if !quoted && line.trim_end().ends_with(';') && !line.trim_start().starts_with("--") {
            found.push(&text[start..at]);
            start = at;
        }
    }
    found
}
