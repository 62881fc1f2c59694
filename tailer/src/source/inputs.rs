//! Which files the command line means now: names, patterns, what is excluded, and where links lead.
//!
//! Patterns are matched on the bytes of a name, so a name need not be UTF-8. A file that has
//! several names is seen once.

use std::collections::{HashMap, HashSet};
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};
use std::time::SystemTime;

use globset::{GlobBuilder, GlobMatcher};

use crate::failure::Failure;

/// A file's place in its file system. A hint only: inodes are used again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Inode {
    pub dev: u64,
    pub inode: u64,
}

impl Inode {
    pub fn of(metadata: &Metadata) -> Inode {
        Inode {
            dev: metadata.dev(),
            inode: metadata.ino(),
        }
    }
}

/// Size and time of the last change: while they stay the same the file does.
pub type Mark = (u64, SystemTime);

pub fn mark(metadata: &Metadata) -> Mark {
    (
        metadata.len(),
        metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH),
    )
}

/// A file that was there when it was looked for.
#[derive(Clone, Debug)]
pub struct Seen {
    /// As an input gives it.
    pub path: PathBuf,
    /// Where it is: another path when a link leads to it.
    pub place: PathBuf,
    pub inode: Inode,
    pub size: u64,
    pub modified: SystemTime,
}

