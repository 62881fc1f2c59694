//! E-mail addresses in settings and rules. No PostgreSQL, no I/O.

use lettre::Address;
use lettre::message::Mailbox;

/// Returns an address, its domain as A-labels (RFC 5890): every server takes those. None for a text
/// that RFC 5321 does not allow.
pub fn address(text: &str) -> Option<Address> {
    let (local, domain) = text.rsplit_once('@')?;
    let domain = if domain.starts_with('[') {
        domain.to_owned()
    } else {
        domain_name(domain)?
    };
    // lettre allows blanks in a quoted local part, and any character that is not ASCII.
    let is_odd = |c: char| c.is_control() || c.is_whitespace() || matches!(c, '<' | '>' | ',' | ';');
    if local.contains(is_odd) {
        return None;
    }
    Address::new(local, domain).ok()
}

/// Returns a domain as A-labels, upper case kept where it is ASCII already.
pub fn domain_name(text: &str) -> Option<String> {
    let ascii = idna::domain_to_ascii_strict(text).ok()?;
    Some(if text.is_ascii() { text.to_owned() } else { ascii })
}

/// Returns an address with the name before it, if there is one: `Ops Team <ops@example.com>`.
pub fn mailbox(text: &str) -> Option<Mailbox> {
    let text = text.trim();
    let Some(open) = text.strip_suffix('>') else {
        return address(text).map(|address| Mailbox::new(None, address));
    };
    let (name, email) = open.rsplit_once('<')?;
    let name = name.trim();
    let name = match name.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(quoted) => quoted.replace("\\\"", "\"").replace("\\\\", "\\"),
        None => name.to_owned(),
    };
    if name.contains(char::is_control) {
        return None;
    }
    Some(Mailbox::new(
        Some(name).filter(|name| !name.is_empty()),
        address(email)?,
    ))
}

/// Returns the items of a list, which commas outside quotes separate.
pub fn list(text: &str) -> Vec<String> {
    let mut quoted = false;
    let is_separator = |c: char| {
        quoted ^= c == '"';
        c == ',' && !quoted
    };
    text.split(is_separator)
        .map(str::trim)
        .filter(|item| !item.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_its_domain_as_a_labels() {
        for (text, parsed) in [
            ("ops@example.com", "ops@example.com"),
            ("a.b+c@Example.COM", "a.b+c@Example.COM"),
            ("ops@bücher.example", "ops@xn--bcher-kva.example"),
            ("jürgen@bücher.example", "jürgen@xn--bcher-kva.example"),
            ("root@localhost", "root@localhost"),
            ("ops@[192.0.2.1]", "ops@[192.0.2.1]"),
        ] {
            assert_eq!(
                address(text).map(|a| a.to_string()).as_deref(),
                Some(parsed),
                "{text}"
            );
        }
    }

    #[test]
    fn a_malformed_address_is_none() {
        let long = format!("{}@example.com", "a".repeat(65));
        for text in [
            "",
            "ops",
            "@example.com",
            "ops@",
            "a@b..c",
            "a..b@example.com",
            ".a@example.com",
            "a@-b.example",
            "a b@example.com",
            "a@exa mple.com",
            "a@b@c d",
            "a@example.com; b@example.com",
            "<a@example.com>",
            &long,
        ] {
            assert_eq!(address(text), None, "{text}");
        }
    }

    #[test]
    fn a_list_has_names_with_commas_and_may_end_with_one() {
        let items = list("Ops Team <ops@example.com>, \"Doe, Jane\" <jane@example.com>,dba@example.com,, ");
        let parsed: Vec<_> = items.iter().filter_map(|item| mailbox(item)).collect();
        let names: Vec<_> = parsed.iter().map(|one| one.name.as_deref()).collect();
        let addresses: Vec<_> = parsed.iter().map(|one| one.email.to_string()).collect();
        assert_eq!(names, [Some("Ops Team"), Some("Doe, Jane"), None]);
        assert_eq!(
            addresses,
            ["ops@example.com", "jane@example.com", "dba@example.com"]
        );
        assert_eq!(mailbox("a@example.com; b@example.com"), None);
    }
}
