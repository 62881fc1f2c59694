//! Random rotations on a real disk, while the database comes and goes: calls fail before or after
//! they had their effect, or for a while all of them do. In the end each record is stored once, and
//! nothing is called a gap: no rotation here loses a byte.
//!
//! `LOGWATCH_OUTAGES` says how many, `LOGWATCH_OUTAGE_SEED` where to begin.

use super::*;
use crate::cli::Args;
use crate::sink::Attached;
use crate::tracked::health::Health;
use crate::tracked::state::FileRow;
use clap::Parser;
use logwatch_record::Level;
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex};

const SCHEDULES: u64 = 200;
/// Schedules that once lost records, or called a gap what was stored.
const FOUND: [u64; 2] = [101_996, 204_581];

struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) % limit
    }
}

#[derive(Clone, Copy, Debug, Default)]
enum Weather {
    #[default]
    Fair,
    /// No call arrives.
    Away,
    /// One call in three does not arrive, and of one in three the answer is lost.
    Failing,
}

/// A database in memory.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Held>>);

#[derive(Default)]
struct Held {
    weather: Weather,
    /// Files may change while a call runs.
    folder: Option<Folder>,
    calls: u64,
    rows: HashMap<i64, FileRow>,
    texts: Vec<String>,
    gaps: Vec<String>,
}

impl Memory {
    fn held(&self) -> std::sync::MutexGuard<'_, Held> {
        self.0.lock().unwrap()
    }

    fn folder(&self, act: impl FnOnce(&mut Folder)) {
        act(self.held().folder.as_mut().unwrap());
    }
}

impl Held {
    /// Returns false when the answer is lost.
    fn arrives(&mut self) -> Result<bool, Trouble> {
        self.calls += 1;
        if let Some(folder) = &mut self.folder
            && folder.random.below(3) == 0
        {
            folder.steps.push("in a call:".to_owned());
            folder.change();
        }
        let luck = Random(self.calls.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1).below(3);
        match (self.weather, luck) {
            (Weather::Away, _) | (Weather::Failing, 0) => Err(Trouble::Later("away".to_owned())),
            (Weather::Failing, 1) => Ok(false),
            _ => Ok(true),
        }
    }

    fn take(&mut self, stretches: &[Stretch]) -> Result<(), Trouble> {
        let is_answered = self.arrives()?;
        for stretch in stretches {
            let stored = self.rows.get(&stretch.row.id).map(|row| row.proof.offset);
            if stored.is_some_and(|offset| offset != stretch.from) {
                return Err(Trouble::Moved("moved".to_owned()));
            }
        }
        for stretch in stretches {
            self.rows.insert(stretch.row.id, stretch.row.clone());
            let texts = stretch.records.iter().map(|record| record.text.clone());
            self.texts.extend(texts);
            let path = stretch.row.path.display();
            let gap = |gap| {
                format!(
                    "{path}: {gap} from {} to {}",
                    stretch.from, stretch.row.proof.offset
                )
            };
            self.gaps.extend(stretch.gap.map(gap));
        }
        if is_answered {
            Ok(())
        } else {
            Err(Trouble::Later("the answer is lost".to_owned()))
        }
    }
}

impl Sink for Memory {
    fn has_server(&self) -> bool {
        true
    }

    fn attach(&mut self) -> Result<Attached, Trouble> {
        let mut held = self.held();
        if !held.arrives()? {
            return Err(Trouble::Later("the answer is lost".to_owned()));
        }
        // The database does not know these states.
        let rows = held.rows.values().cloned().map(|row| FileRow {
            life: Life::of(row.life.as_str()),
            ..row
        });
        Ok(Attached {
            least: Level::Error,
            rows: rows.collect(),
        })
    }

    fn store(&mut self, stretch: &Stretch) -> Result<(), Trouble> {
        self.held().take(std::slice::from_ref(stretch))
    }

