//! Properties that hold for every text, however odd.

mod every_text;

use every_text::{check, context};
use logwatch_record::{Flags, Level, clean, level, line, parse, pattern};
use proptest::prelude::*;

/// Texts made of the parts of real lines, which reach deeper than random characters do.
fn lines() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        prop::sample::select(vec![
            "2026-11-22 10:00:00,123",
            "2026-11-22T10:00:00.5+01:00",
            "Nov 22 10:00:00",
            "10:00:00",
            "1122 10:00:00.1",
            "22/Nov/2026:10:00:00 +0100",
            "1700000000",
            "[",
            "]",
            "(",
            ")",
            "<",
            ">",
            "{",
            "}",
            "\"",
            "'",
            ":",
            "-",
            "|",
            "=",
            ",",
            " ",
            "  ",
            "\t",
            "\n",
            "\r\n",
            "\0",
            "\\",
            "\\u0000",
            "\\ud800",
            "\u{1b}[31m",
            "\u{FEFF}",
            "é",
            "【",
            "\u{85}",
            "E",
            "I",
            "ERROR",
            "error",
            "INFO",
            "warn:",
            "[crit]",
            "fail: A.B[1]",
            "level=error",
            "msg=\"x",
            "a=b",
            "<11>",
            "<165>1 ",
            "--- [",
            "-- :",
            "::",
            "host",
            "app[12]:",
            "com.example.Foo",
            "main.go:12",
            "REPORT====",
            "{\"level\":\"error\",\"msg\":\"x\"}",
            "{\"log\":\"",
            "\\n\",\"stream\":\"stderr\",\"time\":\"2026-11-22T10:00:00Z\"}",
            "\"level\":50",
            "\"s\":\"E\"",
            "2026-11-22T10:00:00.123456789Z stderr F ",
            "2026-11-22T10:00:00.123456789Z stdout P ",
            "blk_-123",
            "10.0.0.1",
            "/var/log/x",
            "https://x.y/z",
            "0x1f",
            "DETAIL:  ",
            "Caused by:",
            "#0",
        ])
        .prop_map(str::to_owned),
        "[ -~]{0,8}",
        "\\PC{0,4}",
    ];
    prop::collection::vec(part, 0..14).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_of_real_parts_is_read(text in lines()) {
        check(&text);
        line::continues(text.as_bytes());
    }

    #[test]
    fn any_text_is_read(text in "(?s).{0,300}") {
        check(&text);
    }

    #[test]
    fn any_bytes_can_be_looked_at_and_cleaned(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        level(&bytes);
        line::continues(&bytes);
        let (text, flags) = clean(&bytes);
        prop_assert!(!text.contains('\0'));
        prop_assert_eq!(flags.contains(Flags::BAD_UTF8), std::str::from_utf8(&bytes).is_err());
        prop_assert_eq!(flags.contains(Flags::NUL), bytes.contains(&0));
        check(&text);
    }

    #[test]
    fn any_json_is_read(message in ".{0,40}", other in ".{0,20}", number in any::<f64>(), depth in 0usize..400) {
        let line = serde_json::json!({ "level": "error", "msg": message, other: number }).to_string();
        let record = parse(&line, &context());
        prop_assert_eq!(record.level, Some(Level::Error));
        check(&line);
        check(&format!("{{\"level\":\"error\",\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth)));
    }

    #[test]
    fn a_template_is_one_short_line_and_always_the_same(message in prop_oneof![lines(), "[ -~]{0,600}".boxed()]) {
        let template = pattern::template(&message);
        prop_assert!(template.len() <= 512);
        prop_assert!(!template.contains('\n'));
        prop_assert_eq!(template.trim().is_empty(), message.trim().is_empty());
        prop_assert_eq!(pattern::template(&message), template);
    }

    #[test]
    fn numbers_do_not_change_a_template(a in any::<u32>(), b in any::<u32>()) {
        let of = |n: u32, sign: &str| pattern::template(&format!("Deleting block blk_{sign}{n} took {n} ms on node{n} at 10.0.0.{}", n % 256));
        prop_assert_eq!(of(a, ""), of(b, "-"));
        let template = of(a, "");
        prop_assert_eq!(pattern::fingerprint(Level::Error, &template), pattern::fingerprint(Level::Error, &of(b, "-")));
    }
}
