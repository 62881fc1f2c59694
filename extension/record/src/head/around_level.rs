//! The shapes of what programs put around a level: pid, thread, logger, host, source position.

use super::cursor::Cursor;
use crate::level::detect::Word;
use crate::names::{LONGEST, group, is_dotted, is_name, is_name_byte, is_position};
use crate::scan::Scanner;
use crate::time;

/// Returns the rest of a bracket that the time opened: `[… #1234]` (Ruby), `[… ERROR main]`
/// (env_logger), `[… ERR]` (Serilog).
pub(crate) fn rest_of_group(cursor: &mut Cursor, close: u8, word: Option<Word>) {
    let rest = cursor.rest_str();
    let Some(len) = rest.bytes().take(LONGEST * 2).position(|b| b == close) else {
        return;
    };
    let inside = &rest[..len];
    let start = cursor.at;
    match word {
        Some(word) if word.start >= start && word.end <= start + len => {
            let before = &cursor.line[start..word.start];
            let after = &cursor.line[word.end..start + len];
            cursor.keep("thread", before);
            cursor.keep("logger", after);
        }
        _ => {
            let pid = inside.trim().trim_start_matches('#');
            let key = if pid.bytes().all(|b| b.is_ascii_digit()) {
                "pid"
            } else {
                "thread"
            };
            cursor.keep(key, pid);
        }
    }
    cursor.at = start + len + 1;
}

/// Takes the parts glued to the level: its colon, `[0000]` (logrus), `[1234]: file.c:12 func:`
/// (Asterisk), `:name:` (Python).
pub(crate) fn glued_to_level(cursor: &mut Cursor) {
    let rest = cursor.rest_str();
    if let Some(inner) = rest.strip_prefix('[')
        && let Some((number, after)) = inner.split_once(']')
        && !number.is_empty()
        && number.len() <= 8
        && number.bytes().all(|b| b.is_ascii_digit())
    {
        cursor.at += rest.len() - after.len();
        if after.starts_with(':') || after.starts_with("[C-") {
            cursor.keep("pid", number);
        }
        if after.starts_with(':') {
            cursor.at += 1;
        }
        return;
    }
    // Zig's `error(http): `.
    if let Some((scope, _)) = rest.strip_prefix('(').and_then(|inner| inner.split_once("): "))
        && is_name(scope)
    {
        cursor.keep("logger", scope);
        cursor.at += scope.len() + 3;
        return;
    }
    if let Some(after) = rest.strip_prefix(':') {
        // Python's `ERROR:root:message`.
        if let Some((name, _)) = after.split_once(':')
            && is_name(name)
            && !after.starts_with("//")
        {
            cursor.keep("logger", name);
            cursor.at += 1 + name.len() + 1;
            return;
        }
        cursor.at += 1;
    } else if rest.starts_with(']') || rest.starts_with(')') {
        cursor.at += 1;
    }
}

/// Takes the parts that follow a level, trying the known shapes in turn.
pub(crate) fn after_level(cursor: &mut Cursor, colon: bool) {
    let piped = cursor.rest().first() == Some(&b'|') || cursor.rest_str().trim_start().starts_with("| ");
    let tabbed = cursor.rest().first() == Some(&b'\t');
    // A group that is a time (logrus, Geth) is read as one.
    let glued_group =
        cursor.rest().first() == Some(&b'[') && (cursor.timed || time::scan(&cursor.rest()[1..]).is_none());
    cursor.blanks();
    if cursor.rest().first() == Some(&b':') {
        cursor.at += 1;
        cursor.blanks();
    }
    if piped {
        between_pipes(cursor);
    } else if tabbed {
        between_tabs(cursor);
    } else if glued_group {
        groups(cursor, |_| true);
    } else {
        let _ = spring(cursor)
            || ruby(cursor)
            || nginx(cursor)
            || apache(cursor)
            || mysql(cursor)
            || rabbit(cursor)
            || group_then_logger(cursor, colon)
            || logger(cursor)
            || caller(cursor);
    }
}

/// NLog: `ERROR|Logger|message`; loguru: `ERROR    | module:function:12 - message`.
fn between_pipes(cursor: &mut Cursor) {
    let rest = cursor.rest_str().trim_start_matches('|');
    let start = cursor.line.len() - rest.len();
    if let Some((name, after)) = rest.split_once('|')
        && is_name(name.trim())
    {
        cursor.keep("logger", name);
        cursor.at = cursor.line.len() - after.len();
        return;
    }
    cursor.at = start;
    cursor.blanks();
    let rest = cursor.rest_str();
    if let Some((name, after)) = rest.split_once(" - ")
        && is_name(name)
    {
        cursor.keep("logger", name);
        cursor.at = cursor.line.len() - after.len();
    }
}

/// zap's console: `time\terror\tlogger\tfile.go:12\tmessage\t{…}`.
fn between_tabs(cursor: &mut Cursor) {
    for _ in 0..2 {
        let rest = cursor.rest_str();
        let Some((part, _)) = rest.split_once('\t').filter(|(part, _)| is_name(part)) else {
            return;
        };
        cursor.keep(if is_position(part) { "caller" } else { "logger" }, part);
        cursor.at += part.len() + 1;
    }
}

/// Reads `12345 --- [app] [  main] o.s.boot.SpringApplication   : message`
fn spring(cursor: &mut Cursor) -> bool {
    let rest = cursor.rest_str();
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
    cursor.keep("pid", pid);
    cursor.keep("thread", names[..close].rsplit('[').next().unwrap_or_default());
    cursor.keep("logger", &names[close + 1..]);
    cursor.at = cursor.line.len() - message.len();
    true
}

