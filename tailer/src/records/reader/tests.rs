use super::model::{self, Then, plainly};
use super::record::{BATCH_RECORDS, MAX_RECORD};
use super::*;
use logwatch_record::Level;
use proptest::prelude::*;

const LINES: &[&str] = &[
    "2026-11-22 10:00:00 INFO all is well",
    "2026-11-22 10:00:00 INFO no error here",
    "2026-11-22 10:00:00 ERROR disk full",
    "2026-11-22 10:00:00 FATAL out of memory\r",
    "{\"level\":\"error\",\"msg\":\"x\"}",
    "{\"level\":\"info\",\"msg\":\"error\"}",
    "\tat com.example.Main.run(Main.java:3)",
    "    raise ValueError('error')",
    "Caused by: java.io.IOException: fatal",
    "",
    "error",
    "  ERROR 2026-11-22 10:00:00 right-aligned",
    "2026-11-22 10:00:00 WARNING slow",
    "Traceback (most recent call last):",
    "2026-11-22 10:00:00 ERROR the following was found:",
];

/// Reads a text as a tailer does that is handed `step` bytes at a time.
fn read(text: &[u8], mut step: impl FnMut() -> usize) -> Vec<Found> {
    model::read(text, &mut search(), || (step(), Then::GoOn))
}

fn search() -> Search {
    Search::new(Multiline::Auto, None, Level::Error)
}

fn texts(found: &[Found]) -> Vec<(u64, u64, String)> {
    found
        .iter()
        .map(|found| (found.start, found.end, found.text.clone()))
        .collect()
}

proptest! {
    #[test]
    fn any_windows_give_the_records_of_reading_line_by_line(
        lines in prop::collection::vec(prop::sample::select(LINES), 0..60),
        newline in any::<bool>(),
        steps in prop::collection::vec(1usize..200, 1..50),
    ) {
        let mut text = lines.join("\n").into_bytes();
        if newline {
            text.push(b'\n');
        }
        let mut steps = steps.into_iter().cycle();
        let found = read(&text, || steps.next().unwrap());
        prop_assert_eq!(found, plainly(&text, &search()));
    }

    #[test]
    fn letting_go_and_restarts_only_cut_the_last_lines(
        lines in prop::collection::vec(prop::sample::select(LINES), 0..60),
        steps in prop::collection::vec((1usize..200, prop::sample::select(&[Then::GoOn, Then::LetGo, Then::Restart][..])), 1..50),
    ) {
        let text = lines.join("\n").into_bytes();
        let mut steps = steps.into_iter().cycle();
        let found = model::read(&text, &mut search(), || steps.next().unwrap());
        model::check_cut(&found, &plainly(&text, &search()));
    }

    #[test]
    fn any_bytes_are_read_to_the_end(text in prop::collection::vec(prop::sample::select(&b"\0\0\n\n\r\xff E<3>{\"error:l"[..]), 0..400)) {
        read(&text, || 7);
    }
}

fn records_of(text: &str) -> Vec<String> {
    let found = read(text.as_bytes(), || 33);
    found.into_iter().map(|found| found.text).collect()
}

#[test]
fn an_event_of_several_lines_is_one_record() {
    let head = "2026-11-28 01:51:57.133995+00:00 [error] <0.660.0>";
    let event = format!("{head} closing connection:\n{head} \n{head} {{bad_header}}");
    let next = "2026-11-28 01:51:58.000001+00:00 [error] <0.661.0> x";
    assert_eq!(records_of(&format!("{event}\n{next}\n")), [&event[..], next]);
}

#[test]
fn an_empty_line_in_a_trace_does_not_end_the_record() {
    let panic = "panic: boom\n\ngoroutine 1 [running]:\nmain.main()\n\t/app/main.go:4 +0x1d";
    assert_eq!(
        records_of(&format!("{panic}\n\n\nERROR next\n")),
        [panic, "ERROR next"]
    );
}

#[test]
fn a_crash_without_a_level_is_a_record() {
    let trace = "Traceback (most recent call last):\n  File \"x.py\", line 1, in <module>\nValueError: x";
    let text = format!("INFO start\n{trace}\n2026-11-22 10:00:00 WARNING retry\n{trace}\n");
    assert_eq!(records_of(&text), [trace]);
}

