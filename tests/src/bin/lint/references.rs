//! Finds names of files, tests and numbered cases that do not exist.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use anyhow::Result;
use regex::Regex;

use crate::prose::{Kind, Line};

/// The list of numbered cases.
const CASES: &str = "tests/CASES.md";

/// Files of other projects, and of users, that comments may name.
const FOREIGN: &[&str] = &[];

/// The names that exist.
pub struct Repository {
    files: Vec<String>,
    /// With all their folders.
    paths: BTreeSet<String>,
    cases: BTreeSet<String>,
    /// With and without their module.
    tests: BTreeSet<String>,
}

impl Repository {
    /// Reads the names of all files, of the numbered cases and of the Rust tests below `root`.
    pub fn read(root: &Path) -> Result<Repository> {
        static FUNCTION: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?m)^\s*fn (\w+)\("));
        let files = crate::walk(root)?;
        let mut paths = BTreeSet::new();
        let mut tests = BTreeSet::new();
        for file in &files {
            paths.extend(
                Path::new(file)
                    .ancestors()
                    .map(|path| path.to_string_lossy().into_owned()),
            );
            if file.ends_with(".rs") {
                let text = fs::read_to_string(root.join(file))?;
                let path = Path::new(file).with_extension("");
                // The tests of a folder are named after it.
                let path = path.parent().filter(|_| path.ends_with("main")).unwrap_or(&path);
                let module = path.file_name().unwrap_or_default().to_string_lossy();
                for name in FUNCTION.captures_iter(&text) {
                    tests.insert(format!("{module}::{}", &name[1]));
                    tests.insert(name[1].to_owned());
                }
            }
        }
        let table = fs::read_to_string(root.join(CASES)).unwrap_or_default();
        let cases = table
            .lines()
            .filter_map(|line| Some(row(line)?.0.to_owned()))
            .collect();
        Ok(Repository {
            files,
            paths,
            cases,
            tests,
        })
    }

    pub fn files(&self) -> &[String] {
        &self.files
    }

    /// Whether a path from the root, from the folder of `from`, or the end of a path is a file or a
    /// folder.
    fn has(&self, name: &str, from: &str) -> bool {
        let name = name.trim_end_matches('/');
        let beside = Path::new(from).parent().unwrap_or(Path::new("")).join(name);
        let ending = format!("/{name}");
        self.paths.contains(name)
            || self.paths.contains(&plain(&beside))
            || self.paths.iter().any(|path| path.ends_with(&ending))
    }
}

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a constant pattern compiles")
}

