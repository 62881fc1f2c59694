//! Severities in other languages, from the message catalogues of PostgreSQL 15.20
//! (`postgres-15.mo`; Polish, Portuguese and Turkish from older ones) and of the JDK's
//! `sun.util.logging.resources`. A catalogue that leaves a word in English has no entry.
//!
//! Such a word counts only in the shape in which these programs write it.

use super::Level::{self, *};

/// The severities of PostgreSQL.
const SEVERITIES: [(&str, Level); 77] = [
    // German.
    ("HINWEIS", Info),
    ("WARNUNG", Warn),
    ("FEHLER", Error),
    ("PANIK", Fatal),
    // French.
    ("ATTENTION", Warn),
    ("ERREUR", Error),
    // Italian.
    ("NOTIFICA", Info),
    ("ATTENZIONE", Warn),
    ("ERRORE", Error),
    ("FATALE", Fatal),
    ("PANICO", Fatal),
    // Polish.
    ("DZIENNIK", Info),
    ("INFORMACJA", Info),
    ("UWAGA", Info),
    ("OSTRZEŻENIE", Warn),
    ("BŁĄD", Error),
    ("KATASTROFALNY", Fatal),
    ("PANIKA", Fatal),
    // Portuguese.
    ("DEPURAÇÃO", Debug),
    ("NOTA", Info),
    ("AVISO", Warn),
    ("PÂNICO", Fatal),
    // Turkish; its FATAL holds the English word.
    ("BİLGİ", Info),
    ("UYARI", Warn),
    ("HATA", Error),
    ("KRİTİK", Fatal),
    // Georgian.
    ("გამართვა", Debug),
    ("ჟურნალი", Info),
    ("ინფორმაცია", Info),
    ("გაფრთხილება", Info),
    ("შეცდომა", Error),
    ("ფატალური", Fatal),
    ("პანიკა", Fatal),
    // Korean.
    ("디버그", Debug),
    ("로그", Info),
    ("정보", Info),
    ("알림", Info),
    ("경고", Warn),
    ("오류", Error),
    ("치명적오류", Fatal),
    ("손상", Fatal),
    // Russian.
    ("ОТЛАДКА", Debug),
    ("СООБЩЕНИЕ", Info),
    ("ИНФОРМАЦИЯ", Info),
    ("ЗАМЕЧАНИЕ", Info),
    ("ПРЕДУПРЕЖДЕНИЕ", Warn),
    ("ОШИБКА", Error),
    ("ВАЖНО", Fatal),
    ("ПАНИКА", Fatal),
    // Swedish.
    ("LOGG", Info),
    ("NOTIS", Info),
    ("VARNING", Warn),
    ("FEL", Error),
    ("FATALT", Fatal),
    // Ukrainian.
    ("НАЛАГОДЖЕННЯ", Debug),
    ("ЗАПИСУВАННЯ", Info),
    ("ІНФОРМАЦІЯ", Info),
    ("ПОВІДОМЛЕННЯ", Info),
    ("ПОПЕРЕДЖЕННЯ", Warn),
    ("ПОМИЛКА", Error),
    ("ФАТАЛЬНО", Fatal),
    ("ПАНІКА", Fatal),
    // Chinese.
    ("调试", Debug),
    ("日志", Info),
    ("信息", Info),
    ("注意", Info),
    ("警告", Warn),
    ("错误", Error),
    ("致命错误", Fatal),
    ("灾难性错误", Fatal),
    ("比致命错误还过分的错误", Fatal),
    // Chinese of Taiwan.
    ("除錯", Debug),
    ("日誌", Info),
    ("資訊", Info),
    ("錯誤", Error),
    ("致命錯誤", Fatal),
    ("嚴重錯誤", Fatal),
];

/// The labels of PostgreSQL's lines about the one before.
const LABELS: [&str; 61] = [
    "TIPP",
    "ANFRAGE",
    "ZUSAMMENHANG",
    "ANWEISUNG",
    "DETALLE",
    "CONSULTA",
    "CONTEXTO",
    "SENTENCIA",
    "DÉTAIL",
    "ASTUCE",
    "REQUÊTE",
    "CONTEXTE",
    "INSTRUCTION",
    "PILE D'APPEL",
    "DETTAGLI",
    "SUGGERIMENTO",
    "CONTESTO",
    "ISTRUZIONE",
    "詳細",
    "ヒント",
    "問い合わせ",
    "文脈",
    "文",
    "バックトレース",
    "დეტალები",
    "მინიშნება",
    "მოთხოვნა",
    "კონტექსტი",
    "ოპერატორი",
    "სტეკი",
    "상세정보",
    "힌트",
    "쿼리",
    "내용",
    "명령 구문",
    "역추적",
    "ПОДРОБНОСТИ",
    "ПОДСКАЗКА",
    "ЗАПРОС",
    "КОНТЕКСТ",
    "ОПЕРАТОР",
    "СТЕК",
    "DETALJ",
    "TIPS",
    "FRÅGA",
    "KONTEXT",
    "SATS",
    "ВІДОМОСТІ",
    "УКАЗІВКА",
    "ЗАПИТ",
    "ІНСТРУКЦІЯ",
    "ВІДСТЕЖУВАТИ",
    "详情",
    "提示",
    "查询",
    "上下文",
    "语句",
    "回溯",
    "詳情",
    "查詢",
    "陳述式",
];