/// Ruby: `E, [… #1234] ERROR -- program: message`.
fn ruby(cursor: &mut Cursor) -> bool {
    let Some(rest) = cursor.rest_str().strip_prefix("-- ") else {
        return false;
    };
    let Some((program, after)) = rest
        .split_once(':')
        .filter(|(program, _)| program.len() <= LONGEST)
    else {
        return false;
    };
    cursor.keep("program", program);
    cursor.at = cursor.line.len() - after.len();
    true
}

/// nginx: `1234#5678: *90 message`.
fn nginx(cursor: &mut Cursor) -> bool {
    let mut s = Scanner::new(cursor.rest());
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
    cursor.keep("pid", &pid.to_string());
    cursor.at += taken;
    true
}

/// Apache: `[pid 1234:tid 5678] [client 192.0.2.1:5000] message`, with perhaps an errno in
/// between.
fn apache(cursor: &mut Cursor) -> bool {
    let mut found = false;
    for (prefix, key) in [("[pid ", "pid"), ("[client ", "client")] {
        let rest = cursor.rest_str();
        if let Some((inside, after)) = rest.strip_prefix(prefix).and_then(|rest| rest.split_once(']')) {
            cursor.keep(key, inside.split(":tid").next().unwrap_or_default());
            cursor.at = cursor.line.len() - after.len();
            cursor.blanks();
            found = true;
        }
    }
    found
}

/// MySQL 8: `[MY-010119] [Server] message`.
fn mysql(cursor: &mut Cursor) -> bool {
    let rest = cursor.rest_str();
    let Some((code, after)) = rest.strip_prefix("[MY-").and_then(|rest| rest.split_once(']')) else {
        return false;
    };
    if code.len() > 8 || !code.bytes().all(|b| b.is_ascii_digit()) {
        return false;
    }
    cursor.keep("code", &rest[1..1 + 3 + code.len()]);
    cursor.at = cursor.line.len() - after.len();
    cursor.blanks();
    groups(cursor, |inside| inside.bytes().all(|b| b.is_ascii_alphabetic()));
    true
}

/// RabbitMQ: `[error] <0.123.0> message`.
fn rabbit(cursor: &mut Cursor) -> bool {
    let rest = cursor.rest_str();
    let Some((pid, after)) = rest.strip_prefix('<').and_then(|rest| rest.split_once('>')) else {
        return false;
    };
    if pid.len() > 24 || !pid.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return false;
    }
    cursor.keep("pid", pid);
    cursor.at = cursor.line.len() - after.len();
    true
}

/// Reads `[thread] logger - message`, `[thread] logger: message`, `[thread] - message`,
/// `[logger] (thread) message`.
fn group_then_logger(cursor: &mut Cursor, colon: bool) -> bool {
    let rest = cursor.rest_str();
    let Some((first, after)) = group(rest) else {
        return false;
    };
    let trimmed = after.trim_start();
    if let Some(message) = trimmed.strip_prefix("- ") {
        keep_group(cursor, first);
        cursor.at = cursor.line.len() - message.len();
        return true;
    }
    // Django's `[django.request:241] message`. Behind `ERROR:` it is the place of a mistake.
    if !colon && is_position(first) && rest.starts_with('[') {
        cursor.keep("caller", first);
        cursor.at = cursor.line.len() - after.len();
        return true;
    }
    // JBoss.
    if rest.starts_with('[')
        && is_dotted(first)
        && trimmed.starts_with('(')
        && let Some((thread, message)) = group(trimmed)
    {
        cursor.keep("logger", first);
        cursor.keep("thread", thread);
        cursor.at = cursor.line.len() - message.len();
        return true;
    }
    let start = cursor.at;
    cursor.at = cursor.line.len() - trimmed.len();
    if logger(cursor) {
        keep_group(cursor, first);
        return true;
    }
    cursor.at = start;
    false
}

/// Reads `com.example.Logger - message`, `com.example.Logger: message`, `crate::module: message`.
fn logger(cursor: &mut Cursor) -> bool {
    let rest = cursor.rest_str();
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
    } else if let Some(message) = ["- ", "-- ", ": "]
        .iter()
        .find_map(|dash| trimmed.strip_prefix(dash))
    {
        message
    } else {
        return false;
    };
    if !is_dotted(name) {
        return false;
    }
    cursor.keep("logger", name);
    cursor.at = cursor.line.len() - message.len();
    true
}

/// zerolog's console: `main.go:12 > message`.
fn caller(cursor: &mut Cursor) -> bool {
    let rest = cursor.rest_str();
    // A position has no blanks.
    let Some((position, message)) = rest
        .split_once(' ')
        .and_then(|(position, after)| Some((position, after.strip_prefix("> ")?)))
        .filter(|(position, _)| is_position(position))
    else {
        return false;
    };
    cursor.keep("caller", position);
    cursor.at = cursor.line.len() - message.len();
    true
}

/// Takes `[…]` groups while `accept` likes what is inside.
fn groups(cursor: &mut Cursor, accept: impl Fn(&str) -> bool) {
    for _ in 0..4 {
        let rest = cursor.rest_str();
        let Some((inside, after)) = group(rest).filter(|(inside, _)| rest.starts_with('[') && accept(inside))
        else {
            return;
        };
        if after.trim().is_empty() {
            return;
        }
        keep_group(cursor, inside);
        cursor.at = cursor.line.len() - after.len();
        cursor.blanks();
    }
}

pub(super) fn keep_group(cursor: &mut Cursor, inside: &str) {
    let inside = inside.trim();
    let digits = inside
        .trim_start_matches("pid")
        .trim_start_matches([':', '=', ' ', '#']);
    if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
        cursor.keep("pid", digits);
    } else {
        let is_logger = is_dotted(inside) && !cursor.head.fields.contains_key("logger");
        cursor.keep(if is_logger { "logger" } else { "thread" }, inside);
    }
}
