//! The shapes of what programs put around a level: pid, thread, logger, host, source position.

use crate::headline::Reader;
use crate::names::{LONGEST, group, is_dotted, is_name, is_name_byte, is_position};
use crate::scan::Scanner;

/// The rest of a bracket that the time opened: `[… #1234]` (Ruby), `[… ERROR main]` (env_logger), `[… ERR]` (Serilog).
pub(crate) fn rest_of_group(reader: &mut Reader, close: u8, word: Option<crate::detect::Word>) {
    let rest = reader.rest_str();
    let Some(len) = rest.bytes().take(LONGEST * 2).position(|b| b == close) else {
        return;
    };
    let inside = &rest[..len];
    let start = reader.at;
    match word {
        Some(word) if word.start >= start && word.end <= start + len => {
            let before = &reader.line[start..word.start];
            let after = &reader.line[word.end..start + len];
            reader.keep("thread", before);
            reader.keep("logger", after);
        }
        _ => {
            let pid = inside.trim().trim_start_matches('#');
            let key = if pid.bytes().all(|b| b.is_ascii_digit()) {
                "pid"
            } else {
                "thread"
            };
            reader.keep(key, pid);
        }
    }
    reader.at = start + len + 1;
}

/// What stands right at the level: its colon, `[0000]` (logrus), `[1234]: file.c:12 func:` (Asterisk), `:name:` (Python).
pub(crate) fn glued_to_level(reader: &mut Reader) {
    let rest = reader.rest_str();
    if let Some(inner) = rest.strip_prefix('[')
        && let Some((number, after)) = inner.split_once(']')
        && !number.is_empty()
        && number.len() <= 8
        && number.bytes().all(|b| b.is_ascii_digit())
    {
        reader.at += rest.len() - after.len();
        if after.starts_with(':') || after.starts_with("[C-") {
            reader.keep("pid", number);
        }
        if after.starts_with(':') {
            reader.at += 1;
        }
        return;
    }
    if let Some(after) = rest.strip_prefix(':') {
        // Python's `ERROR:root:message`.
        if let Some((name, _)) = after.split_once(':')
            && is_name(name)
            && !after.starts_with("//")
        {
            reader.keep("logger", name);
            reader.at += 1 + name.len() + 1;
            return;
        }
        reader.at += 1;
    } else if rest.starts_with(']') || rest.starts_with(')') {
        reader.at += 1;
    }
}

/// What follows a level in the known shapes, tried one after the other.
pub(crate) fn after_level(reader: &mut Reader) {
    let piped = reader.rest().first() == Some(&b'|') || reader.rest_str().trim_start().starts_with("| ");
    let tabbed = reader.rest().first() == Some(&b'\t');
    let glued_group = reader.rest().first() == Some(&b'[');
    reader.blanks();
    if reader.rest().first() == Some(&b':') {
        reader.at += 1;
        reader.blanks();
    }
    if piped {
        between_pipes(reader);
    } else if tabbed {
        between_tabs(reader);
    } else if glued_group {
        groups(reader, |_| true);
    } else {
        let _ = spring(reader)
            || ruby(reader)
            || nginx(reader)
            || apache(reader)
            || mysql(reader)
            || rabbit(reader)
            || group_then_logger(reader)
            || logger(reader)
            || caller(reader);
    }
}

/// NLog: `ERROR|Logger|message`; loguru: `ERROR    | module:function:12 - message`.
fn between_pipes(reader: &mut Reader) {
    let rest = reader.rest_str().trim_start_matches('|');
    let start = reader.line.len() - rest.len();
    if let Some((name, after)) = rest.split_once('|')
        && is_name(name.trim())
    {
        reader.keep("logger", name);
        reader.at = reader.line.len() - after.len();
        return;
    }
    reader.at = start;
    reader.blanks();
    let rest = reader.rest_str();
    if let Some((name, after)) = rest.split_once(" - ")
        && is_name(name)
    {
        reader.keep("logger", name);
        reader.at = reader.line.len() - after.len();
    }
}

/// zap's console: `time\terror\tlogger\tfile.go:12\tmessage\t{…}`.
fn between_tabs(reader: &mut Reader) {
    for _ in 0..2 {
        let rest = reader.rest_str();
        let Some((part, _)) = rest.split_once('\t').filter(|(part, _)| is_name(part)) else {
            return;
        };
        reader.keep(if is_position(part) { "caller" } else { "logger" }, part);
        reader.at += part.len() + 1;
    }
}

/// `12345 --- [app] [  main] o.s.boot.SpringApplication   : message`
fn spring(reader: &mut Reader) -> bool {
    let rest = reader.rest_str();
    let digits = rest.bytes().take(11).take_while(u8::is_ascii_digit).count();
    let (pid, after) = rest.split_at(digits);
    let Some(after) = after
        .strip_prefix(" --- ")
        .filter(|after| digits <= 10 && after.starts_with('['))
    else {
        return false;
    };
    let Some((names, message)) = after
        .split_once(" : ")
        .or_else(|| after.strip_suffix(" :").map(|names| (names, "")))
    else {
        return false;
    };
    let Some(close) = names.rfind(']').filter(|_| names.len() <= 200) else {
        return false;
    };
    reader.keep("pid", pid);
    reader.keep("thread", names[..close].rsplit('[').next().unwrap_or_default());
    reader.keep("logger", &names[close + 1..]);
    reader.at = reader.line.len() - message.len();
    true
}

