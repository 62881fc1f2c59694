//! Login by OAuth 2 (RFC 6749, XOAUTH2, RFC 7628): against a mail server that compares the SASL
//! response and a token endpoint on 127.0.0.1.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Result, anyhow, ensure};
use logwatch_tests::mail_sink::{MailSink, Step};
use logwatch_tests::server::Server;
use tiny_http::Response;

use crate::{INGEST_FATAL, SOON, hurry_retries};

const USER: &str = "logwatch@example.com";
const EMAIL: &str = "SELECT state, attempts FROM logwatch.notifications WHERE channel = 'email'";

/// A token endpoint that gives one answer until it gets another one.
struct Endpoint {
    server: Arc<tiny_http::Server>,
    answer: Arc<Mutex<(u16, String)>>,
    forms: Arc<Mutex<Vec<String>>>,
}

impl Endpoint {
    fn start() -> Result<Endpoint> {
        let server = tiny_http::Server::http("127.0.0.1:0").map_err(|why| anyhow!("no web server: {why}"))?;
        let endpoint = Endpoint {
            server: Arc::new(server),
            answer: Arc::default(),
            forms: Arc::default(),
        };
        let (server, answer, forms) = (
            Arc::clone(&endpoint.server),
            Arc::clone(&endpoint.answer),
            Arc::clone(&endpoint.forms),
        );
        std::thread::spawn(move || {
            for mut request in server.incoming_requests() {
                let mut form = String::new();
                let _ = request.as_reader().read_to_string(&mut form);
                forms.lock().unwrap_or_else(PoisonError::into_inner).push(form);
                let (code, text) = answer.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let _ = request.respond(Response::from_string(text).with_status_code(code));
            }
        });
        Ok(endpoint)
    }

    fn answers(&self, code: u16, text: &str) {
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = (code, text.to_owned());
    }

