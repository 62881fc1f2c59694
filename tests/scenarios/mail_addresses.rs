//! The names and addresses in a mail: EHLO, Message-ID, List-Id, sender and recipients.

use anyhow::{Context, Result, ensure};
use logwatch_tests::mail_sink::{Action, MailSink, Step};
use logwatch_tests::server::Server;

use crate::{INGEST_FATAL, SOON, mailing_server};

const EMAIL: &str = "SELECT recipient, state FROM logwatch.notifications WHERE channel = 'email' \
                     AND state IN ('sent', 'failed') ORDER BY 1";

#[test]
fn the_mail_server_and_the_headers_get_a_domain_that_exists() -> Result<()> {
    let sink = MailSink::plain()?;
    let server = mailing_server(
        &sink,
        &[("logwatch.email_from", "Logs <logwatch@db.example.com>")],
    )?;
    server.sql(INGEST_FATAL)?;
    let mail = sink.wait_for_subject(SOON, "[FIRING:1] fatal")?;
    // The qualified name of this host where it has one, or else the sender's domain.
    ensure!(
        mail.hello.contains('.') && !mail.hello.starts_with("localhost"),
        "{}",
        mail.hello
    );
    let id = mail.message_id();
    ensure!(id.ends_with(".logwatch@db.example.com>"), "{id}");
    assert_eq!(
        mail.header("List-Id").as_deref(),
        Some("logwatch <logwatch.db.example.com>")
    );
    assert_eq!(
        mail.header("From").as_deref(),
        Some("Logs <logwatch@db.example.com>")
    );
    Ok(())
}

#[test]
fn the_name_in_ehlo_can_be_set() -> Result<()> {
    let sink = MailSink::plain()?;
    let mut server = mailing_server(&sink, &[("logwatch.smtp_hello", "db1.example.com")])?;
    server.sql(INGEST_FATAL)?;
    assert_eq!(
        sink.wait_for_subject(SOON, "[FIRING:1] fatal")?.hello,
        "db1.example.com"
    );
    server.set(&[("logwatch.smtp_hello", "not a name")])?;
    server.reload();
    server.wait_for_sql(SOON, "SHOW logwatch.smtp_hello", "not a name")?;
    let error = server.sql_error("SELECT logwatch_test('email')")?;
    ensure!(
        error.code == "55000" && error.to_string().contains("use a name like db1.example.com"),
        "{error}"
    );
    Ok(())
}

#[test]
fn a_server_that_knows_only_helo_gets_the_mail() -> Result<()> {
    let sink = MailSink::plain()?;
    sink.times(1, Step::Ehlo, Action::reply("502 command not implemented"));
    let server = mailing_server(&sink, &[])?;
    server.sql(INGEST_FATAL)?;
    sink.wait_for_subject(SOON, "[FIRING:1] fatal")?;
    server.wait_for_sql(
        SOON,
        "SELECT attempts FROM logwatch.notifications WHERE channel = 'email' AND state = 'sent'",
        "1",
    )?;
    assert_eq!((sink.reached(&Step::Ehlo), sink.reached(&Step::Greeting)), (2, 1));
    Ok(())
}

#[test]
fn names_and_foreign_domains_in_email_to_reach_their_mailboxes() -> Result<()> {
    let sink = MailSink::plain()?;
    let to = "Ops Team <ops@bücher.example>, \"Doe, Jörg\" <joerg@example.com>, dba@example.com,";
    let server = mailing_server(&sink, &[("logwatch.email_to", to)])?;
    server.sql(INGEST_FATAL)?;
    server.wait_for_sql(
        SOON,
        EMAIL,
        "dba@example.com|sent\njoerg@example.com|sent\nops@bücher.example|sent",
    )?;
    let header = |to: &str| -> Result<String> {
        let mails = sink.mails();
        let mail = mails
            .iter()
            .find(|mail| mail.to == [to])
            .with_context(|| format!("no mail to {to}"))?;
        ensure!(mail.parameters.is_empty() && mail.raw.is_ascii());
        Ok(mail.header("To").unwrap_or_default())
    };
    assert_eq!(
        header("ops@xn--bcher-kva.example")?,
        "\"Ops Team\" <ops@xn--bcher-kva.example>"
    );
    let jane = header("joerg@example.com")?;
    ensure!(
        jane.starts_with("=?utf-8?") && jane.ends_with("<joerg@example.com>"),
        "{jane}"
    );
    assert_eq!(header("dba@example.com")?, "dba@example.com");
    Ok(())
}

#[test]
fn a_local_part_in_utf_8_needs_a_server_with_smtputf8() -> Result<()> {
    let sink = MailSink::plain()?;
    let server = mailing_server(
        &sink,
        &[("logwatch.email_to", "jürgen@bücher.example, a@example.com")],
    )?;
    server.sql(INGEST_FATAL)?;
    server.wait_for_sql(SOON, EMAIL, "a@example.com|sent\njürgen@bücher.example|failed")?;
    let error = server.sql("SELECT last_error FROM logwatch.notifications WHERE state = 'failed'")?;
    ensure!(error.contains("does not offer SMTPUTF8"), "{error}");
    assert_eq!(sink.mails().len(), 1);

    sink.always(
        Step::Ehlo,
        Action::reply("250-sink.test\r\n250-8BITMIME\r\n250 SMTPUTF8"),
    );
    server.sql("SELECT logwatch_test('email', 'jürgen@bücher.example')")?;
    let mail = sink.mails().pop().context("a second mail")?;
    assert_eq!(mail.to, ["jürgen@xn--bcher-kva.example"]);
    assert_eq!(mail.parameters, "SMTPUTF8");
    Ok(())
}

#[test]
fn a_rule_refuses_malformed_addresses() -> Result<()> {
    let server = Server::without_worker(&[])?;
    let long = format!("{}@example.com", "a".repeat(65));
    for bad in [
        "a@b..c",
        "a..b@example.com",
        "ops",
        "a@-b.example",
        "a@b c",
        &long,
    ] {
        let error = server.sql_error(&format!(
            "INSERT INTO logwatch.rules (name, recipients) VALUES ('x', ARRAY['{bad}'])"
        ))?;
        ensure!(
            error.code == "23514" && error.to_string().contains("is not an e-mail address"),
            "{bad}: {error}"
        );
    }
    server.sql("INSERT INTO logwatch.rules (name, recipients) VALUES ('x', '{ops@bücher.example,a.b+c@example.com}')")?;
    Ok(())
}
