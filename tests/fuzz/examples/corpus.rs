//! Between the corpus as it is kept, a file for each target, and as libFuzzer wants it, a folder of
//! files.
//!
//! `corpus unpack TARGET FOLDER` writes a file for each input; `corpus pack TARGET FOLDER` keeps
//! all files of the folder.

use std::path::Path;
use std::{env, fs, io};

use logwatch_fuzz::corpus;

fn main() -> io::Result<()> {
    let words: Vec<String> = env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["unpack", target, folder] => unpack(target, Path::new(folder)),
        ["pack", target, folder] => pack(target, Path::new(folder)),
        _ => Err(io::Error::other("usage: corpus unpack|pack TARGET FOLDER")),
    }
}

fn unpack(target: &str, folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for (number, line) in fs::read_to_string(corpus::file("corpus", target))?
        .lines()
        .enumerate()
    {
        let input = corpus::unescaped(line).ok_or_else(|| io::Error::other(format!("{target}: {line}")))?;
        fs::write(folder.join(format!("kept-{number}")), input)?;
    }
    Ok(())
}

fn pack(target: &str, folder: &Path) -> io::Result<()> {
    let mut lines = fs::read_dir(folder)?
        .map(|entry| Ok(corpus::escaped(&fs::read(entry?.path())?)))
        .collect::<io::Result<Vec<_>>>()?;
    // The shortest first, in an order that does not change from run to run.
    lines.sort_by(|a, b| (a.len(), a).cmp(&(b.len(), b)));
    lines.dedup();
    fs::write(corpus::file("corpus", target), lines.join("\n") + "\n")
}
