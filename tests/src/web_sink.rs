//! A web server for webhooks: keeps what is posted to it, answers with the codes it was told to.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use rustls::{ServerConnection, StreamOwned};
use serde_json::Value;
use tiny_http::{Response, Server};

use crate::certificate::Certificate;
use crate::wait::wait_for;

/// One request as it came.
#[derive(Clone)]
pub struct Post {
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: Value,
    /// The status code of the answer.
    pub code: u16,
}

impl Post {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// Listens on a loopback port until it is dropped.
pub struct WebSink {
    server: Arc<Server>,
    posts: Arc<Mutex<Vec<Post>>>,
}

impl WebSink {
    /// Answers with these codes first, one per request, and with 200 from then on.
    pub fn answering(codes: &[u16]) -> Result<WebSink> {
        let server = Arc::new(Server::http("127.0.0.1:0").map_err(|why| anyhow!("no web server: {why}"))?);
        let posts = Arc::new(Mutex::new(Vec::new()));
        let mut codes: VecDeque<u16> = codes.iter().copied().collect();
        let (listener, kept) = (server.clone(), posts.clone());
        std::thread::spawn(move || {
            for mut request in listener.incoming_requests() {
                let code = codes.pop_front().unwrap_or(200);
                let mut body = String::new();
                let read = request.as_reader().read_to_string(&mut body);
                let headers = request.headers().iter();
                let headers = headers
                    .map(|one| (one.field.to_string(), one.value.to_string()))
                    .collect();
                let body = read
                    .ok()
                    .and_then(|_| serde_json::from_str(&body).ok())
                    .unwrap_or(Value::Null);
                let post = Post {
                    path: request.url().to_owned(),
                    headers,
                    body,
                    code,
                };
                kept.lock().unwrap_or_else(PoisonError::into_inner).push(post);
                // A client that has gone needs no answer.
                let _ = request.respond(Response::from_string("heard").with_status_code(code));
            }
        });
        Ok(WebSink { server, posts })
    }

    pub fn url(&self) -> String {
        let port = self
            .server
            .server_addr()
            .to_ip()
            .map_or(0, |address| address.port());
        format!("http://127.0.0.1:{port}/alerts")
    }

    pub fn posts(&self) -> Vec<Post> {
        self.posts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits for so many requests.
    pub fn wait_for_posts(&self, limit: Duration, number: usize) -> Result<Vec<Post>> {
        wait_for(limit, &format!("{number} requests"), || {
            let posts = self.posts();
            Ok((posts.len() >= number).then_some(posts))
        })
    }
}

/// Listens on a loopback port, over TLS, for as long as the test runs; answers each request with
/// 200 and returns the port.
pub fn encrypted_web_server(certificate: &Certificate) -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    let config = certificate.server_config();
    std::thread::spawn(move || {
        for stream in listener.incoming().take(100).flatten() {
            // A client that does not trust the certificate ends the conversation.
            let _ = ServerConnection::new(Arc::clone(&config))
                .context("TLS")
                .and_then(|tls| answer_one(StreamOwned::new(tls, stream)));
        }
    });
    Ok(port)
}

fn answer_one(stream: impl Read + Write) -> Result<()> {
    let mut stream = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        match line.trim_end().split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.trim().parse()?
            }
            None if line.trim_end().is_empty() => break,
            _ => {}
        }
    }
    stream.read_exact(&mut vec![0; length])?;
    let stream = stream.get_mut();
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nheard")?;
    stream.flush()?;
    Ok(())
}

impl Drop for WebSink {
    fn drop(&mut self) {
        self.server.unblock();
    }
}
