//! The sink itself, spoken to by hand.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::*;

/// Sends lines one by one and returns the last line of each answer.
fn talk(sink: &MailSink, lines: &[&str]) -> Vec<String> {
    let stream = TcpStream::connect(("127.0.0.1", sink.port())).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut writer = stream.try_clone().unwrap();
    let mut reader = BufReader::new(stream);
    let mut answers = Vec::new();
    for line in std::iter::once(&"").chain(lines) {
        if !line.is_empty() {
            writer.write_all(format!("{line}\r\n").as_bytes()).unwrap();
        }
        loop {
            let mut answer = String::new();
            if reader.read_line(&mut answer).unwrap_or(0) == 0 {
                answers.push("closed".to_owned());
                return answers;
            }
            if answer.as_bytes().get(3) != Some(&b'-') {
                answers.push(answer.trim_end().to_owned());
                break;
            }
        }
    }
    answers
}

const MAIL: &[&str] = &[
    "EHLO me",
    "MAIL FROM:<a@x>",
    "RCPT TO:<b@x>",
    "DATA",
    "Subject: =?utf-8?q?caf=C3=A9?=\r\n\r\n..dot\r\n.",
    "QUIT",
];

#[test]
fn a_mail_is_kept_with_envelope_and_bytes() {
    let sink = MailSink::plain().unwrap();
    talk(&sink, MAIL);
    let mail = sink.wait_for_subject(Duration::from_secs(5), "café").unwrap();
    assert_eq!(
        (mail.from.as_str(), mail.to.as_slice()),
        ("a@x", ["b@x".to_owned()].as_slice())
    );
    assert!(mail.raw.ends_with(b"\r\n\r\n.dot\r\n"));
    assert!(!mail.encrypted);
}

#[test]
fn instructions_count_down() {
    let sink = MailSink::plain().unwrap();
    sink.times(1, Step::Rcpt, Action::reply("451 4.7.1 later"));
    assert_eq!(talk(&sink, &MAIL[..3]).last().unwrap(), "451 4.7.1 later");
    assert_eq!(talk(&sink, &MAIL[..3]).last().unwrap(), "250 2.1.5 ok");
    assert_eq!(sink.reached(&Step::RcptOf("b@x".to_owned())), 2);
}

#[test]
fn a_mail_may_be_kept_without_an_answer() {
    let sink = MailSink::plain().unwrap();
    sink.always(Step::EndOfData, Action::KeepAndClose);
    assert_eq!(talk(&sink, MAIL).last().unwrap(), "closed");
    assert_eq!(sink.mails().len(), 1);
}

#[test]
fn dropping_ends_stalled_connections() {
    let sink = MailSink::plain().unwrap();
    sink.always(Step::Greeting, Action::Stall);
    let client = std::thread::spawn({
        let port = sink.port();
        move || {
            TcpStream::connect(("127.0.0.1", port)).map(|s| BufReader::new(s).read_line(&mut String::new()))
        }
    });
    wait_for(Duration::from_secs(5), "the connection", || {
        Ok((sink.reached(&Step::Greeting) == 1).then_some(()))
    })
    .unwrap();
    drop(sink);
    assert!(client.join().unwrap().is_ok());
}
