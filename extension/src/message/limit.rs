//! The size of a mail: both bodies stay so small that the whole mail, in any transfer encoding, has
//! at most 64 KiB.

use super::Message;
use super::html::{escape_lines, page};

/// Most bytes of the text. Base64 makes four bytes of three.
pub const MAX_TEXT: usize = 14 * 1024;
/// Most bytes of the HTML.
pub const MAX_HTML: usize = 30 * 1024;

const CUT: &str = "\n… cut, because the mail would have more than 64 KiB\n";

/// Cuts what is too long. HTML cannot be cut, so that its text takes its place.
pub fn limited(mut message: Message) -> Message {
    if message.html.len() > MAX_HTML {
        // Escaping makes at most six bytes of one.
        let part = cut(&message.text, (MAX_HTML - 1024) / 6);
        message.html = page(&format!(
            "<pre style=\"white-space:pre-wrap\">{}</pre>",
            escape_lines(&part)
        ));
    }
    message.text = cut(&message.text, MAX_TEXT);
    message
}

/// Returns a text, cut at the end of a line.
fn cut(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let part = &text[..text.floor_char_boundary(most - CUT.len())];
    let end = part.rfind('\n').unwrap_or(part.len());
    part[..end].to_owned() + CUT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_is_cut_at_a_line() {
        let long = limited(Message {
            subject: String::new(),
            text: "<\"é\">\n".repeat(10_000),
            html: "<b>".repeat(20_000),
        });
        assert!(long.text.len() <= MAX_TEXT && long.text.ends_with(&format!("<\"é\">{CUT}")));
        assert!(long.html.len() <= MAX_HTML, "{}", long.html.len());
        assert!(long.html.contains("&lt;&quot;é&quot;&gt;\n"));
        let short = limited(Message {
            subject: String::new(),
            text: "text".to_owned(),
            html: "html".to_owned(),
        });
        assert_eq!((short.text.as_str(), short.html.as_str()), ("text", "html"));
    }
}