impl Seen {
    /// Returns what is at the path; `None` when nothing is there, or something that is no plain
    /// file.
    pub fn at(path: &Path) -> io::Result<Option<Seen>> {
        match fs::metadata(path) {
            Ok(metadata) => Ok(Seen::of(path, &metadata)),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns a plain file.
    pub fn of(path: &Path, metadata: &Metadata) -> Option<Seen> {
        metadata.is_file().then(|| Seen {
            path: path.to_path_buf(),
            place: path.to_path_buf(),
            inode: Inode::of(metadata),
            size: metadata.len(),
            modified: mark(metadata).1,
        })
    }

    pub fn mark(&self) -> Mark {
        (self.size, self.modified)
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

/// One name or pattern of the command line.
enum Input {
    Name(PathBuf),
    Pattern {
        text: PathBuf,
        root: PathBuf,
        parts: Vec<Part>,
        whole: GlobMatcher,
    },
}

/// One component of a pattern.
enum Part {
    Literal(PathBuf),
    Glob(GlobMatcher),
    /// `**`: any number of directories.
    AnyDepth,
}

/// The inputs: paths and patterns of the command line.
pub struct Inputs {
    inputs: Vec<Input>,
    /// The same for a quick answer: a shell may have made thousands of names of a pattern.
    names: HashSet<PathBuf>,
    patterns: Vec<GlobMatcher>,
    excluded: Vec<GlobMatcher>,
    /// Directories that rotation moves files to.
    rotated_to: Vec<PathBuf>,
    /// Where the links led at the last look.
    places: HashMap<PathBuf, (Inode, PathBuf)>,
}

impl Inputs {
    pub fn new(paths: &[PathBuf], excluded: &[PathBuf], rotated_to: &[PathBuf]) -> Result<Inputs, Failure> {
        let inputs: Vec<Input> = paths
            .iter()
            .map(|path| Input::new(path))
            .collect::<Result<_, _>>()?;
        let (mut names, mut patterns) = (HashSet::new(), Vec::new());
        for input in &inputs {
            match input {
                Input::Name(path) => drop(names.insert(path.clone())),
                Input::Pattern { whole, .. } => patterns.push(whole.clone()),
            }
        }
        Ok(Inputs {
            inputs,
            names,
            patterns,
            excluded: excluded
                .iter()
                .map(|pattern| matcher(pattern))
                .collect::<Result<_, _>>()?,
            rotated_to: rotated_to.to_vec(),
            places: HashMap::new(),
        })
    }

    /// Returns all files that are there now, the longest untouched first, each inode once; and what
    /// cannot be read.
    pub fn look(&mut self) -> (Vec<Seen>, Vec<(PathBuf, String)>) {
        let mut paths = Vec::new();
        for input in &self.inputs {
            match input {
                Input::Name(path) => paths.push(path.clone()),
                Input::Pattern { root, parts, .. } => walk(root, parts, &mut paths),
            }
        }
        paths.retain(|path| !self.is_excluded(path));
        let mut problems = Vec::new();
        let mut inodes = HashSet::new();
        let mut seen = Vec::new();
        let before = std::mem::take(&mut self.places);
        for path in paths {
            match Seen::at(&path) {
                Ok(Some(mut file)) => {
                    if !inodes.insert(file.inode) {
                        continue;
                    }
                    file.place = match before.get(&path) {
                        Some((inode, place)) if *inode == file.inode => place.clone(),
                        _ => match place_of(&path) {
                            Ok(place) => place,
                            Err(problem) => {
                                problems.push((path, problem));
                                continue;
                            }
                        },
                    };
                    self.places.insert(path, (file.inode, file.place.clone()));
                    seen.push(file);
                }
                Ok(None) => {}
                Err(error) => problems.push((path, error.to_string())),
            }
        }
        seen.sort_by_key(|seen| seen.modified);
        (seen, problems)
    }

    /// Returns true when a file of this path would be read if it were there.
    pub fn covers(&self, path: &Path) -> bool {
        !self.is_excluded(path)
            && (self.names.contains(path) || self.patterns.iter().any(|it| it.is_match(path)))
    }

    pub fn is_excluded(&self, path: &Path) -> bool {
        let name = path.file_name().unwrap_or_default();
        self.excluded.iter().any(|excluded| {
            let has_folder = excluded.glob().glob().contains('/');
            excluded.is_match(if has_folder { path } else { Path::new(name) })
        })
    }

    /// Returns the inputs as they were given, each with a test of what it covers.
    pub fn each(&self) -> impl Iterator<Item = (&Path, impl Fn(&Path) -> bool)> {
        self.inputs
            .iter()
            .map(|input| (input.text(), |path: &Path| input.covers(path)))
    }

    /// Returns the files that were named, not found by a pattern.
    pub fn names(&self) -> impl Iterator<Item = &Path> {
        self.inputs.iter().filter_map(|input| match input {
            Input::Name(path) => Some(path.as_path()),
            Input::Pattern { .. } => None,
        })
    }

    /// Returns true for a file that was named, not found by a pattern.
    pub fn is_name(&self, path: &Path) -> bool {
        self.names.contains(path)
    }

    /// Returns the patterns that none of these files matches.
    pub fn unmatched(&self, files: &[&Path]) -> Vec<PathBuf> {
        let matches = |input: &&Input| files.iter().any(|file| input.covers(file));
        let patterns = self
            .inputs
            .iter()
            .filter(|input| matches!(input, Input::Pattern { .. }) && !matches(input));
        patterns.map(|input| input.text().to_path_buf()).collect()
    }

    pub fn rotated_to(&self) -> &[PathBuf] {
        &self.rotated_to
    }

    /// Returns the directories in which a file may appear, as far as they are fixed.
    pub fn directories(&self) -> HashSet<PathBuf> {
        self.inputs
            .iter()
            .map(|input| match input {
                Input::Name(path) => path.parent().unwrap_or(Path::new("/")).to_path_buf(),
                Input::Pattern { root, .. } => root.clone(),
            })
            .chain(self.rotated_to.iter().cloned())
            .collect()
    }

    /// Returns what is wrong with the inputs as they are: a directory, a folder that cannot be
    /// read.
    pub fn problems(&self) -> Vec<(PathBuf, String)> {
        let problem = |input: &Input| match input {
            Input::Name(path) => match fs::metadata(path) {
                Ok(metadata) if metadata.is_dir() => Some(format!(
                    "is a directory; name its files, such as '{}/*.log'",
                    path.display()
                )),
                Ok(metadata) if !metadata.is_file() => Some("is not a plain file".to_owned()),
                _ => None,
            },
            // A directory that is not there yet may come.
            Input::Pattern { root, .. } => fs::read_dir(root)
                .err()
                .filter(|error| error.kind() != io::ErrorKind::NotFound)
                .map(|error| error.to_string()),
        };
        self.inputs
            .iter()
            .filter_map(|input| Some((input.text().to_path_buf(), problem(input)?)))
            .collect()
    }
}

/// Returns where the path leads. For root, a link in a folder that another user can write leads
/// nowhere unless its owner has the file too: else that user would choose what root reads.
fn place_of(path: &Path) -> Result<PathBuf, String> {
    let real = fs::canonicalize(path).map_err(|error| error.to_string())?;
    if real == *path || !is_root() {
        return Ok(real);
    }
    let (Ok(link), Ok(target)) = (fs::symlink_metadata(path), fs::metadata(path)) else {
        return Ok(real);
    };
    let folder = path.parent().and_then(|folder| fs::metadata(folder).ok());
    let is_shared = folder.is_some_and(|folder| folder.uid() != 0 || folder.mode() & 0o022 != 0);
    if link.is_symlink() && is_shared && link.uid() != target.uid() {
        return Err(format!(
            "as root the tailer does not follow this symbolic link: its directory can be written by others, and link and \
             target have different owners; type: chown -h --reference={} {}",
            real.display(),
            path.display()
        ));
    }
    Ok(real)
}

/// The files of /proc belong to who runs.
fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

impl Input {
    /// As it was given.
    fn text(&self) -> &Path {
        match self {
            Input::Name(text) | Input::Pattern { text, .. } => text,
        }
    }

    fn covers(&self, path: &Path) -> bool {
        match self {
            Input::Name(name) => name == path,
            Input::Pattern { whole, .. } => whole.is_match(path),
        }
    }

    /// A name that exists is a name, whatever characters it has.
    fn new(path: &Path) -> Result<Input, Failure> {
        let is_pattern = path
            .as_os_str()
            .as_encoded_bytes()
            .iter()
            .any(|byte| b"*?[{".contains(byte));
        if !is_pattern || path.exists() {
            return Ok(Input::Name(path.to_path_buf()));
        }
        let mut root = PathBuf::new();
        let mut parts = Vec::new();
        for component in path.components() {
            let bytes = component.as_os_str().as_encoded_bytes();
            let part = match component {
                Component::Normal(_) if bytes == b"**" => Part::AnyDepth,
                Component::Normal(name) if bytes.iter().any(|byte| b"*?[{".contains(byte)) => {
                    Part::Glob(matcher(Path::new(name))?)
                }
                other => Part::Literal(PathBuf::from(other.as_os_str())),
            };
            match part {
                Part::Literal(name) if parts.is_empty() => root.push(name),
                part => parts.push(part),
            }
        }
        Ok(Input::Pattern {
            text: path.to_path_buf(),
            root,
            parts,
            whole: matcher(path)?,
        })
    }
}

fn matcher(pattern: &Path) -> Result<GlobMatcher, Failure> {
    let text = pattern
        .to_str()
        .ok_or_else(|| Failure::Usage(format!("the pattern {} is not UTF-8", pattern.display())))?;
    GlobBuilder::new(text)
        .literal_separator(true)
        .build()
        .map(|glob| glob.compile_matcher())
        .map_err(|error| Failure::Usage(format!("the pattern {text}: {}", error.kind())))
}

fn walk(directory: &Path, parts: &[Part], found: &mut Vec<PathBuf>) {
    let Some((part, rest)) = parts.split_first() else {
        found.push(directory.to_path_buf());
        return;
    };
    match part {
        Part::Literal(name) => walk(&directory.join(name), rest, found),
        Part::Glob(matcher) => {
            for path in entries(directory) {
                // As in a shell, a hidden file has to be asked for by its dot.
                let name = path.file_name().unwrap_or_default();
                let hidden =
                    name.as_encoded_bytes().starts_with(b".") && !matcher.glob().glob().starts_with('.');
                if !hidden && matcher.is_match(Path::new(name)) {
                    walk(&path, rest, found);
                }
            }
        }
        Part::AnyDepth => {
            walk(directory, rest, found);
            for path in entries(directory) {
                // A link to a directory may lead in a circle.
                if path.symlink_metadata().is_ok_and(|metadata| metadata.is_dir()) {
                    walk(&path, parts, found);
                }
            }
        }
    }
}

/// Returns true when nothing is there. Of a folder that may not be entered nobody knows.
pub fn is_missing(path: &Path) -> bool {
    matches!(path.try_exists(), Ok(false))
}

/// Returns the entries of a directory in the order of their names; none when it cannot be read.
pub fn entries(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(directory) else {
        return Vec::new();
    };
    let mut paths: Vec<_> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .collect();
    paths.sort();
    paths
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    fn names(directory: &Path, pattern: &str) -> Vec<String> {
        let mut inputs = Inputs::new(&[directory.join(pattern)], &[], &[]).unwrap();
        let mut names: Vec<_> = inputs
            .look()
            .0
            .iter()
            .map(|seen| {
                seen.path
                    .strip_prefix(directory)
                    .unwrap()
                    .to_string_lossy()
                    .into_owned()
            })
            .collect();
        names.sort();
        names
    }

    #[test]
    fn patterns_match_as_in_a_shell() {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir_all(directory.path().join("a/b")).unwrap();
        for name in [
            "x.log",
            "y.log",
            ".hidden.log",
            "a/x.log",
            "a/b/x.log",
            "x.txt",
            "[1].log",
        ] {
            fs::write(directory.path().join(name), "").unwrap();
        }
        assert_eq!(names(directory.path(), "*.log"), ["[1].log", "x.log", "y.log"]);
        assert_eq!(
            names(directory.path(), "{x,y}.{log,txt}"),
            ["x.log", "x.txt", "y.log"]
        );
        assert_eq!(names(directory.path(), "a/*.log"), ["a/x.log"]);
        assert_eq!(
            names(directory.path(), "**/x.log"),
            ["a/b/x.log", "a/x.log", "x.log"]
        );
        assert_eq!(names(directory.path(), "[1].log"), ["[1].log"]);
        assert_eq!(names(directory.path(), "none*"), Vec::<String>::new());
    }

    #[test]
    fn a_file_with_two_names_is_seen_once_and_odd_names_are_seen() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("a.log"), "").unwrap();
        fs::hard_link(directory.path().join("a.log"), directory.path().join("b.log")).unwrap();
        std::os::unix::fs::symlink("a.log", directory.path().join("c.log")).unwrap();
        fs::write(directory.path().join(OsStr::from_bytes(b"\xff.log")), "").unwrap();
        assert_eq!(
            Inputs::new(&[directory.path().join("*.log")], &[], &[])
                .unwrap()
                .look()
                .0
                .len(),
            2
        );
    }

    #[test]
    fn what_is_excluded_is_not_there_now_or_later() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["a.log", "a.csv", "old/a.log"] {
            let path = directory.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let excluded = [PathBuf::from("*.csv"), directory.path().join("old/*")];
        let mut inputs = Inputs::new(&[directory.path().join("**/*")], &excluded, &[]).unwrap();
        let (seen, _) = inputs.look();
        assert_eq!(
            seen.iter().map(|seen| seen.path.clone()).collect::<Vec<_>>(),
            [directory.path().join("a.log")]
        );
        assert!(!inputs.covers(&directory.path().join("later.csv")));
        assert!(inputs.covers(&directory.path().join("later.log")));
    }
}
