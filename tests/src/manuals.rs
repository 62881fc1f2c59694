//! The manuals' blocks of code, so that tests run the commands that a reader copies. It reads them
//! and runs nothing.

use std::fs;

use anyhow::{Context, Result};

use crate::programs;

/// The README and the manuals that it names, by their paths in the repository.
pub const MANUALS: [&str; 5] = [
    "README.md",
    "extension/README.md",
    "tailer/README.md",
    "sql/README.md",
    "tests/README.md",
];

/// A block of code between two lines that begin with three backticks.
pub struct Block {
    pub manual: &'static str,
    /// The heading that it belongs to.
    pub section: String,
    /// The word behind the first backticks, such as `sql` or `sh`; empty for what is not run.
    pub language: String,
    pub text: String,
}

/// Returns the text of a manual.
pub fn text(manual: &str) -> Result<String> {
    let path = programs::checkout().join(manual);
    fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
}

/// Returns the blocks of a manual, in order.
pub fn blocks(manual: &'static str) -> Result<Vec<Block>> {
    let (mut blocks, mut section, mut open) = (Vec::new(), String::new(), None::<Block>);
    for line in text(manual)?.lines() {
        match (line.trim_start().strip_prefix("```"), open.take()) {
            (Some(_), Some(block)) => blocks.push(block),
            (Some(language), None) => {
                open = Some(Block {
                    manual,
                    section: section.clone(),
                    language: language.to_owned(),
                    text: String::new(),
                });
            }
            (None, Some(mut block)) => {
                block.text += line.trim_start_matches("   ");
                block.text.push('\n');
                open = Some(block);
            }
            (None, None) => {
                if let Some(heading) = line.strip_prefix('#') {
                    heading
                        .trim_start_matches('#')
                        .trim_start()
                        .clone_into(&mut section);
                }
            }
        }
    }
    Ok(blocks)
}

/// Returns the blocks of all manuals.
pub fn all_blocks() -> Result<Vec<Block>> {
    Ok(MANUALS
        .iter()
        .map(|manual| blocks(manual))
        .collect::<Result<Vec<_>>>()?
        .into_iter()
        .flatten()
        .collect())
}

/// Returns the first block of all manuals that contains `text`.
pub fn block_with(text: &str) -> Result<String> {
    let block = all_blocks()?.into_iter().find(|block| block.text.contains(text));
    Ok(block
        .with_context(|| format!("no manual has a block with {text}"))?
        .text)
}

/// Returns the first block of this language below a heading.
pub fn block_below(heading: &str, language: &str) -> Result<String> {
    let block = all_blocks()?
        .into_iter()
        .find(|block| block.section == heading && block.language == language);
    Ok(block
        .with_context(|| format!("no manual has a block of {language} below {heading}"))?
        .text)
}
