//! Writes an application's log as it might be: several programs, several formats, quiet hours and
//! bursts of errors.
//!
//! `cargo run --example generate_logs -- --rate 200 --seconds 10 --errors 0.02 app.log` appends 200
//! lines a second for ten seconds, of which about 2 % are errors. Errors come in bursts – a
//! database that goes away, a disk that fills up – so that thresholds are crossed: at least five
//! ERRORs and one FATAL in every run that has room for them. `--rate 0 --lines N` writes N lines as
//! fast as it can, and `--seed` makes a run repeatable but for its times.

use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use clap::Parser;
use jiff::Zoned;
use serde::Serialize;

/// Appends realistic log lines to a file.
#[derive(Parser)]
struct Args {
    /// The file to append to.
    file: PathBuf,
    /// Lines a second; 0 is as fast as possible.
    #[arg(long, default_value_t = 100.0)]
    rate: f64,
    /// How long to write.
    #[arg(long)]
    seconds: Option<f64>,
    /// How many records to write [default: as many as fit in the time].
    #[arg(long)]
    lines: Option<u64>,
    /// The share of errors, 0 to 1.
    #[arg(long, default_value_t = 0.02)]
    errors: f64,
    /// Makes the same choices again.
    #[arg(long)]
    seed: Option<u64>,
    /// One format instead of a mixture.
    #[arg(long, value_enum)]
    format: Option<Format>,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Plain,
    Log4j,
    Json,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Debug,
    Info,
    Warn,
    Error,
    Fatal,
}

impl Level {
    fn name(self) -> &'static str {
        match self {
            Level::Debug => "DEBUG",
            Level::Info => "INFO",
            Level::Warn => "WARN",
            Level::Error => "ERROR",
            Level::Fatal => "FATAL",
        }
    }
}

const QUIET: &[(Level, &str)] = &[
    (Level::Info, "GET /api/orders/{id} 200 in {ms} ms"),
    (Level::Info, "GET /api/health 200 in {ms} ms"),
    (Level::Info, "POST /api/orders 201 in {ms} ms, order {id}"),
    (Level::Info, "user {user} logged in from 10.0.{b}.{b}"),
    (Level::Info, "job cleanup finished: {n} rows, 0 errors"),
    (Level::Info, "cache refreshed, {n} entries in {ms} ms"),
    (Level::Debug, "pool: {n} connections idle, {n} in use"),
    (Level::Debug, "cache miss for key order:{id}"),
    (
        Level::Warn,
        "slow query took {ms} ms: SELECT * FROM orders WHERE customer_id = {id}",
    ),
    (Level::Warn, "retrying request {uuid}, attempt {n}"),
];
const ERRORS: &[&str] = &[
    "connection to 10.0.{b}.{b}:5432 refused",
    "order {id}: payment provider answered 503 after {ms} ms",
    "could not write /var/lib/app/data/{id}.tmp: No space left on device",
    "request {uuid} failed: timeout after {ms} ms",
    "user {user}: permission denied for resource /admin/{id}",
];
const FATALS: &[&str] = &[
    "out of memory: cannot allocate {n} MB, shutting down",
    "database pool exhausted after {ms} ms, giving up",
];
const EXCEPTIONS: &[(&str, &str)] = &[
    (
        "java.sql.SQLTransientConnectionException",
        "HikariPool-1 - Connection is not available, request timed out after {ms}ms.",
    ),
    ("java.lang.IllegalStateException", "order {id} is already closed"),
    ("java.io.IOException", "No space left on device"),
];
const CLASSES: &[&str] = &[
    "com.example.shop.OrderService",
    "com.example.shop.PaymentClient",
    "com.example.web.Dispatcher",
    "org.example.pool.Pool",
];
const USERS: &[&str] = &["alice", "bob", "carol", "dave", "erin"];
/// A burst has so many errors, one right after the other.
const BURST: std::ops::Range<u64> = 6..15;

/// xorshift64*: good enough for choices, and the same everywhere.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, end: u64) -> u64 {
        (self.next() >> 33) % end.max(1)
    }

    fn one_in(&mut self, share: f64) -> bool {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64 <= share
    }

    fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len() as u64) as usize]
    }

    /// The template with its places filled in.
    fn fill(&mut self, template: &str) -> String {
        let mut text = String::with_capacity(template.len() + 16);
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            let (place, after) = after.split_once('}').unwrap_or((after, ""));
            text.push_str(before);
            match place {
                "id" => text.push_str(&(100_000 + self.below(900_000)).to_string()),
                "ms" => text.push_str(&(1 + self.below(3000)).to_string()),
                "n" => text.push_str(&self.below(500).to_string()),
                "b" => text.push_str(&self.below(256).to_string()),
                "user" => text.push_str(self.pick(USERS)),
                _ => {
                    let (a, b) = (self.next(), self.next());
                    text.push_str(&format!(
                        "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
                        a as u32,
                        (a >> 32) as u16,
                        (a >> 48) & 0xfff,
                        b & 0xfff,
                        b >> 16
                    ));
                }
            }
            rest = after;
        }
        text + rest
    }
}

