//! Reading ahead: the next pieces of a long file are read and searched by threads of their own, while the reader is at the one before.
//!
//! What costs time in a quiet log is to copy it out of the kernel and to search it, and each piece can be done by itself. Nothing is
//! decided here: the threads only say what stands in a piece and where it has to be looked at, and the reader takes the pieces in the
//! order of the file. Each piece is read in one call together with the bytes before it, and right after that the file's head is compared
//! and its size looked at, as `Tail` does for itself. What is not as it should be in any way – shorter, changed, an error – is no piece:
//! `Tail` then reads for itself and finds out what it is.
//!
//! Memory is bounded: there are `UNDER_WAY` pieces at most, and nothing is read while nobody takes them.

use std::collections::VecDeque;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};

use logwatch_record::MAX_MESSAGE;

use crate::records::level_scan::Candidates;
use crate::source::identity::TAIL;

/// Room before a piece for the unfinished line of the one before it, and what stands before that line.
pub const ROOM: usize = MAX_MESSAGE + TAIL;
/// Where what a piece is read together with begins.
const ANCHOR: usize = ROOM - TAIL;
const UNDER_WAY: usize = 5;
const THREADS: usize = 2;

/// Bytes of a file: `ROOM`, then the piece.
pub struct Piece {
    pub bytes: Vec<u8>,
    /// What `Candidates::places` tells of the piece.
    pub places: Vec<usize>,
    pub first: usize,
}

impl Piece {
    pub fn new(length: usize) -> Piece {
        Piece {
            bytes: vec![0; ROOM + length],
            places: Vec::new(),
            first: 0,
        }
    }

    /// The bytes of the file right before the piece, of the same read.
    pub fn anchor(&self) -> &[u8] {
        &self.bytes[ANCHOR..ROOM]
    }
}

struct Job {
    file: Arc<File>,
    head: Arc<[u8]>,
    /// Of the piece in the file.
    offset: u64,
    candidates: Candidates,
    piece: Piece,
}

impl Job {
    /// The piece, and whether it is good.
    fn read(mut self) -> (Piece, bool) {
        let is_good = self.fill().unwrap_or(false);
        if is_good {
            let piece = &mut self.piece;
            piece.places.clear();
            piece.first = self.candidates.places(&piece.bytes[ROOM..], &mut piece.places);
        }
        (self.piece, is_good)
    }

    fn fill(&mut self) -> std::io::Result<bool> {
        let bytes = &mut self.piece.bytes[ANCHOR..];
        let end = self.offset + (bytes.len() - TAIL) as u64;
        self.file.read_exact_at(bytes, self.offset - TAIL as u64)?;
        let mut head = vec![0; self.head.len()];
        self.file.read_exact_at(&mut head, 0)?;
        Ok(head == *self.head && self.file.metadata()?.len() >= end)
    }
}

struct Worker {
    /// None: the thread is told to end.
    jobs: Option<Sender<Job>>,
    pieces: Receiver<(Piece, bool)>,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    fn new() -> std::io::Result<Worker> {
        let (jobs, to_do) = channel::<Job>();
        let (report, pieces) = channel();
        let thread = thread::Builder::new().name("read".to_owned()).spawn(move || {
            while let Ok(job) = to_do.recv() {
                if report.send(job.read()).is_err() {
                    return;
                }
            }
        })?;
        Ok(Worker {
            jobs: Some(jobs),
            pieces,
            thread: Some(thread),
        })
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // A panic has been printed already.
            let _ = thread.join();
        }
    }
}

/// The pieces of one file from some offset on, without a gap.
struct Run {
    file: Arc<File>,
    head: Arc<[u8]>,
    candidates: Candidates,
    /// Of the next piece that nobody reads yet.
    next: u64,
    /// As far as the file was known to go.
    end: u64,
    /// Who reads the pieces that are under way, in their order.
    readers: VecDeque<usize>,
    /// Who has the next piece to read.
    turn: usize,
}

#[derive(Default)]
pub struct ReadAhead {
    workers: Vec<Worker>,
    run: Option<Run>,
    spare: Vec<Piece>,
}

impl ReadAhead {
    /// Begins to read a file from `from` up to `end` in pieces of `length` bytes. Does nothing where there is one processor only.
    pub fn start(
        &mut self,
        file: &File,
        head: &[u8],
        candidates: Candidates,
        from: u64,
        end: u64,
        length: usize,
    ) {
        self.stop();
        if self.workers.is_empty() && thread::available_parallelism().is_ok_and(|count| count.get() > 1) {
            self.workers = (0..THREADS).map_while(|_| Worker::new().ok()).collect();
        }
        let Ok(file) = file.try_clone() else { return };
        if self.workers.is_empty() || from < TAIL as u64 {
            return;
        }
        self.run = Some(Run {
            file: Arc::new(file),
            head: head.into(),
            candidates,
            next: from,
            end,
            readers: VecDeque::new(),
            turn: 0,
        });
        self.spare.resize_with(UNDER_WAY, || Piece::new(length));
        for piece in std::mem::take(&mut self.spare) {
            self.give_back(piece);
        }
    }

    /// Gives the piece to a thread to be filled; gives it back when nothing is left to read.
    fn hand_out(&mut self, piece: Piece) -> Option<Piece> {
        let Some(run) = &mut self.run else {
            return Some(piece);
        };
        let end = run.next + (piece.bytes.len() - ROOM) as u64;
        if end > run.end {
            return Some(piece);
        }
        let job = Job {
            file: Arc::clone(&run.file),
            head: Arc::clone(&run.head),
            offset: run.next,
            candidates: run.candidates,
            piece,
        };
        let jobs = self.workers[run.turn].jobs.as_ref()?;
        // A thread that has panicked takes nothing, and `take` finds that out.
        let _ = jobs.send(job);
        run.readers.push_back(run.turn);
        run.turn = (run.turn + 1) % self.workers.len();
        run.next = end;
        None
    }

    /// The next piece. None: the run is over, for whatever reason.
    pub fn take(&mut self, candidates: Candidates) -> Option<Piece> {
        let reader = match &mut self.run {
            Some(run) if run.candidates == candidates => run.readers.pop_front(),
            _ => None,
        };
        match reader.and_then(|reader| self.workers[reader].pieces.recv().ok()) {
            Some((piece, true)) => Some(piece),
            _ => {
                self.stop();
                None
            }
        }
    }

    /// Has a piece that was taken filled anew.
    pub fn give_back(&mut self, piece: Piece) {
        if let Some(piece) = self.hand_out(piece) {
            self.spare.push(piece);
        }
    }

    /// Forgets the pieces that nobody took, and closes the file.
    pub fn stop(&mut self) {
        let Some(run) = self.run.take() else { return };
        for reader in run.readers {
            if let Ok((piece, _)) = self.workers[reader].pieces.recv() {
                self.spare.push(piece);
            }
        }
    }

    pub fn is_running(&self) -> bool {
        self.run.is_some()
    }
}
