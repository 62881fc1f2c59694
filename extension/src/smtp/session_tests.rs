//! A session against scripted servers on 127.0.0.1, with short waits.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;

use super::*;
use crate::claim::Claim;
use crate::settings::Security;
use crate::smtp::client_config;

const SHORT: Duration = Duration::from_millis(300);

/// A server that replies to each command with the next of its lines, and to the end of the mail as
/// well; after the last one it stalls until the client goes.
fn server(replies: &[&[u8]]) -> (Server, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let replies: Vec<Vec<u8>> = replies.iter().map(|reply| reply.to_vec()).collect();
    let thread = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        for reply in replies {
            // The client may close the connection in the middle of a long reply.
            let _ = write_reply(&stream, &reply);
            let mut line = String::new();
            let in_mail = reply.starts_with(b"354");
            let at_end = |mail: &str| mail == ".\r\n" || mail.ends_with("\r\n.\r\n");
            while reader.read_line(&mut line).unwrap_or(0) > 0 && in_mail && !at_end(&line) {}
        }
        let mut rest = Vec::new();
        let _ = std::io::Read::read_to_end(&mut reader, &mut rest);
    });
    let server = Server {
        host: "127.0.0.1".to_owned(),
        port,
        security: Security::Plain,
    };
    (server, thread)
}

fn write_reply(mut stream: &TcpStream, reply: &[u8]) -> std::io::Result<()> {
    stream.write_all(reply)
}

/// Sends one mail to a server that replies `last` to its end.
fn send(last: &[u8], waits: Waits) -> Result<Reply, Error> {
    converse(
        &[
            b"220 hi\r\n",
            b"250-sink\r\n250 SIZE\r\n",
            b"250 ok\r\n",
            b"250 ok\r\n",
            b"354 go\r\n",
            last,
        ],
        waits,
        |_| Ok(()),
    )
}

/// Sends one mail to a server that makes these replies, and goes on with `then` where it refuses.
fn converse(
    replies: &[&[u8]],
    waits: Waits,
    then: impl FnOnce(&mut Session) -> Result<(), Error>,
) -> Result<Reply, Error> {
    let (server, thread) = server(replies);
    let handle = Handle::default();
    let sent = Session::open(
        &server,
        &Protection::None,
        Some("db01"),
        None,
        waits,
        &handle,
        Instant::now(),
    )
    .and_then(|mut session| {
        let sent = session.send("a@db01", "b@db01", "Subject: x\r\n\r\n.\r\n", &Claim::on_disk());
        if sent.is_err() {
            then(&mut session)?;
        }
        sent
    });
    // The session is gone, and its socket with it: the server ends.
    thread.join().unwrap();
    sent
}

#[test]
fn a_final_reply_that_begins_with_2_is_acceptance_whatever_follows() {
    let waits = Waits::impatient(SHORT);
    let long = [b"250 ".as_slice(), &vec![b'x'; 1024 * 1024], b"\r\n"].concat();
    let lines = [b"250-x\r\n".repeat(100_000).as_slice(), b"250 x\r\n"].concat();
    for reply in [
        b"250\r\n".as_slice(),
        b"250 2.0.0 \xff\xfe\r\n",
        b"250-first\r\n550 mixed\r\n",
        b"250 no end",
        &long,
        &lines,
    ] {
        match send(reply, waits) {
            Ok(accepted) => assert_eq!(accepted.code, 250),
            Err(why) => panic!("{:?}: {why}", &reply[..reply.len().min(20)]),
        }
    }
}

#[test]
fn a_refusal_that_has_no_end_is_read_to_the_limit_and_is_no_acceptance() {
    let long = [b"550 ".as_slice(), &vec![b'x'; 1024 * 1024]].concat();
    assert!(matches!(
        send(&long, Waits::impatient(Duration::from_secs(5))),
        Err(Error::TooLong(Step::EndOfData))
    ));
}

#[test]
fn the_reply_to_the_mail_may_take_longer_than_others() {
    let waits = Waits {
        end_of_data: SHORT * 4,
        ..Waits::impatient(SHORT)
    };
    let began = Instant::now();
    assert!(matches!(
        send(b"", waits),
        Err(Error::Timeout(Step::EndOfData, _))
    ));
    assert!(began.elapsed() >= SHORT * 4, "{:?}", began.elapsed());
}

#[test]
fn the_deadline_of_the_conversation_ends_any_wait() {
    let waits = Waits {
        end_of_data: Duration::from_secs(600),
        conversation: SHORT,
        ..Waits::impatient(SHORT)
    };
    let began = Instant::now();
    assert!(matches!(
        send(b"", waits),
        Err(Error::Timeout(Step::EndOfData, _))
    ));
    assert!(began.elapsed() < SHORT * 8, "{:?}", began.elapsed());
}

#[test]
fn replies_to_commands_that_were_sent_together_may_come_together() {
    let accepted = converse(
        &[
            b"220 hi\r\n",
            b"250-sink\r\n250 PIPELINING\r\n",
            b"250 ok\r\n250-2.1.5 ok\r\n250 yes\r\n354 go\r\n",
            b"",
            b"",
            b"250 kept\r\n",
        ],
        Waits::impatient(SHORT),
        |_| Ok(()),
    );
    assert_eq!(accepted.map(|reply| reply.lines).unwrap(), ["kept"]);
}

#[test]
fn the_first_refusal_of_a_pipeline_counts_and_the_conversation_goes_on() {
    for (replies, refused_at) in [
        // The server asks for a mail to nobody: it gets an empty one.
        (
            [
                b"250 ok\r\n".as_slice(),
                b"550 5.1.1 no\r\n",
                b"354 go\r\n",
                b"554 5.5.1 no recipients\r\n",
            ],
            Step::Rcpt,
        ),
        (
            [
                b"451 later\r\n",
                b"503 5.5.1 MAIL first\r\n",
                b"503 5.5.1 RCPT first\r\n",
                b"250 reset\r\n",
            ],
            Step::MailFrom,
        ),
    ] {
        let mut script: Vec<&[u8]> = vec![b"220 hi\r\n", b"250-sink\r\n250 PIPELINING\r\n"];
        script.extend(replies);
        script.push(b"250 reset\r\n");
        let refusal = converse(&script, Waits::impatient(SHORT), Session::reset);
        assert!(
            matches!(&refusal, Err(Error::Refused(step, _)) if *step == refused_at),
            "{refusal:?}"
        );
    }
}

#[test]
fn dots_at_line_starts_are_doubled_and_the_end_is_one_dot() {
    assert_eq!(stuffed("a\r\n.\r\n..b."), "a\r\n..\r\n...b.\r\n.\r\n");
    assert_eq!(stuffed("a\r\n"), "a\r\n.\r\n");
}

#[test]
fn a_file_without_certificates_is_refused() {
    assert!(matches!(client_config(Some(b"-")), Err(Error::Certificates(_))));
}