    fn gives(&self, token: &str, seconds: u32) {
        self.answers(
            200,
            &format!(r#"{{"access_token":"{token}","expires_in":{seconds},"token_type":"Bearer"}}"#),
        );
    }

    fn forms(&self) -> Vec<String> {
        self.forms.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn url(&self) -> String {
        let port = self
            .server
            .server_addr()
            .to_ip()
            .map_or(0, |address| address.port());
        format!("http://127.0.0.1:{port}/token")
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.server.unblock();
    }
}

/// A mailing server with this text in its `smtp_oauth_file`.
fn server_with(sink: &MailSink, file: &str) -> Result<Server> {
    let mut server = Server::create(&[])?;
    crate::mail_through(&mut server, sink)?;
    let file = server.write_file("oauth.toml", file)?;
    server.set(&[
        ("logwatch.smtp_user", USER),
        ("logwatch.smtp_oauth_file", &file.display().to_string()),
    ])?;
    server.start_with_extension()?;
    Ok(server)
}

fn refreshing(sink: &MailSink, endpoint: &Endpoint) -> Result<Server> {
    server_with(
        sink,
        &format!(
            "token_url = '{}'\nclient_id = 'the client'\nclient_secret = 'secret-of-client'\nrefresh_token = 'secret-refresh'\n",
            endpoint.url()
        ),
    )
}

#[test]
fn a_token_is_fetched_once_and_used_by_either_mechanism() -> Result<()> {
    // A token as long as Microsoft's does not fit into a command line.
    for (mechanism, token) in [("XOAUTH2", "t".repeat(2000)), ("OAUTHBEARER", "short".to_owned())] {
        let (sink, endpoint) = (MailSink::with_token(mechanism)?, Endpoint::start()?);
        endpoint.gives(&token, 3600);
        sink.accept_token(USER, &token);
        let server = refreshing(&sink, &endpoint)?;
        server.sql(INGEST_FATAL)?;
        let mail = sink.wait_for_subject(SOON, "[FIRING:1] fatal")?;
        assert_eq!(mail.user.as_deref(), Some(USER));
        server.wait_for_sql(SOON, EMAIL, "sent|1")?;
        sink.wait_until_idle(SOON)?;
        server.sql("SELECT logwatch_report('email')")?;
        sink.wait_for_subject(SOON, "status of")?;
        assert_eq!(sink.reached(&Step::Auth), 2, "two conversations");
        assert_eq!(
            endpoint.forms(),
            [
                "grant_type=refresh_token&refresh_token=secret-refresh&client_id=the+client&client_secret=secret-of-client"
            ]
        );
        let log = server.log();
        ensure!(!log.contains("secret-") && !log.contains(&token), "{log}");
    }
    Ok(())
}

#[test]
fn a_token_that_the_server_refuses_is_replaced_at_once() -> Result<()> {
    let (sink, endpoint) = (MailSink::with_token("XOAUTH2")?, Endpoint::start()?);
    endpoint.gives("old", 3600);
    sink.accept_token(USER, "old");
    let server = refreshing(&sink, &endpoint)?;
    server.sql(INGEST_FATAL)?;
    sink.wait_for_subject(SOON, "[FIRING:1] fatal")?;
    server.wait_for_sql(SOON, EMAIL, "sent|1")?;
    sink.wait_until_idle(SOON)?;
    endpoint.gives("new", 3600);
    sink.accept_token(USER, "new");
    server.sql("SELECT logwatch_report('email')")?;
    sink.wait_for_subject(SOON, "status of")?;
    server.wait_for_sql(
        SOON,
        "SELECT state, attempts FROM logwatch.notifications WHERE reason = 'report'",
        "sent|1",
    )?;
    assert_eq!(endpoint.forms().len(), 2);
    Ok(())
}

#[test]
fn an_expired_token_is_fetched_anew() -> Result<()> {
    let (sink, endpoint) = (MailSink::with_token("XOAUTH2")?, Endpoint::start()?);
    // Within the minute in which a token is renewed.
    endpoint.gives("first", 30);
    sink.accept_token(USER, "first");
    let server = refreshing(&sink, &endpoint)?;
    server.sql(INGEST_FATAL)?;
    sink.wait_for_subject(SOON, "[FIRING:1] fatal")?;
    server.wait_for_sql(SOON, EMAIL, "sent|1")?;
    sink.wait_until_idle(SOON)?;
    endpoint.gives("second", 30);
    sink.accept_token(USER, "second");
    server.sql("SELECT logwatch_report('email')")?;
    sink.wait_for_subject(SOON, "status of")?;
    assert_eq!(
        sink.reached(&Step::Auth),
        2,
        "the expired token was not tried again"
    );
    Ok(())
}

#[test]
fn a_revoked_refresh_token_keeps_the_mail_queued_and_says_so() -> Result<()> {
    let (sink, endpoint) = (MailSink::with_token("XOAUTH2")?, Endpoint::start()?);
    endpoint.answers(
        400,
        r#"{"error":"invalid_grant","error_description":"Token has been expired or revoked."}"#,
    );
    let server = refreshing(&sink, &endpoint)?;
    server.sql(INGEST_FATAL)?;
    server.wait_for_sql(SOON, &format!("{EMAIL} AND last_error IS NOT NULL"), "queued|1")?;
    let status = server.sql("SELECT state, message FROM logwatch_status() WHERE name = 'email'")?;
    ensure!(
        status.starts_with("failing|")
            && status.contains("was revoked or has expired; get a new one")
            && status.contains("Token has been expired or revoked."),
        "{status}"
    );
    ensure!(!status.contains("secret-") && !server.log().contains("secret-"));
    endpoint.gives("good", 3600);
    sink.accept_token(USER, "good");
    hurry_retries(&server)?;
    sink.wait_for_subject(SOON, "[FIRING:1] fatal")?;
    Ok(())
}

#[test]
fn a_file_that_another_program_refreshes_is_read_for_each_connection() -> Result<()> {
    let sink = MailSink::with_token("XOAUTH2")?;
    sink.accept_token(USER, "one");
    let mut server = Server::create(&[])?;
    let token = server.write_file("token", "one\n")?;
    crate::mail_through(&mut server, &sink)?;
    let file = server.write_file("oauth.toml", &format!("token_file = '{}'\n", token.display()))?;
    server.set(&[
        ("logwatch.smtp_user", USER),
        ("logwatch.smtp_oauth_file", &file.display().to_string()),
    ])?;
    server.start_with_extension()?;
    server.sql(INGEST_FATAL)?;
    sink.wait_for_subject(SOON, "[FIRING:1] fatal")?;
    sink.accept_token(USER, "two");
    server.write_file("token", "two\n")?;
    server.sql("SELECT logwatch_test('email')")?;
    // A token that the server refuses: its words and the setting, and no part of the token.
    server.write_file("token", "secret-three\n")?;
    let error = server.sql_error("SELECT logwatch_test('email')")?.to_string();
    ensure!(
        error.contains("535") && error.contains("smtp_oauth_file") && !error.contains("secret-"),
        "{error}"
    );
    Ok(())
}

#[test]
fn a_server_without_token_login_lists_what_it_offers() -> Result<()> {
    let (sink, endpoint) = (MailSink::with_token("SCRAM-SHA-256")?, Endpoint::start()?);
    endpoint.gives("t", 3600);
    let server = refreshing(&sink, &endpoint)?;
    let error = server.sql_error("SELECT logwatch_test('email')")?.to_string();
    ensure!(
        error.contains("XOAUTH2 or OAUTHBEARER") && error.contains("it offers: PLAIN SCRAM-SHA-256"),
        "{error}"
    );
    Ok(())
}