#[test]
fn a_right_aligned_error_is_not_lost_in_the_record_before() {
    let text = "2026-11-22 10:00:00 ERROR a\n  ERROR 2026-11-22 10:00:01 b\n";
    assert_eq!(
        records_of(text),
        ["2026-11-22 10:00:00 ERROR a", "  ERROR 2026-11-22 10:00:01 b"]
    );
}

#[test]
fn the_pieces_of_a_container_s_line_are_one_record() {
    let time = "2026-11-22T10:00:00.123456789Z";
    let line = format!("{time} stderr P ERROR one \n{time} stderr P and a half \n{time} stderr F line");
    let found = records_of(&format!("{line}\n{time} stdout F done\n"));
    assert_eq!(found, [line]);
}

#[test]
fn the_other_stream_of_a_container_may_stand_between_the_pieces() {
    let time = "2026-11-22T10:00:00.123456789Z";
    let pieces = [
        format!("{time} stderr P ERROR one "),
        format!("{time} stderr P and a half "),
        format!("{time} stderr F line"),
    ];
    let text = format!(
        "{}\n{time} stdout F INFO a\n{}\n{time} stdout F ERROR b\n{}\n{time} stdout F INFO c\n",
        pieces[0], pieces[1], pieces[2]
    );
    let found = records_of(&text);
    assert_eq!(found, [pieces.join("\n"), format!("{time} stdout F ERROR b")]);
}

#[test]
fn the_pieces_of_a_line_may_be_in_two_files() {
    let time = "2026-11-22T10:00:00.123456789Z";
    let first = format!("{time} stderr P ERROR one \n");
    let last = format!("{time} stderr F line\n");
    let next = format!("{last}{time} stderr F ERROR two\n");
    let mut reader = Reader::new(0, Vec::new(), Vec::new());
    let mut batch = Batch::default();
    let window = Window {
        bytes: first.as_bytes(),
        offset: 0,
        last: false,
    };
    reader.feed(&window, &mut search(), &mut batch);
    assert_eq!(reader.wait(&Multiline::Auto), Some(crate::timing::LONG_WAIT));
    assert_eq!(reader.adopt(next.as_bytes(), &search()), last.len());
    reader.let_go(&mut batch);
    assert_eq!(batch.records[0].text, format!("{first}{last}").trim_end());
}

#[test]
fn a_printed_object_is_one_record_if_it_names_the_level() {
    let error = "{\n  \"time\": \"2026-11-22T10:00:00Z\",\n  \"level\": \"error\",\n  \"msg\": \"x\"\n}";
    let info = error.replace("\"error\"", "\"info\"");
    assert_eq!(
        records_of(&format!("{info}\n{error}\n{info}\nERROR y\n")),
        [error, "ERROR y"]
    );
    let open = "{\n  error: ENOENT\n}\n";
    assert!(records_of(open).is_empty());
}

proptest! {
    #[test]
    fn objects_and_pieces_are_read_alike_in_any_windows(
        lines in prop::collection::vec(prop::sample::select(PIECES), 0..40),
        steps in prop::collection::vec((1usize..120, prop::sample::select(&[Then::GoOn, Then::LetGo, Then::Restart][..])), 1..50),
    ) {
        let text = lines.join("\n").into_bytes();
        let mut sizes = steps.clone().into_iter().cycle();
        let whole = plainly(&text, &search());
        prop_assert_eq!(&read(&text, || sizes.next().unwrap().0), &whole);
        let mut steps = steps.into_iter().cycle();
        model::check_cut(&model::read(&text, &mut search(), || steps.next().unwrap()), &whole);
    }
}

const PIECES: &[&str] = &[
    "{",
    "}",
    "  \"level\": \"error\",",
    "  \"level\": \"info\",",
    "  \"msg\": \"x\"",
    "2026-11-22T10:00:00.123456789Z stderr P ERROR one ",
    "2026-11-22T10:00:00.123456789Z stderr F line",
    "2026-11-22T10:00:00.123456789Z stdout P INFO a",
    "2026-11-22T10:00:00.123456789Z stdout F ERROR b",
    "2026-11-22T10:00:00.123456789Z stdout F c",
    "ERROR y",
    "",
];

