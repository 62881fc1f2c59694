//! Connection strings, the password file and the service file: what is written is read back.

use std::path::Path;

use logwatch_tailer::connect::settings::Settings;
use logwatch_tailer::connect::{conninfo, pgpass, service};

use crate::choices;

pub fn check(input: &[u8]) {
    let ([kind], rest) = choices(input);
    let Ok(text) = std::str::from_utf8(rest) else {
        return;
    };
    match kind % 5 {
        0 => any_string_is_understood_or_refused(text),
        1 => quoted_values_are_read_back(text),
        2 => encoded_parts_are_read_back(text),
        3 => escaped_fields_are_read_back(text),
        _ => sections_are_read_back(text),
    }
}

fn any_string_is_understood_or_refused(text: &str) {
    let uri = format!("postgresql://{text}");
    for text in [text, &uri] {
        let _ = conninfo::parse(text);
        // Neither the home directory's nor a service file's settings.
        if conninfo::is_conninfo(text) && !text.contains("service") && !text.contains('%') {
            let _ = Settings::resolve(Some(text), vec![("passfile", "/dev/null".to_owned())])
                .map(|settings| settings.attempts());
        }
    }
    let wanted = pgpass::Wanted {
        host: "a",
        port: 1,
        dbname: "b",
        user: "c",
    };
    let _ = pgpass::password(text, &wanted);
    let _ = service::section(text, "a", Path::new("f"));
}

/// Up to five parts of a text.
fn parts(text: &str) -> Vec<&str> {
    text.splitn(5, '\u{1}').collect()
}

fn quoted_values_are_read_back(text: &str) {
    let pairs: Vec<_> = ["host", "user", "password", "dbname", "options"]
        .into_iter()
        .zip(parts(text))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
    let written = pairs
        .iter()
        .map(|(key, value)| format!("{key} = '{}'", value.replace('\\', r"\\").replace('\'', r"\'")))
        .collect::<Vec<_>>()
        .join(" ");
    assert_eq!(conninfo::parse(&written).ok(), Some(pairs));
}

fn encoded_parts_are_read_back(text: &str) {
    let encode = |part: &str| {
        part.bytes()
            .map(|byte| format!("%{byte:02X}"))
            .collect::<String>()
    };
    let parts = parts(text);
    let [user, password, host, dbname, options] =
        std::array::from_fn(|at| parts.get(at).copied().unwrap_or("x"));
    let written = format!(
        "postgresql://{}:{}@{}/{}?options={}",
        encode(user),
        encode(password),
        encode(host),
        encode(dbname),
        encode(options)
    );
    let mut expected: Vec<_> = [
        ("user", user),
        ("password", password),
        ("host", host),
        ("dbname", dbname),
    ]
    .into_iter()
    .filter(|(_, value)| !value.is_empty())
    .collect();
    expected.push(("options", options));
    let expected = expected
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
    assert_eq!(conninfo::parse(&written).ok(), Some(expected));
}

fn escaped_fields_are_read_back(text: &str) {
    let parts = parts(text);
    let [host, dbname, user, password, _] = std::array::from_fn(|at| parts.get(at).copied().unwrap_or("x"));
    // A line ends where it ends, and a # begins a comment.
    if [host, dbname, user, password]
        .iter()
        .any(|part| part.contains(['\n', '\r']))
        || host.starts_with('#')
    {
        return;
    }
    let escape = |field: &str| field.replace('\\', r"\\").replace(':', r"\:");
    let line = format!(
        "{}:5432:{}:{}:{}\n",
        escape(host),
        escape(dbname),
        escape(user),
        escape(password)
    );
    let wanted = pgpass::Wanted {
        host,
        port: 5432,
        dbname,
        user,
    };
    assert_eq!(pgpass::password(&line, &wanted).as_deref(), Some(password));
    assert_eq!(
        pgpass::password(&line, &pgpass::Wanted { port: 5433, ..wanted }),
        None
    );
}

fn sections_are_read_back(text: &str) {
    let pairs: Vec<_> = ["host", "user", "port", "dbname", "options"]
        .into_iter()
        .zip(parts(text))
        .filter(|(_, value)| !value.contains(['\n', '\r']))
        .map(|(key, value)| (key.to_owned(), value.trim().to_owned()))
        .collect();
    let lines: String = pairs
        .iter()
        .map(|(key, value)| format!("{key}={value}\n"))
        .collect();
    let file = format!("[other]\nhost=other\n\n# mine\n[mine]\n{lines}[next]\nuser=next\n");
    assert_eq!(
        service::section(&file, "mine", Path::new("f")).ok(),
        Some(Some(pairs))
    );
}
