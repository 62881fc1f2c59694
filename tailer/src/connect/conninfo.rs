//! Splits connection strings, `key=value …` and `postgresql://…`, as libpq does (PostgreSQL manual,
//! 34.1.1).
//!
//! The driver parses them too, but keeps no list of what was given, and refuses
//! sslmode=verify-full, service and passfile. The values are for `settings`.

use percent_encoding::percent_decode_str;

use super::invalid::Invalid;

/// The keys and values of a connection string, in its order.
pub type Pairs = Vec<(String, String)>;

/// True when a database "name" is really a connection string; psql draws the line in the same way.
pub fn is_conninfo(text: &str) -> bool {
    is_uri(text) || text.contains('=')
}

fn is_uri(text: &str) -> bool {
    text.starts_with("postgresql://") || text.starts_with("postgres://")
}

pub fn parse(text: &str) -> Result<Pairs, Invalid> {
    if is_uri(text) {
        parse_uri(text)
    } else {
        parse_pairs(text)
    }
}

/// `host=db1 password='it''s \'quoted\''`: blanks around the sign, quotes around a value.
fn parse_pairs(text: &str) -> Result<Pairs, Invalid> {
    let mut pairs = Pairs::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (key, after) = rest.split_once('=').unwrap_or((rest, ""));
        let key = key.trim_end();
        if key.is_empty() || key.len() == rest.len() || key.contains(char::is_whitespace) {
            let word = key.split_whitespace().next().unwrap_or_default();
            return Err(Invalid::NoEqualsSign(word.to_owned()));
        }
        let value;
        (value, rest) = split_value(after.trim_start())?;
        pairs.push((key.to_owned(), value));
        rest = rest.trim_start();
    }
    Ok(pairs)
}

/// Splits a value from the text behind it. A backslash makes the next character a plain one.
fn split_value(text: &str) -> Result<(String, &str), Invalid> {
    let (text, quoted) = text.strip_prefix('\'').map_or((text, false), |text| (text, true));
    let mut value = String::new();
    let mut chars = text.chars();
    loop {
        match chars.next() {
            Some('\\') => value.extend(chars.next()),
            Some('\'') if quoted => break,
            Some(c) if !quoted && c.is_whitespace() => break,
            Some(c) => value.push(c),
            None if quoted => return Err(Invalid::UnterminatedQuote),
            None => break,
        }
    }
    Ok((value, chars.as_str()))
}

/// `postgresql://user:password@host1:port1,host2/dbname?key=value&…`, everything percent-encoded
/// and optional.
fn parse_uri(text: &str) -> Result<Pairs, Invalid> {
    let mut pairs = Pairs::new();
    let rest = text.split_once("://").map_or("", |(_, rest)| rest);
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, dbname) = rest.split_once('/').unwrap_or((rest, ""));
    let (userinfo, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (user, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
    let mut names = Vec::new();
    let mut ports = Vec::new();
    for host in hosts.split(',') {
        let (name, port) = match host.strip_prefix('[').and_then(|host| host.split_once(']')) {
            Some((name, port)) => (name, port.strip_prefix(':').unwrap_or("")),
            None => host.split_once(':').unwrap_or((host, "")),
        };
        names.push(decode(name)?);
        ports.push(decode(port)?);
    }
    if ports.iter().all(String::is_empty) {
        ports.clear();
    }
    for (key, value) in [
        ("user", decode(user)?),
        ("password", decode(password)?),
        ("host", names.join(",")),
        ("port", ports.join(",")),
        ("dbname", decode(dbname)?),
    ] {
        if !value.is_empty() {
            pairs.push((key.to_owned(), value));
        }
    }
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair
            .split_once('=')
            .ok_or_else(|| Invalid::NoEqualsSign(pair.to_owned()))?;
        pairs.push((decode(key)?, decode(value)?));
    }
    Ok(pairs)
}

fn decode(text: &str) -> Result<String, Invalid> {
    percent_decode_str(text)
        .decode_utf8()
        .map(|text| text.into_owned())
        .map_err(|_| Invalid::NotUtf8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(String, String)> {
        parse(text).unwrap()
    }

    fn pairs(expected: &[(&str, &str)]) -> Pairs {
        expected
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn key_value_strings_may_have_blanks_and_quotes() {
        assert_eq!(
            read(r"host = db1  password='a \'b\' \\ c' user=o\ k dbname=''"),
            pairs(&[
                ("host", "db1"),
                ("password", r"a 'b' \ c"),
                ("user", "o k"),
                ("dbname", "")
            ])
        );
        assert_eq!(read(""), pairs(&[]));
        for wrong in ["host", "host=a b", "password='x", "=x"] {
            assert!(parse_pairs(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn uris_have_hosts_ports_and_options() {
        assert_eq!(
            read("postgresql://me:p%40ss@db1:5433,[::1]/app?sslmode=verify-full&connect_timeout=3"),
            pairs(&[
                ("user", "me"),
                ("password", "p@ss"),
                ("host", "db1,::1"),
                ("port", "5433,"),
                ("dbname", "app"),
                ("sslmode", "verify-full"),
                ("connect_timeout", "3"),
            ])
        );
        assert_eq!(
            read("postgres://%2Fvar%2Frun/app"),
            pairs(&[("host", "/var/run"), ("dbname", "app")])
        );
        assert_eq!(
            read("postgresql:///app?host=/tmp"),
            pairs(&[("dbname", "app"), ("host", "/tmp")])
        );
        assert_eq!(read("postgresql://"), pairs(&[]));
    }

    #[test]
    fn a_database_name_is_no_connection_string() {
        assert!(!is_conninfo("appdb"));
        assert!(is_conninfo("dbname=appdb"));
        assert!(is_conninfo("postgresql:///appdb"));
    }
}