/// Ruby: `E, [… #1234] ERROR -- program: message`.
fn ruby(reader: &mut Reader) -> bool {
    let Some(rest) = reader.rest_str().strip_prefix("-- ") else {
        return false;
    };
    let Some((program, after)) = rest
        .split_once(':')
        .filter(|(program, _)| program.len() <= LONGEST)
    else {
        return false;
    };
    reader.keep("program", program);
    reader.at = reader.line.len() - after.len();
    true
}

/// nginx: `1234#5678: *90 message`.
fn nginx(reader: &mut Reader) -> bool {
    let mut s = Scanner::new(reader.rest());
    let Some(pid) = s.number(1, 10) else { return false };
    if !s.eat(b'#') || s.number(1, 10).is_none() || !s.eat(b':') {
        return false;
    }
    s.blanks();
    let at = s.at();
    // The connection's number.
    let taken = if s.eat(b'*') && s.number(1, 19).is_some() && s.blanks() {
        s.at()
    } else {
        at
    };
    reader.keep("pid", &pid.to_string());
    reader.at += taken;
    true
}

/// Apache: `[pid 1234:tid 5678] [client 192.0.2.1:5000] message`, with perhaps an errno in between.
fn apache(reader: &mut Reader) -> bool {
    let mut found = false;
    for (prefix, key) in [("[pid ", "pid"), ("[client ", "client")] {
        let rest = reader.rest_str();
        if let Some((inside, after)) = rest.strip_prefix(prefix).and_then(|rest| rest.split_once(']')) {
            reader.keep(key, inside.split(":tid").next().unwrap_or_default());
            reader.at = reader.line.len() - after.len();
            reader.blanks();
            found = true;
        }
    }
    found
}

/// MySQL 8: `[MY-010119] [Server] message`.
fn mysql(reader: &mut Reader) -> bool {
    let rest = reader.rest_str();
    let Some((code, after)) = rest.strip_prefix("[MY-").and_then(|rest| rest.split_once(']')) else {
        return false;
    };
    if code.len() > 8 || !code.bytes().all(|b| b.is_ascii_digit()) {
        return false;
    }
    reader.keep("code", &rest[1..1 + 3 + code.len()]);
    reader.at = reader.line.len() - after.len();
    reader.blanks();
    groups(reader, |inside| inside.bytes().all(|b| b.is_ascii_alphabetic()));
    true
}

/// RabbitMQ: `[error] <0.123.0> message`.
fn rabbit(reader: &mut Reader) -> bool {
    let rest = reader.rest_str();
    let Some((pid, after)) = rest.strip_prefix('<').and_then(|rest| rest.split_once('>')) else {
        return false;
    };
    if pid.len() > 24 || !pid.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return false;
    }
    reader.keep("pid", pid);
    reader.at = reader.line.len() - after.len();
    true
}

/// `[thread] logger - message`, `[thread] logger: message`, `[thread] - message`, `[logger] (thread) message`.
fn group_then_logger(reader: &mut Reader) -> bool {
    let rest = reader.rest_str();
    let Some((first, after)) = group(rest) else {
        return false;
    };
    let trimmed = after.trim_start();
    if let Some(message) = trimmed.strip_prefix("- ") {
        keep_group(reader, first);
        reader.at = reader.line.len() - message.len();
        return true;
    }
    // Django's `[django.request:241] message`.
    if is_position(first) && rest.starts_with('[') {
        reader.keep("caller", first);
        reader.at = reader.line.len() - after.len();
        return true;
    }
    // JBoss.
    if rest.starts_with('[')
        && is_dotted(first)
        && trimmed.starts_with('(')
        && let Some((thread, message)) = group(trimmed)
    {
        reader.keep("logger", first);
        reader.keep("thread", thread);
        reader.at = reader.line.len() - message.len();
        return true;
    }
    let start = reader.at;
    reader.at = reader.line.len() - trimmed.len();
    if logger(reader) {
        keep_group(reader, first);
        return true;
    }
    reader.at = start;
    false
}

/// `com.example.Logger - message`, `com.example.Logger: message`, `crate::module: message`.
fn logger(reader: &mut Reader) -> bool {
    let rest = reader.rest_str();
    let Some(len) = rest.bytes().take(LONGEST * 2).position(|b| !is_name_byte(b)) else {
        return false;
    };
    let (mut name, mut after) = rest.split_at(len);
    if let Some(short) = name.strip_suffix(':') {
        (name, after) = (short, &rest[len - 1..]);
    }
    let trimmed = after.trim_start();
    let message = if let Some(message) = after.strip_prefix(": ") {
        message
    } else if let Some(message) = trimmed.strip_prefix("- ").or_else(|| trimmed.strip_prefix(": ")) {
        message
    } else {
        return false;
    };
    if !is_dotted(name) {
        return false;
    }
    reader.keep("logger", name);
    reader.at = reader.line.len() - message.len();
    true
}