#[test]
fn an_over_long_line_is_one_record_cut_and_flagged() {
    let long = 3 * MAX_MESSAGE;
    let text = [b"ERROR ".to_vec(), vec![b'x'; long], b"\nERROR y\n".to_vec()].concat();
    let found = read(&text, || 50_000);
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].text.len(), MAX_MESSAGE);
    assert_eq!((found[0].start, found[0].end), (0, long as u64 + 7));
    assert!(found[0].flags.contains(Flags::TRUNCATED));
    assert_eq!(found[1].text, "ERROR y");
    assert!(found[1].flags.is_empty());
}

#[test]
fn an_over_long_line_that_is_no_record_is_passed_over_whole() {
    let text = [
        b"INFO ".to_vec(),
        vec![b'x'; 3 * MAX_MESSAGE],
        b" ERROR inside\nERROR y\n".to_vec(),
    ]
    .concat();
    assert_eq!(
        texts(&read(&text, || 50_000))
            .into_iter()
            .map(|record| record.2)
            .collect::<Vec<_>>(),
        ["ERROR y"]
    );
}

#[test]
fn a_record_has_a_most_and_says_so() {
    let mut text = b"ERROR x\n".to_vec();
    while text.len() < 2 * MAX_RECORD {
        text.extend_from_slice(b"\tat com.example.Deep.recurse(Deep.java:1)\n");
    }
    let found = read(&text, || 4096);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].end, text.len() as u64);
    assert!(found[0].text.len() <= MAX_RECORD && found[0].flags.contains(Flags::TRUNCATED));
}

#[test]
fn nuls_before_a_line_are_no_part_of_it() {
    for count in [1, 5000] {
        let text = [vec![0; count], b"ERROR x\n".to_vec()].concat();
        let found = read(&text, || 100);
        assert_eq!(found[0].text, "ERROR x");
        assert!(found[0].flags.is_empty());
    }
}

#[test]
fn bad_utf8_is_replaced_and_flagged() {
    let found = read(b"ERROR a\xffb\n", || 100);
    assert_eq!(found[0].text, "ERROR a\u{FFFD}b");
    assert!(found[0].flags.contains(Flags::BAD_UTF8));
}

#[test]
fn a_record_that_was_cut_in_two_makes_the_next_ones_wait_longer() {
    let mut search = search();
    let mut reader = Reader::new(0, Vec::new(), Vec::new());
    let mut batch = Batch::default();
    let text = b"ERROR x\n\tat a\nERROR y\n";
    let mut feed = |reader: &mut Reader, to: usize, batch: &mut Batch| {
        let from = usize::try_from(reader.position()).unwrap() - reader.recent().len();
        reader.feed(
            &Window {
                bytes: &text[from..to],
                offset: from as u64,
                last: false,
            },
            &mut search,
            batch,
        );
    };
    feed(&mut reader, 8, &mut batch);
    assert_eq!(reader.wait(&Multiline::Auto), Some(crate::timing::SHORT_WAIT));
    reader.let_go(&mut batch);
    feed(&mut reader, text.len(), &mut batch);
    assert_eq!(reader.wait(&Multiline::Auto), Some(crate::timing::LONG_WAIT));
}

#[test]
fn a_full_batch_stops_the_reading_and_loses_nothing() {
    let text = "ERROR x\n".repeat(2 * BATCH_RECORDS + 10).into_bytes();
    let mut search = search();
    let mut reader = Reader::new(0, Vec::new(), Vec::new());
    let mut sizes = Vec::new();
    loop {
        let mut batch = Batch::default();
        let from = usize::try_from(reader.position()).unwrap() - reader.recent().len();
        let fed = reader.feed(
            &Window {
                bytes: &text[from..],
                offset: from as u64,
                last: true,
            },
            &mut search,
            &mut batch,
        );
        sizes.push(batch.records.len());
        assert_eq!(reader.boundary(), batch.records.last().unwrap().end);
        if fed != Fed::Full {
            break;
        }
    }
    assert_eq!(sizes, [BATCH_RECORDS, BATCH_RECORDS, 9]);
    assert_eq!(reader.position(), text.len() as u64);
}