#[derive(Serialize)]
struct JsonLine<'a> {
    time: String,
    level: String,
    msg: &'a str,
    service: &'a str,
    request_id: String,
}

struct Generator {
    dice: Dice,
    errors: f64,
    format: Option<Format>,
    written: u64,
    /// Errors still to come in this burst, and the one message that they share.
    burst: u64,
    burst_message: &'static str,
}

impl Generator {
    fn record(&mut self, out: &mut Vec<u8>) {
        self.written += 1;
        let format = self
            .format
            .unwrap_or_else(|| self.dice.pick(&[Format::Plain, Format::Log4j, Format::Json]));
        let (level, template) = self.event();
        let message = self.dice.fill(template);
        let now = Zoned::now();
        match format {
            Format::Plain => {
                let _ = writeln!(
                    out,
                    "{} {} {message}",
                    now.strftime("%Y-%m-%d %H:%M:%S"),
                    level.name()
                );
            }
            Format::Log4j => {
                let class = self.dice.pick(CLASSES);
                let thread = self.dice.below(16);
                let time = now.strftime("%Y-%m-%d %H:%M:%S,%3f");
                let _ = writeln!(
                    out,
                    "{time} {:<5} [http-nio-8080-exec-{thread}] {class} - {message}",
                    level.name()
                );
                if matches!(level, Level::Error | Level::Fatal) && self.dice.one_in(0.7) {
                    self.trace(class, out);
                }
            }
            Format::Json => {
                let line = JsonLine {
                    time: now.timestamp().strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string(),
                    level: level.name().to_lowercase(),
                    msg: &message,
                    service: "shop",
                    request_id: self.dice.fill("{uuid}"),
                };
                let _ = serde_json::to_writer(&mut *out, &line);
                out.push(b'\n');
            }
        }
    }

    fn event(&mut self) -> (Level, &'static str) {
        if self.burst > 0 {
            self.burst -= 1;
            return if self.burst == 0 {
                (Level::Fatal, self.dice.pick(FATALS))
            } else {
                (Level::Error, self.burst_message)
            };
        }
        // The first burst comes early, so that a short run has one; later ones keep the share of
        // errors.
        let mean = (BURST.start + BURST.end) as f64 / 2.0;
        if self.errors > 0.0
            && (self.written == 20 || self.written > 20 && self.dice.one_in(self.errors * 0.8 / mean))
        {
            self.burst = BURST.start + self.dice.below(BURST.end - BURST.start);
            self.burst_message = self.dice.pick(ERRORS);
            return (Level::Error, self.burst_message);
        }
        if self.dice.one_in(self.errors * 0.2) && self.errors > 0.0 {
            return (Level::Error, self.dice.pick(ERRORS));
        }
        self.dice.pick(QUIET)
    }

    fn trace(&mut self, class: &str, out: &mut Vec<u8>) {
        let (exception, text) = self.dice.pick(EXCEPTIONS);
        let text = self.dice.fill(text);
        let _ = writeln!(out, "{exception}: {text}");
        let file = class.rsplit('.').next().unwrap_or(class);
        for _ in 0..3 + self.dice.below(12) {
            let (method, line) = (
                self.dice.pick(&["run", "process", "handle", "invoke", "commit"]),
                10 + self.dice.below(500),
            );
            let _ = writeln!(out, "\tat {class}.{method}({file}.java:{line})");
        }
        if self.dice.one_in(0.5) {
            let _ = writeln!(out, "Caused by: java.net.SocketTimeoutException: Read timed out");
            let _ = writeln!(
                out,
                "\tat java.base/java.net.SocketInputStream.read(SocketInputStream.java:189)"
            );
            let _ = writeln!(out, "\t... {} more", 5 + self.dice.below(30));
        }
    }
}

fn main() -> io::Result<()> {
    let args = Args::parse();
    let seed = args
        .seed
        .unwrap_or_else(|| Zoned::now().timestamp().as_nanosecond() as u64);
    let mut generator = Generator {
        dice: Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1),
        errors: args.errors.clamp(0.0, 1.0),
        format: args.format,
        written: 0,
        burst: 0,
        burst_message: ERRORS[0],
    };
    let mut file = OpenOptions::new().create(true).append(true).open(&args.file)?;
    let seconds = match (args.seconds, args.lines) {
        (None, None) => Some(10.0),
        (seconds, _) => seconds,
    };
    let start = Instant::now();
    let is_over = |written: u64| {
        args.lines.is_some_and(|lines| written >= lines)
            || seconds.is_some_and(|limit| start.elapsed().as_secs_f64() >= limit)
    };
    let mut record = Vec::new();
    if args.rate <= 0.0 {
        let mut out = BufWriter::with_capacity(1 << 20, file);
        while !is_over(generator.written) {
            record.clear();
            generator.record(&mut record);
            out.write_all(&record)?;
        }
        return out.flush();
    }
    while !is_over(generator.written) {
        // One write for each record, as loggers do: a reader never sees half of a line for long.
        record.clear();
        generator.record(&mut record);
        file.write_all(&record)?;
        let due = Duration::from_secs_f64(generator.written as f64 / args.rate);
        sleep(due.saturating_sub(start.elapsed()));
    }
    Ok(())
}
