//! The language check of `make lint`: reads every source file, script and manual of the repository
//! and prints one line for each breach of the rules in the sections below. Ends with exit code 1 if
//! it printed any.
//!
//! - [`checks::opening`]: a comment starts with the thing that acts, not with "What …";
//! - [`checks::words`]: texts for users have none of the words in [`checks::BANNED`];
//! - [`checks::width`]: prose is at most [`checks::COLUMNS`] columns wide;
//! - [`references`]: each file, test and numbered case that a comment or a manual names exists;
//! - [`checks::length`]: no Rust, SQL or shell file has more than [`checks::LINES`] lines.
//!
//! It reads files and writes nothing.

mod checks;
mod prose;
mod references;
mod source;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};

use prose::Line;
use references::Repository;

fn main() -> ExitCode {
    match run() {
        Ok(0) => ExitCode::SUCCESS,
        Ok(breaches) => {
            eprintln!("lint: {breaches} lines to rewrite");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("lint: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Checks all files, or those below the PREFIX of `lint PREFIX`, and returns the number of
/// breaches.
fn run() -> Result<usize> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .context("the manifest lies in tests/")?;
    let only = std::env::args().nth(1);
    let repository = Repository::read(root)?;
    let mut breaches = 0;
    for path in repository.files() {
        if only
            .as_ref()
            .is_some_and(|prefix| !path.starts_with(prefix.as_str()))
        {
            continue;
        }
        let Ok(text) = fs::read_to_string(root.join(path)) else {
            continue;
        };
        let mut found: Vec<(usize, String)> = Vec::new();
        for line in prose::lines(path, &text) {
            found.extend(check(&line, path, &repository).map(|breach| (line.number, breach)));
        }
        found.extend(references::cases(path, &text, &repository));
        found.extend(checks::length(path, &text).map(|breach| (1, breach)));
        for (number, breach) in &found {
            println!("{path}:{number}: {breach}");
        }
        breaches += found.len();
    }
    Ok(breaches)
}

/// Returns the breaches of one line.
fn check(line: &Line, path: &str, repository: &Repository) -> impl Iterator<Item = String> {
    [checks::opening(line), checks::words(line), checks::width(line)]
        .into_iter()
        .flatten()
        .chain(references::missing(line, path, repository))
}

/// Lists the files below `root`, as paths with `/`, without build results and hidden folders other
/// than `.ci`.
fn walk(root: &Path) -> Result<Vec<String>> {
    let mut files = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let absolute = root.join(&folder);
        for entry in fs::read_dir(&absolute).with_context(|| format!("cannot read {}", absolute.display()))? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = folder.join(&name);
            if name == "target" || name == "results" || name.starts_with('.') && name != ".ci" {
                continue;
            }
            match entry.file_type()? {
                kind if kind.is_dir() => folders.push(path),
                kind if kind.is_file() => files.push(path.to_string_lossy().into_owned()),
                _ => {}
            }
        }
    }
    files.sort();
    Ok(files)
}
