//! Mail settings that cannot work: each error gives the value to type.

use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;

use anyhow::{Result, ensure};
use logwatch_tests::certificate::Certificate;
use logwatch_tests::mail_sink::{Action, MailSink, Step};
use logwatch_tests::server::Server;

use crate::SOON;

/// A server without worker that mails through this URL.
fn server_with(url: &str, more: &[(&str, &str)]) -> Result<Server> {
    let mut settings = vec![
        ("logwatch.smtp_url", url),
        ("logwatch.email_to", "ops@example.com"),
    ];
    settings.extend_from_slice(more);
    Server::without_worker(&settings)
}

/// Sends a test mail, which must fail with a text that contains all of these.
fn test_fails(server: &Server, parts: &[&str]) -> Result<()> {
    let error = server.sql_error("SELECT logwatch_test('email')")?.to_string();
    for part in parts {
        ensure!(error.contains(part), "{part:?} is missing in: {error}");
    }
    Ok(())
}

#[test]
fn a_server_without_starttls_is_answered_with_the_other_schemes() -> Result<()> {
    let sink = MailSink::plain()?;
    let url = format!("smtp://localhost:{}", sink.port());
    test_fails(
        &server_with(&url, &[])?,
        &["08000", "does not offer STARTTLS", "smtps://", "smtp+plain://"],
    )?;
    ensure!(sink.mails().is_empty());
    Ok(())
}

#[test]
fn smtps_at_a_plain_port_is_answered_with_starttls() -> Result<()> {
    let sink = MailSink::plain()?;
    let url = format!("smtps://localhost:{}", sink.port());
    test_fails(
        &server_with(&url, &[])?,
        &["08000", "does not speak TLS", "smtp://"],
    )
}

#[test]
fn a_plain_conversation_at_a_tls_port_is_answered_with_smtps() -> Result<()> {
    let certificate = Certificate::new()?;
    let sink = MailSink::implicit_tls(&certificate, None)?;
    let url = format!("smtp+plain://localhost:{}", sink.port());
    test_fails(
        &server_with(&url, &[("logwatch.smtp_timeout", "1s")])?,
        &["08000", "no reply to the connection within 1 s", "smtps://"],
    )
}

#[test]
fn a_certificate_that_cannot_be_trusted_is_answered_with_the_remedy() -> Result<()> {
    let certificate = Certificate::for_names(&["mail.example.com", "mx.example.com"])?;
    let authority = Certificate::authority_as_server()?;
    let stranger = Certificate::new()?;
    for (serving, trusted, parts) in [
        (
            &certificate,
            &certificate,
            ["mail.example.com", "mx.example.com", "not for localhost"],
        ),
        (&authority, &authority, ["CA:TRUE", "localhost", "without that"]),
        (
            &stranger,
            &certificate,
            ["not trusted", "localhost", "logwatch.smtp_ca_file"],
        ),
    ] {
        let sink = MailSink::implicit_tls(serving, None)?;
        let mut server = server_with(&sink.url(), &[])?;
        let ca = server
            .write_file("ca.pem", &trusted.authority)?
            .display()
            .to_string();
        server.set(&[("logwatch.smtp_ca_file", &ca)])?;
        server.reload();
        server.wait_for_sql(SOON, "SHOW logwatch.smtp_ca_file", &ca)?;
        test_fails(&server, &parts)?;
    }
    Ok(())
}

#[test]
fn a_port_of_another_protocol_is_answered_as_no_mail_server() -> Result<()> {
    let sink = MailSink::plain()?;
    sink.always(Step::Greeting, Action::reply("HTTP/1.1 400 Bad Request"));
    test_fails(
        &server_with(&sink.url(), &[])?,
        &["is not SMTP", "HTTP/1.1 400 Bad Request"],
    )
}

#[test]
fn a_test_mail_names_the_server_that_took_it() -> Result<()> {
    let (down, sink) = (MailSink::plain()?, MailSink::plain()?);
    down.always(Step::Greeting, Action::Close);
    let server = server_with(&format!("{}, {}", down.url(), sink.url()), &[])?;
    let answer = server.sql("SELECT logwatch_test('email')")?;
    ensure!(
        answer.starts_with(&format!("localhost:{} accepted the message", sink.port())),
        "{answer}"
    );
    Ok(())
}

#[test]
fn a_server_without_a_common_login_lists_what_it_offers() -> Result<()> {
    let sink = MailSink::plain()?;
    sink.always(
        Step::Ehlo,
        Action::reply("250-sink.test\r\n250 AUTH GSSAPI CRAM-MD5"),
    );
    let mut server = server_with(&sink.url(), &[])?;
    let file = server.write_file("password", "secret\n")?;
    server.set(&[
        ("logwatch.smtp_user", "me"),
        ("logwatch.smtp_password_file", &file.display().to_string()),
    ])?;
    server.reload();
    server.wait_for_sql(SOON, "SHOW logwatch.smtp_user", "me")?;
    test_fails(
        &server,
        &["08000", "PLAIN or LOGIN", "it offers: GSSAPI CRAM-MD5"],
    )?;
    ensure!(sink.reached(&Step::MailFrom) == 0);
    Ok(())
}

#[test]
fn a_password_file_that_cannot_be_read_is_answered_with_the_command() -> Result<()> {
    let mut server = server_with("smtp+plain://localhost:25", &[("logwatch.smtp_user", "me")])?;
    let file = server.write_file("password", "secret\n")?;
    let mut refuses = |file: &Path, parts: &[&str]| -> Result<()> {
        let file = file.display().to_string();
        server.set(&[("logwatch.smtp_password_file", &file)])?;
        server.reload();
        server.wait_for_sql(SOON, "SHOW logwatch.smtp_password_file", &file)?;
        test_fails(&server, &[&["55000", file.as_str()], parts].concat())
    };
    let folder = file.with_file_name("a_directory");
    std::fs::create_dir(&folder)?;
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o644))?;
    refuses(&file, &["others can read it", "chmod 600"])?;
    refuses(&folder, &["it is a directory"])?;
    // A file that the server's user does not own and may not read.
    let other = file.with_file_name("other");
    std::fs::write(&other, "secret\n")?;
    std::fs::set_permissions(&other, PermissionsExt::from_mode(0o600))?;
    if chown(&other, Some(0), Some(0)).is_ok() {
        refuses(&other, &["chown postgres"])?;
    }
    Ok(())
}

#[test]
fn a_list_of_recipients_with_semicolons_is_answered_with_its_form() -> Result<()> {
    for to in [
        "Ops Team <ops@example.com>; b@example.com",
        "a@example.com; b@example.com",
    ] {
        let server = server_with("smtp+plain://localhost:25", &[("logwatch.email_to", to)])?;
        test_fails(&server, &["55000", "separate addresses by commas", "Jane Doe <"])?;
        let status = server.sql("SELECT state, message FROM logwatch_status() WHERE name = 'email'")?;
        ensure!(
            status.starts_with("error|") && status.contains("by commas"),
            "{status}"
        );
    }
    Ok(())
}

#[test]
fn a_misspelt_setting_is_found_with_the_nearest_name() -> Result<()> {
    let mut server = Server::without_worker(&[])?;
    let unknown = "SELECT name, nearest, line > 0 FROM logwatch_private.unknown_settings()";
    assert_eq!(server.sql(unknown)?, "");
    server.set(&[
        ("logwatch.smtp_uri", "smtp://localhost"),
        ("logwatch.Email_To", "a@example.com"),
    ])?;
    server.reload();
    server.wait_for_sql(SOON, unknown, "logwatch.smtp_uri|logwatch.smtp_url|t")
}
