//! Finds the lines that people read: comments, texts for users and Markdown prose.

use std::path::Path;

use crate::source::{Language, Piece, pieces};

/// The reader of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A comment for those who change the code.
    Comment,
    /// A doc comment that clap prints as help.
    Help,
    /// A string that a program prints or stores.
    Text,
    /// A paragraph, list or heading of a manual.
    Markdown,
}

/// A line of prose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// Counted from 1.
    pub number: usize,
    pub kind: Kind,
    /// Without indentation and comment marker.
    pub text: &'a str,
    /// Columns of the whole line; 0 if its width does not matter, as beside code, in tables and in
    /// examples.
    pub width: usize,
}

/// Returns the prose of a file; nothing for files of unknown types and for recorded results.
pub fn lines<'a>(path: &str, text: &'a str) -> Vec<Line<'a>> {
    let path = Path::new(path);
    let name = path.file_name().map_or("", |name| name.to_str().unwrap_or(""));
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("rs") => code(Language::Rust, path, text),
        Some("sql") => code(Language::Sql, path, text),
        Some("md") => markdown(text),
        Some("sh" | "toml" | "service" | "control" | "supp" | "d" | "logrotate" | "conf") => hashes(text),
        None if name == "Makefile" || text.starts_with("#!") => hashes(text),
        _ => Vec::new(),
    }
}

/// Returns the comments and strings of a Rust or SQL file.
fn code<'a>(language: Language, path: &Path, source: &'a str) -> Vec<Line<'a>> {
    let below = |part: &str| path.components().any(|component| component.as_os_str() == part);
    // Strings of tests are data: log lines, and statements that must fail. Those of lint are
    // patterns.
    let data = ["scenarios", "regress", "benches", "fuzz", "lint"]
        .iter()
        .any(|part| below(part))
        || path.ends_with("tests.rs");
    let tests = if data {
        0
    } else {
        source.find("#[cfg(test)]").unwrap_or(source.len())
    };
    let help = below("cli") || path.ends_with("cli.rs");
    let mut found = Vec::new();
    let mut fenced = false;
    for (offset, piece) in pieces(language, source) {
        let (content, is_comment) = match piece {
            Piece::Comment(content) => (content, true),
            Piece::Text(content) if offset < tests => (content, false),
            Piece::Text(_) => continue,
        };
        let first = source[..offset].matches('\n').count() + 1;
        for (index, part) in content.split('\n').enumerate() {
            let number = first + index;
            let whole = source.lines().nth(number - 1).unwrap_or("");
            let bare = part.trim_start();
            let text = if is_comment { stripped(bare) } else { bare };
            let alone = is_comment && whole.trim_start().starts_with(bare);
            if is_comment && text.starts_with("```") {
                fenced = !fenced;
            }
            let kind = match is_comment {
                false => Kind::Text,
                true if help && bare.starts_with("///") => Kind::Help,
                true => Kind::Comment,
            };
            let width = if alone && !fenced {
                whole.chars().count()
            } else {
                0
            };
            found.push(Line {
                number,
                kind,
                text,
                width,
            });
        }
    }
    found
}

/// Removes the marker of a comment line.
fn stripped(line: &str) -> &str {
    line.trim_start_matches("/**")
        .trim_start_matches(['/', '!', '-', '*'])
        .trim_end_matches("*/")
        .trim()
}

/// Returns the comment lines of scripts and configuration, and the texts that scripts print.
fn hashes(text: &str) -> Vec<Line<'_>> {
    let prints = |line: &str| {
        ["@echo ", "echo ", "printf ", "fail "]
            .iter()
            .any(|word| line.starts_with(word))
    };
    text.lines()
        .enumerate()
        .filter(|(_, line)| !line.starts_with("#!"))
        .filter_map(|(index, line)| {
            let bare = line.trim_start();
            let kind = match bare {
                bare if bare.starts_with('#') => Kind::Comment,
                bare if prints(bare) => Kind::Text,
                _ => return None,
            };
            let width = if kind == Kind::Comment {
                line.chars().count()
            } else {
                0
            };
            let text = bare.trim_start_matches('#').trim();
            Some(Line {
                number: index + 1,
                kind,
                text,
                width,
            })
        })
        .collect()
}

/// Returns the prose of a Markdown file: no fenced code.
fn markdown(text: &str) -> Vec<Line<'_>> {
    let mut found = Vec::new();
    let mut fenced = false;
    for (index, line) in text.lines().enumerate() {
        let bare = line.trim_start();
        if bare.starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            let width = if bare.starts_with('|') {
                0
            } else {
                line.chars().count()
            };
            let text = bare.trim_start_matches(['#', '>', '-', '*', ' ', '|']);
            found.push(Line {
                number: index + 1,
                kind: Kind::Markdown,
                text,
                width,
            });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn brief(path: &str, text: &str) -> Vec<(usize, Kind, usize)> {
        lines(path, text)
            .iter()
            .map(|line| (line.number, line.kind, line.width))
            .collect()
    }

    #[test]
    fn comments_beside_code_and_in_examples_may_be_wide() {
        let source = "/// Adds.\n/// ```\n/// x\n/// ```\nfn a() {} // beside\n";
        assert_eq!(
            brief("tailer/src/a.rs", source),
            [
                (1, Kind::Comment, 9),
                (2, Kind::Comment, 0),
                (3, Kind::Comment, 0),
                (4, Kind::Comment, 7),
                (5, Kind::Comment, 0)
            ]
        );
    }

    #[test]
    fn doc_comments_of_options_are_help() {
        assert_eq!(
            brief("tailer/src/cli/options.rs", "/// Keep."),
            [(1, Kind::Help, 9)]
        );
    }

    #[test]
    fn strings_count_outside_of_tests_only() {
        let source = "\"a\"\n#[cfg(test)]\n\"b\"\n";
        assert_eq!(brief("tailer/src/a.rs", source), [(1, Kind::Text, 0)]);
        assert_eq!(brief("tests/scenarios/a.rs", source), []);
    }

    #[test]
    fn scripts_have_comments_and_printed_texts() {
        let script = "#!/bin/sh\n# Prints.\n\techo no\nx=1\n";
        assert_eq!(brief("a.sh", script), [(2, Kind::Comment, 9), (3, Kind::Text, 0)]);
    }

    #[test]
    fn tables_and_fenced_code_of_markdown_may_be_wide() {
        let text = "# Title\n| a | b |\n```\ncode\n```\nend\n";
        assert_eq!(
            brief("README.md", text),
            [
                (1, Kind::Markdown, 7),
                (2, Kind::Markdown, 0),
                (6, Kind::Markdown, 3)
            ]
        );
    }
}