/// java.util.logging's SEVERE and WARNING, in capitals before JDK 8.
const JAVA: [(&str, Level); 12] = [
    ("SCHWERWIEGEND", Error),
    ("Schwerwiegend", Error),
    ("GRAVE", Error),
    ("Grave", Error),
    ("致命的", Error),
    ("심각", Error),
    ("Allvarlig", Error),
    ("严重", Error),
    ("嚴重", Error),
    ("WARNUNG", Warn),
    ("AVERTISSEMENT", Warn),
    ("ADVERTENCIA", Warn),
];

/// Returns the level that a word names, given what stands around it in the line.
pub(super) fn level(line: &[u8], start: usize, end: usize) -> Option<Level> {
    let rest = &line[end..];
    if !matches!(rest, [b':', b' ', ..] | [b',', ..] | [b' ', b'[', ..]) {
        return None;
    }
    let word = std::str::from_utf8(&line[start..end]).ok()?;
    let find = |words: &[(&str, Level)]| {
        words
            .iter()
            .find(|(known, _)| *known == word)
            .map(|(_, level)| *level)
    };
    if rest.starts_with(b":  ") {
        return find(&SEVERITIES);
    }
    // csvlog: the SQLSTATE follows.
    if rest.first() == Some(&b',') && is_state(&rest[1..]) {
        return find(&SEVERITIES);
    }
    let heads = start == 0 && rest.starts_with(b": ") || start > 0 && rest.starts_with(b" [");
    if heads { find(&JAVA) } else { None }
}

/// Returns true for `23505,`.
pub(super) fn is_state(text: &[u8]) -> bool {
    text.get(5) == Some(&b',')
        && text[..5]
            .iter()
            .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

/// Returns the level of a severity of PostgreSQL, in any language.
pub(crate) fn severity(word: &[u8]) -> Option<Level> {
    let word = std::str::from_utf8(word).ok()?;
    SEVERITIES
        .iter()
        .find(|(known, _)| *known == word)
        .map(|(_, level)| *level)
}

/// Returns the level of SEVERE or WARNING in another language.
pub(super) fn java(word: &[u8]) -> Option<Level> {
    JAVA.iter()
        .find(|(known, _)| known.as_bytes() == word)
        .map(|(_, level)| *level)
}

/// Returns true if a severity of this level or a higher one has its first letter beyond ASCII at
/// `at`. A text that ends within the word counts.
pub(super) fn is_around(text: &[u8], at: usize, least: Level) -> bool {
    SEVERITIES
        .iter()
        .chain(&JAVA)
        .filter(|(_, level)| *level >= least)
        .any(|(word, _)| {
            let word = word.as_bytes();
            let Some(offset) = word.iter().position(|b| !b.is_ascii()) else {
                return false;
            };
            let rest = at.checked_sub(offset).map(|start| &text[start..]);
            rest.is_some_and(|rest| rest.starts_with(word) || word.starts_with(rest))
        })
}

/// Returns true if a text ends with the label of PostgreSQL's line about the one before: `DÉTAIL`,
/// `ASTUCE `.
pub(crate) fn ends_with_label(text: &[u8]) -> bool {
    let text = text.trim_ascii_end();
    LABELS.iter().any(|label| {
        text.strip_suffix(label.as_bytes())
            .is_some_and(|before| matches!(before.last(), None | Some(b' ' | b']' | b':')))
    })
}

#[cfg(test)]
mod tests {
    use super::super::detect::level;
    use super::*;

    #[test]
    fn translated_severities_are_found_in_their_shape() {
        for (line, expected) in [
            (
                "2026-11-22 10:00:00.123 CET [1] FEHLER:  Relation »error« existiert nicht",
                Some(Error),
            ),
            ("2026-11-22 10:00:00.123 CET [1] u@d ERREUR:  x", Some(Error)),
            ("2026-11-22 10:00:00.123 MSK [1] ВАЖНО:  x", Some(Fatal)),
            (
                "2026-11-22 10:00:00.123 MSK [1] СООБЩЕНИЕ:  fatal error",
                Some(Info),
            ),
            ("2026-11-22 10:00:00.123 CST [1] 致命错误:  x", Some(Fatal)),
            (
                "2026-11-22 10:00:00.123 CET,\"u\",\"d\",1,\"[local]\",1.1,1,\"SELECT\",2026-11-22 10:00:00 CET,1/1,0,FEHLER,23505,\"x\"",
                Some(Error),
            ),
            (
                "2026-11-22 10:00:00.123 UTC,\"u\",\"d\",1,\"[local]\",637f0b5c.1e240,12345,\"SELECT waiting\",2026-11-22 10:00:00 UTC,1/1,0,ERROR,23505,\"x\"",
                Some(Error),
            ),
            (
                "28-Nov-2026 01:41:09.947 SCHWERWIEGEND [main] a.B.c x",
                Some(Error),
            ),
            ("致命的: x", Some(Error)),
            ("FEL: x", None),
            ("FEHLER im Text", None),
        ] {
            assert_eq!(level(line.as_bytes()), expected, "{line}");
        }
    }

    #[test]
    fn translated_labels_belong_to_the_line_before() {
        for text in [
            "2026 CET [1] DÉTAIL",
            "[1] ASTUCE ",
            "u@d ZUSAMMENHANG",
            "ПОДРОБНОСТИ",
            "명령 구문",
        ] {
            assert!(ends_with_label(text.as_bytes()), "{text}");
        }
        assert!(!ends_with_label("XDETALLE".as_bytes()) && !ends_with_label(b"ERROR"));
    }
}
