//! Writes the script of `ALTER EXTENSION logwatch UPDATE` from version 0.1.0, `sql/logwatch--0.1.0--VERSION.sql`, where cargo-pgrx looks for
//! it: the changes of tables as they stand in `sql/upgrade_0.1.0.sql`, then all functions, views, triggers, comments and privileges of the
//! other files, so that nothing is written twice by hand or forgotten. A scenario compares an upgraded extension with a fresh one.

use std::error::Error;
use std::fs;
use std::path::Path;

const FROM: &str = "0.1.0";

/// Replacing keeps what users have granted, and what they have built upon it.
const REPLACED: &[&str] = &["FUNCTION", "PROCEDURE", "VIEW", "TRIGGER"];
/// Taken as they are where version 0.1.0 has no such object.
const NEW: &[&str] = &["TABLE", "INDEX", "UNIQUE", "TYPE"];

fn main() -> Result<(), Box<dyn Error>> {
    let old = format!("../tests/upgrade/logwatch--{FROM}.sql");
    let tables = format!("../sql/upgrade_{FROM}.sql");
    // The load order stands in lib.rs.
    let library = fs::read_to_string("src/lib.rs")?;
    let files: Vec<String> = library
        .split("../../sql/")
        .skip(1)
        .filter_map(|rest| Some(format!("../sql/{}", rest.split('"').next()?)))
        .collect();
    for input in [&old, &tables, &"src/lib.rs".to_owned()]
        .into_iter()
        .chain(&files)
    {
        println!("cargo::rerun-if-changed={input}");
    }
    let old = fs::read_to_string(old)?;
    let mut script = format!(
        "-- Made by extension/build.rs.\n\n{}",
        fs::read_to_string(tables)?
    );
    for file in &files {
        for statement in statements(&fs::read_to_string(file)?) {
            if let Some(statement) = upgraded(statement, file, &old) {
                script += &format!("\n{statement}\n");
            }
        }
    }
    let written = format!(
        "../sql/logwatch--{FROM}--{}.sql",
        std::env::var("CARGO_PKG_VERSION")?
    );
    if !Path::new(&written).exists() || fs::read_to_string(&written)? != script {
        fs::write(written, script)?;
    }
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
        ("DO", _) => (file.ends_with("/privileges.sql")).then(|| statement.to_owned()),
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