/// zerolog's console: `main.go:12 > message`.
fn caller(reader: &mut Reader) -> bool {
    let rest = reader.rest_str();
    // A position has no blanks.
    let Some((position, message)) = rest
        .split_once(' ')
        .and_then(|(position, after)| Some((position, after.strip_prefix("> ")?)))
        .filter(|(position, _)| is_position(position))
    else {
        return false;
    };
    reader.keep("caller", position);
    reader.at = reader.line.len() - message.len();
    true
}

/// Takes `[…]` groups while `accept` likes what is inside.
fn groups(reader: &mut Reader, accept: impl Fn(&str) -> bool) {
    for _ in 0..4 {
        let rest = reader.rest_str();
        let Some((inside, after)) = group(rest).filter(|(inside, _)| rest.starts_with('[') && accept(inside))
        else {
            return;
        };
        if after.trim().is_empty() {
            return;
        }
        keep_group(reader, inside);
        reader.at = reader.line.len() - after.len();
        reader.blanks();
    }
}

fn keep_group(reader: &mut Reader, inside: &str) {
    let inside = inside.trim();
    let digits = inside
        .trim_start_matches("pid")
        .trim_start_matches([':', '=', ' ', '#']);
    if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
        reader.keep("pid", digits);
    } else {
        let is_logger = is_dotted(inside) && !reader.head.fields.contains_key("logger");
        reader.keep(if is_logger { "logger" } else { "thread" }, inside);
    }
}

/// Keeps all parts up to `end` and tells so when each has the shape of a head's part; keeps nothing otherwise.
pub(crate) fn all_certain(reader: &mut Reader, end: usize, timed: bool) -> bool {
    let text = &reader.line[reader.at..end];
    if channel(reader, text, end) {
        return true;
    }
    let mut parts: [(&str, &str); 8] = [("", ""); 8];
    let mut count = 0;
    let mut rest = text.trim();
    // Ruby's `E, ` before its time.
    while !rest.is_empty() {
        let next;
        let part;
        if let Some((inside, after)) = group(rest) {
            (part, next) = (("", inside), after);
        } else {
            let len = rest
                .find(|c: char| c.is_whitespace() || matches!(c, '|' | '['))
                .unwrap_or(rest.len());
            let (word, after) = rest.split_at(len);
            let separated = {
                let after = after.trim_start();
                after.is_empty() && text.trim_end().ends_with(['-', '|', ':'])
                    || after.starts_with("- ")
                    || after == "-"
                    || after.starts_with('|')
                    || after.starts_with(": ")
                    || after == ":"
            };
            let number = word.trim_start_matches('#');
            part = if matches!(word, "-" | "--" | "---" | "|" | ":" | "") {
                ("", "")
            } else if !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit() || b == b':') {
                ("pid", number)
            } else if is_position(word.trim_end_matches(':')) {
                ("caller", word.trim_end_matches(':'))
            } else if is_dotted(word.trim_end_matches(':'))
                || (timed && separated && is_name(word))
                || (timed && word.ends_with(':') && is_name(word.trim_end_matches(':')))
            {
                ("logger", word.trim_end_matches([':', '.']))
            } else if timed && is_session(word) {
                ("session", word.trim_end_matches([':', ',']))
            } else {
                return false;
            };
            next = if len == 0 {
                after.get(1..).unwrap_or_default()
            } else {
                after
            };
        }
        if part != ("", "") {
            if count == parts.len() {
                return false;
            }
            parts[count] = part;
            count += 1;
        }
        rest = next.trim_start();
    }
    if count == 0 && !timed {
        return text.trim().is_empty();
    }
    for (key, value) in &parts[..count] {
        if key.is_empty() {
            keep_group(reader, value)
        } else {
            reader.keep(key, value)
        }
    }
    true
}

/// Monolog's `channel.ERROR: message {"context":…} []`.
fn channel(reader: &mut Reader, text: &str, end: usize) -> bool {
    let Some(name) = text.strip_suffix('.').filter(|name| is_name(name)) else {
        return false;
    };
    reader.keep("logger", name);
    reader.at = end;
    let mut message = reader.line.trim_end();
    for _ in 0..2 {
        message = message.strip_suffix(" []").unwrap_or(message);
    }
    reader.end = message.len();
    true
}

/// What PostgreSQL's log_line_prefix says of a session: `app@db`, `user=app,db=db,client=192.0.2.1`, `192.0.2.1(5432):app@db:[12]:`.
fn is_session(word: &str) -> bool {
    word.len() <= 2 * LONGEST
        && (word.ends_with(':') || word.contains(['@', '=']))
        && word
            .split(',')
            .all(|part| part.contains(['@', '=', '(']) || part.is_empty())
}