    fn store_all(&mut self, stretches: &[Stretch]) -> Result<(), Trouble> {
        self.held().take(stretches)
    }

    fn tell(&mut self, _at_once: bool, _health: &dyn Fn() -> Health) -> Result<(), Trouble> {
        Ok(())
    }
}

struct Folder {
    folder: tempfile::TempDir,
    random: Random,
    written: Vec<String>,
    steps: Vec<String>,
    /// The tailer has looked since the last rotation: two are further apart than two looks.
    may_rotate: bool,
    /// The live file is copied, and will be truncated before anybody writes to it.
    is_copied: bool,
}

impl Folder {
    fn new(seed: u64) -> Folder {
        Folder {
            folder: tempfile::tempdir().unwrap(),
            random: Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1),
            written: Vec::new(),
            steps: Vec::new(),
            may_rotate: true,
            is_copied: false,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn note(&mut self, step: &str) {
        let entries = fs::read_dir(self.folder.path()).unwrap().map(Result::unwrap);
        let mut files: Vec<String> = entries
            .map(|entry| {
                format!(
                    "{} {}",
                    entry.file_name().display(),
                    entry.metadata().unwrap().len()
                )
            })
            .collect();
        files.sort();
        self.steps.push(format!("{step}: {}", files.join(", ")));
    }

    /// Does what programs do to log files.
    fn change(&mut self) {
        match self.random.below(8) {
            _ if self.is_copied => self.truncate(),
            0 | 1 if self.may_rotate => self.rotate(),
            2 => self.compress(),
            _ => self.write(),
        }
    }

    fn write(&mut self) {
        let mut lines = String::new();
        for _ in 0..=self.random.below(30) {
            let frames = self.random.below(4) * self.random.below(30);
            let trace = "\n\tat order".repeat(usize::try_from(frames).unwrap());
            let text = format!("ERROR order {}{trace}", self.written.len());
            lines += &format!("{text}\n");
            self.written.push(text);
        }
        let mut live = File::options();
        let mut live = live.create(true).append(true).open(self.path("app.log")).unwrap();
        live.write_all(lines.as_bytes()).unwrap();
        self.note("write");
    }

    fn rotate(&mut self) {
        let live = self.path("app.log");
        if !live.exists() {
            return;
        }
        let name = |number: usize, end: &str| self.path(&format!("app.log.{number}{end}"));
        let is_free = |number: &usize| !name(*number, "").exists() && !name(*number, ".gz").exists();
        for number in (1..(1..).find(is_free).unwrap()).rev() {
            for end in ["", ".gz"].iter().filter(|end| name(number, end).exists()) {
                fs::rename(name(number, end), name(number + 1, end)).unwrap();
            }
        }
        if self.random.below(2) == 0 {
            fs::rename(live, self.path("app.log.1")).unwrap();
            self.note("rename");
        } else {
            fs::copy(&live, self.path("app.log.1")).unwrap();
            self.is_copied = true;
            self.note("copy");
        }
        self.may_rotate = false;
    }

    fn truncate(&mut self) {
        let live = File::options().write(true).open(self.path("app.log")).unwrap();
        live.set_len(0).unwrap();
        self.is_copied = false;
        self.note("truncate");
    }

    fn compress(&mut self) {
        let plain = self.path("app.log.1");
        let Ok(bytes) = fs::read(&plain) else { return };
        let file = File::create(self.path("app.log.1.gz")).unwrap();
        let mut encoder = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
        encoder.write_all(&bytes).unwrap();
        encoder.finish().unwrap();
        fs::remove_file(plain).unwrap();
        self.note("gzip");
    }
}

fn options(path: &Path, once: bool) -> Options {
    let mut args = vec!["logwatch-tailer", "--dry-run", path.to_str().unwrap()];
    args.extend(once.then_some("--once"));
    Args::parse_from(args).resolve().unwrap()
}

/// One turn of the loop that follows files.
fn go_round(follow: &mut Follow) {
    match follow.attach().and_then(|()| follow.round()) {
        Err(Trouble::Final(failure)) => panic!("{failure}"),
        Err(_) => follow.forget_unstored(),
        Ok(_) => {}
    }
}

fn play(seed: u64) -> Result<(), String> {
    let mut random = Random((seed ^ 0x5555).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut folder = Folder::new(seed);
    folder.write();
    let path = folder.path("app.log");
    let (following, once) = (options(&path, false), options(&path, true));
    let sink = Memory::default();
    let start = || Follow::new(&following, Box::new(sink.clone()), Waker::new()).unwrap();
    let mut follow = start();
    // The database knows the input.
    go_round(&mut follow);
    sink.held().folder = Some(folder);
    for _ in 0..60 {
        match random.below(16) {
            0..6 => sink.folder(Folder::change),
            6 | 7 => {
                follow.look();
                sink.folder(|folder| {
                    folder.may_rotate = true;
                    folder.steps.push("look".to_owned());
                });
            }
            8 => {
                let weathers = [Weather::Fair, Weather::Away, Weather::Failing];
                let weather = weathers[usize::try_from(random.below(3)).unwrap()];
                sink.held().weather = weather;
                sink.folder(|folder| folder.steps.push(format!("{weather:?}")));
            }
            9 if random.below(4) == 0 => {
                follow = start();
                sink.folder(|folder| folder.steps.push("kill".to_owned()));
            }
            10 => std::thread::sleep(Duration::from_millis(random.below(8))),
            _ => {
                sink.folder(|folder| folder.steps.push("round".to_owned()));
                go_round(&mut follow);
            }
        }
    }
    // The files rest, the database is back.
    let mut folder = {
        let mut held = sink.held();
        held.weather = Weather::Fair;
        held.folder.take().unwrap()
    };
    if folder.is_copied {
        folder.truncate();
    }
    for _ in 0..random.below(4) {
        follow.look();
        go_round(&mut follow);
    }
    follow.store_last();
    drop(follow);
    for _ in 0..2 {
        let again = Follow::new(&once, Box::new(sink.clone()), Waker::new()).unwrap();
        again.once().map_err(|failure| failure.to_string())?;
    }
    let held = sink.held();
    let (mut stored, mut written) = (held.texts.clone(), folder.written.clone());
    stored.sort();
    written.sort();
    if stored == written && held.gaps.is_empty() {
        return Ok(());
    }
    let twice = stored.windows(2).filter(|pair| pair[0] == pair[1]).count();
    let missing = written
        .iter()
        .filter(|text| stored.binary_search(text).is_err())
        .count();
    let rows: Vec<String> = held.rows.values().map(|row| format!("{row:?}")).collect();
    Err(format!(
        "{missing} lost, {twice} repeated, gaps {:?}\n{}\n{}",
        held.gaps,
        folder.steps.join("\n"),
        rows.join("\n")
    ))
}

#[test]
fn rotations_while_the_database_comes_and_goes_lose_nothing() {
    let number = |name, otherwise| std::env::var(name).map_or(otherwise, |text| text.parse().unwrap());
    let first = number("LOGWATCH_OUTAGE_SEED", 1);
    let drawn = first..first + number("LOGWATCH_OUTAGES", SCHEDULES);
    for seed in FOUND.into_iter().chain(drawn) {
        if let Err(error) = play(seed) {
            panic!("LOGWATCH_OUTAGE_SEED={seed}: {error}");
        }
    }
}

#[test]
fn a_name_that_cannot_be_looked_up_is_not_called_missing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.log");
    std::os::unix::fs::symlink(&path, &path).unwrap();
    let options = options(&path, true);
    let run = Follow::new(&options, Box::new(Memory::default()), Waker::new()).unwrap();
    let said = run.once().unwrap_err().to_string();
    assert!(said.starts_with("cannot read 1 of the inputs"), "{said}");
}
