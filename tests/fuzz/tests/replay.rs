//! Replays the inputs that are kept.

use std::fs;

use logwatch_fuzz::{TARGETS, corpus};

fn replay(target: &str) {
    let (_, check) = TARGETS
        .iter()
        .find(|(name, _)| *name == target)
        .expect("a target");
    let corpus = corpus::file("corpus", target);
    let found = Some(corpus::file("found", target)).filter(|file| file.exists());
    for file in std::iter::once(corpus).chain(found) {
        let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        assert!(!text.is_empty(), "{} is empty", file.display());
        for line in text.lines() {
            let input = corpus::unescaped(line).unwrap_or_else(|| panic!("{}: {line}", file.display()));
            if let Err(panic) = std::panic::catch_unwind(|| check(&input)) {
                eprintln!("the input was {line}");
                std::panic::resume_unwind(panic);
            }
        }
    }
}

macro_rules! targets {
    ($($name:ident)*) => {
        $(#[test] fn $name() { replay(stringify!($name)); })*

        #[test]
        fn every_target_is_replayed() {
            assert_eq!(TARGETS.map(|(name, _)| name), [$(stringify!($name)),*]);
        }
    };
}

targets!(candidates connection content level reader record settings template);
