//! Finds out which words a group of an expression can match, to refuse a format that reads no
//! level.

use regex_syntax::hir::literal::Extractor;
use regex_syntax::hir::{Class, Hir, HirKind};

use super::FormatError;

/// Refuses an expression whose group of this name matches words that are unknown, or no letter.
pub(super) fn check(pattern: &str, name: &str, is_known: impl Fn(&[u8]) -> bool) -> Result<(), FormatError> {
    // The expression has been compiled, with the same settings but for Unicode.
    let Ok(hir) = regex_syntax::ParserBuilder::new()
        .unicode(false)
        .utf8(false)
        .build()
        .parse(pattern)
    else {
        return Ok(());
    };
    let Some(group) = find(&hir, name) else {
        return Ok(());
    };
    let words = Extractor::new().extract(group);
    if let Some(literals) = words.literals()
        && literals.iter().all(|literal| literal.is_exact())
        && !literals.is_empty()
    {
        let unknown: Vec<String> = literals
            .iter()
            .filter(|literal| !is_known(literal.as_bytes()))
            .map(|literal| String::from_utf8_lossy(literal.as_bytes()).into_owned())
            .collect();
        return match unknown.is_empty() {
            true => Ok(()),
            false => Err(FormatError::UnknownLevels { words: unknown }),
        };
    }
    if may_hold_letter(group) {
        Ok(())
    } else {
        Err(FormatError::NeverLevel)
    }
}

fn find<'h>(hir: &'h Hir, name: &str) -> Option<&'h Hir> {
    match hir.kind() {
        HirKind::Capture(capture) if capture.name.as_deref() == Some(name) => Some(&capture.sub),
        HirKind::Capture(capture) => find(&capture.sub, name),
        HirKind::Repetition(repetition) => find(&repetition.sub, name),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => {
            parts.iter().find_map(|part| find(part, name))
        }
        _ => None,
    }
}

/// Returns true if a match of the expression can hold a letter.
fn may_hold_letter(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Literal(literal) => literal.0.iter().any(|b| b.is_ascii_alphabetic() || !b.is_ascii()),
        HirKind::Class(Class::Bytes(class)) => class
            .ranges()
            .iter()
            .any(|range| (range.start()..=range.end()).any(|b| b.is_ascii_alphabetic() || !b.is_ascii())),
        HirKind::Class(Class::Unicode(_)) => true,
        HirKind::Capture(capture) => may_hold_letter(&capture.sub),
        HirKind::Repetition(repetition) => may_hold_letter(&repetition.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().any(may_hold_letter),
        HirKind::Empty | HirKind::Look(_) => false,
    }
}
