//! The level of a line does not depend on what it comes wrapped in.

use logwatch_record::{Level, level, line};

pub fn check(input: &[u8]) {
    let line = input.split(|byte| *byte == b'\n').next().unwrap_or_default();
    // All of them: the wrapper's newline would make another line end of one that is left.
    let line = &line[..line.len() - line.iter().rev().take_while(|byte| **byte == b'\r').count()];
    let found = level(line);
    line::continues(line);
    assert_eq!(level(&[b"\0\0", line].concat()), found, "after a hole");
    let names_stream = [&b" stderr "[..], b" stdout "]
        .iter()
        .any(|stream| line.windows(stream.len()).any(|part| part == *stream));
    if names_stream {
        return;
    }
    let cri = [b"2026-11-22T10:00:00.123456789Z stderr F ", line].concat();
    assert_eq!(level(&cri), found, "in Kubernetes' wrapper");
    if let Ok(text) = std::str::from_utf8(line)
        && !matches!(
            text.trim_start_matches(['\0', '\u{FEFF}'])
                .trim_start()
                .as_bytes(),
            [] | [b'{' | b'<', ..]
        )
    {
        let docker = serde_json::json!({ "log": format!("{text}\n"), "stream": "stderr", "time": "2026-11-22T10:00:00Z" });
        if docker["log"].as_str().is_some_and(|log| log.len() < 1000) {
            assert_eq!(level(docker.to_string().as_bytes()), found, "in Docker's wrapper");
        }
    }
    if let Ok(word) = std::str::from_utf8(line)
        && !word.contains(char::is_control)
        && let Ok(level) = word.parse::<Level>()
    {
        let key = serde_json::json!({ "level": word }).to_string();
        let single = word.trim().len() == 1;
        assert!(
            single || logwatch_record::level(key.as_bytes()) == Some(level),
            "as a key's value"
        );
    }
}
