//! A mail as it arrived.

use mail_parser::{Message, MessageParser, MimeHeaders};

/// Envelope, bytes and circumstances of one received mail.
#[derive(Clone, Debug)]
pub struct Mail {
    /// The envelope's sender.
    pub from: String,
    /// The envelope's recipients that were accepted.
    pub to: Vec<String>,
    /// The message as sent: headers, empty line, body; CRLF line ends, dots unstuffed.
    pub raw: Vec<u8>,
    /// The name that the client gave in EHLO or HELO.
    pub hello: String,
    /// The parameters of MAIL FROM, such as `SMTPUTF8`.
    pub parameters: String,
    /// Whether the connection was encrypted.
    pub encrypted: bool,
    /// The user who had logged in.
    pub user: Option<String>,
    /// When its last byte had come.
    pub at: std::time::SystemTime,
}

impl Mail {
    fn message(&self) -> Option<Message<'_>> {
        MessageParser::default().parse(&self.raw)
    }

    /// The header part as sent, lines ended by `\n`.
    pub fn headers(&self) -> String {
        let text = String::from_utf8_lossy(&self.raw).replace("\r\n", "\n");
        text.split("\n\n").next().unwrap_or_default().to_owned()
    }

    /// The value of a header, unfolded but not decoded; `None` when there is none.
    pub fn header(&self, name: &str) -> Option<String> {
        self.headers_named(name).into_iter().next()
    }

    /// The values of all headers of that name.
    pub fn headers_named(&self, name: &str) -> Vec<String> {
        let unfolded = self.headers().replace("\n ", " ").replace("\n\t", " ");
        let values = unfolded.lines().filter_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        });
        values.collect()
    }

    /// The decoded subject.
    pub fn subject(&self) -> String {
        self.message()
            .and_then(|m| m.subject().map(str::to_owned))
            .unwrap_or_default()
    }

    pub fn message_id(&self) -> String {
        self.header("Message-ID").unwrap_or_default()
    }

    /// The decoded plain text part; empty when there is none.
    pub fn text(&self) -> String {
        self.part("plain")
    }

    /// The decoded HTML part; empty when there is none.
    pub fn html(&self) -> String {
        self.part("html")
    }

    fn part(&self, subtype: &str) -> String {
        let Some(message) = self.message() else {
            return String::new();
        };
        let found = message.parts.iter().find(|part| {
            part.content_type()
                .is_some_and(|t| t.ctype() == "text" && t.subtype() == Some(subtype))
        });
        found
            .and_then(|part| part.text_contents())
            .unwrap_or_default()
            .replace("\r\n", "\n")
    }
}
