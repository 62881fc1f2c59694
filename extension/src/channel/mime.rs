//! The MIME message of a notification, built by lettre.

use std::collections::HashSet;
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use lettre::Message;
use lettre::message::header::{Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};

use super::Notification;

/// RFC 3834: keeps vacation messages from answering.
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// Keeps Exchange from answering (MS-OXCMAIL §2.2.3.2.14).
#[derive(Clone)]
struct AutoResponseSuppress;

impl Header for AutoResponseSuppress {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("X-Auto-Response-Suppress")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "All".to_owned())
    }
}

/// The subject. lettre leaves text alone that looks like an encoded word, and mail programs would
/// decode it.
#[derive(Clone)]
struct Subject(String);

impl Header for Subject {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Subject")
    }

    fn parse(text: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self(text.to_owned()))
    }

    fn display(&self) -> HeaderValue {
        let text = self.0.clone();
        if text.contains("=?") {
            let encoded = encoded_words(&text);
            HeaderValue::dangerous_new_pre_encoded(Self::name(), text, encoded)
        } else {
            HeaderValue::new(Self::name(), text)
        }
    }
}

/// Returns a text as encoded words (RFC 2047), a line each and at most 75 characters long.
fn encoded_words(text: &str) -> String {
    const MOST_BYTES: usize = 45;
    let mut pieces = vec![String::new()];
    for c in text.chars() {
        match pieces.last_mut() {
            Some(piece) if piece.len() + c.len_utf8() <= MOST_BYTES => piece.push(c),
            _ => pieces.push(c.to_string()),
        }
    }
    let words: Vec<String> = pieces
        .iter()
        .map(|piece| format!("=?utf-8?b?{}?=", BASE64.encode(piece)))
        .collect();
    words.join("\r\n ")
}

/// RFC 2919: mail programs filter by it.
#[derive(Clone)]
struct ListId(String);

impl Header for ListId {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("List-Id")
    }

    fn parse(text: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self(text.to_owned()))
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), self.0.clone())
    }
}

/// Earlier mails that a mail refers to, at most.
const MOST_EARLIER: usize = 10;

#[derive(Debug, thiserror::Error)]
pub enum ComposeError {
    #[error("the notification's payload cannot be read: {0}")]
    Payload(#[from] serde_json::Error),
    #[error("the message cannot be built: {0}")]
    Build(#[from] lettre::error::Error),
}

/// Returns the mail; `detail` allows log text in its subject. Each attempt has the same bytes but
/// for the boundary.
pub fn compose(
    notification: &Notification,
    from: &Mailbox,
    to: &Mailbox,
    detail: bool,
) -> Result<Message, ComposeError> {
    let message = notification.content()?.message(detail);
    let mut mail = Message::builder()
        .from(from.clone())
        .to(to.clone())
        .header(Subject(message.subject))
        .date(SystemTime::from(notification.created_at))
        .message_id(Some(notification.message_id.clone()))
        .header(AutoSubmitted)
        .header(AutoResponseSuppress)
        .header(ListId(format!(
            "logwatch <logwatch.{}>",
            from.email.domain().trim_matches(['[', ']'])
        )));
    // RFC 5322 §3.6.4. Mail programs take the last of the references for the parent, and the one
    // before for its parent: they show all of these mails as one thread.
    let mut earlier: Vec<&str> = notification.in_reply_to.iter().map(String::as_str).collect();
    let mut known = HashSet::new();
    earlier.retain(|id| known.insert(*id));
    earlier.truncate(MOST_EARLIER);
    if !earlier.is_empty() {
        mail = mail.in_reply_to(earlier.join(" "));
        earlier.reverse();
        mail = mail.references(earlier.join(" "));
    }
    Ok(mail.multipart(MultiPart::alternative_plain_html(message.text, message.html))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claim::Claim;

    #[test]
    fn text_that_looks_like_an_encoded_word_is_encoded() {
        let text = format!("=?utf-8?q?spoof?= {}", "ü".repeat(60));
        let encoded = encoded_words(&text);
        assert!(encoded.lines().all(|line| line.trim().len() <= 75), "{encoded}");
        let mail = format!("Subject: {encoded}\r\n\r\n");
        assert!(!mail.contains("spoof"));
        let decoded: Vec<u8> = encoded
            .lines()
            .flat_map(|line| BASE64.decode(&line.trim()[10..line.trim().len() - 2]).unwrap())
            .collect();
        assert_eq!(String::from_utf8(decoded).unwrap(), text);
    }

    #[test]
    fn a_mail_has_the_headers_that_mail_programs_go_by() {
        let payload = serde_json::json!({"host": "db01", "database": "appdb", "at": "2026-11-22T10:00:00Z", "zone": "UTC", "rows": [
            {"component": "rule", "name": "error", "state": "ok", "message": "x\r\nBcc: a@b"}]});
        let notification = Notification {
            id: 1,
            urgency: 0,
            recipient: "ops@example.com".into(),
            reason: "report".into(),
            message_id: "<1@db01>".into(),
            in_reply_to: vec!["<0@db01>".into(), "<7@db01>".into(), "<0@db01>".into()],
            created_at: "2026-11-22T10:00:00Z".parse().unwrap(),
            payload: payload.to_string(),
            claim: Claim::on_disk(),
        };
        let mail = compose(
            &notification,
            &"logwatch@db01".parse().unwrap(),
            &"Ops <ops@example.com>".parse().unwrap(),
            true,
        )
        .unwrap();
        let mail = String::from_utf8(mail.formatted()).unwrap();
        for line in [
            "Subject: [OK] status of db01/appdb (logwatch)",
            "Message-ID: <1@db01>",
            "In-Reply-To: <0@db01> <7@db01>",
            "References: <7@db01> <0@db01>",
            "Auto-Submitted: auto-generated",
            "X-Auto-Response-Suppress: All",
            "List-Id: logwatch <logwatch.db01>",
            "To: Ops <ops@example.com>",
            "Date: Sun, 22 Nov 2026 10:00:00 +0000",
        ] {
            assert!(mail.contains(&format!("{line}\r\n")), "{line}\n{mail}");
        }
        assert!(!mail.contains("\r\nBcc"));
    }
}