/// Resolves `..` in a relative path.
fn plain(path: &Path) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.to_str().unwrap_or("").split('/') {
        match part {
            ".." => drop(parts.pop()),
            "." | "" => {}
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// Returns a message for each name in the line of a file or case that does not exist.
pub fn missing(line: &Line, path: &str, repository: &Repository) -> Vec<String> {
    static URL: LazyLock<Regex> = LazyLock::new(|| pattern(r"\w+://\S+"));
    static FILE: LazyLock<Regex> =
        LazyLock::new(|| pattern(r"(?:^|[^\w./<>*$}~@-])((?:[\w.-]+/)*[\w.-]+\.(?:rs|sql|sh|md|tsv))\b"));
    static BELOW: LazyLock<Regex> =
        LazyLock::new(|| pattern(r"(?:^|[\s`(])((?:tests|extension|sql|tailer|findings)/[\w./@-]*\w)"));
    static DOCUMENT: LazyLock<Regex> = LazyLock::new(|| pattern(r"\b(FACTS|DESIGN|STYLE|HELPERS)\b"));
    static CASE: LazyLock<Regex> = LazyLock::new(|| pattern(r"\b([AFP][1-9]\d?)\b"));
    static LINK: LazyLock<Regex> = LazyLock::new(|| pattern(r"\]\(([^)#\s:]+)(?:#[^)]*)?\)"));
    if line.kind == Kind::Text {
        return Vec::new();
    }
    let text = URL.replace_all(line.text, "");
    let placeholder = |name: &str| name.contains("VERSION") || name.contains("NAME") || name.contains("--");
    let mut found: Vec<String> = Vec::new();
    let names = [&FILE, &BELOW]
        .into_iter()
        .flat_map(|pattern| pattern.captures_iter(&text))
        .chain(
            LINK.captures_iter(line.text)
                .filter(|_| line.kind == Kind::Markdown),
        );
    for name in names {
        let name = name.get(1).map_or("", |name| name.as_str());
        if !placeholder(name) && !FOREIGN.contains(&name) && !repository.has(name, path) {
            found.push(format!("{name} does not exist"));
        }
    }
    found.extend(
        DOCUMENT
            .captures_iter(&text)
            .map(|name| format!("{} is no file of this repository", &name[1])),
    );
    if path.starts_with("tests/") && path != CASES {
        let unknown = |case: &str| !repository.cases.contains(case);
        let cases = CASE.captures_iter(&text).filter(|case| unknown(&case[1]));
        found.extend(cases.map(|case| format!("case {} is not in {CASES}", &case[1])));
    }
    found.dedup();
    found
}

/// Returns the number and the last column of a row of the table of cases.
fn row(line: &str) -> Option<(&str, &str)> {
    static NUMBER: LazyLock<Regex> = LazyLock::new(|| pattern(r"^[AFP]\d+$"));
    let mut columns = line.trim().strip_prefix('|')?.strip_suffix('|')?.split('|');
    let number = columns.next()?.trim();
    NUMBER
        .is_match(number)
        .then_some((number, columns.next_back()?.trim()))
}

/// Checks that the last column of each case names tests that exist, or is "open".
pub fn cases(path: &str, text: &str, repository: &Repository) -> Vec<(usize, String)> {
    static TEST: LazyLock<Regex> = LazyLock::new(|| pattern(r"`((?:\w+::)?\w+)`"));
    if path != CASES {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let Some((number, proof)) = row(line) else {
            continue;
        };
        let tests: Vec<String> = TEST.captures_iter(proof).map(|test| test[1].to_owned()).collect();
        if tests.is_empty() && proof != "open" {
            found.push((index + 1, format!("case {number} names no test")));
        }
        for test in tests.iter().filter(|test| !repository.tests.contains(*test)) {
            found.push((index + 1, format!("test {test} does not exist")));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repository() -> Repository {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Repository {
            files: Vec::new(),
            paths: set(&["tests", "tests/install.sh", "sql", "sql/check.sql", "README.md"]),
            cases: set(&["F1"]),
            tests: set(&["a_file_is_read", "files::a_file_is_read"]),
        }
    }

    fn found(kind: Kind, text: &str) -> Vec<String> {
        missing(
            &Line {
                number: 1,
                kind,
                text,
                width: 0,
            },
            "tests/a.rs",
            &repository(),
        )
    }

    #[test]
    fn names_that_exist_pass() {
        for text in [
            "see install.sh and `sql/check.sql`, case F1, below tests/",
            "see ../sql/check.sql",
            "https://example.org/other.md",
            "logwatch--1.0.0--VERSION.sql",
            "app.log, postgresql.conf, E.g., rs",
        ] {
            assert_eq!(found(Kind::Comment, text), Vec::<String>::new(), "{text}");
        }
        assert_eq!(
            found(Kind::Markdown, "[a](../README.md#part)"),
            Vec::<String>::new()
        );
    }

    #[test]
    fn names_that_do_not_exist_are_found() {
        for (text, message) in [
            ("see gone.sh", "gone.sh does not exist"),
            ("(sql/gone.sql)", "sql/gone.sql does not exist"),
            ("in tests/gone/deep", "tests/gone/deep does not exist"),
            ("traps (FACTS 8)", "FACTS is no file of this repository"),
            ("F99: lost", "case F99 is not in tests/CASES.md"),
        ] {
            assert_eq!(found(Kind::Comment, text), [message], "{text}");
        }
        assert_eq!(
            found(Kind::Markdown, "[a](gone.png)"),
            ["gone.png does not exist"]
        );
    }

    #[test]
    fn each_case_names_a_test_or_is_open() {
        let table = "| # | case | test |\n|---|---|---|\n| F1 | x | `files::a_file_is_read` |\n\
                     | F2 | x | open |\n| F3 | x | |\n| F4 | x | `mails::a_file_is_read` |\n";
        assert_eq!(
            cases(CASES, table, &repository()),
            [
                (5, "case F3 names no test".to_owned()),
                (6, "test mails::a_file_is_read does not exist".to_owned())
            ]
        );
    }
}
