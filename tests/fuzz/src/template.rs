//! A template is one short line, and stands for itself.

use logwatch_record::pattern::{fingerprint, template};
use logwatch_record::{Level, clean};

pub fn check(input: &[u8]) {
    let (message, _) = clean(input);
    let masked = template(&message);
    assert!(masked.len() <= 512);
    assert!(!masked.contains('\n'));
    assert_eq!(masked.trim().is_empty(), message.trim().is_empty());
    assert_eq!(template(&format!(" {message}\n")), masked, "blanks around it");
    assert_eq!(
        fingerprint(Level::Error, &masked),
        fingerprint(Level::Error, &template(&message))
    );
    // A template that was cut, or whose marks join words that its masks separate, may be masked
    // further.
    let plain = |byte: u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b' ' | b'(' | b')' | b'[' | b']' | b'=' | b',')
    };
    if masked.len() < 500 && message.bytes().all(plain) {
        assert_eq!(template(&masked), masked, "of {message:?}");
    }
}
